"""Opening, cataloguing and copying an origin: consistent, without a trace, with clear errors."""

from __future__ import annotations

import contextlib
import itertools
import shutil
import sqlite3
from pathlib import Path

import pytest

from edgelift.errors import OriginError, OriginUnavailable, UsageError
from edgelift.sources.sqlite import SqliteSource, quote_identifier
from edgelift.sources.sqlite_snapshot import _Watch, is_intact
from edgelift.sources.sqlite_url import find_sqlite_file, is_sqlite_url


def state_of(folder: Path) -> dict[str, tuple[int, int, bytes]]:
    """Return everything about a folder's files that must stay as it was."""
    return {
        file.name: (file.stat().st_size, file.stat().st_mtime_ns, file.read_bytes())
        for file in folder.iterdir()
        if not file.name.endswith("-shm")  # locks live there, no data
    }


@pytest.fixture
def wal(make) -> Path:
    """Return a database in WAL mode, closed cleanly."""
    return make("PRAGMA journal_mode=WAL; CREATE TABLE t (a); INSERT INTO t VALUES (1);")


def crash(path: Path, folder: Path, *, without: str = "") -> Path:
    """Copy the files of an open database as a killed app leaves them."""
    folder.mkdir()
    for file in path.parent.glob(f"{path.name}*"):
        if not without or not file.name.endswith(without):
            shutil.copy2(file, folder / file.name)
    return folder / path.name


def rows_of(path: Path, table: str = "t") -> int:
    catalogue = SqliteSource(path, wait_s=0.05).read_catalogue()
    return next(t.rows for t in catalogue.tables if t.name == table)


def test_a_closed_wal_database_is_read_without_a_trace(wal: Path) -> None:
    before = state_of(wal.parent)
    assert rows_of(wal) == 1
    assert state_of(wal.parent) == before
    assert list(before) == [wal.name]


def test_a_rollback_database_is_read_without_a_trace(make) -> None:
    path = make("CREATE TABLE t (a); INSERT INTO t VALUES (1);")
    before = state_of(path.parent)
    assert rows_of(path) == 1
    SqliteSource(path).take_snapshot(path.parent / "out" / "copy.sqlite")
    shutil.rmtree(path.parent / "out")
    assert state_of(path.parent) == before


def test_a_live_writer_in_wal_mode_is_read_consistently(wal: Path, tmp_path: Path) -> None:
    writer = sqlite3.connect(wal, isolation_level=None)
    with contextlib.closing(writer):
        writer.execute("INSERT INTO t VALUES (2)")
        writer.execute("BEGIN IMMEDIATE")
        writer.execute("INSERT INTO t VALUES (3)")
        assert rows_of(wal) == 2
        snapshot = SqliteSource(wal).take_snapshot(tmp_path / "copy.sqlite")
        writer.execute("COMMIT")
        assert rows_of(wal) == 3
    assert rows_of(tmp_path / "copy.sqlite") == 2
    assert is_intact(snapshot, tmp_path / "copy.sqlite")
    assert SqliteSource(wal).read_fingerprint() != snapshot.fingerprint


@pytest.mark.parametrize("without", ["", "-shm"])
def test_a_killed_wal_writer_leaves_rows_that_are_read(
    wal: Path, tmp_path: Path, without: str
) -> None:
    with contextlib.closing(sqlite3.connect(wal, isolation_level=None)) as writer:
        writer.execute("INSERT INTO t VALUES (2)")
        crashed = crash(wal, tmp_path / "crashed", without=without)
    before = state_of(crashed.parent)
    assert rows_of(crashed) == 2
    assert state_of(crashed.parent) == before


def test_a_hot_journal_is_rolled_back_in_a_copy_only(make, tmp_path: Path) -> None:
    path = make("CREATE TABLE t (a); INSERT INTO t VALUES (1);")
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as writer:
        writer.execute("PRAGMA cache_size=1")
        writer.execute("BEGIN EXCLUSIVE")
        writer.execute(
            "INSERT INTO t WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 5000) "
            "SELECT randomblob(100) FROM n"
        )
        crashed = crash(path, tmp_path / "crashed")
        writer.execute("ROLLBACK")
    assert (tmp_path / "crashed" / f"{path.name}-journal").stat().st_size > 0
    before = state_of(crashed.parent)
    assert rows_of(crashed) == 1
    assert state_of(crashed.parent) == before


