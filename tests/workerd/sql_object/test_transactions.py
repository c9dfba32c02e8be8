"""Transactions on the SQL object are CPython's sqlite3's: the same steps give the same rows, states and errors."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from edgelift.worker import sqlite3 as driver
from tests.workerd.sql_object.conftest import DATABASE
from tests.workerd.sql_object.object_server import HttpObjectTransport

pytestmark = [pytest.mark.workerd, pytest.mark.xdist_group("sql-object")]
Step = str | Callable[[Any], Any]


def show_rowid(c: Any) -> Any:
    return c.execute("SELECT 1").lastrowid


def commit(c: Any) -> None:
    c.commit()


def roll_back(c: Any) -> None:
    c.rollback()


def manage(c: Any) -> None:
    with c:
        c.execute("INSERT INTO t VALUES(10)")


def manage_failing(c: Any) -> None:
    with c:
        c.execute("INSERT INTO t VALUES(11)")
        c.execute("INSERT INTO t VALUES(11)")


def many_failing(c: Any) -> None:
    c.executemany("INSERT INTO t VALUES(?)", [(20,), (21,), (20,), (22,)])


def script(text: str) -> Callable[[Any], None]:
    return lambda c: c.executescript(text)


def set_level(level: str | None) -> Callable[[Any], None]:
    return lambda c: setattr(c, "isolation_level", level)


COUNT = "SELECT a FROM t ORDER BY a"
CASES: dict[str, list[Step]] = {
    "rollback": ["INSERT INTO t VALUES(1)", COUNT, roll_back, COUNT],
    "commit": ["INSERT INTO t VALUES(1)", commit, roll_back, COUNT],
    "a failed statement leaves the rest": [
        "INSERT INTO t VALUES(1)", "INSERT INTO t VALUES(1)", "INSERT INTO t VALUES(2)", COUNT, commit, COUNT,
    ],
    "a failed first statement leaves a transaction": [
        "INSERT INTO t VALUES(0)", commit, "INSERT INTO t VALUES(0)", roll_back, COUNT,
    ],
    "a wrong statement begins nothing": ["INSERT INTO nowhere VALUES(1)", "INSERT INTO t VALUES(1)", roll_back, COUNT],
    "with": [manage, COUNT, manage_failing, COUNT, manage, COUNT],
    "BEGIN": ["BEGIN", COUNT, "INSERT INTO t VALUES(1)", "ROLLBACK", COUNT, "BEGIN IMMEDIATE", COUNT, "COMMIT"],
    "nested savepoints": [
        "SAVEPOINT a", "INSERT INTO t VALUES(1)", "SAVEPOINT b", "INSERT INTO t VALUES(2)", "SAVEPOINT c",
        "INSERT INTO t VALUES(3)", "ROLLBACK TO b", COUNT, "ROLLBACK TO c", "INSERT INTO t VALUES(4)",
        "RELEASE b", "RELEASE a", COUNT, "RELEASE a",
    ],
    "savepoints of one name": [
        "BEGIN", "SAVEPOINT s", "INSERT INTO t VALUES(1)", "SAVEPOINT s", "INSERT INTO t VALUES(2)", "ROLLBACK TO s",
        "RELEASE s", COUNT, "ROLLBACK TO s", COUNT, "COMMIT", COUNT,
    ],
    "savepoints before the first write": ["BEGIN", "SAVEPOINT s", COUNT, "INSERT INTO t VALUES(1)", "ROLLBACK TO s", COUNT, "COMMIT"],
    "schema": [
        "BEGIN", "CREATE TABLE u(x)", "INSERT INTO u VALUES(1)", "SELECT * FROM u", "ALTER TABLE u ADD COLUMN y",
        "SELECT * FROM u", "ROLLBACK", "SELECT * FROM u", "CREATE TABLE u(z)", "SELECT * FROM u",
    ],
    "schema outside": ["CREATE TABLE u(x)", roll_back, "SELECT * FROM u"],
    "or rollback": [
        "INSERT INTO t VALUES(1)", "INSERT OR ROLLBACK INTO t VALUES(1)", COUNT, "INSERT INTO t VALUES(2)", commit, COUNT,
    ],
    "or ignore, or replace": ["INSERT INTO t VALUES(1)", "INSERT OR IGNORE INTO t VALUES(1)", "REPLACE INTO t VALUES(1)", commit, COUNT],
    "many": [many_failing, show_rowid, COUNT, roll_back, COUNT],
    "many by itself": [set_level(None), many_failing, COUNT],
    "by itself": [set_level(None), "INSERT INTO t VALUES(1)", roll_back, COUNT, "BEGIN", "INSERT INTO t VALUES(2)", roll_back, COUNT],
    "level commits": ["INSERT INTO t VALUES(1)", set_level(None), roll_back, COUNT],
    "immediate": [set_level("IMMEDIATE"), COUNT, "INSERT INTO t VALUES(1)", roll_back, COUNT],
    "script commits before": ["INSERT INTO t VALUES(1)", script("INSERT INTO t VALUES(2)"), roll_back, COUNT],
    "script with a transaction": [script("BEGIN; INSERT INTO t VALUES(1); INSERT INTO t VALUES(2); COMMIT;"), COUNT],
    "script left open": [script("BEGIN; INSERT INTO t VALUES(1);"), COUNT, roll_back, COUNT],
    "script that fails": [script("INSERT INTO t VALUES(1); INSERT INTO t VALUES(1); INSERT INTO t VALUES(2)"), COUNT],
    "script that fails inside": [script("BEGIN; INSERT INTO t VALUES(1); INSERT INTO t VALUES(1); COMMIT;"), COUNT, roll_back, COUNT],
    "returning": ["INSERT INTO t VALUES(5) RETURNING a, a * 2", roll_back, COUNT],
    "deferred foreign keys": [
        "CREATE TABLE p(id INTEGER PRIMARY KEY)", "CREATE TABLE c(p REFERENCES p DEFERRABLE INITIALLY DEFERRED)",
        "INSERT INTO c VALUES(1)", commit, "INSERT INTO p VALUES(1)", commit, "INSERT INTO c VALUES(2)", commit, roll_back,
        "SELECT * FROM c",
    ],
    "a trigger that aborts": [
        "CREATE TRIGGER r BEFORE INSERT ON t WHEN new.a = 9 BEGIN SELECT RAISE(ABORT, 'no nine'); END",
        "INSERT INTO t VALUES(1)", "INSERT INTO t VALUES(9)", commit, COUNT,
    ],
}  # fmt: skip


def observe(module: Any, connection: Any, step: Step) -> Any:
    try:
        if callable(step):
            told = step(connection)
            seen: Any = told if isinstance(told, int) else None
        else:
            cursor = connection.execute(step)
            # After a script the driver does not know the last rowid of what failed in it.
            rowid = cursor.lastrowid if step != COUNT else None
            seen = (cursor.rowcount, cursor.fetchall(), rowid)
    except module.Error as error:
        seen = (type(error).__name__, str(error))
    return seen, connection.in_transaction


@pytest.mark.parametrize("name", CASES)
def test_same_as_cpython(name: str, connection: Any, tmp_path: Path) -> None:
    reference = sqlite3.connect(tmp_path / "reference.db")
    reference.execute("PRAGMA foreign_keys=ON")
    for one in (reference, connection):
        one.execute("CREATE TABLE t(a INTEGER PRIMARY KEY)")
    differences = [
        f"{step}: sqlite3 {expected}, object {found}"
        for step in CASES[name]
        if (expected := observe(sqlite3, reference, step))
        != (found := observe(driver, connection, step))
    ]
    reference.close()
    assert not differences, "\n".join(differences)


def test_autocommit_attribute(carrier: HttpObjectTransport) -> None:
    """The semantics of PEP 249 (Python 3.12), which this Python's sqlite3 may not have."""
    connection = driver.connect(DATABASE, autocommit=False)
    connection.execute("CREATE TABLE t(a)")
    connection.execute("INSERT INTO t VALUES(1)")
    assert connection.in_transaction
    connection.rollback()
    assert connection.in_transaction
    with pytest.raises(driver.OperationalError, match="no such table"):
        connection.execute("SELECT * FROM t")
    connection.execute("CREATE TABLE t(a)")
    connection.commit()
    connection.execute("INSERT INTO t VALUES(2)")
    connection.close()
    other = driver.connect(DATABASE, autocommit=True)
    assert other.execute("SELECT * FROM t").fetchall() == []
    other.execute("INSERT INTO t VALUES(3)")
    other.rollback()
    assert other.execute("SELECT * FROM t").fetchall() == [(3,)]
    other.close()


