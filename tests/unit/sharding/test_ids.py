"""Numbers written into INSERTs: given a statement and the next number, the statement that is sent."""

from __future__ import annotations

import sqlite3

import pytest

from edgelift.worker.sqlite3.errors import OperationalError
from edgelift.worker.sqlite3.fitting import Fitted
from edgelift.worker.sqlite3.shard_ids import Source

FROM_QUERY = (
    'INSERT INTO t ("id", a) SELECT 9 + row_number() OVER (), * FROM '
    "(SELECT a FROM odd WHERE a > ?1) WHERE true RETURNING id"
)
COLUMNS = {"t": ["id", "a", "b"], "odd": ["a", "ID"]}
NUMBERED = [
    ("INSERT INTO t (a) VALUES (1)", 'INSERT INTO t ("id", a) VALUES (10, 1)'),
    ("insert into t(a, b) values(1,2),(3,4)", 'insert into t("id", a, b) values(10, 1,2),(11, 3,4)'),
    ("INSERT INTO T (a) VALUES (?1)", 'INSERT INTO T ("id", a) VALUES (10, ?1)'),
    ('INSERT INTO "t" ("a") VALUES (1)', 'INSERT INTO "t" ("id", "a") VALUES (10, 1)'),
    ("INSERT INTO main.t (a) VALUES (1)", 'INSERT INTO main.t ("id", a) VALUES (10, 1)'),
    ("INSERT INTO t AS x (a) VALUES (1)", 'INSERT INTO t AS x ("id", a) VALUES (10, 1)'),
    ("INSERT OR IGNORE INTO t (a) VALUES (1)", 'INSERT OR IGNORE INTO t ("id", a) VALUES (10, 1)'),
    ("REPLACE INTO t (a) VALUES (1)", 'REPLACE INTO t ("id", a) VALUES (10, 1)'),
    ("INSERT INTO t VALUES (NULL, 1, 2)", "INSERT INTO t VALUES (10, 1, 2)"),
    ("INSERT INTO t (a, id) VALUES (1, NULL), (2, null)", "INSERT INTO t (a, id) VALUES (1, 10), (2, 11)"),
    ("INSERT INTO t (a, id) VALUES (1, 5), (2, NULL)", "INSERT INTO t (a, id) VALUES (1, 5), (2, 10)"),
    ("INSERT INTO t DEFAULT VALUES", 'INSERT INTO t ("id") VALUES (10)'),
    (
        "INSERT INTO t (a) VALUES (1) ON CONFLICT DO NOTHING RETURNING id",
        'INSERT INTO t ("id", a) VALUES (10, 1) ON CONFLICT DO NOTHING RETURNING id',
    ),
    (
        "INSERT INTO t (a) VALUES ((SELECT max(a) FROM t)), ('(,)')",
        "INSERT INTO t (\"id\", a) VALUES (10, (SELECT max(a) FROM t)), (11, '(,)')",
    ),
    ("INSERT INTO odd VALUES (1, NULL)", "INSERT INTO odd VALUES (1, 10)"),
    ("INSERT INTO odd (a) VALUES (1)", 'INSERT INTO odd ("ID", a) VALUES (10, 1)'),
    (
        "INSERT INTO t (a) SELECT a FROM odd WHERE a > ?1 RETURNING id",
        FROM_QUERY,
    ),
    (
        "WITH x AS (SELECT 1 AS a) INSERT INTO t (a) VALUES (2)",
        'WITH x AS (SELECT 1 AS a) INSERT INTO t ("id", a) VALUES (10, 2)',
    ),
]  # fmt: skip
LEFT = [
    "INSERT INTO other (a) VALUES (1)",
    "INSERT INTO t (id, a) VALUES (5, 1)",
    "INSERT INTO t VALUES (5, 1, 2)",
    "INSERT INTO t (id, a) SELECT id, a FROM odd",
    "INSERT INTO t (id) VALUES (abs(-7))",
    "UPDATE t SET a = 1",
    "DELETE FROM t",
    "SELECT 'INSERT INTO t (a) VALUES (1)'",
    "WITH x AS (SELECT 1) UPDATE t SET a = 2",
]


class Counting:
    """Counters that begin at 10 and note what they were asked."""

    def __init__(self) -> None:
        self.next = {"t": 10, "odd": 10}
        self.asked: list[tuple[str, int]] = []

    def take(self, table: str, count: int) -> int:
        self.asked.append((table, count))
        self.next[table] += count
        return self.next[table] - count

    def raise_to(self, table: str, number: int) -> None:
        self.asked.append((f"raise {table}", number))


def make_source(rows: int = 3) -> tuple[Source, Counting]:
    counters = Counting()
    columns = {"t": "id", "odd": "ID"}
    return Source(columns, counters, lambda table: COLUMNS[table], lambda _query: rows), counters


@pytest.mark.parametrize(("given", "expected"), NUMBERED)
def test_numbers_are_written(given: str, expected: str) -> None:
    source, _ = make_source()
    assert source.number([Fitted(given, [7])]) == [Fitted(expected, [7])]


@pytest.mark.parametrize(("given", "expected"), NUMBERED)
def test_sqlite_takes_what_is_written(given: str, expected: str) -> None:
    db = sqlite3.connect(":memory:")
    db.execute("CREATE TABLE t (id INTEGER PRIMARY KEY AUTOINCREMENT, a, b)")
    db.execute("CREATE TABLE odd (a, ID INTEGER PRIMARY KEY AUTOINCREMENT)")
    db.execute("INSERT INTO odd VALUES (8, 1), (9, 2), (9, 3)")
    values = (7,) if "?1" in expected else ()
    db.execute(expected, values).fetchall()
    made = db.execute("SELECT id FROM t UNION SELECT id FROM odd WHERE id > 3").fetchall()
    db.close()
    assert {number for (number,) in made} <= {5, 10, 11, 12}


@pytest.mark.parametrize("text", LEFT)
def test_other_statements_stay_as_they_are(text: str) -> None:
    source, counters = make_source()
    assert source.number([Fitted(text, [])]) == [Fitted(text, [])]
    assert [asked for asked in counters.asked if not asked[0].startswith("raise")] == []


def test_a_message_asks_once_for_each_table() -> None:
    source, counters = make_source()
    texts = [
        "INSERT INTO t (a) VALUES (1), (2)",
        "INSERT INTO odd (a) VALUES (1)",
        "SELECT 1",
        "INSERT INTO t (a) VALUES (3)",
    ]
    made = [fitted.sql for fitted in source.number([Fitted(text, []) for text in texts])]
    assert counters.asked == [("t", 3), ("odd", 1)]
    assert "(12, 3)" in made[3]
    assert "(10, 1)" in made[1]


def test_the_apps_own_numbers_raise_the_counter() -> None:
    source, counters = make_source()
    source.number([Fitted("INSERT INTO t (id, a) VALUES (50, 1), (90, 2), (NULL, 3)", [])])
    assert counters.asked == [("t", 1), ("raise t", 90)]


def test_a_query_without_rows_takes_no_number() -> None:
    source, counters = make_source(rows=0)
    text = "INSERT INTO t (a) SELECT a FROM odd"
    assert source.number([Fitted(text, [])]) == [Fitted(text, [])]
    assert counters.asked == []


def test_values_outside_of_a_query_are_refused() -> None:
    source, _ = make_source()
    text = "INSERT INTO t (a) SELECT a FROM odd WHERE true ON CONFLICT DO UPDATE SET a = ?1"
    with pytest.raises(OperationalError, match=r"INSERT \.\.\. SELECT into t"):
        source.number([Fitted(text, ["x"])])
