"""Changes of a real PostgreSQL followed: nothing lost, nothing twice, killed anywhere."""

from __future__ import annotations

import contextlib
import random
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import psycopg
import pytest

from edgelift.errors import OriginError, OriginUnavailable
from edgelift.rows.engine import read_rows
from edgelift.sources.postgres import open_postgres, replication
from edgelift.sources.postgres.connection import connect, to_address
from edgelift.sources.postgres.follow_checks import check_following
from edgelift.sources.postgres.messages import Commit, RowChange, to_position, write_position
from edgelift.sources.postgres.replication import ChangeStream
from edgelift.sources.postgres.slots import (
    create_publication,
    create_slot,
    drop_following,
    emit_marker,
)
from tests.contract.postgres.follower import Follower, KilledError
from tests.servers.postgres import PostgresServer, require_postgres, start_postgres

SCHEMA = """
CREATE TABLE t (
  id int PRIMARY KEY, v text, big text, n numeric(9,2), j jsonb, tags text[], at timestamptz,
  f real, during int4range, doubled int GENERATED ALWAYS AS (id * 2) STORED
);
ALTER TABLE t ALTER big SET STORAGE EXTERNAL;
CREATE TABLE pair (a text, b uuid, v int, PRIMARY KEY (a, b));
CREATE TABLE whole (x int, y text); ALTER TABLE whole REPLICA IDENTITY FULL;
CREATE TABLE parts (id int, k text, v text, PRIMARY KEY (id, k)) PARTITION BY LIST (k);
CREATE TABLE parts_a PARTITION OF parts FOR VALUES IN ('a');
CREATE TABLE parts_rest PARTITION OF parts DEFAULT;
CREATE TABLE elsewhere (id int);
INSERT INTO t SELECT i, 'v' || i, repeat(md5(i::text), 100), i * 0.5, '{"a": 1}', array[i::text],
  now(), 0.1, int4range(i, i + 3) FROM generate_series(1, 500) i;
INSERT INTO pair SELECT 'a' || i, md5(i::text)::uuid, i FROM generate_series(1, 100) i;
INSERT INTO whole SELECT i, NULLIF('y' || i, 'y3') FROM generate_series(1, 50) i;
INSERT INTO parts SELECT i, chr(97 + i % 3), 'p' || i FROM generate_series(1, 100) i;
"""
TABLES = ["t", "pair", "whole", "parts"]


@pytest.fixture
def origin(make_database, postgres_server: PostgresServer) -> Iterator[str]:
    url = make_database(SCHEMA)
    yield url
    name = url.rpartition("/")[2]
    drop_following(to_address(url), f"slot_{name}", f"slot_{name}")


def make_follower(url: str, folder: Path) -> Follower:
    return Follower(url, folder / "target.sqlite", TABLES, f"slot_{url.rpartition('/')[2]}")


def write_something(db: psycopg.Connection, chance: random.Random, number: int) -> None:
    """Write one transaction of mixed changes; every fifth is rolled back."""
    with db.transaction(force_rollback=number % 5 == 4):
        for _ in range(chance.randrange(1, 8)):
            kind = chance.randrange(9)
            key = chance.randrange(1, 600)
            if kind == 0:
                db.execute(
                    "INSERT INTO t (id, v, big, n, tags, f) VALUES (%s, 'new', repeat('n', 3000), 1.25, "
                    "'{a,NULL}', 0.3) ON CONFLICT DO NOTHING",
                    (key,),
                )
            elif kind == 1:
                # The large value is left alone: it does not come over the wire.
                db.execute("UPDATE t SET v = v || 'x', at = now() WHERE id = %s", (key,))
            elif kind == 2:
                db.execute(
                    "UPDATE t SET id = %s WHERE id = %s AND NOT EXISTS (SELECT FROM t WHERE id = %s)",
                    (key + 1000, key, key + 1000),
                )
            elif kind == 3:
                db.execute("DELETE FROM t WHERE id = %s", (key,))
            elif kind == 4:
                db.execute(
                    "UPDATE t SET big = repeat('u', 4000), n = NULL, during = 'empty' WHERE id = %s",
                    (key,),
                )
            elif kind == 5:
                db.execute("UPDATE pair SET a = a || '!', v = v + 1 WHERE v = %s", (key % 100,))
            elif kind == 6:
                db.execute("DELETE FROM whole WHERE x = %s", (key % 50,))
                db.execute("INSERT INTO whole VALUES (%s, NULL)", (key,))
            elif kind == 7:
                # A row that changes its partition.
                db.execute(
                    "UPDATE parts SET k = CASE k WHEN 'a' THEN 'b' ELSE 'a' END WHERE id = %s",
                    (key % 100,),
                )
            else:
                db.execute("INSERT INTO elsewhere VALUES (%s)", (key,))


