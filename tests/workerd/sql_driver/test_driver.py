"""The module's own surface over a real D1 binding: cursors, rows, types, limits, one call per statement."""

from __future__ import annotations

import datetime as dt
import logging
import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from edgelift.worker import sqlite3 as driver
from tests.workerd.sql_driver.conftest import DATABASE
from tests.workerd.sql_driver.d1_server import HttpTransport

pytestmark = [pytest.mark.workerd, pytest.mark.xdist_group("d1")]
ROOT = Path(__file__).parents[3]


def calls(transport: HttpTransport, work: Any) -> int:
    before = len(transport.requests)
    work()
    return len(transport.requests) - before


def test_one_call_for_a_statement(d1: Any, d1_transport: HttpTransport) -> None:
    d1.execute("CREATE TABLE t(id INTEGER PRIMARY KEY, a)")
    assert calls(d1_transport, lambda: d1.execute("INSERT INTO t(a) VALUES(?)", ("x",))) == 1
    assert calls(d1_transport, lambda: d1.execute("SELECT id, a FROM t")) == 1
    assert "names" in d1_transport.requests[-1]
    assert calls(d1_transport, lambda: d1.execute("SELECT id, a FROM t")) == 1
    assert "names" not in d1_transport.requests[-1]
    assert calls(d1_transport, lambda: d1.execute("SELECT * FROM t")) == 2
    assert calls(d1_transport, lambda: d1.execute("SELECT * FROM t")) == 1
    assert calls(d1_transport, lambda: d1.execute("SELECT count(*) FROM t")) == 1
    many = [(str(i),) for i in range(400)]
    assert calls(d1_transport, lambda: d1.executemany("INSERT INTO t(a) VALUES(?)", many)) == 1
    assert calls(d1_transport, d1.commit) == 0
    assert calls(d1_transport, lambda: d1.execute("BEGIN").execute("COMMIT")) == 0


def test_columns_that_change_elsewhere(d1: Any, d1_transport: HttpTransport) -> None:
    d1.execute("CREATE TABLE t(a)")
    d1.execute("INSERT INTO t VALUES(1)")
    assert d1.execute("SELECT * FROM t").fetchall() == [(1,)]
    alter = '{"statements": [["ALTER TABLE t ADD COLUMN b DEFAULT 2", [], "run"]]}'
    d1_transport.send(d1.database.binding, alter)
    cursor = d1.execute("SELECT * FROM t")
    assert (cursor.fetchall(), [c[0] for c in cursor.description]) == ([(1, 2)], ["a", "b"])


def test_fetching(d1: Any) -> None:
    cursor = d1.execute("VALUES (1), (2), (3), (4), (5), (6)")
    assert cursor.fetchone() == (1,)
    assert cursor.fetchmany() == [(2,)]
    assert cursor.fetchmany(2) == [(3,), (4,)]
    assert next(cursor) == (5,)
    assert list(cursor) == [(6,)]
    assert cursor.fetchone() is None
    assert cursor.fetchall() == []
    assert cursor.fetchmany(3) == []
    cursor.close()
    for method in (cursor.fetchone, cursor.fetchall, lambda: cursor.execute("SELECT 1")):
        with pytest.raises(sqlite3.ProgrammingError, match="Cannot operate on a closed cursor"):
            method()


def test_factories(d1: Any) -> None:
    d1.row_factory = driver.Row
    row = d1.execute("SELECT 1 AS a, 'x' AS b").fetchone()
    assert (row["A"], row[1], dict(zip(row.keys(), row, strict=True))) == (
        1,
        "x",
        {"a": 1, "b": "x"},
    )
    d1.row_factory = lambda cursor, row: {
        c[0]: v for c, v in zip(cursor.description, row, strict=True)
    }
    assert d1.execute("SELECT 1 AS a").fetchall() == [{"a": 1}]
    d1.row_factory = None
    d1.text_factory = bytes
    assert d1.execute("SELECT 'é', x'00', 1").fetchone() == ("é".encode(), b"\0", 1)
    d1.text_factory = bytearray
    assert d1.execute("SELECT 'a'").fetchone() == (bytearray(b"a"),)
    d1.text_factory = lambda content: content.decode().upper()
    assert d1.execute("SELECT 'a'").fetchone() == ("A",)


class Own(driver.Connection):
    """A factory of an application."""


