"""Cursors of the application's own classes on databases that are not in the Worker."""

from __future__ import annotations

import functools
import sqlite3 as real
from collections.abc import Iterator
from typing import Any

import pytest

from edgelift.worker import sqlite3 as driver


class Wrapper(driver.Cursor):
    """As Django's SQLiteCursorWrapper."""

    def execute(self, sql: str, parameters: Any = None, /) -> Any:
        return super().execute(sql) if parameters is None else super().execute(sql, parameters)


@pytest.fixture
def connection() -> Iterator[Any]:
    opened = driver.connect(":memory:")
    opened.execute("CREATE TABLE t(id INTEGER PRIMARY KEY, v)")
    yield opened
    opened.close()


@pytest.fixture(
    params=[Wrapper, driver.Cursor, functools.partial(Wrapper)], ids=["own", "ours", "made"]
)
def cursor(request: Any, connection: Any) -> Any:
    return connection.cursor(request.param)


def test_it_is_a_cursor_of_both_modules(connection: Any, cursor: Any) -> None:
    assert isinstance(cursor, driver.Cursor)
    assert isinstance(connection, driver.Connection)
    assert isinstance(connection, real.Connection)
    assert cursor.connection is connection


def test_it_does_what_the_interpreter_s_does(cursor: Any) -> None:
    assert cursor.execute("INSERT INTO t(v) VALUES (?)", ("a",)) is not None
    assert (cursor.lastrowid, cursor.rowcount) == (1, 1)
    cursor.executemany("INSERT INTO t(v) VALUES (?)", [("b",), ("c",), ("d",)])
    assert cursor.rowcount == 3
    cursor.executescript("UPDATE t SET v = v || v WHERE id = 4; SELECT 1;")
    assert cursor.execute("SELECT v AS x FROM t ORDER BY id") is not None
    assert [column[0] for column in cursor.description] == ["x"]
    cursor.arraysize = 2
    assert cursor.fetchone() == ("a",)
    assert cursor.fetchmany() == [("b",), ("c",)]
    assert list(cursor) == [("dd",)]
    assert cursor.fetchall() == []
    cursor.close()
    with pytest.raises(driver.ProgrammingError, match="closed cursor"):
        cursor.execute("SELECT 1")


def test_rows_come_through_the_factory(connection: Any) -> None:
    connection.row_factory = driver.Row
    row = connection.cursor(Wrapper).execute("SELECT 1 AS one, 'x' AS Two").fetchone()
    assert (row["one"], row["two"], row.keys()) == (1, "x", ["one", "Two"])
    plain = connection.cursor(Wrapper)
    plain.row_factory = lambda _cursor, cells: list(cells)
    assert plain.execute("SELECT 1, 2").fetchone() == [1, 2]


def test_errors_are_the_module_s(connection: Any) -> None:
    with pytest.raises(driver.OperationalError, match="no such table: nowhere"):
        connection.cursor(Wrapper).execute("SELECT * FROM nowhere")
    with pytest.raises(TypeError):
        connection.cursor(lambda _connection: object())


def test_a_cursor_is_made_of_the_connection_too(connection: Any) -> None:
    assert Wrapper(connection).execute("SELECT 7").fetchone() == (7,)
    assert type(Wrapper(connection)).__name__ == "Wrapper"