def compare(follower: Follower) -> None:
    """Compare every row of origin and target, through a fresh snapshot and the row engine."""
    with (
        open_postgres(follower.url) as database,
        closing(database.open_snapshot()) as snapshot,
        closing(sqlite3.connect(follower.path)) as db,
    ):
        for name, spec in follower.specs.items():
            (chunk,) = snapshot.plan_chunks(spec, 10**6)
            wanted = list(read_rows(spec, snapshot.stream_chunk(spec, chunk)))
            found = db.execute(f'SELECT * FROM "{name}"').fetchall()
            if name == "t":  # what the server computes does not come over the stream
                wanted = [row[:-1] for row in wanted]
                found = [row[:-1] for row in found]
            assert sorted(map(repr, found)) == sorted(map(repr, wanted)), name
            assert len(found) > 10


@pytest.mark.parametrize("kills", [0, 5])
def test_a_writer_during_the_copy_ends_with_no_difference(origin, tmp_path, kills: int) -> None:
    follower = make_follower(origin, tmp_path)
    chance = random.Random(7 + kills)
    ready, errors = threading.Event(), []

    def write(seed: int) -> None:
        own = random.Random(seed)
        try:
            with psycopg.connect(origin, autocommit=True) as db:
                for number in range(150):
                    if number == 40:
                        ready.set()
                    # Writers of any application meet these, and try again.
                    with contextlib.suppress(
                        psycopg.errors.DeadlockDetected, psycopg.errors.SerializationFailure
                    ):
                        write_something(db, own, number)
        except psycopg.Error as error:
            errors.append(error)
            ready.set()

    writers = [threading.Thread(target=write, args=(seed,)) for seed in (1, 2)]

    def between() -> None:
        for writer in writers:
            writer.start()
        ready.wait()

    follower.copy(between)
    for _ in range(kills):
        with pytest.raises(KilledError):
            follower.follow(b"never", kill_at=chance.randrange(1, 60))
    for writer in writers:
        writer.join()
    assert errors == []
    with connect(follower.address) as db:
        emit_marker(db, "end")
    assert follower.follow(b"end")
    assert follower.transactions > 50
    compare(follower)


def test_without_its_changes_the_target_differs(origin, tmp_path) -> None:
    """The fault twin: the comparison sees a single lost change."""
    follower = make_follower(origin, tmp_path)
    follower.copy()
    compare(follower)
    with psycopg.connect(origin, autocommit=True) as db:
        db.execute("UPDATE t SET v = 'lost' WHERE id = 17")
    with pytest.raises(AssertionError):
        compare(follower)


def test_truncate_and_rollback_and_many_values(origin, tmp_path) -> None:
    follower = make_follower(origin, tmp_path)
    follower.copy()
    with psycopg.connect(origin, autocommit=True) as db:
        db.execute("TRUNCATE pair")
        db.execute(
            "INSERT INTO pair SELECT 'z' || i, md5(i::text)::uuid, i FROM generate_series(1, 2000) i"
        )
        with db.transaction(force_rollback=True):
            db.execute("DELETE FROM t")
        emit = "SELECT pg_logical_emit_message(true, 'edgelift', 'here')"
        db.execute(emit)
    assert follower.follow(b"here")
    compare(follower)


def test_a_killed_server_loses_nothing(tmp_path) -> None:
    require_postgres()
    with start_postgres(tmp_path / "pg") as server:
        server.run(SCHEMA)
        follower = Follower(server.url, tmp_path / "target.sqlite", TABLES, "own_slot")
        follower.copy()
        with server.connect() as db:
            for number in range(40):
                write_something(db, random.Random(number), number)
        server.kill()
        with pytest.raises(OriginUnavailable):
            ChangeStream(follower.address, slot="own_slot", publication="own_slot", position="0/0")
        server.start()
        with server.connect() as db:
            for number in range(40):
                write_something(db, random.Random(100 + number), number)
            emit_marker(db, "after")
        assert follower.follow(b"after")
        compare(follower)


def open_slot(url: str, name: str, tables: str = "t") -> tuple[ChangeStream, str]:
    with open_postgres(url) as database:
        wanted = [t for t in database.read_schema().tables if t.name in tables.split()]
    address = to_address(url)
    with connect(address) as db:
        create_publication(db, name, wanted, address.place)
    with create_slot(address, name) as slot:
        position = slot.position
    return ChangeStream(address, slot=name, publication=name, position=position), position


def test_a_cut_connection_is_transient_and_goes_on_where_it_was(origin, postgres_server) -> None:
    name = f"slot_{origin.rpartition('/')[2]}"
    stream, _ = open_slot(origin, name)
    with psycopg.connect(origin, autocommit=True) as db:
        for i in range(5):
            db.execute("UPDATE t SET v = %s WHERE id = 1", (f"step {i}",))
        commits = []
        for change in stream.read(10):
            if isinstance(change, Commit):
                commits.append(change.end)
                if len(commits) == 2:
                    break
        stream.confirm(commits[-1])
        postgres_server.end_connections(
            f"pid IN (SELECT active_pid FROM pg_replication_slots WHERE slot_name = '{name}')"
        )
        with pytest.raises(OriginUnavailable) as caught:
            list(stream.read(10))
        assert len(caught.value.lines()) == 3
        stream.close()
        again = ChangeStream(
            to_address(origin), slot=name, publication=name, position=write_position(commits[-1])
        )
        rows = []
        for change in again.read(10):
            if isinstance(change, RowChange):
                assert change.new is not None
                rows.append(change.new[1].data)  # type: ignore[union-attr]
            if len(rows) == 3:
                break
        again.close()
    assert rows == [b"step 2", b"step 3", b"step 4"]


