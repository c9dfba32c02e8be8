"""Facts of the real data: counts, sizes, digits and what SQLite does not have."""

from __future__ import annotations

from contextlib import closing
from dataclasses import replace

import psycopg
import pytest

from edgelift.rows.engine import read_rows
from edgelift.sources.origin_database import (
    LARGE_ROW_BYTES,
    Cast,
    Choices,
    ColumnFacts,
    TableFacts,
)
from edgelift.sources.postgres import open_postgres


def read_facts(url: str, choices: Choices | None = None) -> TableFacts:
    with open_postgres(url) as database, closing(database.open_snapshot()) as snapshot:
        table = database.read_schema().tables[0]
        return snapshot.read_facts(database.map_table(table, choices or Choices()))


@pytest.mark.parametrize(
    ("kind", "values", "facts"),
    [
        ("int", "(1), (-5), (NULL)", ColumnFacts(max_bytes=4)),
        (
            "bigint",
            "(9223372036854775807)",
            ColumnFacts(max_bytes=8, min_int=2**63 - 1, max_int=2**63 - 1),
        ),
        ("text", "('äb'), ('')", ColumnFacts(max_bytes=3)),
        ("citext", "('äb'), ('')", ColumnFacts(max_bytes=3, non_ascii=1)),
        ("varchar(9)", "('abc'), (NULL)", ColumnFacts(max_bytes=3)),
        ("char(9)", "('abc')", ColumnFacts(max_bytes=9)),
        ("bytea", "('\\x0001')", ColumnFacts(max_bytes=2)),
        ("uuid", "(gen_random_uuid())", ColumnFacts(max_bytes=36)),
        (
            "numeric",
            "(0.00), ('NaN'), ('Infinity'), ('-Infinity'), (-120300.00450), (1e40)",
            ColumnFacts(
                max_bytes=8, digits=10, nans=1, infinities=2, min_int=-120301, max_int=10**40
            ),
        ),
        (
            "numeric(9,2)",
            "(0), ('NaN'), (-120300.40), (5)",
            ColumnFacts(max_bytes=8, digits=9, nans=1),
        ),
        (
            "numeric(20,10)",
            "(1234567.8900000001)",
            ColumnFacts(max_bytes=8, digits=17, min_int=1234567, max_int=1234568),
        ),
        ("numeric(5,2)", "(0.00)", ColumnFacts(max_bytes=8, digits=5)),
        ("numeric(5,2)", "(NULL), ('NaN')", ColumnFacts(max_bytes=8, digits=5, nans=1)),
        ("float8", "('NaN'), ('Infinity'), (1)", ColumnFacts(max_bytes=8, nans=1, infinities=1)),
        ("real", "('-Infinity')", ColumnFacts(max_bytes=8, infinities=1)),
        (
            "date",
            "('infinity'), ('0044-03-15 BC'), ('10000-01-01'), ('2024-01-01')",
            ColumnFacts(max_bytes=10, infinities=1, outside_dates=2),
        ),
        (
            "timestamptz",
            "('-infinity'), ('0001-01-01 00:00+00'), ('0001-01-01 00:00:00+01'), ('10000-01-01')",
            ColumnFacts(max_bytes=26, infinities=1, outside_dates=2),
        ),
        (
            "interval",
            "('1 mon'), ('-1 year'), ('40 days 25:00'), (NULL)",
            ColumnFacts(max_bytes=26, months=2),
        ),
        (
            "money",
            "(12.34), (-1)",
            ColumnFacts(max_bytes=8, digits=4, min_int=-100, max_int=1234),
        ),
        (
            "time",
            "('24:00'), ('23:59'), (NULL)",
            ColumnFacts(max_bytes=15, outside_dates=1),
        ),
        ("timetz", "('24:00+02'), ('00:00+00')", ColumnFacts(max_bytes=24, outside_dates=1)),
        (
            "interval",
            "('4000000 days'), ('-4000000 days'), ('5 days'), ('1 year')",
            ColumnFacts(max_bytes=26, months=1, outside_dates=2),
        ),
        ("int[]", "('{1,2,3}')", ColumnFacts(max_bytes=7)),
        ("jsonb", "('{\"a\":1}')", ColumnFacts(max_bytes=8)),
        ("bool", "(true), (NULL)", ColumnFacts(max_bytes=1)),
        ("bit(12)", "(B'000000000001')", ColumnFacts(max_bytes=12)),
    ],
)
def test_facts_of_a_column(make_database, kind: str, values: str, facts: ColumnFacts) -> None:
    first = "CREATE EXTENSION citext; " if kind == "citext" else ""
    url = make_database(f"{first}CREATE TABLE t (v {kind}); INSERT INTO t VALUES {values}")
    found = read_facts(url)
    assert found.row_bytes == facts.max_bytes
    assert found.columns["v"] == replace(facts, max_bytes=0)
    assert found.rows == values.count("(") - values.count("gen_random_uuid(")


