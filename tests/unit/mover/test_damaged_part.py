"""An unfinished file that a disk cut off or spoiled: told in three lines, or made whole and proven."""

from __future__ import annotations

import random
import sqlite3
from pathlib import Path

import pytest

from edgelift.errors import EdgeliftError
from edgelift.model.findings import Status
from edgelift.stages.data.server.copy import copy_rows, create_tables
from edgelift.stages.data.server.ledger import count_done, has_ledger
from tests.unit.sqlite_origin.moving import look, make, start

SCRIPT = "CREATE TABLE t (id INTEGER PRIMARY KEY, at TEXT, word TEXT UNIQUE, data BLOB);"
RENAMED = "[[schema.rename]]\ntable = 't'\nto = 'u'\n"
ROWS = [
    (n, f"2024-01-{n % 28 + 1:02d}", f"word {n}", bytes([n % 256]) * (n % 70))
    for n in range(1, 901)
]


@pytest.fixture(scope="module")
def origin(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("origin")
    return make(folder / "origin.db", SCRIPT, ("INSERT INTO t VALUES (?,?,?,?)", ROWS))


@pytest.fixture(scope="module")
def unfinished(origin: Path) -> bytes:
    """The bytes of an unfinished file: half of the chunks are there."""
    moving = start(origin, RENAMED, chunk_rows=50)
    with moving.open() as copy:
        create_tables(copy)
        copy_rows(copy)
        copy.db.execute("UPDATE _edgelift_chunks SET rows=NULL, hash=NULL WHERE number >= 9")
        copy.db.execute("DELETE FROM u WHERE id > 450")
        copy.db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    data = moving.part.read_bytes()
    moving.part.unlink()
    return data


def go_on(origin: Path, data: bytes, folder: Path) -> str:
    """Continue from the bytes; returns `proven`, `refuted` or the error's first line."""
    moving = start(origin, RENAMED, chunk_rows=50)
    moving.part = folder / "main.sqlite.part"
    moving.part.write_bytes(data)
    done = count_done(moving.part)
    assert done is None or has_ledger(moving.part)
    try:
        moving.copy()
        checks = moving.prove(sample=1.0)
    except EdgeliftError as error:
        what, why, tip = str(error).splitlines()
        assert why
        assert tip
        return what
    if any(check.status is Status.FAIL for check in checks.values()):
        return "refuted"
    assert look(moving.part, "SELECT * FROM u ORDER BY id") == ROWS
    return "proven"


def test_a_sound_file_is_made_whole(origin: Path, unfinished: bytes, tmp_path: Path) -> None:
    assert go_on(origin, unfinished, tmp_path) == "proven"
    with sqlite3.connect(tmp_path / "main.sqlite.part") as db:
        assert db.execute(
            "SELECT count(*) FROM _edgelift_chunks WHERE hash IS NULL"
        ).fetchone() == (0,)


@pytest.mark.parametrize("part", range(30))
def test_a_file_that_was_cut_off(origin, unfinished, tmp_path, part) -> None:
    cut = unfinished[: len(unfinished) * part // 30]
    found = go_on(origin, cut, tmp_path)  # "proven" has compared the rows
    assert found == "proven" or part > 0


@pytest.mark.parametrize("seed", range(60))
def test_a_file_that_was_overwritten(origin, unfinished, tmp_path, seed) -> None:
    draw = random.Random(seed)
    data = bytearray(unfinished)
    for _ in range(draw.choice([1, 3, 20])):
        at = draw.choice([draw.randrange(100), draw.randrange(len(data))])
        length = draw.choice([1, 16, 200])
        data[at : at + length] = draw.randbytes(length)[: len(unfinished) - at]
    go_on(origin, bytes(data), tmp_path)


@pytest.mark.parametrize(
    "script",
    [
        "CREATE TABLE _edgelift_chunks (number)",
        "CREATE VIEW _edgelift_chunks AS SELECT * FROM gone",
    ],
)
def test_a_ledger_of_something_else(origin, tmp_path, script) -> None:
    part = make(tmp_path / "other.db", script)
    assert has_ledger(part)
    assert count_done(part) is None
    found = go_on(origin, part.read_bytes(), tmp_path)
    assert found == "The file main.sqlite.part cannot be written"


def test_a_folder_in_its_place(origin, tmp_path) -> None:
    moving = start(origin, RENAMED)
    moving.part = tmp_path / "main.sqlite.part"
    moving.part.mkdir()
    assert not has_ledger(moving.part)
    with pytest.raises(EdgeliftError) as caught:
        moving.copy()
    assert len(str(caught.value).splitlines()) == 3
