"""How values get into the text, and what happens at D1's limits; the texts are run by the real SQLite."""

from __future__ import annotations

import base64
import math
import sqlite3
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgelift.worker.sqlite3 import DataError, OperationalError
from edgelift.worker.sqlite3.fitting import (
    LARGEST_PARAMETERS,
    LARGEST_SQL_BYTES,
    Fitted,
    fit,
    to_literal,
)
from edgelift.worker.sqlite3.statement import parse


def run(pieces: list[Fitted], connection: sqlite3.Connection) -> list[Any]:
    """Run what D1 would get, binding numbers as D1 does: all as REAL."""
    rows: list[Any] = []
    for sql, parameters in pieces:
        bound = [
            base64.b64decode(p["blob"]) if isinstance(p, dict) else float(p) if isinstance(p, int) else p
            for p in parameters
        ]  # fmt: skip
        assert len(parameters) <= LARGEST_PARAMETERS
        assert len(sql.encode()) <= LARGEST_SQL_BYTES
        rows += connection.execute(sql, bound).fetchall()
    return rows


@pytest.fixture
def memory() -> Any:
    connection = sqlite3.connect(":memory:")
    yield connection
    connection.close()


@pytest.mark.parametrize(
    ("sql", "values", "expected"),
    [
        ("SELECT ?, ?", [1, "a"], ("SELECT  1 ,  ?1 ", ["a"])),
        ("SELECT :a, :a, ?", ["x", 2.5], ("SELECT  ?1 ,  ?1 ,  ?2 ", ["x", 2.5])),
        ("SELECT 1 -?", [-5], ("SELECT 1 - -5 ", [])),
        ("SELECT ?", [None], ("SELECT  NULL ", [])),
        ("SELECT ?", [math.inf], ("SELECT  9e999 ", [])),
        ("SELECT ?", [-0.0], ("SELECT  -0.0 ", [])),
        ("SELECT ?", [b"\0"], ("SELECT  ?1 ", [{"blob": "AA=="}])),
        ("SELECT a FROM t ORDER BY ?", [1], ("SELECT a FROM t ORDER BY  CAST(1 AS INTEGER) ", [])),
    ],
)
def test_texts(sql: str, values: list[Any], expected: tuple[str, list[Any]]) -> None:
    assert fit(parse(sql), values) == [Fitted(*expected)]


sql_values = st.one_of(
    st.none(),
    st.integers(-(2**63), 2**63 - 1),
    st.floats(allow_nan=False),
    st.text(alphabet=st.characters(blacklist_categories=("Cs",))),
    st.binary(),
)


# 100 at most may hold NUL, which only a parameter can carry.
@given(st.lists(sql_values, min_size=1, max_size=LARGEST_PARAMETERS))
def test_values_arrive_exactly(values: list[Any]) -> None:
    connection = sqlite3.connect(":memory:")
    columns = ", ".join("?" for _ in values)
    rows = run(fit(parse(f"SELECT {columns}"), values), connection)
    connection.close()
    assert [(type(v), v) for v in rows[0]] == [(type(v), v) for v in values]


@given(sql_values.filter(lambda v: not isinstance(v, str) or "\0" not in v))
def test_literals_are_exact(value: Any) -> None:
    connection = sqlite3.connect(":memory:")
    (found,) = connection.execute(f"SELECT {to_literal(value)}").fetchone()
    connection.close()
    assert (type(found), found) == (type(value), value)


@pytest.mark.parametrize("make", [lambda i: i, lambda i: f"it's {i}", lambda i: i / 7])
def test_long_lists(memory: sqlite3.Connection, make: Any) -> None:
    values = [make(i) for i in range(3000)]
    marks = ",".join("?" * len(values))
    sql = f"SELECT count(*) FROM (SELECT ? AS x UNION ALL SELECT 'no') WHERE x IN ({marks})"
    assert run(fit(parse(sql), [values[2999], *values]), memory) == [(1,)]


def test_long_lists_become_one_parameter() -> None:
    marks = ",".join("?" * 300)
    (fitted,) = fit(parse(f"SELECT 1 WHERE 'a' IN ({marks}) AND 2 IN (?, ?)"), ["x"] * 300 + [1, 2])
    assert len(fitted.parameters) == 2
    assert fitted.sql.count("json_each") == 2


@pytest.mark.parametrize("size", [1, 33, 34, 100, 999])
def test_rows_are_split(memory: sqlite3.Connection, size: int) -> None:
    memory.execute("CREATE TABLE t(a, b, c, d)")
    marks = ",\n ".join("(?, ?, (?), 'x, (')" for _ in range(size))
    values = [v for i in range(size) for v in (f"t{i}", i, b"b%d" % i)]
    sql = f"INSERT INTO t(a, b, c, d) VALUES {marks} ON CONFLICT DO NOTHING RETURNING b"
    pieces = fit(parse(sql), values)
    assert len(pieces) == -(-size // 50)
    assert run(pieces, memory) == [(i,) for i in range(size)]
    assert memory.execute("SELECT count(*), count(DISTINCT c) FROM t").fetchone() == (size, size)


def test_only_the_rows_of_an_insert_are_split(memory: sqlite3.Connection) -> None:
    memory.execute("CREATE TABLE t(a)")
    marks = ",".join("(?)" for _ in range(150))
    sql = f"INSERT INTO t SELECT count(*) FROM (VALUES {marks})"
    (fitted,) = fit(parse(sql), [f"v{i}" for i in range(150)])
    run([fitted], memory)
    assert memory.execute("SELECT a FROM t").fetchall() == [(150,)]


def test_rows_are_split_by_size(memory: sqlite3.Connection) -> None:
    memory.execute("CREATE TABLE t(a)")
    rows = ", ".join(f"('{'é' * 9000}{i}')" for i in range(20))
    pieces = fit(parse(f"INSERT INTO t VALUES {rows}"), [])
    assert len(pieces) > 1
    run(pieces, memory)
    assert memory.execute("SELECT count(*) FROM t").fetchone() == (20,)


def test_a_long_literal_is_bound(memory: sqlite3.Connection) -> None:
    text = "it's " * 30_000
    sql = "SELECT length('" + text.replace("'", "''") + "'), 'short', ?"
    (fitted,) = fit(parse(sql), ["v"])
    assert sorted(fitted.parameters) == [text, "v"]
    assert run([fitted], memory) == [(len(text), "short", "v")]


def test_what_cannot_fit_is_refused() -> None:
    marks = ",".join("?" * 101)
    with pytest.raises(OperationalError, match="too many SQL variables"):
        fit(parse(f"SELECT {marks}"), ["\0"] * 101)
    with pytest.raises(DataError, match="query string is too large"):
        fit(parse("SELECT 1 " + "+ 1" * 50_000), [])
    with pytest.raises(DataError, match="query string is too large"):
        fit(parse(f"CREATE TABLE t(a DEFAULT '{'x' * 200_000}')"), [])
