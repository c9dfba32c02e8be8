"""Loading: every kind of row arrives exactly, chunks resume after any death, proofs bite."""

from __future__ import annotations

import contextlib
import itertools
import shutil
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from edgelift.errors import OriginError, TargetError
from edgelift.model.findings import Status
from edgelift.sources.sqlite import SqliteSource
from edgelift.sources.sqlite_compare import compare_databases
from edgelift.stages.data import load as load_module
from edgelift.stages.data.copy_plan import choose_chunk_rows, plan_copy
from edgelift.stages.data.load import Load, load_database
from edgelift.stages.data.proof import Proof, check_integrity, check_rows, check_sequences
from edgelift.stages.schema.mapping import Judged, build_mapping, build_schema
from edgelift.stages.schema.rules import judge_catalogue


def prepare(snapshot: Path, part: Path, chunk_rows: int = 0) -> Load:
    """Return the load of a database of which everything moves."""
    catalogue = SqliteSource(snapshot).read_catalogue()
    judged = Judged("main", catalogue, tuple(judge_catalogue(catalogue)), frozenset())
    schema = build_schema(build_mapping(judged), catalogue)
    return Load(snapshot, part, schema, catalogue, chunk_rows=chunk_rows)


def proof_of(load: Load) -> Proof:
    return Proof("main", load.snapshot, load.part, load.catalogue, "edgelift data .")


def check_all(load: Load) -> list[tuple[str, Status, tuple[str, ...]]]:
    proof = proof_of(load)
    rows, _ = check_rows(proof, lambda _table, _rows: None)
    return [
        (c.id, c.status, c.detail) for c in (rows, check_integrity(proof), check_sequences(proof))
    ]


def dump(path: Path) -> dict[str, list]:
    """Return schema and typed content by plain SQL, without edgelift's own code."""
    db = sqlite3.connect(path)
    db.text_factory = bytes
    names = db.execute(
        "SELECT type, name FROM sqlite_schema WHERE name NOT LIKE 'sqlite_%' AND type IN ('table', 'view') "
        "AND name NOT IN (SELECT name FROM pragma_table_list WHERE type = 'shadow')"
    ).fetchall()
    found: dict[str, list] = {}
    for _kind, raw in names:
        name = raw.decode().replace('"', '""')
        columns = [
            row[1].decode().replace('"', '""')
            for row in db.execute(f'PRAGMA table_xinfo("{name}")')
            if row[6] != 1
        ]
        typed = ", ".join(f'typeof("{c}"), "{c}"' for c in columns)
        found[name] = sorted(map(repr, db.execute(f'SELECT {typed} FROM "{name}"')))
    found["objects"] = sorted(
        map(repr, db.execute("SELECT type, name, tbl_name FROM sqlite_schema"))
    )
    with contextlib.suppress(sqlite3.OperationalError):
        found["sequences"] = sorted(map(repr, db.execute("SELECT name, seq FROM sqlite_sequence")))
    db.close()
    return found


@pytest.mark.parametrize("chunk_rows", [0, 1, 2])
def test_everything_arrives_exactly(origin: Path, tmp_path: Path, chunk_rows: int) -> None:
    load = prepare(origin, tmp_path / "part.sqlite", chunk_rows)
    before = origin.read_bytes()
    load_database(load)
    assert [check[1:] for check in check_all(load) if check[1] is Status.FAIL] == []
    assert dump(load.part) == dump(origin)
    assert origin.read_bytes() == before
    assert sorted(f.name for f in tmp_path.iterdir()) == ["origin.db", "part.sqlite"]
    assert load.part.read_bytes()[16:20] == b"\x10\x00\x02\x02", "4096-byte pages, WAL"


def test_search_indexes_answer(make, tmp_path: Path) -> None:
    load = prepare(make("nasty.sql"), tmp_path / "part.sqlite")
    load_database(load)
    db = sqlite3.connect(load.part)
    assert db.execute("SELECT rowid FROM docs_index WHERE docs_index MATCH 'lazy'").fetchall() == [
        (9,)
    ]
    assert db.execute("SELECT rowid, title FROM notes WHERE notes MATCH 'zurich'").fetchall() == [
        (2, "Zürich")
    ]
    db.execute("INSERT INTO counted (v) VALUES ('next')")
    assert db.execute("SELECT max(id) FROM counted").fetchone() == (502,)
    db.close()


def test_triggers_do_not_fire_while_rows_arrive(make, tmp_path: Path) -> None:
    load = prepare(make("music.sql"), tmp_path / "part.sqlite")
    load_database(load)
    db = sqlite3.connect(load.part)
    totals = db.execute("SELECT total FROM invoice ORDER BY invoice_id").fetchall()
    db.close()
    assert totals == [(2.98,), (0.99,)]


