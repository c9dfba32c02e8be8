"""Rows of a lifted database are loaded into a D1 through the door and proven there, through every trouble."""

from __future__ import annotations

import os
import signal
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from edgelift.errors import TargetError, VerificationMismatch
from tests.workerd.upload.sql_server import SECRET, ask_d1
from tests.workerd.upload.test_upload import QUOTED, Killed, Moved, kill_at

pytestmark = [pytest.mark.workerd, pytest.mark.xdist_group("upload")]


@pytest.fixture(autouse=True)
def secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EDGELIFT_LOAD_SECRET", SECRET)


@pytest.fixture
def moved(tmp_path: Path) -> Moved:
    (tmp_path / "shop").mkdir()
    return Moved(tmp_path / "shop", strategy="d1")


@pytest.fixture
def read(moved: Moved) -> Callable[[str], Any]:
    return lambda sql: ask_d1(moved.port, "MAIN", sql)


def test_every_value_arrives_and_is_proven(moved: Moved, read: Callable[[str], Any]) -> None:
    with moved.serve():
        assert "empty" in notes(moved, preview=True)
        assert read("SELECT name FROM sqlite_master") == []
        state = moved.upload()
        assert (state.state, state.rows, state.resumed) == ("open", 32, 0)
        with closing(sqlite3.connect(moved.folder / "shop.db")) as db:
            expected = [list(row) for row in db.execute(QUOTED)]
            logs = db.execute("SELECT count(*) FROM log").fetchone()[0]
        assert read(QUOTED) == expected
        assert read("SELECT count(*) FROM log") == [[logs]]
        read("INSERT INTO item(kind) VALUES(1)")
        assert read("SELECT count(*) FROM log") == [[logs + 1]]
        read("INSERT INTO kind(name) VALUES('new')")
        assert read("SELECT max(id) FROM kind") == [[41]]
        assert read("SELECT count(*) FROM words WHERE words MATCH 'words'") == [[1]]
        assert read("SELECT name FROM d1_migrations ORDER BY id") == [
            ["0001_schema.sql"], ["0002_after_load.sql"]
        ]  # fmt: skip
        assert read("SELECT name FROM sqlite_master WHERE name LIKE '_edgelift_stage%'") == []
        again = moved.upload()
        assert (again.state, again.requests) == ("open", 0)
        # Loaded anew, children, views and virtual tables go first.
        assert moved.upload(replace=True).rows == 32
        assert read("SELECT max(id) FROM kind") == [[2]]


def notes(moved: Moved, **options: Any) -> str:
    told: list[str] = []
    moved.upload(emit=lambda event: told.append(str(event)), **options)
    return "\n".join(told)


def test_what_came_another_way_is_compared_and_kept_or_refused(
    moved: Moved, read: Callable[[str], Any]
) -> None:
    with moved.serve():
        moved.upload()
        read("DROP TABLE _edgelift_load")  # as D1's import would leave it
        assert "came another way" in notes(moved)
        assert moved.upload().requests == 0
        read("DROP TABLE _edgelift_load")
        read("UPDATE pair SET a = 'A ' WHERE b = 1")
        with pytest.raises(TargetError, match="refuses to begin") as raised:
            moved.upload()
        assert "pair: 2 rows sent, 2 there" in raised.value.why
        assert "--replace" in raised.value.tip
        assert read("SELECT a FROM pair WHERE b = 1") == [["A "]]
        moved.upload(replace=True)
        with closing(sqlite3.connect(moved.folder / "shop.db")) as db, db:
            db.execute("INSERT INTO loose VALUES('another', 'row')")
        with pytest.raises(TargetError, match="refuses to begin") as raised:
            moved.upload()
        assert "was loaded with other rows" in raised.value.why


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE loose SET y = y || ' ' WHERE y = '1'", "UPDATE item SET price = 1 WHERE id = 12",
        "UPDATE item SET any = any - 1 WHERE id = 5", "DELETE FROM pair WHERE b = 1",
        "UPDATE item SET note = CAST(note AS BLOB) WHERE id = 5",
        "UPDATE item SET price = 9e999 WHERE id = 13",
    ],
)  # fmt: skip
def test_rows_that_were_changed_there_are_found(
    moved: Moved, change: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from edgelift.stages.data.upload.d1 import D1Loading

    prove = D1Loading.prove

    def tamper(self: D1Loading, *given: Any) -> None:
        ask_d1(moved.port, "MAIN", change)
        prove(self, *given)

    monkeypatch.setattr(D1Loading, "prove", tamper)
    with moved.serve(), pytest.raises(VerificationMismatch) as raised:
        moved.upload()
    assert "rows sent" in raised.value.why


@pytest.mark.parametrize("side", ["client", "server"])
def test_a_kill_in_the_middle_is_gone_on_from(side: str, tmp_path: Path) -> None:
    (tmp_path / "shop").mkdir()
    moved = Moved(tmp_path / "shop", rows=5_000, strategy="d1")
    with moved.serve() as process:
        with pytest.raises(Killed):
            moved.upload(emit=kill_at(2))
        if side == "server":
            os.kill(process.pid, signal.SIGKILL)
    with moved.serve():
        state = moved.upload()
        assert (state.state, state.resumed) == ("open", 2)
        rows = "SELECT count(*), count(DISTINCT x) FROM loose WHERE y LIKE 'row %'"
        assert ask_d1(moved.port, "MAIN", rows) == [[5_000, 5_000]]


def test_large_values_and_pages(tmp_path: Path) -> None:
    (tmp_path / "shop").mkdir()
    moved = Moved(tmp_path / "shop", rows=700, large=bytes(range(256)) * 7_600, strategy="d1")
    with moved.serve():
        assert moved.upload().rows == 733
        large = "SELECT length(y), substr(hex(y), 1, 8) FROM loose WHERE x = 'large'"
        assert ask_d1(moved.port, "MAIN", large) == [[1945600, "00010203"]]
