"""The rewritten texts, run by the real SQLite: same rows, exact types, each expression once."""

from __future__ import annotations

import json
import math
import sqlite3
from collections.abc import Iterator
from typing import Any

import pytest

from edgelift.worker.sqlite3.rewrite import (
    adapt_text,
    flatten_rows,
    merge_names,
    wrap_query,
    wrap_returning,
)
from edgelift.worker.sqlite3.statement import parse


@pytest.fixture
def memory() -> Iterator[sqlite3.Connection]:
    connection = sqlite3.connect(":memory:")
    yield connection
    connection.close()


def read_wrapped(memory: sqlite3.Connection, sql: str, count: int) -> list[tuple[Any, ...]]:
    def read_blob(found: dict[str, str]) -> bytes:
        return bytes.fromhex(found["b"])

    rows = memory.execute(wrap_query(sql, count)).fetchall()
    return flatten_rows([json.loads(row[0], object_hook=read_blob) for row in rows], count)


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT 1, 1.0, '1', x'31', NULL",
        "SELECT 9007199254740993, -9223372036854775807 - 1, 1e300, -1.5, 'a' || char(0) || '\"\\'",
        "SELECT json_object('a', 1), json('[1]'), '[1]', json_array(), 0.1",
        "VALUES (3, 'a', 1, 2, 3), (1, x'', 1, 2, 3), (2, '', NULL, 2, 3)",
        "WITH RECURSIVE n(i) AS (SELECT 5 UNION ALL SELECT i - 1 FROM n WHERE i > 1) SELECT i, 2, 3, 4, 5 FROM n",
        "SELECT value v, 1, 2, 3, 4 FROM json_each('[3,1,2]') ORDER BY v DESC LIMIT 2",
        "SELECT value v, 1, 2, 3, 4 FROM json_each('[3,1,2]') ORDER BY v DESC -- c",
        "SELECT value, 1, 2, 3, 4 FROM json_each('[3,1]') UNION ALL SELECT 9, 1, 2, 3, 4 ORDER BY 1",
    ],
)
def test_same_rows(memory: sqlite3.Connection, sql: str) -> None:
    expected = memory.execute(sql).fetchall()
    found = read_wrapped(memory, parse(sql).sql, 5)
    assert [[(type(c), c) for c in row] for row in found] == [
        [(type(c), c) for c in row] for row in expected
    ]


@pytest.mark.parametrize("count", [1, 32, 33, 64, 65, 100])
def test_function_arguments_stay_within_32(memory: sqlite3.Connection, count: int) -> None:
    sql = "SELECT " + ", ".join(f"{i}.0" if i % 2 else str(i) for i in range(count))
    assert read_wrapped(memory, sql, count) == memory.execute(sql).fetchall()
    memory.setlimit(sqlite3.SQLITE_LIMIT_FUNCTION_ARG, 32)
    assert len(read_wrapped(memory, sql, count)[0]) == count


def test_minus_zero(memory: sqlite3.Connection) -> None:
    ((zero, minus),) = read_wrapped(memory, "SELECT 0.0, -0.0", 2)
    assert (math.copysign(1, zero), math.copysign(1, minus)) == (1, -1)


def test_expressions_run_once(memory: sqlite3.Connection) -> None:
    calls: list[int] = []
    memory.create_function("note", 1, lambda x: calls.append(x) or x)
    assert read_wrapped(memory, "SELECT note(value) FROM json_each('[1,2]')", 1) == [(1,), (2,)]
    assert calls == [1, 2]


def test_returning(memory: sqlite3.Connection) -> None:
    memory.execute('CREATE TABLE t(id INTEGER PRIMARY KEY, "a b" TEXT, c)')
    sql = "INSERT INTO t(\"a b\", c) VALUES('x', 1.0), ('y', x'00') RETURNING *, upper(\"a b\"), c AS z"
    statement, names = wrap_returning(parse(sql), lambda table: ["id", "a b", "c"])
    assert names == ["id", "a b", "c", 'upper("a b")', "z"]
    rows = [json.loads(row[0]) for row in memory.execute(statement.sql).fetchall()]
    assert rows == [[1, "x", 1.0, "X", 1.0], [2, "y", {"b": "00"}, "Y", {"b": "00"}]]


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT name FROM sqlite_master",
        "SELECT m.name FROM main.sqlite_schema AS m",
        'SELECT name FROM "main"."sqlite_master" WHERE type = \'table\'',
        "SELECT sqlite_master.name FROM sqlite_master WHERE sqlite_master.type = 'table'",
        "SELECT a.name FROM sqlite_master a JOIN sqlite_master b ON a.name = b.name",
        "SELECT name FROM (SELECT * FROM sqlite_master) UNION SELECT name FROM sqlite_temp_master",
    ],
)
def test_own_tables_are_hidden(memory: sqlite3.Connection, sql: str) -> None:
    for table in ("_cf_METADATA", "_edgelift_pragmas", "visible"):
        memory.execute(f"CREATE TABLE {table}(a)")
    assert ("_cf_METADATA",) in memory.execute(sql).fetchall()
    assert memory.execute(adapt_text(parse(sql)).sql).fetchall() == [("visible",)]


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT 'sqlite_master'",
        "SELECT sqlite_master FROM t",
        "DELETE FROM t",
        "SELECT sqlite_version",
    ],
)
def test_nothing_else_is_touched(sql: str) -> None:
    assert adapt_text(parse(sql)).sql == sql


def test_names_of_inlined_values() -> None:
    statement = parse("SELECT id, ? + 1, ID AS x FROM t")
    assert merge_names(statement, ["id", "5 + 1", "x"]) == ["id", "? + 1", "x"]
    assert merge_names(parse("SELECT *, ? FROM t"), ["a", "b", "?"]) == ["a", "b", "?"]
