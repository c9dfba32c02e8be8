"""Snapshots, chunks and streams of a real PostgreSQL: consistent, complete, bounded."""

from __future__ import annotations

import tracemalloc
from collections.abc import Iterator
from contextlib import closing
from itertools import pairwise
from typing import Any

import psycopg
import pytest

from edgelift.model.row_spec import RowSpec
from edgelift.rows.engine import hash_stream, read_rows
from edgelift.sources.origin_database import Choices
from edgelift.sources.postgres import PostgresDatabase, chunks, open_postgres
from edgelift.sources.postgres.snapshot import PostgresSnapshot, to_copy
from edgelift.sources.postgres.stream import CopyStream, RawStream
from tests.servers.postgres import require_postgres, start_postgres, start_standby

Row = tuple[Any, ...]


def find_spec(database: PostgresDatabase, name: str = "t") -> RowSpec:
    table = next(t for t in database.read_schema().tables if t.name == name)
    return database.map_table(table, Choices())


def read_all(snapshot: PostgresSnapshot, spec: RowSpec, rows: int = 100) -> list[list[Row]]:
    planned = snapshot.plan_chunks(spec, rows)
    assert [chunk.index for chunk in planned] == list(range(len(planned)))
    return [list(read_rows(spec, snapshot.stream_chunk(spec, chunk))) for chunk in planned]


@pytest.fixture
def numbers(make_database) -> Iterator[PostgresDatabase]:
    url = make_database(
        "CREATE TABLE t (id int PRIMARY KEY, v text);"
        "INSERT INTO t SELECT i, 'row ' || i FROM generate_series(1, 1000) i"
    )
    with open_postgres(url) as database:
        yield database


def write(database: PostgresDatabase, sql: str) -> None:
    with psycopg.connect("", autocommit=True, **database._address.words) as db:
        db.execute(sql)


def test_a_snapshot_sees_nothing_that_comes_after_it(numbers: PostgresDatabase) -> None:
    spec = find_spec(numbers)
    snapshot = numbers.open_snapshot()
    write(numbers, "DELETE FROM t WHERE id <= 500; INSERT INTO t VALUES (5000, 'new')")
    before = [row for part in read_all(snapshot, spec) for row in part]
    assert [row[0] for row in before] == list(range(1, 1001))
    assert snapshot.read_facts(spec).rows == 1000
    joined = numbers.join_snapshot(snapshot.ticket)
    assert [row for part in read_all(joined, spec, 300) for row in part] == before
    assert joined.position == snapshot.position
    snapshot.close()
    # The joined one holds the snapshot by itself now.
    assert joined.read_facts(spec).rows == 1000
    joined.close()
    later = numbers.open_snapshot()
    assert later.read_facts(spec).rows == 501
    later.close()


def test_a_position_is_that_of_the_servers_log(numbers: PostgresDatabase) -> None:
    first = numbers.open_snapshot()
    write(numbers, "INSERT INTO t VALUES (2000, 'x')")
    second = numbers.open_snapshot()

    def to_number(position: str) -> int:
        high, low = position.split("/")
        return (int(high, 16) << 32) + int(low, 16)

    assert to_number(first.position) < to_number(second.position)
    first.close()
    second.close()


def test_chunks_are_cut_by_rows_and_not_by_ids(make_database) -> None:
    url = make_database(
        "CREATE TABLE t (id bigint PRIMARY KEY);"
        "INSERT INTO t SELECT CASE WHEN i < 500 THEN -i::bigint * 1000000007 ELSE i END"
        " FROM generate_series(1, 1000) i; INSERT INTO t VALUES (9223372036854775807)"
    )
    with open_postgres(url) as database:
        spec = find_spec(database)
        snapshot = database.open_snapshot()
        planned = snapshot.plan_chunks(spec, 100)
        parts = read_all(snapshot, spec, 100)
        snapshot.close()
    assert [len(part) for part in parts] == [100] * 10 + [1]
    ids = [row[0] for part in parts for row in part]
    assert ids == sorted(ids)
    assert planned[0].low is None
    assert planned[-1].high is None
    assert all(one.high == two.low is not None for one, two in pairwise(planned))
    assert [chunk.low for chunk in planned[1:]] == [part[0][0] for part in parts[1:]]