def test_who_read_before_others_wrote_cannot_write(carrier: HttpObjectTransport) -> None:
    first, second = driver.connect(DATABASE), driver.connect(DATABASE)
    first.execute("CREATE TABLE counter(n)")
    first.execute("INSERT INTO counter VALUES(0)")
    first.commit()
    first.execute("BEGIN")
    (n,) = first.execute("SELECT n FROM counter").fetchone()
    second.execute("UPDATE counter SET n = n + 1")
    second.commit()
    with pytest.raises(driver.OperationalError, match="database is locked") as raised:
        first.execute("UPDATE counter SET n = ?", (n + 1,))
    assert raised.value.sqlite_errorname == "SQLITE_BUSY"
    first.rollback()
    first.execute("BEGIN")
    (n,) = first.execute("SELECT n FROM counter").fetchone()
    first.execute("UPDATE counter SET n = ?", (n + 1,))
    first.commit()
    assert second.execute("SELECT n FROM counter").fetchall() == [(2,)]
    first.close()
    second.close()


def test_a_connection_that_is_dropped_gives_the_object_back(carrier: HttpObjectTransport) -> None:
    connection = driver.connect(DATABASE)
    connection.execute("CREATE TABLE t(a)")
    connection.execute("INSERT INTO t VALUES(1)")
    del connection
    assert driver.connect(DATABASE).execute("SELECT * FROM t").fetchall() == []


