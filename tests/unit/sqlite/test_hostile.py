"""Files that are no good origin: each is read right, or named in three lines; none is written."""

from __future__ import annotations

import contextlib
import os
import socket
import sqlite3
import struct
from pathlib import Path

import pytest

from edgelift.errors import OriginError, OriginUnavailable
from edgelift.sources.sqlite import SqliteSource
from edgelift.sources.sqlite_compare import compare_databases
from edgelift.stages.data.load import Load, load_database
from edgelift.stages.init.database_settings import write_database_project
from tests.unit.sqlite_origin.moving import look, start

SCHEMA = "CREATE TABLE t (id INTEGER PRIMARY KEY, v TEXT); CREATE INDEX by_v ON t (v);"


@pytest.fixture
def good(make) -> Path:
    path = make(SCHEMA)
    with contextlib.closing(sqlite3.connect(path)) as db:
        db.executemany("INSERT INTO t (v) VALUES (?)", [(f"value {n:06d}",) for n in range(4000)])
        db.commit()
    return path


def patch(path: Path, place: int, data: bytes) -> None:
    with path.open("r+b") as handle:
        handle.seek(place)
        handle.write(data)


def assert_named(path: Path, what: str, why: str = "") -> OriginError:
    """Assert that a snapshot is refused in three lines and that nothing is left of it."""
    out = path.parent / "out" / "copy.sqlite"
    with pytest.raises(OriginError) as caught:
        SqliteSource(path, wait_s=0.05).take_snapshot(out)
    assert what in caught.value.what
    assert why in caught.value.why
    assert caught.value.tip
    assert not out.exists()
    return caught.value