KEYS = [
    ('id text COLLATE "C"', "md5(i::text)", "id"),
    ("id text", "CASE WHEN i % 3 = 0 THEN '' || i ELSE 'Ä''\\\"' || i END", "id"),
    ("id uuid", "md5(i::text)::uuid", "id"),
    ("id numeric", "i * -0.37", "id"),
    ("id float8", "CASE WHEN i = 1 THEN 'NaN' WHEN i = 2 THEN '-Infinity' ELSE i * 0.1 END::float8", "id"),
    ("id timestamptz", "CASE WHEN i = 1 THEN 'infinity' ELSE '2024-01-01 00:00:00.000001+00'::timestamptz + i * interval '1 day' END::timestamptz", "id"),
    ("id bytea", "decode(md5(i::text), 'hex')", "id"),
    ("id inet", "'10.0.0.0'::inet + i", "id"),
    ("id char(10)", "'k' || i", "id"),
    ("id citext", "'Key' || i", "id"),
    ("id date", "'0044-03-15 BC'::date + i", "id"),
    ("id interval", "i * interval '1 hour'", "id"),
    ("id int[]", "array[i % 7, i]", "id"),
    ("id kind_number", "i", "id"),
    ("a int, b text, c uuid", "i % 5, 'b' || (i % 11), md5(i::text)::uuid", "a, b, c"),
    ('"Se lect" int, "%s{}" boolean', "i, i % 2 = 0", '"%s{}", "Se lect"'),
]  # fmt: skip


@pytest.fixture(scope="module")
def keys_url(postgres_server) -> str:
    url = postgres_server.create_database("keys_of_all_types")
    postgres_server.run(
        "CREATE EXTENSION citext; CREATE DOMAIN kind_number AS int CHECK (VALUE > 0)",
        "keys_of_all_types",
    )
    return url


@pytest.mark.parametrize(("columns", "values", "key"), KEYS, ids=[key[0] for key in KEYS])
@pytest.mark.parametrize("way", ["exact", "sampled"])
def test_any_key_cuts_a_table_into_chunks(
    *, keys_url, postgres_server, monkeypatch, columns: str, values: str, key: str, way: str
) -> None:
    url = keys_url
    postgres_server.run(
        f"DROP TABLE IF EXISTS t; CREATE TABLE t ({columns}, filler text, PRIMARY KEY ({key}));"
        f"INSERT INTO t SELECT {values}, repeat('x', 500) FROM generate_series(1, 1000) i;"
        "ANALYZE t",
        "keys_of_all_types",
    )
    if way == "sampled":
        monkeypatch.setattr(chunks, "_EXACT_PAGES", 0)
        monkeypatch.setattr(chunks, "_SAMPLED_PAGES_A_CHUNK", 5)
    with open_postgres(url) as database:
        table = database.read_schema().tables[0]
        spec = database.map_table(table, Choices())
        # Only that all rows come is asked here: refused values are a matter of ops.
        whole = RowSpec(
            schema="public", table="t", target="t", wire="pgcopy", key=spec.key, fields=(),
        )  # fmt: skip
        snapshot = database.open_snapshot()
        planned = snapshot.plan_chunks(whole, 90)
        texts = [f'"{name}"::text' for name in table.primary_key]
        seen: list[Row] = []
        with psycopg.connect(url) as db:
            for chunk in planned:
                where = f"WHERE {chunk.where}" if chunk.where else ""
                seen += db.execute(f"SELECT {', '.join(texts)} FROM t {where}".encode()).fetchall()
            expected = db.execute(f"SELECT {', '.join(texts)} FROM t".encode()).fetchall()
        snapshot.close()
    assert len(planned) > 5
    assert sorted(seen) == sorted(expected)
    if way == "exact":
        assert len(planned) == 12