def test_utf16_becomes_utf8(make, tmp_path: Path) -> None:
    script = (
        "PRAGMA encoding='UTF-16le';"
        + Path(__file__).parents[2].joinpath("cases/schema/nasty.sql").read_text()
    )
    load = prepare(make(script), tmp_path / "part.sqlite", 2)
    assert load.catalogue.encoding == "UTF-16le"
    load_database(load)
    assert [check for check in check_all(load) if check[1] is Status.FAIL] == []
    assert SqliteSource(load.part).read_catalogue().encoding == "UTF-8"


def test_text_that_is_not_utf8_keeps_its_bytes(make, tmp_path: Path) -> None:
    origin = make(
        "CREATE TABLE t (a TEXT); INSERT INTO t VALUES (CAST(x'ff00c3' AS TEXT)), (x'ff');"
    )
    load = prepare(origin, tmp_path / "part.sqlite")
    load_database(load)
    db = sqlite3.connect(load.part)
    assert db.execute("SELECT typeof(a), hex(a) FROM t").fetchall() == [
        ("text", "FF00C3"),
        ("blob", "FF"),
    ]
    db.close()


cells = st.one_of(
    st.none(),
    st.integers(-(2**63), 2**63 - 1),
    st.floats(allow_nan=False),
    st.text(st.characters(exclude_categories=["Cs"]), max_size=20),
    st.binary(max_size=20),
)


@settings(
    max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None
)
@given(st.lists(st.tuples(cells, cells, cells), max_size=12), st.integers(1, 5))
def test_any_rows_round_trip(tmp_path: Path, rows: list, chunk_rows: int) -> None:
    folder = tmp_path / "case"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    db = sqlite3.connect(folder / "origin.db")
    db.execute("CREATE TABLE bare (a, b, c)")
    db.execute("CREATE TABLE typed (a INTEGER, b TEXT, c REAL)")
    db.execute("CREATE TABLE keyed (a, b, c, PRIMARY KEY (a, b)) WITHOUT ROWID")
    db.executemany("INSERT INTO bare VALUES (?, ?, ?)", rows)
    db.executemany("INSERT INTO typed VALUES (?, ?, ?)", rows)
    db.executemany("INSERT OR IGNORE INTO keyed VALUES (?, ?, ?)", rows)
    db.commit()
    db.close()
    load = prepare(folder / "origin.db", folder / "part.sqlite", chunk_rows)
    load_database(load)
    assert check_all(load)[0][1] is Status.PASS
    assert dump(load.part) == dump(load.snapshot)


KILLED = """
import os, signal, sys, msgspec
from pathlib import Path
from edgelift.model.catalogue import Catalogue
from edgelift.model.target_schema import TargetSchema
from edgelift.stages.data import load as load_module
from edgelift.stages.data.load import Load, load_database
snapshot, part, schema, catalogue, after = sys.argv[1:]
left = int(after)
def die(done, total):
    global left
    left -= 1
    if left < 0:
        os.kill(os.getpid(), signal.SIGKILL)
load_database(Load(Path(snapshot), Path(part), msgspec.json.decode(schema, type=TargetSchema),
                   msgspec.json.decode(catalogue, type=Catalogue), die, 2))
"""


def test_killed_at_any_chunk_it_continues_to_the_same_end(make, tmp_path: Path) -> None:
    origin = make("nasty.sql")
    whole = prepare(origin, tmp_path / "whole.sqlite", 2)
    load_database(whole)
    load = prepare(origin, tmp_path / "part.sqlite", 2)
    schema, catalogue = (msgspec.json.encode(v).decode() for v in (load.schema, load.catalogue))
    deaths = 0
    for after in itertools.cycle((0, 2, 5, 1)):
        ended = subprocess.run(
            [sys.executable, "-c", KILLED, origin, load.part, schema, catalogue, str(after)],
            check=False,
        )
        if ended.returncode == 0:
            break
        assert ended.returncode == -signal.SIGKILL
        deaths += 1
    assert deaths >= 5
    assert dump(load.part) == dump(whole.part) == dump(origin)
    assert check_all(load) == check_all(whole)


def test_a_failed_chunk_is_rolled_back_as_a_whole(make, tmp_path: Path) -> None:
    origin = make("CREATE TABLE t (a); INSERT INTO t VALUES (1), (2), (3), (4), (5);")
    stops = iter([False, True])

    def stop(_done: int, _total: int) -> None:
        if next(stops):
            raise KeyboardInterrupt

    load = prepare(origin, tmp_path / "part.sqlite", 2)
    with pytest.raises(KeyboardInterrupt):
        load_database(msgspec_replace(load, stop))
    db = sqlite3.connect(load.part)
    assert db.execute("SELECT a FROM t").fetchall() == [(1,), (2,), (3,), (4,)]
    db.close()
    told: list[int] = []
    load_database(msgspec_replace(load, lambda done, _total: told.append(done)))
    assert told == [5]
    assert dump(load.part) == dump(origin)


def msgspec_replace(load: Load, progress) -> Load:
    return Load(load.snapshot, load.part, load.schema, load.catalogue, progress, load.chunk_rows)