class OwnCursor(driver.Cursor):
    """A cursor of an application."""


def test_subclasses(d1: Any) -> None:
    connection = driver.connect(DATABASE, factory=Own, timeout=2)
    assert isinstance(connection, Own)
    assert isinstance(connection.cursor(OwnCursor), OwnCursor)
    assert connection.execute("PRAGMA busy_timeout").fetchone() == (2000,)
    with pytest.raises(sqlite3.NotSupportedError, match="Own cannot open"):
        driver.connect(":memory:", factory=Own)
    with pytest.raises(TypeError, match="unexpected keyword"):
        driver.connect(DATABASE, nothing=1)
    connection.close()


DECLARED = [
    "SELECT d, t, b, x FROM t",
    "SELECT * FROM t",
    "SELECT u.* FROM t AS u",
    "SELECT u.d, v.t FROM t u JOIN t AS v ON u.x = v.x",
    "SELECT main.t.d FROM main.t",
    "SELECT d AS other, (t), d || '' FROM t",
    "SELECT q.z FROM (SELECT d AS z, t FROM t WHERE x = 1) q",
    "SELECT * FROM (SELECT d, t FROM t)",
    "WITH c AS (SELECT d AS y FROM t) SELECT y FROM c",
    "WITH c(p, q) AS (SELECT t, d FROM t), e AS (SELECT p FROM c) SELECT c.q, e.p FROM c, e",
    "SELECT d FROM t WHERE x IN (SELECT x FROM t) ORDER BY d",
    "SELECT d FROM v",
    "SELECT max(d), count(*), 'x' FROM t",
    "SELECT d FROM t UNION ALL SELECT d FROM t",
    "SELECT b FROM t LEFT JOIN (SELECT 1 AS one) ON one = x",
]


@pytest.mark.parametrize("sql", DECLARED)
def test_declared_types(d1: Any, sql: str, tmp_path: Path) -> None:
    driver.register_converter("boolean", lambda content: content == b"1")
    setup = (
        "CREATE TABLE t(d DATE, t TIMESTAMP, b boolean NOT NULL, x INTEGER); CREATE VIEW v AS SELECT d FROM t;"
        "INSERT INTO t VALUES('2024-02-29', '2024-02-29 01:02:03.5', 1, 1)"
    )
    reference = sqlite3.connect(tmp_path / "r.db", detect_types=sqlite3.PARSE_DECLTYPES)
    found = driver.connect(DATABASE, detect_types=driver.PARSE_DECLTYPES)
    for connection in (reference, found):
        connection.executescript(setup)
    assert found.execute(sql).fetchall() == reference.execute(sql).fetchall()
    reference.close()
    found.close()


def test_types_in_column_names(d1: Any, tmp_path: Path) -> None:
    sql = 'SELECT \'2024-02-29\' AS "d [date]", 5 AS \'n [none]\', 1.5 AS "f [text5]", NULL AS "z [date]", \'x[y\' AS "a[b"'
    driver.register_converter("text5", lambda content: content * 2)
    both = driver.PARSE_COLNAMES | driver.PARSE_DECLTYPES
    results = []
    for module, path in ((sqlite3, tmp_path / "r.db"), (driver, DATABASE)):
        connection = module.connect(path, detect_types=both)
        cursor = connection.execute(sql)
        results.append((cursor.fetchall(), [c[0] for c in cursor.description]))
        connection.close()
    assert results[0] == results[1]
    assert results[1][0][0][0] == dt.date(2024, 2, 29)


def test_isolation_and_autocommit(d1: Any) -> None:
    d1.execute("CREATE TABLE t(a)")
    assert d1.isolation_level == ""
    d1.isolation_level = None
    d1.execute("INSERT INTO t VALUES(1)")
    assert not d1.in_transaction
    d1.isolation_level = "immediate"
    d1.execute("INSERT INTO t VALUES(2)")
    assert d1.in_transaction
    d1.commit()
    for level, kind in (("WRONG", ValueError), (5, TypeError)):
        with pytest.raises(kind):
            d1.isolation_level = level
    d1.autocommit = False
    assert d1.in_transaction
    d1.execute("INSERT INTO t VALUES(3)")
    d1.commit()
    assert d1.in_transaction
    d1.autocommit = True
    assert not d1.in_transaction
    d1.rollback()
    with pytest.raises(ValueError, match="autocommit"):
        d1.autocommit = 5