def test_a_table_without_a_key_is_cut_by_its_pages(make_database) -> None:
    url = make_database(
        "CREATE TABLE t (a int, b text);"
        "INSERT INTO t SELECT i % 10, repeat('x', 100) FROM generate_series(1, 5000) i;"
        "DELETE FROM t WHERE ctid < '(20,0)'; INSERT INTO t SELECT 1, 'twin' FROM generate_series(1, 3)"
    )
    with open_postgres(url) as database:
        spec = find_spec(database)
        assert spec.key == ()
        snapshot = database.open_snapshot()
        parts = read_all(snapshot, spec, 500)
        rows = snapshot.read_facts(spec).rows
        snapshot.close()
    assert len(parts) > 5
    assert sum(len(part) for part in parts) == rows
    assert [row for part in parts for row in part].count((1, "twin")) == 3


def test_a_unique_index_without_nulls_is_a_key_and_one_with_nulls_is_not(make_database) -> None:
    url = make_database(
        "CREATE TABLE a (x int, y int NOT NULL); CREATE UNIQUE INDEX ON a (x);"
        "CREATE UNIQUE INDEX ON a (y) WHERE y > 5; CREATE UNIQUE INDEX ON a ((y + 1));"
        "CREATE TABLE b (x int NOT NULL); CREATE UNIQUE INDEX ON b (x);"
        "CREATE TABLE c (x int NOT NULL UNIQUE DEFERRABLE)"
    )
    with open_postgres(url) as database:
        assert [find_spec(database, name).key for name in "abc"] == [(), ('"x"',), ()]


def test_partitions_are_read_through_their_table_and_children_by_themselves(make_database) -> None:
    url = make_database(
        "CREATE TABLE p (id int, k text, PRIMARY KEY (id, k)) PARTITION BY LIST (k);"
        "CREATE TABLE p1 PARTITION OF p FOR VALUES IN ('a') PARTITION BY RANGE (id);"
        "CREATE TABLE p11 PARTITION OF p1 FOR VALUES FROM (0) TO (300); CREATE TABLE p12 PARTITION OF p1 DEFAULT;"
        "CREATE TABLE p2 PARTITION OF p DEFAULT;"
        "INSERT INTO p SELECT i, chr(97 + i % 3) FROM generate_series(1, 900) i;"
        "CREATE TABLE q (a int) PARTITION BY HASH (a); CREATE TABLE q1 PARTITION OF q FOR VALUES WITH (MODULUS 2, REMAINDER 0);"
        "CREATE TABLE q2 PARTITION OF q FOR VALUES WITH (MODULUS 2, REMAINDER 1);"
        "INSERT INTO q SELECT i % 400 FROM generate_series(1, 9000) i;"
        "CREATE TABLE parent (id int PRIMARY KEY); CREATE TABLE child () INHERITS (parent);"
        "INSERT INTO parent VALUES (1); INSERT INTO child VALUES (2), (3)"
    )
    with open_postgres(url) as database:
        snapshot = database.open_snapshot()
        found = {}
        for name in ("p", "q", "parent", "child"):
            parts = read_all(snapshot, find_spec(database, name), 100)
            found[name] = (sum(map(len, parts)), len(parts))
        snapshot.close()
    assert found["p"] == (900, 9)
    assert found["q"][0] == 9000
    assert found["q"][1] > 10
    assert found["parent"][0] == 1
    assert found["child"][0] == 2


def test_the_rows_condition_of_the_spec_counts_everywhere(numbers: PostgresDatabase) -> None:
    import msgspec

    spec = msgspec.structs.replace(find_spec(numbers), where="id % 2 = 0 OR id = 1")
    snapshot = numbers.open_snapshot()
    parts = read_all(snapshot, spec, 100)
    assert sum(map(len, parts)) == 501 == snapshot.read_facts(spec).rows
    assert len(parts) == 6
    snapshot.close()