def test_rows_that_break_their_own_rules_are_named(make, tmp_path: Path, change) -> None:
    origin = make("CREATE TABLE t (a INTEGER); INSERT INTO t VALUES (NULL);")
    change(
        origin,
        "PRAGMA writable_schema=ON",
        "UPDATE sqlite_schema SET sql = 'CREATE TABLE t (a INTEGER NOT NULL)'",
    )
    with pytest.raises(OriginError, match="break the rules") as caught:
        load_database(prepare(origin, tmp_path / "part.sqlite"))
    assert "NOT NULL constraint failed: t.a" in caught.value.why


def test_a_target_that_cannot_be_written_is_named(make, tmp_path: Path) -> None:
    (tmp_path / "part.sqlite").mkdir()
    with pytest.raises(TargetError, match="cannot be written"):
        load_database(prepare(make(""), tmp_path / "part.sqlite"))


def test_a_full_disk_is_named_and_the_load_goes_on_later(
    make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    load = prepare(make("music.sql"), tmp_path / "part.sqlite", 1)
    open_part = load_module._open

    def open_small(part: Path) -> sqlite3.Connection:
        db = open_part(part)
        db.execute("PRAGMA max_page_count=14")
        return db

    with monkeypatch.context() as patch:
        patch.setattr(load_module, "_open", open_small)
        with pytest.raises(TargetError, match="cannot be written") as caught:
            load_database(load)
    assert "full" in caught.value.why
    load_database(load)
    assert dump(load.part) == dump(load.snapshot)


@pytest.mark.parametrize(
    ("damage", "failing", "named"),
    [
        (
            "UPDATE track SET bytes = 8000001 WHERE track_id = 1",
            "rows",
            "track [track_id=1].bytes: origin 8000000, target 8000001 (value)",
        ),
        ("DELETE FROM artist WHERE artist_id = 2", "rows", "artist [artist_id=2]: missing row"),
        ("INSERT INTO artist VALUES (9, 'x')", "rows", "artist [artist_id=9]: extra row"),
        (
            "UPDATE album SET artist_id = 99 WHERE album_id = 1",
            "integrity",
            "album row 1 has no parent in artist",
        ),
        ("DROP INDEX ix_track_album", "integrity", "missing: ix_track_album"),
        ("DROP TRIGGER line_total", "integrity", "missing: line_total"),
        (
            "UPDATE sqlite_sequence SET seq = 2 WHERE name = 'genre'",
            "sequences",
            "genre: origin 3, target 2",
        ),
        (
            "DELETE FROM sqlite_sequence WHERE name = 'invoice'",
            "sequences",
            "invoice: origin 2, target None",
        ),
    ],
)
def test_damage_to_the_target_is_caught_and_named(
    make, tmp_path: Path, change, damage: str, failing: str, named: str
) -> None:
    load = prepare(make("music.sql"), tmp_path / "part.sqlite")
    load_database(load)
    change(load.part, damage)
    checks = {check[0]: check for check in check_all(load)}
    _, status, detail = checks[f"data.{failing}:main"]
    assert status is Status.FAIL
    assert detail[0].startswith(named)


def test_violations_of_the_origin_are_not_held_against_the_target(make, tmp_path: Path) -> None:
    origin = make(
        "CREATE TABLE p (id INTEGER PRIMARY KEY); CREATE TABLE c (p REFERENCES p); INSERT INTO c VALUES (5);"
    )
    load = prepare(origin, tmp_path / "part.sqlite")
    load_database(load)
    assert check_integrity(proof_of(load)).status is Status.PASS


def test_chunks_follow_the_size_of_rows(make) -> None:
    catalogue = SqliteSource(make("music.sql")).read_catalogue()
    assert choose_chunk_rows(catalogue, 1000) == 20_000
    assert choose_chunk_rows(catalogue, 10**12) == 200


def test_keys_of_another_collation_are_walked_completely(make, tmp_path: Path) -> None:
    origin = make(
        "CREATE TABLE t (k TEXT COLLATE NOCASE, v, PRIMARY KEY (k COLLATE BINARY)) WITHOUT ROWID;"
        "INSERT INTO t VALUES ('a', 1), ('A', 2), ('b', 3), ('B', 4), ('aa', 5), ('AA', 6);"
    )
    load = prepare(origin, tmp_path / "part.sqlite", 1)
    load_database(load)
    assert dump(load.part)["t"] == dump(origin)["t"]
    assert plan_copy(load.catalogue.tables[0]).keys == ('"k"',)


def test_comparison_holds_for_rowids_too(make, tmp_path: Path, change) -> None:
    origin = make("CREATE TABLE t (a); INSERT INTO t (rowid, a) VALUES (5, 1), (-3, 2), (900, 3);")
    load = prepare(origin, tmp_path / "part.sqlite", 1)
    load_database(load)
    (found,) = compare_databases(origin, load.part, load.catalogue, by_rowid=True)
    assert found.equal
    change(load.part, "UPDATE t SET rowid = 6 WHERE rowid = 5")
    (found,) = compare_databases(origin, load.part, load.catalogue, by_rowid=True)
    assert [d.key for d in found.differences] == ["rowid=5", "rowid=6"]