def test_context_manager(d1: Any) -> None:
    with d1:
        d1.execute("CREATE TABLE t(a UNIQUE)")
        d1.execute("INSERT INTO t VALUES(1)")
    assert not d1.in_transaction
    with pytest.raises(sqlite3.IntegrityError), d1:
        d1.execute("INSERT INTO t VALUES(1)")
    with pytest.raises(driver.LostRollbackError) as lost, d1:  # noqa: PT012 - the block is the test
        d1.execute("INSERT INTO t VALUES(2)")
        d1.execute("INSERT INTO t VALUES(2)")
    assert isinstance(lost.value.__context__, sqlite3.IntegrityError)


def test_closing_with_writes_is_loud(d1: Any, caplog: pytest.LogCaptureFixture) -> None:
    d1.execute("CREATE TABLE t(a)")
    other = driver.connect(DATABASE)
    other.execute("INSERT INTO t VALUES(1)")
    other.close()
    other.close()
    assert caplog.text.count("LOST ROLLBACK") == 1
    with pytest.raises(sqlite3.ProgrammingError, match="Cannot operate on a closed database"):
        other.execute("SELECT 1")
    assert d1.execute("SELECT * FROM t").fetchall() == [(1,)]


def test_functions_of_the_application(d1: Any) -> None:
    """More of them in test_callbacks.py."""
    d1.create_function("lower", 1, str.upper, deterministic=True)
    d1.create_function("floor", 1, int)
    assert d1.execute("SELECT lower('a'), floor(1.5), upper('a')").fetchone() == ("A", 1, "A")
    d1.create_function("lower", 1, None)
    assert d1.execute("SELECT lower('A')").fetchone() == ("a",)
    for sql, named in (
        ("SELECT 'a' COLLATE Mine", "no such collation sequence: mine"),
        ("SELECT unknown(1)", "no such function: unknown"),
    ):
        with pytest.raises(sqlite3.OperationalError, match=f"(?i){named}"):
            d1.execute(sql)
    traced: list[str] = []
    d1.set_trace_callback(traced.append)
    d1.execute("SELECT 1;")
    assert traced == ["SELECT 1"]


def test_dump_and_backup(d1: Any) -> None:
    d1.executescript("CREATE TABLE t(id INTEGER PRIMARY KEY, a TEXT, b); CREATE INDEX i ON t(a)")
    rows = [(1, "it's", 1.5), (2, None, b"\0\xff"), (3, "é", 2**60 + 1)]
    d1.executemany("INSERT INTO t VALUES(?, ?, ?)", rows)
    reference = sqlite3.connect(":memory:")
    d1.backup(reference)
    assert reference.execute("SELECT * FROM t").fetchall() == rows
    assert list(d1.iterdump()) == list(reference.iterdump())
    reference.close()
    for refused in (d1.serialize, d1.blobopen, d1.deserialize):
        with pytest.raises(sqlite3.NotSupportedError):
            refused()


def test_reading_only(d1: Any) -> None:
    d1.execute("CREATE TABLE t(a)")
    reader = driver.connect(f"file:{DATABASE}?mode=ro", uri=True)
    assert reader.execute("SELECT * FROM t").fetchall() == []
    for sql in ("INSERT INTO t VALUES(1)", "DROP TABLE t", "WITH x AS (SELECT 1) DELETE FROM t"):
        with pytest.raises(sqlite3.OperationalError, match="attempt to write a readonly database"):
            reader.execute(sql)
    with pytest.raises(sqlite3.OperationalError, match="readonly"):
        reader.executescript("DELETE FROM t")
    reader.close()