def test_sizes_are_those_of_the_values_in_sqlite(make_database) -> None:
    """Sizes are compared with what the row engine really makes of the same rows."""
    url = make_database(
        "CREATE TABLE t (id int PRIMARY KEY, a text, b jsonb, c int[], d uuid, e bytea, f date, g hstore);"
        "INSERT INTO t SELECT i, repeat('ä', i * i * 2), jsonb_build_object('k', repeat('v', i % 50)),"
        " array[i, i], md5(i::text)::uuid, decode(repeat('00', i % 7), 'hex'), '2024-01-01', hstore('a', i::text)"
        " FROM generate_series(1, 200) i".replace("CREATE TABLE", "CREATE EXTENSION hstore; CREATE TABLE")
    )  # fmt: skip
    with open_postgres(url) as database, closing(database.open_snapshot()) as snapshot:
        spec = database.map_table(database.read_schema().tables[0], Choices())
        facts = snapshot.read_facts(spec)
        (chunk,) = snapshot.plan_chunks(spec, 1000)
        rows = list(read_rows(spec, snapshot.stream_chunk(spec, chunk)))

    def size(value: object) -> int:
        if isinstance(value, str):
            return len(value.encode())
        return len(value) if isinstance(value, bytes) else 4

    assert facts.row_bytes == max(sum(map(size, row)) for row in rows)
    assert facts.total_bytes == sum(sum(map(size, row)) for row in rows)
    assert facts.row_bytes > LARGE_ROW_BYTES
    for index, field in enumerate(spec.fields):
        assert facts.columns[field.column].max_bytes == max(size(row[index]) for row in rows)


def test_facts_follow_casts_names_and_conditions(make_database) -> None:
    url = make_database(
        "CREATE TABLE t (n numeric, e bytea); INSERT INTO t VALUES (12345678901234567890.12, '\\x00ff')"
    )
    choices = Choices(
        casts=(Cast(to="text", column="n"), Cast(to="hex", type="bytea")),
        columns={("public", "t", "n"): "number"},
        excluded=frozenset(),
    )
    facts = read_facts(url, choices)
    assert facts.row_bytes == 23 + 4
    assert facts.columns["number"].digits == 22


def test_a_table_without_columns_or_rows(make_database) -> None:
    assert read_facts(make_database("CREATE TABLE t ()")) == TableFacts(rows=0)
    empty = read_facts(make_database("CREATE TABLE t (a int, b text)"))
    assert (empty.rows, empty.row_bytes, empty.total_bytes) == (0, 0, 0)
    assert empty.columns["a"] == ColumnFacts()


def test_a_table_is_scanned_once(make_database) -> None:
    url = make_database(
        "CREATE TABLE t (a int, b text, c numeric, d date);"
        "INSERT INTO t SELECT i, i, i, now() FROM generate_series(1, 100) i"
    )
    seen = "SELECT seq_tup_read FROM pg_stat_user_tables WHERE relname = 't'"
    with psycopg.connect(url, autocommit=True) as db:
        before = db.execute(seen).fetchone()
        read_facts(url)
        # A backend reports what it did when it ends its transaction or itself.
        for _ in range(500):
            db.execute("SELECT pg_stat_clear_snapshot()")
            after = db.execute(seen).fetchone()
            if after != before:
                break
            db.execute("SELECT pg_sleep(0.02)")
    assert before is not None
    assert after is not None
    assert after[0] - before[0] == 100
