"""PostgreSQL's changes as edits: what partitions, key changes, rollbacks and DDL make of them."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

import psycopg
import pytest

from edgelift.errors import OriginError, OriginUnavailable
from edgelift.model.mover_settings import CastSection, SchemaSection
from edgelift.sources.change_feed import Edit, Emptied, open_followed
from edgelift.sources.postgres import slots
from edgelift.sources.postgres.follow_checks import check_following
from edgelift.targets.object_files import name_object
from tests.contract.follow.feeds import Feeding, build_subject, choose, open_feed

SCHEMA = """
CREATE TABLE t (id int PRIMARY KEY, v text, n int);
CREATE TABLE child (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, parent int REFERENCES t);
CREATE TABLE parts (id int, k text, v text, PRIMARY KEY (id, k)) PARTITION BY LIST (k);
CREATE TABLE parts_a PARTITION OF parts FOR VALUES IN ('a');
CREATE TABLE parts_b PARTITION OF parts FOR VALUES IN ('b') PARTITION BY RANGE (id);
CREATE TABLE parts_b1 PARTITION OF parts_b FOR VALUES FROM (0) TO (100);
CREATE TABLE parts_b2 (v text, k text NOT NULL, id int NOT NULL);
ALTER TABLE parts_b ATTACH PARTITION parts_b2 FOR VALUES FROM (100) TO (200);
CREATE TABLE bare (x int, y text); ALTER TABLE bare REPLICA IDENTITY FULL;
CREATE TABLE later_key (id int PRIMARY KEY DEFERRABLE, v text);
ALTER TABLE later_key REPLICA IDENTITY FULL;
CREATE TABLE toasted (k text, id int, big text, PRIMARY KEY (k, id));
ALTER TABLE toasted ALTER k SET STORAGE EXTERNAL, ALTER big SET STORAGE EXTERNAL;
INSERT INTO t SELECT n, 'v' || n, n FROM generate_series(1, 20) n;
INSERT INTO child (parent) VALUES (1), (2);
INSERT INTO parts SELECT n, CASE WHEN n % 2 = 0 THEN 'a' ELSE 'b' END, 'p' || n
  FROM generate_series(1, 120) n;
