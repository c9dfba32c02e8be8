"""SQL files for D1's import: within its limits, and replayed they give exactly the same database."""

from __future__ import annotations

import math
import sqlite3
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from edgelift.sources.sqlite import SqliteSource
from edgelift.sources.sqlite_compare import compare_databases
from edgelift.stages.data.import_files import sort_by_references, write_import_files
from edgelift.stages.data.literals import to_literal
from edgelift.stages.schema.mapping import Judged, build_mapping, build_schema
from edgelift.stages.schema.rules import judge_catalogue


def write(origin: Path, folder: Path, **options) -> list[Path]:
    catalogue = SqliteSource(origin).read_catalogue()
    judged = Judged("main", catalogue, tuple(judge_catalogue(catalogue)), frozenset())
    schema = build_schema(build_mapping(judged), catalogue)
    return write_import_files(origin, schema, catalogue, folder, **options)


def replay(files: list[Path], target: Path) -> None:
    """Run the files as D1 does: foreign keys on, each file one transaction."""
    db = sqlite3.connect(target, isolation_level=None)
    db.execute("PRAGMA foreign_keys=ON")
    for file in files:
        db.executescript(f"BEGIN;{file.read_text()};COMMIT;")
    db.close()


def statements_of(files: list[Path]) -> list[str]:
    found, pending = [], ""
    for file in files:
        for line in file.read_text().splitlines(keepends=True):
            pending += line
            if sqlite3.complete_statement(pending):
                found.append(pending.strip())
                pending = ""
    assert not pending
    return found


def check_same(origin: Path, target: Path) -> None:
    catalogue = SqliteSource(origin).read_catalogue()
    tables = compare_databases(origin, target, catalogue, by_rowid=True)
    assert [d.describe() for table in tables for d in table.differences] == []
    assert SqliteSource(target).read_catalogue().sequences == catalogue.sequences


@pytest.mark.parametrize("file_bytes", [64 << 20, 4000])
def test_replay_gives_the_same_database(origin: Path, tmp_path: Path, file_bytes: int) -> None:
    files = write(origin, tmp_path / "import", file_bytes=file_bytes)
    replay(files, tmp_path / "target.db")
    check_same(origin, tmp_path / "target.db")
    assert [file.name for file in files] == [f"{i + 1:04d}.sql" for i in range(len(files))]
    for statement in statements_of(files):
        assert len(statement.encode()) <= 100_000
        assert not statement.upper().startswith(("BEGIN", "COMMIT", "SAVEPOINT"))


def test_rows_larger_than_a_statement_are_put_together(make, tmp_path: Path) -> None:
    origin = make(
        "CREATE TABLE t (id INTEGER PRIMARY KEY, a BLOB UNIQUE, b TEXT CHECK (length(CAST(b AS BLOB)) > 100000), n REAL);"
    )
    db = sqlite3.connect(origin)
    big = bytes(range(256)) * 4000
    text = "it's ☃\0" * 30_000
    db.execute("INSERT INTO t VALUES (1, ?, ?, 0.1)", (big, text))
    db.execute("INSERT INTO t VALUES (2, ?, ?, -1)", (big + b"x", text + "y"))
    db.execute("INSERT INTO t VALUES (3, NULL, ?, NULL)", (text,))
    db.commit()
    db.close()
    files = write(origin, tmp_path / "import", file_bytes=300_000)
    assert max(len(s.encode()) for s in statements_of(files)) <= 100_000
    replay(files, tmp_path / "target.db")
    check_same(origin, tmp_path / "target.db")
    db = sqlite3.connect(tmp_path / "target.db")
    assert (
        db.execute("SELECT name FROM sqlite_schema WHERE name LIKE '_edgelift%'").fetchall() == []
    )
    db.close()


def test_many_rows_share_statements(make, tmp_path: Path) -> None:
    origin = make(
        "CREATE TABLE t (id INTEGER PRIMARY KEY, a); INSERT INTO t WITH RECURSIVE n(i) AS (SELECT 1 "
        "UNION ALL SELECT i + 1 FROM n WHERE i < 20000) SELECT i, 'row ' || i FROM n;"
    )
    files = write(origin, tmp_path / "import")
    inserts = [s for s in statements_of(files) if s.startswith("INSERT")]
    assert len(inserts) < 10
    replay(files, tmp_path / "target.db")
    check_same(origin, tmp_path / "target.db")


