"""The followed file beside other processes and libraries: nothing written is lost, locks are kept."""

from __future__ import annotations

import contextlib
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from edgelift.errors import TargetError
from edgelift.rows.engine import open_target
from edgelift.sources.change_feed import Edit
from edgelift.stages.follow.file_writer import Checkpoint, FileWriter, create_file
from tests.unit.follow.test_net import SCHEMA, build

READ = "import sqlite3, sys; db = sqlite3.connect(sys.argv[1]); print(db.execute(sys.argv[2]).fetchall()); db.close()"
HOLD = """
import sqlite3, sys
db = sqlite3.connect(sys.argv[1], isolation_level=None)
db.execute("CREATE TABLE held (x)"); db.execute(sys.argv[2]); db.execute("INSERT INTO held VALUES (1)")
print("held", flush=True); sys.stdin.readline(); db.execute("COMMIT"); db.close()
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    copy = tmp_path / "copy.sqlite"
    with contextlib.closing(sqlite3.connect(copy)) as db:
        db.executescript(SCHEMA)
    create_file(copy, tmp_path / "followed.sqlite", "start")
    return tmp_path / "followed.sqlite"


def read_elsewhere(path: Path, query: str) -> str:
    """Read in another process, which takes the file's log along when it believes to be the last."""
    done = subprocess.run(
        [sys.executable, "-c", READ, str(path), query], capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


def write(writer: FileWriter, number: int) -> None:
    writer.apply(build(Edit("child", None, {"id": number, "parent": 1, "name": "x"})))
    writer.commit(Checkpoint("start", str(number)))


def test_what_is_written_after_another_library_read_is_there(path: Path) -> None:
    with contextlib.closing(FileWriter(path)) as writer:
        write(writer, 50)
        with writer.open_file() as file, contextlib.closing(sqlite3.connect(file)) as db:
            assert db.execute("SELECT count(*) FROM child").fetchone() == (3,)
        assert read_elsewhere(path, "SELECT count(*) FROM child") == "[(3,)]"
        write(writer, 51)
        assert read_elsewhere(path, "SELECT count(*) FROM child") == "[(4,)]"
    assert read_elsewhere(path, "SELECT count(*) FROM child") == "[(4,)]"


def test_without_letting_go_it_would_be_lost(path: Path) -> None:
    """The twin: the other library's close drops our locks, and the next reader takes the log."""
    with contextlib.closing(FileWriter(path)) as writer:
        write(writer, 50)
        with contextlib.closing(sqlite3.connect(path)) as db:
            db.execute("SELECT count(*) FROM child").fetchone()
        read_elsewhere(path, "SELECT count(*) FROM child")
        with contextlib.suppress(TargetError):
            write(writer, 51)
        assert read_elsewhere(path, "SELECT count(*) FROM child") == "[(3,)]"


@pytest.mark.parametrize("how", ["BEGIN IMMEDIATE", "BEGIN EXCLUSIVE"])
def test_a_writer_that_is_just_leaving_is_waited_for(tmp_path: Path, how: str) -> None:
    path = tmp_path / "main.sqlite.part"
    held = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(path), how],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert held.stdout is not None
    assert held.stdin is not None
    held.stdout.readline()
    held.stdin.write("go\n")
    held.stdin.flush()
    with contextlib.closing(open_target(path, durable=True)) as db:
        assert db.execute("PRAGMA journal_mode").fetchone() == ("wal",)
        assert db.execute("SELECT count(*) FROM held").fetchone() == (1,)
    held.communicate()


def test_rows_that_wait_lie_in_a_file_not_in_memory(path: Path) -> None:
    with contextlib.closing(FileWriter(path)) as writer:
        assert writer._db.execute("PRAGMA temp_store").fetchone() == (1,)
