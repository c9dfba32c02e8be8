"""Rows of a lifted database are loaded into the built sql project's objects and proven there, through every trouble."""

from __future__ import annotations

import itertools
import json
import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest

import edgelift
from edgelift.errors import TargetError, UsageError, VerificationMismatch
from edgelift.events import Event, Progress
from edgelift.journal import Journal
from edgelift.model.plan import DatabasePlan, Plan
from edgelift.project import read_project
from edgelift.run import Run, run_stage
from edgelift.stages import data as data_stage
from edgelift.stages import schema as schema_stage
from edgelift.stages.build.parts import Database
from edgelift.targets.workerd.process import WorkerdProcess, run_workerd
from tests.workerd.upload.sql_server import SECRET, ask_app, read_schema, write_project

pytestmark = [pytest.mark.workerd, pytest.mark.xdist_group("upload")]

HARD = """
CREATE TABLE kind(id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL UNIQUE);
CREATE TABLE item(
  id INTEGER PRIMARY KEY, kind INTEGER NOT NULL REFERENCES kind(id), any, price REAL, note TEXT, raw BLOB,
  twice GENERATED ALWAYS AS (price * 2) STORED, parent INTEGER REFERENCES item(id)
);
CREATE TABLE pair(a TEXT COLLATE NOCASE, b INT, PRIMARY KEY(a, b)) WITHOUT ROWID;
CREATE TABLE loose(x, y);
CREATE TABLE "odd ""name"(rowid TEXT, "select" REAL);
CREATE TABLE strict(i INTEGER, t ANY) STRICT;
CREATE TABLE log(id INTEGER PRIMARY KEY, what TEXT);
CREATE VIRTUAL TABLE words USING fts5(body);
CREATE TABLE wide(WIDE);
CREATE INDEX item_kind ON item(kind, price DESC);
CREATE VIEW dear AS SELECT * FROM item WHERE price > 10;
CREATE TRIGGER note AFTER INSERT ON item BEGIN INSERT INTO log(what) VALUES('item ' || new.id); END;
"""
HARD = HARD.replace("WIDE", ", ".join(f"c{number}" for number in range(100)))
ROWS: dict[str, list[tuple[Any, ...]]] = {
    "kind(name)": [("a",), ("b",)],
    "item(id, kind, any, price, note, raw, parent)": [
        (5, 1, 2**53 + 1, 0.1, "x", b"\0\1\2", 9),
        (9, 2, -(2**63), 1.0, "a\0b", b"", None),
        (11, 2, 2**63 - 1, -0.0, "é🙂 '\"", b"\xff" * 100, 5),
        (12, 2, 1e-320, float("inf"), "", None, 12),
        (13, 2, float("-inf"), 1.7976931348623157e308, None, b"1", None),
        (14, 1, 3.0, 5e-324, "  trailing ", b"x", None),
        (15, 1, "12", 2.0, "line\r\nend\x1f\x7f", b"", None),
    ],
    "pair": [("A", 1), ("b", -2)],
    "loose": [(1, "1"), (1.0, None), (1, "1"), (None, None), (b"1", "")],
    '"odd ""name"': [("not a rowid", 1.5)],
    "strict": [(1, 2.0), (2, "3"), (3, b"\0")],
    "words": [("some words",), ("more of them",)],
    "wide": [tuple(range(100)), tuple("x" * number for number in range(100))],
}


def make_database(path: Path, rows: int = 0) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with closing(sqlite3.connect(path)) as db:
        db.executescript(HARD)
        for table, values in ROWS.items():
            db.executemany(f"INSERT INTO {table} VALUES ({','.join('?' * len(values[0]))})", values)
        db.execute("INSERT INTO loose VALUES (CAST(x'ff41c3' AS TEXT), 7)")
        db.execute("DELETE FROM kind WHERE name = 'c'")
        db.execute("UPDATE sqlite_sequence SET seq = 40")
        db.executemany(
            "INSERT INTO loose VALUES (?, ?)",
            ((number, f"row {number} " * 5) for number in range(rows)),
        )
        db.commit()


