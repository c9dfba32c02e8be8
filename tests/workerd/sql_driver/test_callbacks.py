"""Functions, aggregates and collations in Python give on D1 what CPython's sqlite3 gives."""

from __future__ import annotations

import re
import sqlite3
import statistics
from collections.abc import Iterator
from typing import Any

import pytest

pytestmark = [pytest.mark.workerd, pytest.mark.xdist_group("sql-driver")]

SETUP = (
    "CREATE TABLE t(id INTEGER PRIMARY KEY, name TEXT, x REAL, data BLOB, up TEXT AS (upper(name)))",
    "CREATE TABLE log(what TEXT UNIQUE, n INTEGER)",
    "CREATE TRIGGER noted AFTER UPDATE ON t BEGIN INSERT INTO log VALUES(new.name || new.x, new.id); END",
    "CREATE TABLE pairs(a, b, PRIMARY KEY(a, b)) WITHOUT ROWID",
    "INSERT INTO t(id, name, x, data) VALUES(1, 'Anna', 1.5, x'00ff'), (7, 'bob', 2.0, NULL)",
    "INSERT INTO t(id, name, x, data) VALUES(9, NULL, -3e300, 'text')",
    "INSERT INTO pairs VALUES('a', 1), ('b', 2)",
)


class Median:
    def __init__(self) -> None:
        self.values: list[float] = []

    def step(self, value: float | None) -> None:
        if value is not None:
            self.values.append(value)

    def finalize(self) -> float | None:
        return statistics.median(self.values) if self.values else None


def fail(_value: object) -> None:
    raise ZeroDivisionError


def register(connection: Any) -> None:
    connection.create_function(
        "regexp", 2, lambda p, s: None if s is None else bool(re.search(p, s)), deterministic=True
    )
    connection.create_function("swap", 1, lambda s: s and s.swapcase())
    connection.create_function("twice", 1, lambda n: n and n * 2)
    connection.create_function("fail", 1, fail)
    connection.create_function("lower", 1, lambda s: "mine")
    connection.create_function("kind", -1, lambda *given: ",".join(type(g).__name__ for g in given))
    connection.create_aggregate("middle", 1, Median)
    connection.create_collation("backwards", lambda a, b: (a[::-1] > b[::-1]) - (a[::-1] < b[::-1]))


QUERIES: tuple[Any, ...] = (
    "SELECT id, name REGEXP '^[a-z]' FROM t ORDER BY id",
    ("SELECT name FROM t WHERE name REGEXP ? ORDER BY name", ["n+"]),
    ("SELECT swap(:word), kind(:n, 1.0, x'00', NULL)", {"word": "aB", "n": 2**60}),
    "SELECT twice(x), twice(id) FROM t ORDER BY id DESC LIMIT 2",
    "SELECT middle(x), count(*) FROM t",
    "SELECT x > 0, middle(id) FROM t GROUP BY 1 ORDER BY 1",
    "SELECT name FROM t ORDER BY name COLLATE backwards",
    "SELECT lower(name), up, data FROM t",
    "SELECT rowid, what FROM log WHERE what REGEXP 'x'",
    "SELECT swap(a) FROM pairs ORDER BY b",
    "WITH q(s) AS (SELECT swap(name) FROM t) SELECT * FROM q, pairs WHERE q.s IS NOT NULL",
    "SELECT fail(name) FROM t",
    "SELECT swap(1, 2)",
    "SELECT swap(nothing) FROM t",
    "SELECT swap(name) FROM nowhere",
    "SELECT soundless(name) FROM t",
    "CREATE VIEW swapped AS SELECT id, swap(name) AS s FROM t",
    "SELECT * FROM swapped ORDER BY id",
    "UPDATE t SET name = swap(name), x = twice(x) WHERE id < 9",
    "SELECT * FROM t",
    "SELECT * FROM log",
    "UPDATE t SET x = x + 1 WHERE name REGEXP '^a'",
    ("UPDATE t SET x = ? WHERE swap(name) = ? RETURNING id, x", [3.5, "bob"]),
    "UPDATE t AS u SET name = p.a || swap('q') FROM pairs AS p WHERE p.b = u.id AND swap('a') = 'A'",
    "INSERT INTO t(name, x) VALUES(swap('New'), twice(2)), ('Old', twice(4.5))",
    "INSERT INTO t(name, x) SELECT swap(name), id FROM t WHERE name REGEXP 'd$'",
    "INSERT INTO t(id, name) VALUES(1, swap('x')) ON CONFLICT(id) DO UPDATE SET name = excluded.name",
    "INSERT INTO t(id, name) VALUES(1, swap('x'))",
    "INSERT OR IGNORE INTO log SELECT swap('TWICE'), id FROM t RETURNING what, n",
    "INSERT INTO log SELECT swap('none'), 1 WHERE swap('a') = 'b'",
    "UPDATE log SET what = swap('same')",
    "SELECT * FROM log ORDER BY rowid",
    "DELETE FROM t WHERE name REGEXP '^n' RETURNING id",
    "DELETE FROM t WHERE name REGEXP 'nothing like it'",
    ("DELETE FROM t WHERE id = ? OR swap(name) = ?", [9, "X"]),
    "SELECT * FROM t ORDER BY id",
    # What D1's limits refuse and its own text answers.
    ("SELECT name LIKE ? FROM t", ["%" + "n" * 60 + "%"]),
    ("SELECT count(*) FROM t WHERE 'a' || :p LIKE :p", {"p": "%" + "N" * 60}),
    " UNION ALL ".join(f"SELECT {n}" for n in range(9)),
    f"SELECT {', '.join(f'{n} AS c{n}' for n in range(150))} FROM pairs",
)