def test_messages(connection: Any, carrier: HttpObjectTransport) -> None:
    """BEGIN, savepoints and scripts cost no message of their own; a query that is known costs one."""
    connection.execute("CREATE TABLE t(a INTEGER PRIMARY KEY)")

    def count(*work: Step) -> int:
        before = len(carrier.messages)
        for step in work:
            observe(driver, connection, step)
        return len(carrier.messages) - before

    assert count("BEGIN", "INSERT INTO t VALUES(1)", "COMMIT") == 2
    assert (
        count(
            "SAVEPOINT a",
            "SAVEPOINT b",
            "INSERT INTO t VALUES(2)",
            "ROLLBACK TO b",
            "RELEASE b",
            "RELEASE a",
        )
        == 2
    )
    assert count(script("BEGIN; INSERT INTO t VALUES(3); INSERT INTO t VALUES(4); COMMIT;")) == 1
    assert count("BEGIN", "COMMIT") == 0
    assert count("SELECT count(*) FROM t") == 1


def test_results_that_do_not_fit_into_one_value(connection: Any) -> None:
    connection.execute("CREATE TABLE big(id INTEGER PRIMARY KEY, text TEXT)")
    rows = [(number, f"{number} " + "é" * 20_000) for number in range(200)]
    connection.executemany("INSERT INTO big VALUES(?, ?)", rows)
    for _ in range(2):
        assert connection.execute("SELECT * FROM big ORDER BY id").fetchall() == rows
    connection.commit()
    assert connection.execute("SELECT id, text FROM big ORDER BY id DESC").fetchall() == rows[::-1]
