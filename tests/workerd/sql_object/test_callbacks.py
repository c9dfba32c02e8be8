"""Functions in Python on the SQL object: inside transactions, with what these have written."""

from __future__ import annotations

import sqlite3
from typing import Any

import pytest

from tests.workerd.sql_driver.test_callbacks import QUERIES, SETUP, observe, register

pytestmark = [pytest.mark.workerd, pytest.mark.xdist_group("sql-object")]


@pytest.mark.parametrize("commits", [True, False])
def test_same_as_cpython(connection: Any, commits: bool) -> None:
    reference = sqlite3.connect(":memory:")
    sides = (reference, connection)
    for side in sides:
        register(side)
        for sql in SETUP:
            side.execute(sql)
        side.commit()
    for step in QUERIES:
        expected, seen = (observe(side, step) for side in sides)
        assert seen == expected, step
        if commits:
            for side in sides:
                side.commit()
    reference.close()


def test_a_rollback_takes_it_back(connection: Any) -> None:
    register(connection)
    connection.execute("CREATE TABLE t(id INTEGER PRIMARY KEY, name TEXT)")
    connection.execute("INSERT INTO t(name) VALUES('kept')")
    connection.commit()
    connection.execute("UPDATE t SET name = swap(name)")
    assert connection.execute("SELECT swap(name) FROM t").fetchall() == [("kept",)]
    connection.rollback()
    assert connection.execute("SELECT name FROM t").fetchall() == [("kept",)]


def test_one_failing_row_undoes_the_statement(connection: Any) -> None:
    register(connection)
    connection.execute("CREATE TABLE t(id INTEGER PRIMARY KEY, name TEXT UNIQUE)")
    connection.execute("INSERT INTO t(name) VALUES('a'), ('b')")
    with pytest.raises(sqlite3.IntegrityError, match=r"UNIQUE constraint failed: t\.name"):
        connection.execute("UPDATE t SET name = swap('c')")
    assert connection.execute("SELECT name FROM t ORDER BY id").fetchall() == [("a",), ("b",)]