class Moved:
    """A project whose database is moved, and its sql project ready to run; `url` once it does."""

    def __init__(
        self, folder: Path, rows: int = 0, large: bytes = b"", strategy: str = "object"
    ) -> None:
        self.folder, self.strategy = folder, strategy
        make_database(folder / "shop.db", rows)
        if large:
            with closing(sqlite3.connect(folder / "shop.db")) as db, db:
                db.execute("INSERT INTO loose VALUES ('large', ?)", (large,))
        (folder / ".edgelift").mkdir()
        (folder / ".edgelift" / "edgelift.toml").write_text(
            'name = "shop"\n[[databases]]\nname = "main"\nurl = "sqlite:///shop.db"\nbinding = "MAIN"\n'
        )
        self.move()
        self.database = Database(name="main", binding="MAIN", path="shop.db", strategy=strategy)
        self.sql = folder / "sql"
        self.sql.mkdir()
        if strategy == "d1":
            self.launch = write_project(self.sql, (), {}, d1=("MAIN",))
        else:
            self.launch = write_project(self.sql, (self.database,), {"main": self.schema})

    @property
    def schema(self) -> dict[str, bytes]:
        return read_schema(self.folder / ".edgelift" / "schema", "main")

    def move(self) -> None:
        project = read_project(self.folder)
        plan = DatabasePlan(
            name="main", url="sqlite:///shop.db", binding="MAIN", strategy=self.strategy, reason=""
        )
        with closing(Journal(project.state / "journal.db")) as journal:
            journal.write_document(
                "plan", Plan(placement="", placement_reason="", databases=(plan,))
            )
            run = Run(project, journal, journal.begin_run("data", "data"), self.folder)
            run_stage(run, schema_stage.STAGE)
            run_stage(run, data_stage.STAGE)

    @contextmanager
    def serve(self) -> Iterator[WorkerdProcess]:
        with run_workerd(self.launch) as process:
            self.port, self.url = process.port, f"http://127.0.0.1:{process.port}"
            yield process

    def upload(self, *, emit: Callable[[Event], None] = lambda _event: None, **options: Any) -> Any:
        wanted = edgelift.UploadOptions(url=self.url, **options)
        outcome = edgelift.data(self.folder, upload=wanted, emit=emit)
        return outcome.uploads[0]

    def read(self, sql: str, way: str = "query") -> Any:
        answer = ask_app(self.port, "MAIN", sql, way)
        return answer.get("error") or answer["results"][0]["rows"]


@pytest.fixture(autouse=True)
def secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EDGELIFT_LOAD_SECRET", SECRET)


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("moved") / "shop"
    folder.mkdir()
    Moved(folder)
    return folder


@pytest.fixture
def moved(tmp_path: Path) -> Moved:
    folder = tmp_path / "shop"
    folder.mkdir()
    return Moved(folder)


QUOTED = "SELECT id, typeof(any), CASE typeof(any) WHEN 'integer' THEN CAST(any AS TEXT) END, typeof(price), quote(note), quote(raw), quote(parent) FROM item ORDER BY id"


def test_every_value_arrives_and_is_proven_before_the_app_gets_in(moved: Moved) -> None:
    with moved.serve():
        assert "has not been loaded yet" in moved.read("SELECT 1")
        assert "has not been loaded yet" in moved.read("DELETE FROM loose", "transaction")
        state = moved.upload()
        assert (state.state, state.rows, state.resumed) == ("open", 32, 0)
        with closing(sqlite3.connect(moved.folder / "shop.db")) as db:
            expected = [list(row) for row in db.execute(QUOTED)]
            logs = db.execute("SELECT count(*) FROM log").fetchone()[0]
        assert moved.read(QUOTED) == expected
        # Nothing fired while rows were loaded; now triggers do, counters go on, the index is there.
        assert moved.read("SELECT count(*) FROM log") == [[logs]]
        moved.read("INSERT INTO item(kind) VALUES(1)")
        assert moved.read("SELECT count(*) FROM log") == [[logs + 1]]
        moved.read("INSERT INTO kind(name) VALUES('new')")
        assert moved.read("SELECT max(id) FROM kind") == [[41]]
        assert moved.read("SELECT count(*) FROM words WHERE words MATCH 'words'") == [[1]]
        names = moved.read(
            "SELECT name FROM sqlite_master WHERE type IN ('index', 'view', 'trigger') AND sql NOT NULL"
        )
        assert sorted(names) == [["dear"], ["item_kind"], ["note"]]
        assert moved.read("SELECT name FROM sqlite_master WHERE name LIKE '_edgelift_stage%'") == []
    with moved.serve():  # it survives a restart, and a second load is none
        again = moved.upload()
        assert (again.state, again.requests) == ("open", 0)
        assert moved.read("SELECT count(*) FROM kind") == [[3]]


def test_what_the_app_wrote_is_not_overwritten(moved: Moved) -> None:
    (moved.sql / "src" / "loads.mjs").write_text("export const loads = [];\n")
    with moved.serve():
        moved.read("INSERT INTO kind(name) VALUES('of the app')")
        with pytest.raises(TargetError) as raised:
            moved.upload()
        assert "its table kind holds rows" in raised.value.why
        assert "--replace" in raised.value.tip
        assert moved.read("SELECT name FROM kind") == [["of the app"]]
        assert moved.upload(replace=True).state == "open"
        assert moved.read("SELECT name FROM kind ORDER BY id") == [["a"], ["b"]]
        moved.read("INSERT INTO loose VALUES(7, 7)")
        with closing(sqlite3.connect(moved.folder / "shop.db")) as db, db:
            db.execute("INSERT INTO loose VALUES('another', 'row')")
        with pytest.raises(TargetError, match="refuses to begin") as raised:
            moved.upload()
        assert "loaded with other rows before" in raised.value.why