def test_writes_to_other_tables_do_not_keep_the_servers_log(origin, monkeypatch) -> None:
    monkeypatch.setattr(replication, "_STATUS_S", 0.05)
    name = f"slot_{origin.rpartition('/')[2]}"
    stream, position = open_slot(origin, name)
    with psycopg.connect(origin, autocommit=True) as db:
        for _ in range(20):
            db.execute("INSERT INTO elsewhere SELECT generate_series(1, 1000)")
            list(stream.read(0.1))
            row = db.execute(
                "SELECT confirmed_flush_lsn::text FROM pg_replication_slots WHERE slot_name = %s",
                (name,),
            ).fetchone()
            assert row is not None
            if to_position(row[0]) > to_position(position):
                break
        else:
            pytest.fail("the slot stayed where it was")
    stream.close()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ("ALTER TABLE t ADD fresh int DEFAULT 5", "column fresh is new"),
        ("ALTER TABLE t DROP v", "column v is gone"),
        ("ALTER TABLE t ALTER n TYPE numeric(12,4)", "column n was numeric(9,2) and is numeric(12,4)"),
        ("ALTER TABLE t RENAME v TO w", "column v is gone; column w is new"),
    ],
)  # fmt: skip
def test_a_changed_table_stops_the_follower(origin, tmp_path, change: str, words: str) -> None:
    follower = make_follower(origin, tmp_path)
    follower.copy()
    with psycopg.connect(origin, autocommit=True) as db:
        db.execute("UPDATE t SET j = NULL WHERE id = 1")
        db.execute(change)
        db.execute("UPDATE t SET j = '{}' WHERE id = 2")
        emit_marker(db, "end")  # type: ignore[arg-type]
    with pytest.raises(OriginError) as caught:
        follower.follow(b"end")
    assert words in str(caught.value)
    # What came before the change is applied; nothing after it is.
    with closing(sqlite3.connect(follower.path)) as target:
        assert target.execute("SELECT j FROM t WHERE id IN (1, 2) ORDER BY id").fetchall() == [
            (None,), ('{"a": 1}',),
        ]  # fmt: skip


def test_what_stands_in_the_way_of_following_is_named(make_database, postgres_server) -> None:
    url = make_database(
        "CREATE TABLE good (id int PRIMARY KEY); CREATE TABLE bare (a int);"
        "CREATE UNLOGGED TABLE quick (id int PRIMARY KEY);"
        "CREATE TABLE full_rows (a int); ALTER TABLE full_rows REPLICA IDENTITY FULL;"
        "CREATE TABLE silent (id int PRIMARY KEY); ALTER TABLE silent REPLICA IDENTITY NOTHING;"
        "CREATE ROLE plain_role LOGIN PASSWORD 'x'"
    )
    try:
        with open_postgres(url) as database:
            tables = database.read_schema().tables
            assert database.capabilities.follows
        with connect(to_address(url)) as db:
            problems = check_following(db, tables)
        assert [p.table for p in problems] == ["public.bare", "public.quick", "public.silent"]
        with connect(to_address(url.replace("edgelift:very-secret-word", "plain_role:x"))) as db:
            assert "may not replicate" in {p.why[9:] for p in check_following(db, ())} | {
                p.why.removeprefix("the user ") for p in check_following(db, ())
            }
    finally:
        postgres_server.run("DROP ROLE plain_role")


def test_a_slot_that_is_there_or_gone_is_named(origin) -> None:
    name = f"slot_{origin.rpartition('/')[2]}"
    address = to_address(origin)
    with (
        create_slot(address, name),
        pytest.raises(OriginError) as caught,
        create_slot(address, name),
    ):
        pass
    assert "already exists" in str(caught.value)
    drop_following(address, name, name)
    with pytest.raises(OriginError) as caught:
        ChangeStream(address, slot=name, publication=name, position="0/0")
    assert "does not exist" in str(caught.value)
    drop_following(address, name, name)  # twice does no harm


def test_a_second_reader_of_a_slot_is_refused_for_a_while(origin, monkeypatch) -> None:
    monkeypatch.setattr(replication, "BUSY_TRIES", 2)
    monkeypatch.setattr(replication, "BUSY_WAIT_S", 0.01)
    name = f"slot_{origin.rpartition('/')[2]}"
    first, position = open_slot(origin, name)
    with pytest.raises(OriginError) as caught:
        ChangeStream(to_address(origin), slot=name, publication=name, position=position)
    assert "is active" in str(caught.value)
    first.close()