def test_other_paths_are_local(d1: Any, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    for made in (
        driver.connect(":memory:"),
        driver.Connection(":memory:"),
        driver.connect(tmp_path / "x.db"),
    ):
        assert isinstance(made, driver.Connection)
        assert isinstance(made, sqlite3.Connection)
        made.row_factory = driver.Row
        assert made.execute("SELECT 1 AS a").fetchone()["a"] == 1
        made.close()
    assert [r.levelno for r in caplog.records] == [logging.WARNING]
    assert "lives and dies with this isolate" in caplog.text


def test_a_value_of_two_megabytes(d1: Any) -> None:
    d1.execute("CREATE TABLE t(a)")
    for value in ("é" * 1_000_000, bytes(range(256)) * 7_812):
        d1.execute("INSERT INTO t VALUES(?)", (value,))
        assert d1.execute("SELECT a FROM t WHERE rowid = last_insert_rowid()").fetchone() == (
            value,
        )
    with pytest.raises(sqlite3.DataError, match="string or blob too big"):
        d1.execute("INSERT INTO t VALUES(?)", ("x" * 2_000_001,))


def test_a_long_script(d1: Any) -> None:
    text = "x" * 30_000
    inserts = "".join(f"INSERT INTO t VALUES({i}, '{text}');" for i in range(20))
    d1.executescript(f"PRAGMA foreign_keys=OFF; BEGIN; CREATE TABLE t(a, b); {inserts} COMMIT;")
    assert d1.execute("SELECT count(*), sum(length(b)) FROM t").fetchone() == (20, 600_000)


def test_stored_pragmas_are_seen_by_all(d1: Any) -> None:
    d1.execute("PRAGMA user_version = 42")
    other = driver.connect(DATABASE)
    assert other.execute("PRAGMA user_version").fetchone() == (42,)
    assert other.execute("PRAGMA application_id").fetchone() == (0,)
    names = other.execute("SELECT name FROM sqlite_master").fetchall()
    assert names == []
    assert other.execute("PRAGMA database_list").fetchall() == [(0, "main", DATABASE)]
    assert not [r for r in other.execute("PRAGMA table_list") if r[1].startswith("_")]
    other.close()


def test_foreign_keys_are_checked_and_that_is_said(
    d1: Any, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    d1.execute("PRAGMA foreign_keys = OFF")
    assert d1.execute("PRAGMA foreign_keys").fetchone() == (0,)
    assert "D1 checks foreign keys all the same" in caplog.text


def test_installed_in_place_of_sqlite3(d1: Any, d1_transport: HttpTransport) -> None:
    """A fresh interpreter in which `import sqlite3` and SQLAlchemy's dialect meet the driver."""
    code = f"""
import edgelift.worker.sqlite3 as driver
from tests.workerd.sql_driver.d1_server import HttpTransport
transport = HttpTransport({d1_transport.port})
driver.install([{{"binding": {d1.database.binding!r}, "path": {DATABASE!r}, "strategy": "d1"}}, {{"binding": "X", "path": "/x", "strategy": "object"}}], transport)
import sqlite3
from sqlite3 import dbapi2
import sqlite3.dump
assert sqlite3.connect is dbapi2.connect is driver.connect
assert sqlite3.dbapi2.adapters is sqlite3.adapters
from sqlalchemy import create_engine, text
engine = create_engine("sqlite:///{DATABASE}")
with engine.begin() as connection:
    connection.execute(text("CREATE TABLE t(a)"))
    connection.execute(text("INSERT INTO t VALUES(:a)"), [{{"a": 1}}, {{"a": 2}}])
    print(connection.execute(text("SELECT sum(a) FROM t")).scalar())
engine.dispose()
transport.close()
"""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout.strip() == "3", done.stderr
    assert d1.execute("SELECT a FROM t ORDER BY a").fetchall() == [(1,), (2,)]


def test_a_script_may_let_foreign_keys_wait_for_its_end(d1: Any) -> None:
    """D1 takes the PRAGMA inside of a batch only; alone it would be over before the next statement."""
    d1.executescript(
        "CREATE TABLE a(id INTEGER PRIMARY KEY, b REFERENCES b(id));"
        "CREATE TABLE b(id INTEGER PRIMARY KEY, a REFERENCES a(id));"
        "PRAGMA defer_foreign_keys = ON; INSERT INTO a VALUES(1, 1); INSERT INTO b VALUES(1, 1)"
    )
    with pytest.raises(driver.IntegrityError, match="FOREIGN KEY"):
        d1.executescript("DELETE FROM a; DELETE FROM b")
    with pytest.raises(driver.IntegrityError, match="FOREIGN KEY"):
        d1.executescript("PRAGMA defer_foreign_keys = ON; DELETE FROM a")
    d1.executescript("PRAGMA defer_foreign_keys = ON; DELETE FROM a; DELETE FROM b")
    assert d1.execute("SELECT (SELECT count(*) FROM a), (SELECT count(*) FROM b)").fetchone() == (
        0,
        0,
    )
