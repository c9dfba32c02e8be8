"""D1's limits on real files: columns, rows, statements, a database of more than 10 GB."""

from __future__ import annotations

import contextlib
import sqlite3
import struct
from pathlib import Path

import pytest

import edgelift
from edgelift.errors import BlockersFound
from edgelift.sources.sqlite import SqliteSource
from edgelift.stages.schema import judge_database
from tests.unit.sqlite_origin.moving import judge, look, make, start

MAX = 10_000_000_000


def list_rules(path: Path) -> dict[str, str]:
    judgement = judge_database("main", path, (), lambda _statements: [], frozenset())
    return {issue.rule: issue.message for issue in judgement.issues if issue.level == "error"}


@pytest.mark.parametrize(("count", "refused"), [(100, False), (101, True)])
def test_columns(tmp_path: Path, count: int, refused: bool) -> None:
    columns = ", ".join(f"c{n}" for n in range(count))
    path = make(
        tmp_path / "a.sqlite", f"CREATE TABLE wide ({columns}); INSERT INTO wide DEFAULT VALUES"
    )
    assert ("SCHEMA-COLUMNS" in list_rules(path)) is refused
    if not refused:
        return
    assert "101 columns, Cloudflare takes 100" in list_rules(path)["SCHEMA-COLUMNS"]
    moving = start(path, '[schema]\nexclude = ["wide.c100"]')
    assert [i for i in moving.judgement.issues if i.level == "error"] == []
    moving.copy()
    assert look(moving.part, "SELECT count(*) FROM pragma_table_info('wide')") == [(100,)]
    assert moving.prove(sample=1.0)["rows"].status == "PASS"


@pytest.mark.parametrize(("size", "refused"), [(1_999_992, False), (1_999_993, True)])
@pytest.mark.parametrize("kind", ["blob", "text", "two columns"])
def test_rows(tmp_path: Path, size: int, refused: bool, kind: str) -> None:
    values = {
        "blob": (b"x" * size, None),
        "text": ("é" * (size // 2) + "x" * (size % 2), None),
        "two columns": ("x" * 1000, b"y" * (size - 1000)),
    }[kind]
    path = make(
        tmp_path / "a.sqlite",
        "CREATE TABLE t (id INTEGER PRIMARY KEY, v, w)",
        ("INSERT INTO t VALUES (7, ?, ?)", [values]),
    )
    found = list_rules(path)
    assert ("SCHEMA-ROW-SIZE" in found) is refused
    if refused:
        assert "id=7 has 2000001 bytes" in found["SCHEMA-ROW-SIZE"]
        column = "w" if kind == "two columns" else "v"
        toml = f'[[schema.cast]]\ntable = "t"\ncolumn = "{column}"\nas = "offload"'
        assert [i for i in judge(path, toml).issues if i.level == "error"] == []


@pytest.mark.parametrize("more", [0, 1])
def test_statements(tmp_path: Path, more: int) -> None:
    head, tail = "CREATE VIEW v AS SELECT 1 /* ", " */ AS a"
    sql = head + "x" * (100_000 - len(head) - len(tail) + more) + tail
    path = make(tmp_path / "a.sqlite", f"CREATE TABLE t (a); {sql}")
    assert ("SCHEMA-STATEMENT-SIZE" in list_rules(path)) is bool(more)
    # A name that grows by a rename counts too.
    toml = '[[schema.rename]]\ntable = "t"\nto = "u"'
    refused = {i.name for i in judge(path, toml).issues if i.rule == "SCHEMA-STATEMENT-SIZE"}
    assert refused == ({"v"} if more else set())


@pytest.fixture
def huge(tmp_path: Path) -> Path:
    """Return a file of more than 10 GB by its own header; its pages are holes on the disk."""
    path = tmp_path / "huge.sqlite"
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as db:
        db.execute("PRAGMA page_size=65536")
        db.execute("CREATE TABLE t (a)")
        db.execute("INSERT INTO t VALUES (1)")
    pages = MAX // 65536 + 2
    with path.open("r+b") as handle:
        handle.seek(28)  # the size in pages: https://www.sqlite.org/fileformat2.html
        handle.write(struct.pack(">I", pages))
        handle.truncate(pages * 65536)
    assert path.stat().st_blocks * 512 < 10_000_000
    return path


def test_a_database_of_more_than_10_gb_is_refused_before_it_is_copied(
    huge: Path, tmp_path: Path
) -> None:
    assert SqliteSource(huge).read_size() > MAX
    with pytest.raises(BlockersFound) as caught:
        edgelift.move(str(huge), tmp_path / "to")
    assert "SCHEMA-DATABASE-SIZE" in caught.value.what
    assert "10000072704 bytes" in caught.value.why
    assert "shards" in caught.value.tip
    left = [file for file in (tmp_path / "to").rglob("*.sqlite*") if file.is_file()]
    assert left == []
    assert caught.value.exit_code == 3