@pytest.mark.parametrize("kind", ["pipe", "socket", "device", "folder"])
def test_what_is_no_file_is_named_and_never_waited_for(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "x.db"
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "folder":
        path.mkdir()
    elif kind == "device":
        path = Path("/dev/null")
    else:
        with contextlib.closing(socket.socket(socket.AF_UNIX)) as one:
            one.bind(str(path))
    with pytest.raises(OriginError, match="folder" if kind == "folder" else "no regular file"):
        SqliteSource(path).read_fingerprint()
    with pytest.raises(OriginError):
        SqliteSource(path).read_catalogue()


@pytest.mark.parametrize(
    ("place", "data"), [(19, b"\x03"), (18, b"\x04\x04"), (44, struct.pack(">I", 5))]
)
def test_a_newer_format_is_named_as_such(good: Path, place: int, data: bytes) -> None:
    patch(good, place, data)
    assert_named(good, "format that is not known", "known are 2 and 4")


@pytest.mark.parametrize("part", [0.3, 0.5, 0.97])
@pytest.mark.parametrize("more", [0, 1, 777])
def test_a_file_cut_off_anywhere_is_damaged(good: Path, part: float, more: int) -> None:
    size = good.stat().st_size // 4096 * 4096
    with good.open("r+b") as handle:
        handle.truncate(int(size * part) // 4096 * 4096 + more)
    assert_named(good, "is damaged")


def test_a_few_bytes_of_a_header_are_damaged(good: Path) -> None:
    with good.open("r+b") as handle:
        handle.truncate(50)
    assert_named(good, "is damaged")


def damage_index(path: Path) -> None:
    """Change a key in a leaf of the index alone: quick_check does not see it."""
    with contextlib.closing(sqlite3.connect(path)) as db:
        query = "SELECT pageno FROM dbstat WHERE name = 'by_v' AND pagetype = 'leaf' LIMIT 1"
        try:
            pages = db.execute(query).fetchall()
        except sqlite3.OperationalError:
            pages = []
        root, size = (
            db.execute("SELECT rootpage FROM sqlite_schema WHERE name = 'by_v'").fetchone()[0],
            db.execute("PRAGMA page_size").fetchone()[0],
        )
    data = path.read_bytes()
    if pages:
        page = pages[0][0]
    else:  # the right-most child of an interior page of an index
        page = struct.unpack(">I", data[(root - 1) * size + 8 : (root - 1) * size + 12])[0]
    place = data.index(b"value ", (page - 1) * size)
    assert place < page * size
    patch(path, place, b"VALUE")
    with contextlib.closing(sqlite3.connect(path)) as db:
        assert db.execute("PRAGMA integrity_check").fetchone() != ("ok",)


def test_a_damaged_index_does_not_reach_the_rows(good: Path, tmp_path: Path) -> None:
    damage_index(good)
    there = look(good, "SELECT id, v FROM t NOT INDEXED")
    source = SqliteSource(good)
    snapshot, part = tmp_path / "snapshot.sqlite", tmp_path / "target.sqlite"
    source.take_snapshot(snapshot)
    catalogue = source.read_catalogue()
    from edgelift.stages.schema.mapping import Judged, build_mapping, build_schema

    mapping = build_mapping(Judged("main", catalogue, (), frozenset()))
    load_database(Load(snapshot, part, build_schema(mapping, catalogue), catalogue))
    assert look(part, "SELECT id, v FROM t NOT INDEXED") == there
    assert look(part, "PRAGMA integrity_check") == [("ok",)]
    assert all(t.equal for t in compare_databases(snapshot, part, catalogue, by_rowid=True))

    moving = start(snapshot, '[[schema.rename]]\ntable = "t"\nto = "u"')
    moving.copy()
    assert moving.prove(sample=1.0)["rows"].status == "PASS"
    assert look(moving.part, "SELECT id, v FROM u NOT INDEXED") == there
    assert look(moving.part, "PRAGMA integrity_check") == [("ok",)]


def test_a_file_that_is_replaced_meanwhile_is_copied_again(good: Path, make) -> None:
    other = make(
        "CREATE TABLE t (id INTEGER PRIMARY KEY, v TEXT); INSERT INTO t VALUES (1, 'b')", "b"
    )
    out = good.parent / "out" / "copy.sqlite"

    def replace(_done: int, _total: int) -> None:
        if other.exists():
            other.replace(good)

    source = SqliteSource(good)
    snapshot = source.take_snapshot(out, replace)
    assert look(out, "SELECT * FROM t") == [(1, "b")]
    assert snapshot.fingerprint == source.read_fingerprint()


def test_a_file_that_is_always_replaced_is_given_up_on(good: Path) -> None:
    copies = [good.with_name(f"copy {n}") for n in range(9)]
    for copy in copies:
        copy.write_bytes(good.read_bytes())

    def replace(_done: int, _total: int) -> None:
        copies.pop().replace(good)

    with pytest.raises(OriginUnavailable, match="was replaced"):
        SqliteSource(good).take_snapshot(good.parent / "out" / "copy.sqlite", replace)


def test_a_log_larger_than_the_file_is_read_whole(make, tmp_path: Path) -> None:
    path = make("PRAGMA journal_mode=WAL; CREATE TABLE t (id INTEGER PRIMARY KEY, v)")
    writer = sqlite3.connect(path, isolation_level=None)
    writer.execute("PRAGMA wal_autocheckpoint=0")
    for turn in range(8):  # every page many times over
        writer.execute("BEGIN")
        writer.executemany(
            "INSERT OR REPLACE INTO t VALUES (?, ?)", [(n, f"{turn} {n}" * 9) for n in range(3000)]
        )
        writer.execute("COMMIT")
    assert path.with_name(f"{path.name}-wal").stat().st_size > 20 * path.stat().st_size
    out = tmp_path / "copy.sqlite"
    SqliteSource(path).take_snapshot(out)
    assert look(out, "SELECT count(*), min(v), max(id) FROM t") == [(3000, "7 0" * 9, 2999)]
    writer.close()


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_cannot_be_written_is_read(good: Path, tmp_path: Path) -> None:
    good.parent.chmod(0o555)
    try:
        assert SqliteSource(good).read_catalogue().tables[0].rows == 4000
    finally:
        good.parent.chmod(0o755)


NAMES = ["with space", "ünï 日本", "a?b", "a#b", "a%20b", "a%", "a'b", 'a"b', "a&b=c", "a;b"]


@pytest.mark.parametrize("name", NAMES)
def test_any_name_of_a_file_is_opened(make, tmp_path: Path, name: str) -> None:
    path = make("CREATE TABLE t (a); INSERT INTO t VALUES (1)", f"{name}.db")
    out = tmp_path / "out" / f"{name}.sqlite"
    SqliteSource(path).take_snapshot(out)
    moving = start(out, '[[schema.rename]]\ntable = "t"\nto = "u"')
    moving.copy()
    assert look(moving.part, "SELECT a FROM u") == [(1,)]


@pytest.mark.parametrize(
    "write", ["{path}", "sqlite:///{path}", "sqlite+pysqlite:///{path}", "origin.db",
              "sqlite:///origin.db", "./origin.db", "file:{path}?mode=ro"]
)  # fmt: skip
def test_every_spelling_of_a_url_is_the_same_project(
    good: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, write: str
) -> None:
    from edgelift.project import read_project
    from edgelift.sources.sqlite_url import find_sqlite_file

    monkeypatch.chdir(good.parent)
    folder = tmp_path / "project"
    write_database_project(write.format(path=good), folder)
    project = read_project(folder)
    assert find_sqlite_file(project.settings.databases[0].url, project.root) == good
    before = (folder / "edgelift.toml").read_text()
    write_database_project(str(good), folder)
    write_database_project(write.format(path=good), folder)
    assert (folder / "edgelift.toml").read_text() == before


def test_a_thorough_snapshot_names_a_damaged_index(good: Path, tmp_path: Path) -> None:
    out = tmp_path / "thorough.sqlite"
    SqliteSource(good).take_snapshot(out, thorough=True)
    out.unlink()
    damage_index(good)
    with pytest.raises(OriginError, match="is damaged") as caught:
        SqliteSource(good).take_snapshot(out, thorough=True)
    assert "by_v" in caught.value.why
    assert "REINDEX" in caught.value.tip
    assert not out.exists()