def test_a_locked_database_is_waited_for_and_named(make) -> None:
    path = make("CREATE TABLE t (a);")
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as writer:
        writer.execute("BEGIN EXCLUSIVE")
        source = SqliteSource(path, wait_s=0.05)
        with pytest.raises(OriginUnavailable, match="locked") as caught:
            source.read_catalogue()
        assert len(caught.value.lines()) == 3
        with pytest.raises(OriginUnavailable, match="locked"):
            source.take_snapshot(path.parent / "copy.sqlite")
    assert not (path.parent / "copy.sqlite").exists()


def test_a_lock_in_the_middle_of_a_backup_is_waited_for_and_named(make) -> None:
    watch = _Watch(SqliteSource(make(""), wait_s=0.0), lambda _done, _total: None)
    watch(0, 10, 20)
    watch(sqlite3.SQLITE_BUSY, 10, 20)
    watch.waiting_since = -1.0  # long ago
    with pytest.raises(OriginUnavailable, match="locked"):
        watch(sqlite3.SQLITE_BUSY, 10, 20)


def test_a_backup_that_is_restarted_by_writers_ends_all_the_same(make, tmp_path: Path) -> None:
    path = make(
        "CREATE TABLE t (a); INSERT INTO t WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 "
        "FROM n WHERE i < 12000) SELECT zeroblob(2000) FROM n;"
    )
    steps = []

    def write_between_steps(done: int, total: int) -> None:
        steps.append(done)
        if done < total:
            with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as writer:
                writer.execute("INSERT INTO t VALUES (zeroblob(2000))")

    SqliteSource(path).take_snapshot(tmp_path / "copy.sqlite", write_between_steps)
    assert any(after <= before for before, after in itertools.pairwise(steps))
    assert rows_of(tmp_path / "copy.sqlite") == rows_of(path)


@pytest.mark.parametrize(
    ("content", "what"),
    [
        (b"not a database at all, but long enough to look at", "is not a SQLite database"),
        (b"SQLite format 3\0" + b"\xff" * 4096, "is damaged"),
        (b"SQLite format 3\0", "is damaged"),
    ],
)
def test_wrong_files_are_named(tmp_path: Path, content: bytes, what: str) -> None:
    path = tmp_path / "x.db"
    path.write_bytes(content)
    for call in (
        SqliteSource(path).read_catalogue,
        lambda: SqliteSource(path).take_snapshot(tmp_path / "copy.sqlite"),
    ):
        with pytest.raises(OriginError, match=what) as caught:
            call()
        assert len(caught.value.lines()) == 3
    assert not (tmp_path / "copy.sqlite").exists()


def test_a_damaged_page_is_found_in_the_snapshot(make, tmp_path: Path) -> None:
    path = make(
        "CREATE TABLE t (a TEXT); INSERT INTO t WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT "
        "i + 1 FROM n WHERE i < 5000) SELECT 'some text ' || i FROM n;"
    )
    with path.open("r+b") as handle:
        handle.seek(4096 * 3)
        handle.write(b"\x99" * 4096)
    with pytest.raises(OriginError, match="is damaged"):
        SqliteSource(path).take_snapshot(tmp_path / "copy.sqlite")
    assert not (tmp_path / "copy.sqlite").exists()


def test_missing_file_and_folder_are_named(tmp_path: Path) -> None:
    with pytest.raises(OriginError, match="does not exist"):
        SqliteSource(tmp_path / "no.db").read_catalogue()
    with pytest.raises(OriginError, match="it is a folder"):
        SqliteSource(tmp_path).read_catalogue()