def observe(connection: Any, step: Any) -> Any:
    sql, values = step if isinstance(step, tuple) else (step, ())
    try:
        cursor = connection.execute(sql, values)
        rows = [tuple((type(cell).__name__, cell) for cell in row) for row in cursor.fetchall()]
        names = [column[0] for column in cursor.description] if cursor.description else None
    except sqlite3.Error as error:
        return type(error).__name__, str(error)
    return rows, names, cursor.rowcount, cursor.lastrowid, connection.total_changes


@pytest.fixture
def sides(d1: Any) -> Iterator[tuple[Any, Any]]:
    reference = sqlite3.connect(":memory:")
    for connection in (reference, d1):
        register(connection)
        for sql in SETUP:
            connection.execute(sql)
        connection.commit()
    yield reference, d1
    reference.close()


def test_same_as_cpython(sides: tuple[Any, Any]) -> None:
    for step in QUERIES:
        expected, seen = (observe(connection, step) for connection in sides)
        assert seen == expected, step
        for connection in sides:
            connection.commit()


def test_many_rows(sides: tuple[Any, Any]) -> None:
    seen = []
    for connection in sides:
        cursor = connection.executemany(
            "INSERT INTO t(name, x) VALUES(swap(?), ?)", [(f"Name {n}", n) for n in range(30)]
        )
        seen.append((cursor.rowcount, connection.execute("SELECT name, x FROM t").fetchall()))
    assert seen[0] == seen[1]


def test_what_cannot_be_is_named(sides: tuple[Any, Any]) -> None:
    _, d1 = sides
    for sql, named in (
        ("CREATE TABLE checked(a CHECK (a REGEXP 'x'))", "regexp"),
        ("CREATE INDEX swapped_names ON t(swap(name))", "swap"),
        ("CREATE TRIGGER s AFTER INSERT ON t BEGIN SELECT swap(1); END", "swap"),
        ("DELETE FROM pairs WHERE swap(a) = 'A'", "swap"),
        ("UPDATE t SET (name, x) = (SELECT swap('a'), 1)", "swap"),
        ("UPDATE t SET x = 1 RETURNING swap(name)", "swap"),
    ):
        with pytest.raises(sqlite3.NotSupportedError, match=f"^{named} is registered in Python"):
            d1.execute(sql)
    with pytest.raises(sqlite3.NotSupportedError, match="swap"):
        d1.executescript("INSERT INTO t(name) VALUES(swap('a'))")
    numbers = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i<20001)"
    d1.execute("CREATE TABLE large AS " + numbers + " SELECT i FROM n")
    with pytest.raises(sqlite3.NotSupportedError, match="more than 20,000 rows"):
        d1.execute("SELECT twice(i) FROM large")


def test_a_registration_taken_back(sides: tuple[Any, Any]) -> None:
    for connection in sides:
        connection.create_function("lower", 1, None)
    assert sides[1].execute("SELECT lower('A')").fetchone() == ("a",)