def test_a_chunk_never_costs_a_scan_of_the_table(make_database) -> None:
    """Without statistics the planner would sort the whole table for each chunk."""
    url = make_database(
        "CREATE TABLE t (id int PRIMARY KEY, v text); CREATE TABLE bare (v text);"
        "INSERT INTO t SELECT i, repeat('x', 200) FROM generate_series(1, 20000) i;"
        "INSERT INTO bare SELECT v FROM t"
    )
    with open_postgres(url) as database, closing(database.open_snapshot()) as snapshot:
        for name in ("t", "bare"):
            spec = find_spec(database, name)
            planned = snapshot.plan_chunks(spec, 1000)
            assert len(planned) > 5
            snapshot._open_stream("t")
            assert snapshot._stream is not None
            reader = snapshot._stream._connection
            for chunk in planned:
                query = to_copy(spec, chunk, snapshot._read_extent(spec))
                select = query.removeprefix("COPY (").removesuffix(") TO STDOUT (FORMAT binary)")
                rows = reader.execute(f"EXPLAIN {select}".encode()).fetchall()
                plan = "\n".join(row[0] for row in rows)
                assert "Seq Scan" not in plan, plan
                assert "Index" in plan or "Tid Range Scan" in plan


def test_memory_is_bounded_by_the_block_and_not_by_the_row(make_database) -> None:
    url = make_database(
        "CREATE TABLE t (id int PRIMARY KEY, v text); ALTER TABLE t ALTER v SET STORAGE EXTERNAL;"
        "INSERT INTO t SELECT i, repeat('x', 30000000) FROM generate_series(1, 3) i"
    )
    with open_postgres(url) as database:
        spec = find_spec(database)
        snapshot = database.open_snapshot()
        (chunk,) = snapshot.plan_chunks(spec, 100)
        tracemalloc.start()
        size = sum(len(block) for block in snapshot.stream_chunk(spec, chunk))
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert snapshot.read_facts(spec).row_bytes == 30000004
        snapshot.close()
    assert size > 90_000_000
    assert peak < 3_000_000


def test_both_ways_to_stream_give_the_same_rows(numbers: PostgresDatabase, monkeypatch) -> None:
    spec = find_spec(numbers)
    snapshot = numbers.open_snapshot()
    (chunk,) = snapshot.plan_chunks(spec, 5000)
    raw = hash_stream(spec, snapshot.stream_chunk(spec, chunk), "python")
    assert isinstance(snapshot._stream, RawStream)
    snapshot.close()
    monkeypatch.setattr("edgelift.sources.postgres.snapshot.open_stream", CopyStream)
    snapshot = numbers.open_snapshot()
    plain = hash_stream(spec, snapshot.stream_chunk(spec, chunk), "python")
    assert not isinstance(snapshot._stream, RawStream)
    snapshot.close()
    assert (plain.rows, plain.hash) == (raw.rows, raw.hash)
    assert raw.rows == 1000


def test_a_stream_that_is_left_in_the_middle_does_not_spoil_the_next(
    numbers: PostgresDatabase,
) -> None:
    write(numbers, "INSERT INTO t SELECT i, repeat('x', 1000) FROM generate_series(2001, 6000) i")
    spec = find_spec(numbers)
    snapshot = numbers.open_snapshot()
    (chunk,) = snapshot.plan_chunks(spec, 100_000)
    left = iter(snapshot.stream_chunk(spec, chunk))
    next(left)
    left.close()  # type: ignore[attr-defined]
    assert sum(1 for _ in read_rows(spec, snapshot.stream_chunk(spec, chunk))) == 5000
    snapshot.close()