def test_an_unreadable_file_is_named(make, monkeypatch: pytest.MonkeyPatch) -> None:
    path = make("")

    def refuse(*_arguments: object, **_options: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", refuse)  # root, who may run this, reads every file
    with pytest.raises(OriginError, match="Permission denied"):
        SqliteSource(path).read_catalogue()


def test_a_full_disk_is_named(make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = make("CREATE TABLE t (a);")

    def fill(*_arguments: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("edgelift.sources.sqlite_snapshot.sync_path", fill)
    with pytest.raises(OriginError, match="disk is full"):
        SqliteSource(path).take_snapshot(tmp_path / "copy.sqlite")


def test_a_file_that_changes_while_it_is_read_unlocked_is_noticed(wal: Path) -> None:
    def read_while_another_writes() -> None:
        with SqliteSource(wal).open(), contextlib.closing(sqlite3.connect(wal)) as writer:
            writer.execute("INSERT INTO t VALUES (2)")
            writer.commit()

    with pytest.raises(OriginUnavailable, match="changed while it was read"):
        read_while_another_writes()


def test_broken_rules_are_told_apart_from_damage(make, tmp_path: Path) -> None:
    path = make(
        "CREATE TABLE t (a INTEGER CHECK (a > 0)); PRAGMA ignore_check_constraints=ON; "
        "INSERT INTO t VALUES (-1);"
    )
    snapshot = SqliteSource(path).take_snapshot(tmp_path / "copy.sqlite")
    assert snapshot.violations == ("CHECK constraint failed in t",)


def test_a_snapshot_is_one_plain_file(wal: Path, tmp_path: Path) -> None:
    folder = tmp_path / "out"
    (folder).mkdir()
    (folder / "copy.sqlite.part").write_text("left by a killed run")
    SqliteSource(wal).take_snapshot(folder / "copy.sqlite")
    assert [file.name for file in folder.iterdir()] == ["copy.sqlite"]
    assert (folder / "copy.sqlite").read_bytes()[18:20] == b"\1\1"


def test_catalogue(make) -> None:
    catalogue = SqliteSource(make("nasty.sql")).read_catalogue()
    tables = {table.name: table for table in catalogue.tables}
    assert [c.name for c in tables["order"].columns] == ["select", "group by", "from", "to`do"]
    assert tables["mixed"].strict
    assert tables["mixed"].without_rowid
    assert tables["mixed"].primary_key == ("k", "j")
    assert tables["таблица"].columns[0].collation == "NOCASE"
    assert tables["generated"].checks == ("a > 0", "b <> ')' /* ) */")
    assert [(c.generated, c.generated_kind) for c in tables["generated"].columns[2:]] == [
        ("upper(b)", "stored"),
        ("length(b) + a", "virtual"),
        ("power(a, 2)", "virtual"),
    ]
    assert [t.name for t in catalogue.tables if t.virtual] == ["notes", "docs_index", "boxes"]
    assert tables["notes"].rows == 2
    assert "notes_data" in catalogue.shadows
    assert catalogue.sequences == {"counted": 501, "emptied": 41}
    assert tables["left_side"].foreign_keys[0].deferred
    assert not tables["right_side"].foreign_keys[0].deferred
    assert tables["right_side"].foreign_keys[0].on_update == "CASCADE"
    assert tables["right_side"].foreign_keys[0].target_columns == ()
    index = next(i for i in catalogue.indexes if i.name == "ix_notes")
    assert (index.partial, index.unique, index.columns) == (True, True, ("(expression)",))


def test_foreign_keys_stand_in_written_order(make) -> None:
    path = make(
        "CREATE TABLE c (a REFERENCES p (x), b, d, FOREIGN KEY (b, d) REFERENCES q (y, z) "
        "ON DELETE CASCADE DEFERRABLE INITIALLY DEFERRED);"
    )
    first, second = SqliteSource(path).read_catalogue().tables[0].foreign_keys
    assert (first.columns, first.target_table, first.deferred) == (("a",), "p", False)
    assert (second.columns, second.target_columns) == (("b", "d"), ("y", "z"))
    assert (second.on_delete, second.deferred) == ("CASCADE", True)


@pytest.mark.parametrize("name", ['a"b', "", "a b", "таблица", "select", "a'b", "a`[b]"])
def test_quoted_names_are_taken_by_sqlite(make, name: str) -> None:
    path = make(f"CREATE TABLE {quote_identifier(name)} (a);" if name else "")
    names = [table.name for table in SqliteSource(path).read_catalogue().tables]
    assert names == ([name] if name else [])


@pytest.mark.parametrize(
    ("url", "path"),
    [
        ("sqlite:///instance/a.db", "/root/instance/a.db"),
        ("sqlite:////abs/a.db", "/abs/a.db"),
        ("sqlite+pysqlite:///a b.db?timeout=3", "/root/a b.db"),
        ("file:rel.db?mode=ro", "/root/rel.db"),
        ("file:///abs/x%20y.db", "/abs/x y.db"),
        ("sqlite:///a#b.db", "/root/a#b.db"),
        ("data/a.db", "/root/data/a.db"),
        ("/abs/a.db", "/abs/a.db"),
    ],
)
def test_urls(url: str, path: str) -> None:
    assert find_sqlite_file(url, Path("/root")) == Path(path)
    assert is_sqlite_url(url)


@pytest.mark.parametrize("url", ["postgresql://h/d", "sqlite://", "sqlite:///:memory:", "mysql:x"])
def test_other_databases_are_refused(url: str) -> None:
    with pytest.raises(UsageError):
        find_sqlite_file(url, Path("/root"))


def test_variables_in_urls(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DB_FILE", "x/y.db")
    assert find_sqlite_file("sqlite:///${DB_FILE}", Path("/root")) == Path("/root/x/y.db")