def test_a_wrong_secret_a_wrong_schema_a_wrong_place(
    moved: Moved, monkeypatch: pytest.MonkeyPatch
) -> None:
    with moved.serve():
        monkeypatch.setenv("EDGELIFT_LOAD_SECRET", SECRET.upper())
        with pytest.raises(TargetError, match="refuses to begin") as raised:
            moved.upload()
        assert "EDGELIFT_LOAD_SECRET" in raised.value.why
        monkeypatch.setenv("EDGELIFT_LOAD_SECRET", "short")
        with pytest.raises(UsageError, match="no secret"):
            moved.upload()
        monkeypatch.setenv("EDGELIFT_LOAD_SECRET", SECRET)
        assert httpx.get(moved.url).status_code == 404
        assert httpx.post(f"{moved.url}/load/OTHER/state", headers=bearer()).status_code == 404
        assert (
            httpx.post(f"{moved.url}/load/MAIN/state?object=OTHER", headers=bearer()).status_code
            == 404
        )
        assert httpx.post(f"{moved.url}/load/MAIN/drop", headers=bearer()).status_code == 409
        assert (
            httpx.post(f"{moved.url}/load/MAIN/rows", content="{", headers=bearer()).status_code
            == 500
        )
    changed = {
        "schema": moved.schema["schema"] + b"CREATE TABLE more(x);\n",
        "after_load": moved.schema["after_load"],
    }
    moved.launch = write_project(moved.sql, (moved.database,), {"main": changed})
    with moved.serve(), pytest.raises(TargetError) as raised:
        moved.upload()
    assert "schema deployed here" in raised.value.why
    moved.launch = write_project(moved.sql, (moved.database,), {"main": moved.schema}, secret="")
    with moved.serve():
        assert httpx.post(f"{moved.url}/load/MAIN/state", headers=bearer()).status_code == 404
        with pytest.raises(TargetError, match="no door"):
            moved.upload()
    with pytest.raises(TargetError, match="cannot be reached"):
        moved.upload()
    moved.url = "http://shop-sql.example.org"
    with pytest.raises(UsageError, match="Rows are not sent"):
        moved.upload()


def bearer() -> dict[str, str]:
    return {"authorization": f"Bearer {SECRET}"}


def test_rows_that_were_changed_there_are_found_and_stay_closed(moved: Moved) -> None:
    with moved.serve():
        # The rows are in, then one cell changes on the way to the proof: an object that lies is found.
        loading = (moved.sql / "src" / "sql_loading.mjs").read_text()
    (moved.sql / "src" / "sql_loading.mjs").write_text(
        loading.replace(
            "this.#note('loaded', this.done);",
            """this.#note('loaded', this.done);
      this.sql.exec("UPDATE loose SET y = y || ' ' WHERE rowid = 1");
      this.sql.exec("DELETE FROM pair WHERE b = 1");""",
        )
    )
    with moved.serve():
        with pytest.raises(VerificationMismatch) as raised:
            moved.upload()
        assert raised.value.why == "pair: 2 rows sent, 1 there; loose: 6 rows sent, 6 there"
        assert "being loaded" in moved.read("SELECT 1")


def test_a_look_changes_nothing(moved: Moved) -> None:
    told: list[str] = []
    with moved.serve():
        state = moved.upload(preview=True, emit=lambda event: told.append(str(event)))
        assert (state.state, state.rows, state.requests) == ("preview", 32, 0)
        assert any("MAIN at http" in text and "empty" in text for text in told)
        assert "has not been loaded yet" in moved.read("SELECT 1")


def test_large_rows_and_many_messages(tmp_path: Path) -> None:
    (tmp_path / "shop").mkdir()
    moved = Moved(tmp_path / "shop", rows=12_000, large=bytes(range(256)) * 7_600)
    with moved.serve():
        state = moved.upload()
        assert state.rows == 12_033
        assert state.requests >= 4
        assert moved.read(
            "SELECT length(y), substr(hex(y), 1, 8) FROM loose WHERE x = 'large'"
        ) == [[1945600, "00010203"]]