def test_old_files_go(make, tmp_path: Path) -> None:
    folder = tmp_path / "import"
    folder.mkdir()
    (folder / "0009.sql").write_text("old")
    write(make("music.sql"), folder)
    assert [file.name for file in folder.iterdir()] == ["0001.sql"]


def test_parents_come_first(make) -> None:
    catalogue = SqliteSource(make("music.sql")).read_catalogue()
    order = [table.name for circle in sort_by_references(catalogue) for table in circle]
    for table in catalogue.tables:
        for key in table.foreign_keys:
            assert order.index(key.target_table) <= order.index(table.name)


def test_circles_stay_in_one_file(make, tmp_path: Path) -> None:
    catalogue = SqliteSource(make("nasty.sql")).read_catalogue()
    circles = [{t.name for t in c} for c in sort_by_references(catalogue) if len(c) > 1]
    assert circles == [{"left_side", "right_side"}]
    origin = make(
        "CREATE TABLE t (id INTEGER PRIMARY KEY, up INTEGER REFERENCES t, v TEXT); INSERT INTO t WITH "
        "RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 300) "
        "SELECT i, 301 - i, hex(zeroblob(1000)) FROM n;",
        "tree.db",
    )
    files = write(origin, tmp_path / "import", file_bytes=1000)
    replay(files, tmp_path / "target.db")
    check_same(origin, tmp_path / "target.db")
    assert max(file.stat().st_size for file in files) > 500_000


values = st.one_of(
    st.none(),
    st.integers(-(2**63), 2**63 - 1),
    st.floats(allow_nan=False),
    st.text(st.characters(exclude_categories=["Cs"])),
    st.binary(),
)


@given(st.one_of(values, st.integers(-(10**9), 10**9).map(lambda n: n / 10**6)))
@example(0.390514)
def test_literals_are_exact(value) -> None:
    db = sqlite3.connect(":memory:")
    (found,) = db.execute(f"SELECT {to_literal(value)}").fetchone()
    db.close()
    assert type(found) is type(value)
    assert found == value
    if isinstance(value, float):
        assert math.copysign(1, found) == math.copysign(1, value)


@pytest.mark.parametrize(
    ("value", "literal"),
    [
        (1.5, "1.5"),
        (100.0, "100.0"),
        (1e22, "1e+22"),
        (0.1, "(3602879701896397*1.0/36028797018963968)"),
        (0.0009765625, "0.0009765625"),
        (-0.0, "(0.0*-1)"),
        (math.inf, "9e999"),
        (-(2**63), "(-9223372036854775807-1)"),
        ("it's", "'it''s'"),
        ("a\0b", "CAST(X'610062' AS TEXT)"),
        ("\udcff", "CAST(X'FF' AS TEXT)"),
        (b"", "X''"),
    ],
)
def test_literals(value, literal: str) -> None:
    assert to_literal(value) == literal


def test_floats_that_engines_read_differently_are_composed() -> None:
    assert to_literal(0.8149486765188295).endswith("*1.0/9007199254740992)")
    assert to_literal(5e-324).startswith("(1*1.0/4611686018427387904/")


def test_migrations_are_marked_as_applied_as_wrangler_does(origin: Path, tmp_path: Path) -> None:
    names = ["0001_schema.sql", "0002_after_load.sql"]
    replay(write(origin, tmp_path / "import", applied=names), tmp_path / "target.db")
    with sqlite3.connect(tmp_path / "target.db") as db:
        marked = db.execute("SELECT id, name, applied_at NOT NULL FROM d1_migrations").fetchall()
        last = dict(db.execute("SELECT name, seq FROM sqlite_sequence").fetchall())
    db.close()
    assert marked == [(1, names[0], 1), (2, names[1], 1)]
    own = SqliteSource(origin).read_catalogue().sequences
    assert {name: seq for name, seq in last.items() if name != "d1_migrations"} == own


def test_without_a_worker_project_there_is_nothing_to_mark(origin: Path, tmp_path: Path) -> None:
    text = "".join(file.read_text() for file in write(origin, tmp_path / "import"))
    assert "d1_migrations" not in text
