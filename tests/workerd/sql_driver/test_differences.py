"""What D1 cannot do as SQLite does it: each difference is told by an error or by the log, and stays as written here."""

from __future__ import annotations

import sqlite3
from typing import Any

import pytest

from edgelift.worker import sqlite3 as driver
from tests.workerd.sql_driver.d1_server import HttpTransport

pytestmark = [pytest.mark.workerd, pytest.mark.xdist_group("d1")]


def test_rollback_after_a_write_raises(d1: Any) -> None:
    d1.execute("CREATE TABLE t(a)")
    d1.execute("INSERT INTO t VALUES(1)")
    with pytest.raises(driver.LostRollbackError, match="cannot undo 1 write"):
        d1.rollback()
    assert not d1.in_transaction
    assert d1.execute("SELECT * FROM t").fetchall() == [(1,)]


def test_rollback_without_a_write_is_fine(d1: Any) -> None:
    d1.execute("CREATE TABLE t(a UNIQUE)")
    d1.execute("INSERT INTO t VALUES(1)")
    d1.commit()
    with pytest.raises(sqlite3.IntegrityError):
        d1.execute("INSERT INTO t VALUES(1)")
    assert d1.in_transaction
    d1.rollback()
    d1.execute("DELETE FROM t WHERE a = 5")
    d1.rollback()


def test_a_schema_statement_in_a_transaction_is_not_undone(d1: Any) -> None:
    d1.execute("BEGIN")
    d1.execute("CREATE TABLE t(a)")
    with pytest.raises(driver.LostRollbackError):
        d1.execute("ROLLBACK")


def test_a_failed_executemany_leaves_nothing(d1: Any) -> None:
    """CPython keeps the rows before the failure in the open transaction; a D1 batch is all or nothing."""
    d1.execute("CREATE TABLE t(a UNIQUE)")
    with pytest.raises(sqlite3.IntegrityError):
        d1.executemany("INSERT INTO t VALUES(?)", [(1,), (2,), (1,)])
    d1.rollback()
    assert d1.execute("SELECT count(*) FROM t").fetchone() == (0,)


def test_a_failed_script_leaves_nothing(d1: Any) -> None:
    with pytest.raises(sqlite3.OperationalError, match="syntax error"):
        d1.executescript("CREATE TABLE t(a); INSERT INTO t VALUES(1); SELEC")
    assert d1.execute("SELECT count(*) FROM sqlite_master").fetchone() == (0,)


def test_a_long_insert_that_fails_leaves_nothing(d1: Any) -> None:
    d1.execute("CREATE TABLE t(a UNIQUE)")
    values = [f"v{i}" for i in range(500)] + ["v0"]
    marks = ",".join("(?)" for _ in values)
    with pytest.raises(sqlite3.IntegrityError, match=r"UNIQUE constraint failed: t\.a"):
        d1.execute(f"INSERT INTO t VALUES {marks}", values)
    assert d1.execute("SELECT count(*) FROM t").fetchone() == (0,)


@pytest.mark.parametrize(
    ("sql", "message"),
    [
        ("CREATE TEMP TABLE t(a)", "not authorized"),
        ("ATTACH ':memory:' AS other", "not authorized"),
        ("SELECT load_extension('x')", "not authorized"),
        ("VACUUM INTO 'x'", "VACUUM"),
    ],
)
def test_what_d1_does_not_offer(d1: Any, sql: str, message: str) -> None:
    with pytest.raises(sqlite3.DatabaseError, match=message):
        d1.execute(sql)


def test_more_columns_and_terms_than_d1_takes(d1: Any) -> None:
    """They run on a copy in the interpreter's own SQLite, up to that one's limits."""
    assert d1.execute("SELECT " + ", ".join(str(i) for i in range(101))).fetchone() == tuple(
        range(101)
    )
    assert d1.execute(" UNION ALL ".join("SELECT 1" for _ in range(7))).fetchall() == [(1,)] * 7
    with pytest.raises(sqlite3.DatabaseError, match=r"too many columns|statement too long"):
        d1.execute("SELECT " + ", ".join(str(i) for i in range(2001)))
    with pytest.raises(sqlite3.OperationalError, match="too many columns"):
        d1.execute(f"CREATE TABLE t({', '.join(f'c{i}' for i in range(101))})")


def test_an_answer_that_lies_is_noticed(d1: Any, d1_transport: HttpTransport) -> None:
    """The fault twin of exactness: rows read in D1's plain form are not what was stored."""
    d1.execute("CREATE TABLE t(a, b)")
    d1.execute("INSERT INTO t VALUES(?, ?)", (2**53 + 1, 1.0))
    plain = '{"statements": [["SELECT a, b FROM t", [], "raw"]]}'
    assert '"rows":[[9007199254740992,1]]' in d1_transport.send(d1.database.binding, plain)
    assert repr(d1.execute("SELECT a, b FROM t").fetchone()) == "(9007199254740993, 1.0)"


def test_a_number_bound_by_d1_itself_is_a_real(d1: Any, d1_transport: HttpTransport) -> None:
    asked = '{"statements": [["SELECT typeof(?), ?/2", [3, 3], "raw"]]}'
    assert '"rows":[["real",1.5]]' in d1_transport.send(d1.database.binding, asked)


def test_a_broken_transport_is_operational(d1: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    answer = '{"error": "D1_ERROR: Network connection lost."}'
    monkeypatch.setattr(d1.database.transport, "send", lambda _binding, _request: answer)
    with pytest.raises(sqlite3.OperationalError, match="Network connection lost"):
        d1.execute("SELECT 1")