def test_a_full_disk_there_is_told_and_gone_on_from(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("edgelift.stages.data.upload.sql_object.TRIES", 0)
    (tmp_path / "shop").mkdir()
    moved = Moved(tmp_path / "shop", rows=12_000)
    limited = tmp_path / "limited"
    limited.write_text(
        f'#!/bin/sh\ntrap "" XFSZ\nulimit -f 1200\nexec {moved.launch.workerd} "$@"\n'
    )
    limited.chmod(0o755)
    whole = moved.launch
    moved.launch = replace(whole, workerd=limited)
    with moved.serve(), pytest.raises(TargetError) as raised:
        moved.upload()
    print(raised.value)
    assert len(raised.value.lines()) == 3
    moved.launch = whole
    with moved.serve():
        assert "being loaded" in moved.read("SELECT 1")
        assert moved.upload().state == "open"
        assert moved.read("SELECT count(*) FROM loose WHERE y LIKE 'row %'") == [[12_000]]


class Killed(BaseException):
    """Ends a load as a kill would."""


def kill_at(count: int) -> Callable[[Event], None]:
    """Return a listener that ends the load when that many messages were sent."""
    sent = itertools.count(1)

    def watch(event: Event) -> None:
        if isinstance(event, Progress) and "loaded" in event.what and next(sent) == count:
            raise Killed

    return watch


@pytest.mark.parametrize(
    "side", ["client", "server"] if os.environ.get("EDGELIFT_NIGHTLY") else ["server"]
)
def test_a_kill_in_the_middle_is_gone_on_from(side: str, tmp_path: Path) -> None:
    (tmp_path / "shop").mkdir()
    moved = Moved(tmp_path / "shop", rows=16_000)
    with moved.serve() as process:
        with pytest.raises(Killed):
            moved.upload(emit=kill_at(3))
        assert "being loaded" in moved.read("SELECT 1")
        if side == "server":
            os.kill(process.pid, signal.SIGKILL)
    with moved.serve():
        assert "being loaded" in moved.read("SELECT 1")
        state = moved.upload()
        assert (state.state, state.resumed) == ("open", 3)
        assert moved.read("SELECT count(*), count(DISTINCT x) FROM loose WHERE y LIKE 'row %'") == [
            [16_000, 16_000]
        ]


def test_the_command_tells_it_in_lines_and_as_json(moved: Moved) -> None:
    command = [sys.executable, "-m", "edgelift", "data", str(moved.folder)]
    with moved.serve():
        looked = subprocess.run(
            [*command, "--upload", moved.url, "--dry-run"],
            capture_output=True,
            text=True,
            check=True,
        )
        assert "32 rows of 9 tables would be loaded" in looked.stdout
        done = subprocess.run(
            [*command, "--upload", moved.url, "--json"], capture_output=True, text=True, check=True
        )
        told = json.loads(done.stdout)
        assert told["uploads"][0]["state"] == "open"
        assert {c["id"]: c["status"] for c in told["checks"]}["upload.rows:main"] == "PASS"
        assert {c["id"] for c in told["checks"]} >= {"data.rows:main"}
    refused = subprocess.run(
        [*command, "--upload", moved.url], capture_output=True, text=True, check=False
    )
    assert refused.returncode == 5
    assert [line.split(":")[0] for line in refused.stderr.splitlines()[-3:]][-1] == "Tip"
    wrong = subprocess.run([*command, "--replace"], capture_output=True, text=True, check=False)
    assert wrong.returncode == 2


@pytest.mark.skipif(
    not os.environ.get("EDGELIFT_NIGHTLY"), reason="100,000 rows and several kills: nightly"
)
def test_a_hundred_thousand_rows_through_kills_of_both_sides(tmp_path: Path) -> None:
    """The command is killed by SIGKILL wherever it happens to be, then the server too; what is left out is loaded once."""
    (tmp_path / "shop").mkdir()
    moved = Moved(tmp_path / "shop", rows=100_000)
    command = [sys.executable, "-m", "edgelift", "data", str(moved.folder), "--upload"]
    killed = 0
    for number in range(4):
        with moved.serve() as process:
            loading = subprocess.Popen(
                [*command, moved.url], stdout=subprocess.PIPE, stderr=subprocess.PIPE
            )
            before = read_done(moved.url)
            while loading.poll() is None and read_done(moved.url) < before + 4:
                pass
            killed += loading.poll() is None
            loading.kill()
            loading.communicate()
            if number % 2:
                os.kill(process.pid, signal.SIGKILL)
    assert killed >= 3
    with moved.serve():
        done = subprocess.run(
            [*command, moved.url, "--json"], capture_output=True, text=True, check=True
        )
        [state] = json.loads(done.stdout)["uploads"]
        assert (state["state"], state["rows"]) == ("open", 100_032)
        assert state["resumed"] >= 4 * killed
        assert moved.read("SELECT count(*), count(DISTINCT x) FROM loose WHERE y LIKE 'row %'") == [
            [100_000, 100_000]
        ]
        print(state)


def read_done(url: str) -> int:
    return int(httpx.post(f"{url}/load/MAIN/state", headers=bearer(), content=b"{}").json()["done"])
