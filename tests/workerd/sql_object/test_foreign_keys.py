"""PRAGMA foreign_keys=OFF on the SQL object: tables are rebuilt while others refer to them."""

from __future__ import annotations

import sqlite3
from typing import Any

import pytest

pytestmark = [pytest.mark.workerd, pytest.mark.xdist_group("sql-object")]

PREPARE = (
    "CREATE TABLE parent(id INTEGER PRIMARY KEY, name TEXT, boss REFERENCES parent(id))",
    (
        'CREATE TABLE child(id INTEGER PRIMARY KEY, parent REFERENCES "parent"(id) '
        "DEFERRABLE INITIALLY DEFERRED)"
    ),
    "INSERT INTO parent VALUES(1, 'a', NULL), (2, 'b', 1)",
    "INSERT INTO child VALUES(10, 1), (11, 2), (12, 2)",
)
REBUILD = (
    "PRAGMA foreign_keys = OFF",
    "BEGIN",
    (
        "CREATE TABLE new__parent(id INTEGER PRIMARY KEY, name TEXT, age REAL DEFAULT 1, "
        "twice TEXT AS (name || name), boss REFERENCES parent(id))"
    ),
    "INSERT INTO new__parent(id, name, boss) SELECT id, name, boss FROM parent",
    "DROP TABLE parent",
    "ALTER TABLE new__parent RENAME TO parent",
)


@pytest.fixture
def prepared(connection: Any) -> Any:
    for sql in PREPARE:
        connection.execute(sql)
    connection.commit()
    connection.isolation_level = None
    return connection


def test_a_table_is_rebuilt(prepared: Any) -> None:
    for sql in (*REBUILD, "COMMIT"):
        prepared.execute(sql)
    assert prepared.execute("PRAGMA foreign_keys").fetchone() == (0,)
    prepared.execute("PRAGMA foreign_keys = ON")
    assert prepared.execute("SELECT * FROM parent").fetchall() == [
        (1, "a", 1.0, "aa", None),
        (2, "b", 1.0, "bb", 1),
    ]
    assert prepared.execute("PRAGMA foreign_key_check").fetchall() == []
    with pytest.raises(sqlite3.IntegrityError, match="FOREIGN KEY constraint failed"):
        prepared.execute("DELETE FROM parent WHERE id = 2")
    names = prepared.execute("SELECT name FROM sqlite_master ORDER BY name").fetchall()
    assert names == [("child",), ("parent",)]


def test_a_table_is_rebuilt_where_no_pragma_was_given(prepared: Any) -> None:
    """CPython checks no foreign keys by itself, so Alembic's batch mode turns none off."""
    for sql in (*REBUILD[1:], "COMMIT"):
        prepared.execute(sql)
    assert prepared.execute("SELECT age FROM parent").fetchall() == [(1.0,), (1.0,)]
    assert prepared.execute("PRAGMA foreign_key_check").fetchall() == []


def test_who_asks_for_checks_gets_them_at_once(prepared: Any) -> None:
    prepared.execute("PRAGMA foreign_keys = ON")
    for sql in REBUILD[1:4]:
        prepared.execute(sql)
    with pytest.raises(sqlite3.IntegrityError, match="FOREIGN KEY constraint failed"):
        prepared.execute("DROP TABLE parent")
    prepared.execute("ROLLBACK")
    assert prepared.execute("SELECT count(*) FROM parent").fetchone() == (2,)


def test_what_is_violated_at_the_end_is_refused(prepared: Any) -> None:
    for sql in (*REBUILD, "DELETE FROM parent WHERE id = 2"):
        prepared.execute(sql)
    with pytest.raises(sqlite3.IntegrityError, match="FOREIGN KEY constraint failed"):
        prepared.execute("COMMIT")
    prepared.execute("ROLLBACK")
    assert prepared.execute("SELECT name FROM parent").fetchall() == [("a",), ("b",)]


def test_inside_a_transaction_it_is_ignored(prepared: Any) -> None:
    prepared.execute("PRAGMA foreign_keys = ON")
    prepared.execute("BEGIN")
    prepared.execute("PRAGMA foreign_keys = OFF")
    assert prepared.execute("PRAGMA foreign_keys").fetchone() == (1,)
    with pytest.raises(sqlite3.IntegrityError, match="FOREIGN KEY constraint failed"):
        prepared.execute("DELETE FROM parent WHERE id = 1")
    prepared.execute("ROLLBACK")


def test_counters_are_those_of_the_statement(prepared: Any) -> None:
    """Outside of a transaction each statement is checked at once, which counts rows too."""
    assert prepared.execute("UPDATE child SET parent = 1 WHERE id = 99").rowcount == 0
    assert prepared.execute("UPDATE child SET parent = 1").rowcount == 3
    cursor = prepared.execute("INSERT INTO child VALUES(77, 1)")
    assert (cursor.rowcount, cursor.lastrowid) == (1, 77)
    cursor = prepared.executemany("UPDATE child SET parent = ? WHERE id = ?", [(2, 10), (2, 98)])
    assert cursor.rowcount == 1