INSERT INTO bare VALUES (1, 'x'), (1, 'x'), (2, NULL);
INSERT INTO later_key VALUES (1, 'one'), (2, 'two');
INSERT INTO toasted VALUES (repeat('k', 2200), 1, repeat('b', 9000)), ('short', 2, repeat('c', 9000));
"""
Run = Callable[..., None]


@pytest.fixture
def url(make_database: Callable[[str], str]) -> str:
    return make_database(SCHEMA)


@pytest.fixture
def feeding(url: str) -> Iterator[Feeding]:
    with open_feed(url) as found:
        yield found


@pytest.fixture
def run(url: str) -> Run:
    def run_all(*statements: str) -> None:
        with psycopg.connect(url, autocommit=True) as db:
            for statement in statements:
                db.execute(statement)  # type: ignore[call-overload]

    return run_all


def test_a_row_that_changes_its_partition_is_removed_and_written(
    feeding: Feeding, run: Run
) -> None:
    run(
        "UPDATE parts SET k = 'b' WHERE id = 2",
        "UPDATE parts SET k = 'a', id = 900 WHERE id = 111",
        "INSERT INTO parts VALUES (150, 'b', 'new')",
        "UPDATE parts SET v = 'x' WHERE id IN (3, 113)",
    )
    edits = feeding.read_edits()
    assert {edit.table for edit in edits} == {"parts"}
    assert [(e.old, e.new and tuple(e.new[c] for c in ("id", "k", "v"))) for e in edits] == [
        ((2, "a"), None),
        (None, (2, "b", "p2")),
        ((111, "b"), None),
        (None, (900, "a", "p111")),
        (None, (150, "b", "new")),
        ((3, "b"), (3, "b", "x")),
        ((113, "b"), (113, "b", "x")),
    ]


@pytest.mark.parametrize(
    ("statement", "tables"),
    [
        ("TRUNCATE t CASCADE", {"t", "child"}),
        ("TRUNCATE child RESTART IDENTITY", {"child"}),
        ("TRUNCATE parts, bare", {"parts", "bare"}),
        ("TRUNCATE parts_a, parts_b", {"parts"}),
    ],
)
def test_truncate_empties_whole_tables(
    feeding: Feeding, run: Run, statement: str, tables: set[str]
) -> None:
    run("UPDATE parts SET v = 'before'", statement)
    found = [change for change in feeding.read_edits() if isinstance(change, Emptied)]
    assert {change.table for change in found} == tables


@pytest.mark.parametrize(
    "statement", ["TRUNCATE parts_a", "TRUNCATE parts_b", "TRUNCATE parts_b2, t CASCADE"]
)
def test_a_part_of_a_table_that_is_emptied_stops(
    feeding: Feeding, run: Run, statement: str
) -> None:
    run(statement)
    with pytest.raises(OriginError, match="part of the table public"):
        feeding.read()


def test_rolled_back_savepoints_are_not_there(feeding: Feeding, run: Run, url: str) -> None:
    with psycopg.connect(url) as db:
        db.execute("UPDATE t SET n = 100 WHERE id = 1")
        db.execute("SAVEPOINT a")
        db.execute("UPDATE t SET n = 200 WHERE id = 1")
        db.execute("SAVEPOINT b")
        db.execute("DELETE FROM t WHERE id = 9")
        db.execute("ROLLBACK TO a")
        db.execute("UPDATE t SET n = n + 1 WHERE id = 1")
        db.execute("RELEASE a")
    run("CREATE TEMP TABLE own (id int); INSERT INTO own VALUES (1)")
    assert [(e.old, e.new and e.new["n"]) for e in feeding.read_edits() if isinstance(e, Edit)] == [
        ((1,), 100),
        ((1,), 101),
    ]


def test_a_deferrable_key_names_no_row(feeding: Feeding, run: Run) -> None:
    """In one statement two rows may have the same key in between: rows are known by all values."""
    run("UPDATE later_key SET id = 3 - id")
    found = [(e.old, e.new and tuple(e.new.values())) for e in feeding.read_edits()]
    assert sorted(found) == [((1, "one"), (2, "one")), ((2, "two"), (1, "two"))]


def test_values_that_were_not_sent_stay_unknown_when_the_key_changes(
    feeding: Feeding, run: Run
) -> None:
    run(
        "UPDATE toasted SET id = 7 WHERE id = 1",
        "UPDATE toasted SET k = 'other' WHERE id = 2",
        "UPDATE toasted SET big = 'small' WHERE id = 7",
    )
    first, second, third = feeding.read_edits()
    long = "k" * 2200
    assert (first.old, first.new, first.full) == ((long, 1), {"id": 7}, False)
    assert (second.old, second.new, second.full) == (("short", 2), {"k": "other", "id": 2}, False)
    assert (third.old, third.new, third.full) == ((long, 7), {"id": 7, "big": "small"}, False)


IDLE = (
    "CREATE INDEX later ON t (n)",
    "CREATE INDEX ON parts (v); REINDEX TABLE t",
    "COMMENT ON TABLE t IS 'new'; COMMENT ON COLUMN t.v IS 'new'",
    "ANALYZE",
    "VACUUM FULL t",
    "CLUSTER t USING t_pkey",
    "GRANT SELECT ON t TO PUBLIC",
    "CREATE SEQUENCE s; SELECT nextval('s')",
    "CREATE FUNCTION f() RETURNS int LANGUAGE sql RETURN 1",
    "CREATE TEMP TABLE own (id int PRIMARY KEY)",
    "ALTER TABLE t ALTER v SET STATISTICS 7; ALTER TABLE t SET (fillfactor = 70)",
    "ALTER TABLE t REPLICA IDENTITY FULL",
)


def test_what_touches_no_row_does_not_stop_it(feeding: Feeding, run: Run) -> None:
    for number, statement in enumerate(IDLE):
        run(statement, f"UPDATE t SET n = {1000 + number} WHERE id = 5")
    edits = [edit for edit in feeding.read_edits() if isinstance(edit, Edit)]
    assert [edit.new["n"] for edit in edits if edit.new] == [1000 + n for n in range(len(IDLE))]
    assert {edit.old for edit in edits} == {(5,)}


MATTERS = (
    ("ALTER TABLE t ADD more int", "column public.t.more is new"),
    ("ALTER TABLE t DROP v", "column public.t.v is gone"),
    ("ALTER TABLE t RENAME v TO w", "column public.t.v is gone; column public.t.w is new"),
    ("ALTER TABLE t ALTER n TYPE bigint", "column public.t.n changed"),
    ("ALTER TABLE t DROP n, ADD n int", "table public.t changed"),
    ("ALTER TABLE t RENAME TO u", "table public.t is gone; table public.u is new"),
    ("DROP TABLE bare", "table public.bare is gone"),
    ("DROP TABLE bare; CREATE TABLE bare (x int, y text)", "table public.bare changed"),
    ("CREATE TABLE later (id int PRIMARY KEY)", "table public.later is new"),
    ("CREATE UNIQUE INDEX once ON t (v)", "table public.t changed"),
    ("ALTER TABLE parts DETACH PARTITION parts_a", "parts_a"),
    ("CREATE TABLE parts_c PARTITION OF parts FOR VALUES IN ('c')", "partition public.parts_c is new"),
    ("DROP TABLE parts_b1", "partition public.parts_b1 is gone"),
    ("CREATE VIEW seen AS SELECT 1 AS one", "view public.seen is new"),
)  # fmt: skip


@pytest.mark.parametrize(("statement", "words"), choose(MATTERS, 4))
def test_what_changes_the_schema_stops_it(
    feeding: Feeding, run: Run, statement: str, words: str
) -> None:
    run("UPDATE t SET n = 5 WHERE id = 1")
    assert len(feeding.read_edits()) == 1
    run(statement)
    with pytest.raises(OriginError) as caught:
        feeding.read()
    assert words in caught.value.why
    assert len(caught.value.lines()) == 3
    assert "--force" in caught.value.tip


def test_rows_of_a_new_partition_stop_it_where_they_come(feeding: Feeding, run: Run) -> None:
    run(
        "CREATE TABLE parts_c PARTITION OF parts FOR VALUES IN ('c')",
        "INSERT INTO parts VALUES (1, 'c', 'new')",
    )
    feeding.feed.mark()
    with pytest.raises(OriginError, match="parts_c"):
        list(feeding.feed.read(5.0))


def test_another_replica_identity_stops_it_where_it_names_rows_otherwise(
    feeding: Feeding, run: Run
) -> None:
    run(
        "ALTER TABLE t ALTER v SET NOT NULL; CREATE UNIQUE INDEX named ON t (v)",
        "ALTER TABLE t REPLICA IDENTITY USING INDEX named",
        "UPDATE t SET v = 'x' WHERE id = 1",
    )
    feeding.feed.mark()
    with pytest.raises(OriginError, match="are named by v"):
        list(feeding.feed.read(5.0))


PROBLEMS = (
    (
        "CREATE TABLE a (id int PRIMARY KEY DEFERRABLE)",
        {"public.a": "no replica identity"},
    ),
    (
        ("CREATE TABLE a (id int) PARTITION BY LIST (id);"
        "CREATE TABLE a1 PARTITION OF a DEFAULT; ALTER TABLE a REPLICA IDENTITY FULL"),
        {"public.a1": "no replica identity"},
    ),
    (
        ("CREATE TABLE a (id int) PARTITION BY LIST (id);"
        "CREATE TABLE a1 PARTITION OF a DEFAULT; ALTER TABLE a1 ADD PRIMARY KEY (id)"),
        {"public.a1": "a key that the whole table does not have"},
    ),
    (
        ("CREATE TABLE a (id int PRIMARY KEY) PARTITION BY LIST (id);"
        "CREATE UNLOGGED TABLE a1 PARTITION OF a DEFAULT"),
        {"public.a1": "unlogged"},
    ),
    (
        ("CREATE TABLE a (id int) PARTITION BY LIST (id);"
        "CREATE TABLE a1 PARTITION OF a DEFAULT; ALTER TABLE a1 REPLICA IDENTITY FULL;"
        "CREATE TABLE b (id int PRIMARY KEY) PARTITION BY LIST (id)"),
        {},
    ),
)  # fmt: skip


@pytest.mark.parametrize(("script", "wanted"), PROBLEMS)
def test_what_cannot_be_followed_is_found_at_what_holds_the_rows(
    make_database, script: str, wanted: dict[str, str]
) -> None:
    with open_followed(build_subject(make_database(script))) as followed:
        found = {problem.table: problem.why for problem in followed.find_problems()}
    assert found.keys() == wanted.keys()
    for table, why in wanted.items():
        assert why in found[table]


def test_transactions_that_do_not_end_are_named(url: str, monkeypatch) -> None:
    monkeypatch.setattr(slots, "_OPEN_S", 0.5)
    with psycopg.connect(url) as db, open_followed(build_subject(url)) as followed:
        db.execute("UPDATE t SET n = 0 WHERE id = 1")
        with (
            pytest.raises(OriginUnavailable, match="no point to begin") as caught,
            followed.prepare(),
        ):
            pass
        pid = db.info.backend_pid
        assert f"process {pid} (idle in transaction) since" in caught.value.why
        db.rollback()
        left = "SELECT slot_name::text FROM pg_replication_slots WHERE slot_name = %s UNION ALL "
        left += "SELECT pubname FROM pg_publication"
        with psycopg.connect(url) as other:
            assert other.execute(left, (build_subject(url).name,)).fetchall() == []


def test_what_a_transaction_does_before_it_is_prepared_comes_with_its_commit(
    make_database, url: str, run: Run
) -> None:
    with open_feed(url) as feeding:
        run("BEGIN; UPDATE t SET n = 77 WHERE id = 7; PREPARE TRANSACTION 'first'")
        run("BEGIN; UPDATE t SET n = 88 WHERE id = 8; PREPARE TRANSACTION 'second'")
        assert feeding.read_edits() == []
        run("ROLLBACK PREPARED 'second'", "COMMIT PREPARED 'first'")
        (edit,) = feeding.read_edits()
        assert (edit.old, edit.new["n"]) == ((7,), 77)


def test_offloaded_values_are_kept_where_they_are_written(make_database) -> None:
    url = make_database(
        "CREATE TABLE files (id int PRIMARY KEY, body bytea, note jsonb, v int);"
        "CREATE TABLE bare (body text); ALTER TABLE bare REPLICA IDENTITY FULL;"
        "ALTER TABLE files ALTER body SET STORAGE EXTERNAL;"
        "INSERT INTO files VALUES (1, repeat('x', 5000)::bytea, '{}', 1); INSERT INTO bare VALUES ('y')"
    )
    casts = [("files", "body"), ("files", "note"), ("bare", "body")]
    settings = SchemaSection(
        cast=tuple(CastSection(to="offload", table=t, column=c) for t, c in casts)
    )
    kept: list[Any] = []

    def keep(value: Any) -> str:
        kept.append(value)
        return name_object(value)

    with open_feed(url, settings, keep) as feeding, psycopg.connect(url, autocommit=True) as db:
        db.execute(
            'INSERT INTO files VALUES (2, \'\\x00ff\', \'{"b": 1, "a": "ü"}\', 2), (3, NULL, NULL, 3)'
        )
        db.execute("UPDATE files SET v = 5 WHERE id = 1")
        db.execute("UPDATE bare SET body = 'z'")
        inserted, empty, touched, bare = feeding.read_edits()
    assert kept == [b"\x00\xff", '{"a": "ü", "b": 1}', "{}", "z"]
    assert inserted.new == {
        "id": 2,
        "body": name_object(b"\x00\xff"),
        "note": name_object(kept[1]),
        "v": 2,
    }
    assert empty.new == {"id": 3, "body": None, "note": None, "v": 3}
    assert (touched.new, touched.full) == ({"id": 1, "note": name_object("{}"), "v": 5}, False)
    assert (bare.old, bare.new) == ((name_object("y"),), {"body": name_object("z")})


def test_a_standby_is_told_to_be_one(url: str) -> None:
    class Standby:
        """A connection whose server says that it is in recovery."""

        def __init__(self, db: psycopg.Connection) -> None:
            self.info = db.info
            self._db = db

        def execute(self, query: str, *values: Any) -> Any:
            return self._db.execute(query.replace("pg_is_in_recovery()", "true"), *values)

    with psycopg.connect(url, autocommit=True) as db:
        (problem,) = check_following(Standby(db), [])  # type: ignore[arg-type]
    assert "standby" in problem.why


def test_a_clock_that_jumps_makes_no_negative_lag(feeding: Feeding, run: Run, url: str) -> None:
    run("UPDATE t SET n = 0")
    behind = feeding.feed.read_lag("0/1", time.time() + 9_000)
    assert behind.behind > 0
    assert behind.seconds == 0.0
    assert feeding.feed.read_lag("0/1", time.time() - 9_000).seconds >= 9_000