def test_the_session_is_read_only_timed_and_named(numbers: PostgresDatabase) -> None:
    spec = find_spec(numbers)
    snapshot = numbers.open_snapshot()
    list(snapshot.stream_chunk(spec, snapshot.plan_chunks(spec, 10_000)[0]))
    holder = snapshot._holder

    def show(name: str) -> str:
        row = holder.execute(f"SHOW {name}".encode()).fetchone()
        assert row is not None
        return str(row[0])

    assert show("transaction_read_only") == "on"
    assert show("lock_timeout") == "30s"
    assert show("statement_timeout") == "1h"
    assert show("idle_in_transaction_session_timeout") == "0"
    with psycopg.connect("", **numbers._address.words) as db:
        seen = db.execute(
            "SELECT DISTINCT application_name, state FROM pg_stat_activity "
            "WHERE datname = current_database() AND pid <> pg_backend_pid() ORDER BY 2"
        ).fetchall()
    assert seen == [("edgelift", "idle"), ("edgelift", "idle in transaction")]
    with pytest.raises(psycopg.errors.ReadOnlySqlTransaction):
        holder.execute("CREATE TABLE x ()")
    snapshot.close()


def test_views_and_materialized_views_can_be_streamed_too(everything_url, make_database) -> None:
    url = make_database(
        "CREATE MATERIALIZED VIEW m AS SELECT i AS a FROM generate_series(1, 5000) i;"
        "CREATE VIEW v AS SELECT a FROM m WHERE a < 10"
    )
    with open_postgres(url) as database:
        snapshot = database.open_snapshot()
        for name, rows in (("m", 5000), ("v", 9)):
            schema = database.read_schema()
            table = next(one for one in (*schema.tables, *schema.views) if one.name == name)
            spec = RowSpec(
                schema=table.schema, table=name, target=name, wire="pgcopy",
                fields=find_fields("a"),
            )  # fmt: skip
            assert sum(map(len, read_all(snapshot, spec, 1000))) == rows
        snapshot.close()


def find_fields(column: str) -> tuple[Any, ...]:
    from edgelift.model.row_spec import FieldSpec

    return (FieldSpec(column=column, read=f'"{column}"', op="int", target_type="INTEGER"),)


def test_tls_of_the_url_is_honoured(tmp_path) -> None:
    with start_postgres(tmp_path / "pg", {"fsync": "off"}, tls=True) as server:
        server.run(
            "CREATE TABLE t (id int PRIMARY KEY); INSERT INTO t SELECT generate_series(1, 3000)"
        )
        url = server.url.replace("127.0.0.1", "localhost")
        for options in (
            "sslmode=require",
            f"sslmode=verify-full&sslrootcert={server.certificate}",
            "ssl=true",
        ):
            with open_postgres(f"{url}?{options}") as database:
                assert database._connection.pgconn.ssl_in_use
                snapshot = database.open_snapshot()
                parts = read_all(snapshot, find_spec(database), 1000)
                assert type(snapshot._stream) is CopyStream
                assert [len(part) for part in parts] == [1000] * 3
                snapshot.close()
        with open_postgres(f"{url}?sslmode=disable") as database:
            assert not database._connection.pgconn.ssl_in_use


def test_a_standby_can_be_read_in_the_primarys_stead(tmp_path) -> None:
    require_postgres()
    with start_postgres(tmp_path / "pg") as primary:
        primary.run(
            "CREATE TABLE t (id serial PRIMARY KEY, v text); CREATE TABLE bare (v text);"
            "INSERT INTO t (v) SELECT 'x' FROM generate_series(1, 2000); INSERT INTO bare SELECT v FROM t"
        )
        with start_standby(primary) as standby, open_postgres(standby.url) as database:
            assert not database.capabilities.follows
            with closing(database.open_snapshot()) as snapshot:
                assert snapshot.position.count("/") == 1
                for name in ("t", "bare"):
                    parts = read_all(snapshot, find_spec(database, name), 500)
                    assert sum(map(len, parts)) == 2000
                with closing(database.join_snapshot(snapshot.ticket)) as joined:
                    assert joined.read_facts(find_spec(database)).rows == 2000
