"""A server that cuts, restarts, refuses or fills up in any phase of `move`: three lines, or it goes on."""

from __future__ import annotations

import contextlib
import hashlib
import json
import random
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

import edgelift
from edgelift.errors import OriginUnavailable, TargetError, UsageError
from edgelift.events import Progress
from edgelift.sources import patience
from tests.contract.mover.moving import read_plainly, read_target
from tests.scenarios.conftest import NIGHTLY
from tests.servers.mariadb import start_mariadb
from tests.servers.postgres import start_postgres

pytestmark = [pytest.mark.scenario, pytest.mark.workerd]

TABLES = {
    "postgres": "CREATE TABLE t (id integer PRIMARY KEY, name text);"
    "INSERT INTO t SELECT n, 'name ' || n FROM generate_series(1, 1500) n;"
    "CREATE TABLE u (a integer, b text); INSERT INTO u SELECT n, 'b' FROM generate_series(1, 500) n;"
    "CREATE VIEW v AS SELECT id, name FROM t WHERE id < 100;",
    "mysql": "CREATE TABLE t (id int PRIMARY KEY, name varchar(40));"
    "INSERT INTO t SELECT seq, concat('name ', seq) FROM seq_1_to_1500;"
    "CREATE TABLE u (a int, b varchar(9)); INSERT INTO u SELECT seq, 'b' FROM seq_1_to_500;"
    "CREATE VIEW v AS SELECT id, name FROM t WHERE id < 100;",
}
QUERIES = ("SELECT * FROM t", "SELECT * FROM u", "SELECT * FROM v")
PHASES = (
    "tables looked through",
    "rows of main",
    "rows of main compared",
    "chunks read again",
    "views compared",
)


@dataclass
class Origin:
    """A server, a database with rows, and what may happen to its connections."""

    kind: str
    server: Any
    name: str

    @property
    def url(self) -> str:
        if self.kind == "postgres":
            return self.server.url_of(self.name)
        return self.server.make_url(self.name)

    def cut(self) -> None:
        """End every connection, as a network or an administrator would."""
        if self.kind == "postgres":
            assert self.server.end_connections(f"datname = '{self.name}'") > 0
            return
        found = [row[0] for row in self.server.execute("SHOW PROCESSLIST") if row[3] == self.name]
        assert found
        for number in found:
            self.server.execute(f"KILL {number}")

    def restart(self) -> None:
        self.server.restart()


def make_origin(kind: str, request: Any, server: Any) -> Origin:
    if kind == "postgres":
        name = server.create_database().rpartition("/")[2]
        server.run(TABLES[kind], name)
    else:
        name = server.create_database("faults")
        server.run_script(TABLES[kind], name)
    return Origin(kind, server, name)


@pytest.fixture(params=["postgres", "mysql"])
def origin(request) -> Origin:
    fixture = "postgres_server" if request.param == "postgres" else "mariadb_server"
    return make_origin(request.param, request, request.getfixturevalue(fixture))


@pytest.fixture(params=["postgres", "mysql"])
def mortal(request):
    """An origin on a server of its own, which may be restarted."""
    if request.param == "mysql":
        server = request.getfixturevalue("new_mariadb")({"innodb-flush-log-at-trx-commit": "1"})
        yield make_origin("mysql", request, server)
        return
    with start_postgres() as server:
        yield make_origin("postgres", request, server)


@dataclass
class Disturber:
    """Does something once at the first sign of each phase; keeps what was told."""

    act: Callable[[], None]
    phases: list[str] = field(default_factory=lambda: list(PHASES))
    said: list[str] = field(default_factory=list)

    def __call__(self, event: object) -> None:
        if hasattr(event, "text"):
            self.said.append(event.text)
        if isinstance(event, Progress) and event.what in self.phases:
            self.phases.remove(event.what)
            self.act()


def assert_moved(origin: Origin, folder: Path, outcome: edgelift.Outcome) -> None:
    assert {check.status for check in outcome.checks} <= {"PASS", "SKIPPED"}
    target = folder / ".edgelift" / "data" / "target" / "main.sqlite"
    for query in QUERIES:
        assert read_plainly(origin.url, query) == read_target(target, query)


def test_connections_cut_in_every_phase(origin: Origin, tmp_path: Path) -> None:
    disturber = Disturber(origin.cut)
    outcome = edgelift.move(origin.url, tmp_path / "moved", emit=disturber)
    assert disturber.phases == []
    again = [said for said in disturber.said if "trying again" in said or "asking again" in said]
    assert len(again) == len(PHASES)
    assert_moved(origin, tmp_path / "moved", outcome)


@pytest.mark.nightly
@pytest.mark.skipif(not NIGHTLY, reason="nightly: cuts in every phase run always")
def test_a_server_restarted_in_every_phase(mortal: Origin, tmp_path: Path) -> None:
    disturber = Disturber(mortal.restart)
    outcome = edgelift.move(mortal.url, tmp_path / "moved", emit=disturber)
    assert disturber.phases == []
    assert_moved(mortal, tmp_path / "moved", outcome)


MOMENTS = 20 if NIGHTLY else 1  # of the copy itself: tests/contract/mover/test_resume.py


def read_end(folder: Path) -> dict[str, str]:
    """Return what a finished move left: the file's content, the verdict; no trace of the kills."""
    state = folder / ".edgelift"
    target = state / "data" / "target"
    assert [path.name for path in target.iterdir()] == ["main.sqlite"]
    with contextlib.closing(sqlite3.connect(target / "main.sqlite")) as db:
        content = hashlib.sha256("\n".join(db.iterdump()).encode()).hexdigest()
        assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    report = json.loads((state / "report" / "report.json").read_text())
    return {"content": content, "verdict": report["verdict"]}


def run_move(url: str, folder: Path, kill_after_s: float | None = None) -> int:
    """Run the command, killed with SIGKILL after some seconds; return its exit code."""
    command = [sys.executable, "-m", "edgelift", "move", url, "--to", str(folder), "--paranoid"]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE) as process:
        try:
            _, said = process.communicate(timeout=kill_after_s)
        except subprocess.TimeoutExpired:
            process.kill()
            return -signal.SIGKILL
        assert b"Traceback" not in said
        return process.returncode


def test_killed_at_random_moments_and_run_again(origin: Origin, tmp_path: Path) -> None:
    calm = tmp_path / "calm"
    started = time.monotonic()
    assert run_move(origin.url, calm) == 0
    duration_s = time.monotonic() - started
    killed = 0
    for moment in range(MOMENTS):
        # Strata instead of pure chance: every part of the run is hit, whatever the number.
        part = (moment + random.Random(f"{origin.kind} {moment}").random()) / MOMENTS
        folder = tmp_path / f"killed{moment}"
        killed += run_move(origin.url, folder, part * duration_s) == -signal.SIGKILL
        assert run_move(origin.url, folder) == 0
        assert read_end(folder) == read_end(calm)
    assert killed >= MOMENTS // 2


@pytest.fixture
def mount() -> Iterator[Callable[[int], Path]]:
    """Give one small file system, where that is allowed: a function of its kilobytes."""
    place = Path(tempfile.mkdtemp(prefix="edgelift-disk-"))
    place.chmod(0o755)
    made: list[int] = []

    def make(kilobytes: int) -> Path:
        remount = ["-o", f"remount,size={kilobytes}k"] if made else []
        options = remount or ["-t", "tmpfs", "-o", f"size={kilobytes}k", "none"]
        done = subprocess.run(["mount", *options, str(place)], capture_output=True, check=False)
        if done.returncode:
            pytest.skip(f"file systems cannot be mounted here: {done.stderr.decode()}")
        made.append(kilobytes)
        return place

    yield make
    if made:
        subprocess.run(["umount", str(place)], check=True)
    place.rmdir()


def assert_told(caught: Any, *words: str) -> None:
    lines = caught.value.lines()
    assert len(lines) == 3
    assert all(lines)
    assert lines[2].startswith("Tip: ")
    for word in words:
        assert word in "\n".join(lines)


@pytest.mark.nightly
@pytest.mark.skipif(not NIGHTLY, reason="nightly: a full target is part of every run elsewhere")
@pytest.mark.parametrize("workers", [None, 2])
def test_a_target_that_is_full_at_any_point(
    make_database, mount, tmp_path: Path, workers: int | None
) -> None:
    url = make_database(
        "CREATE TABLE t (id int PRIMARY KEY, name text);"
        "INSERT INTO t SELECT n, repeat('x', 200) || n FROM generate_series(1, 20000) n;"
        "CREATE INDEX i ON t (name)"
    )
    options = edgelift.Options(workers=workers)
    told: list[TargetError | UsageError] = []
    for kilobytes in (200, 400, 1500, 4000, 6000, 8000, 10000, 12000, 60000):
        folder = mount(kilobytes) / "moved"
        try:
            edgelift.move(url, folder, options=options)
        except (TargetError, UsageError) as error:
            told.append(error)
        else:
            break
    assert {(len(error.lines()), "full" in error.why) for error in told} == {(3, True)}
    assert len({error.what for error in told}) >= 2  # the journal, the copy
    target = folder / ".edgelift" / "data" / "target" / "main.sqlite"
    query = "SELECT * FROM t"
    assert read_plainly(url, query) == read_target(target, query)


# A unique key that the server has to sort for, as its collation may tell apart what NOCASE does not.
SORTED = {
    "postgres": "CREATE COLLATION tr (provider = icu, locale = 'tr-u-ks-level2', deterministic = false);"
    "CREATE TABLE t (id int PRIMARY KEY, name text COLLATE tr UNIQUE);"
    "INSERT INTO t SELECT n, repeat('x', 100) || n FROM generate_series(1, 50000) n",
    "mysql": "CREATE TABLE t (id int PRIMARY KEY, name varchar(200) COLLATE utf8mb4_turkish_ci UNIQUE);"
    "INSERT INTO t SELECT seq, CONCAT(REPEAT('x', 100), seq) FROM seq_1_to_50000;",
}


@pytest.mark.nightly
@pytest.mark.skipif(
    not NIGHTLY, reason="nightly: what the servers say is part of every run elsewhere"
)
@pytest.mark.parametrize("kind", ["postgres", "mysql"])
def test_a_server_whose_disk_is_full(kind: str, mount, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(patience, "PAUSES_S", (0, 0))
    place = mount(400_000)
    settings = {"work_mem": "64kB", "max_wal_size": "64MB"}
    if kind == "mysql":
        settings = {"tmp-table-size": "1K", "max-heap-table-size": "16K"}
    run = start_postgres if kind == "postgres" else start_mariadb
    with run(place / "own", settings) as server:
        if kind == "postgres":
            url = server.create_database()
            server.run(SORTED[kind], url.rpartition("/")[2])
        else:
            server.run_script(SORTED[kind], "app")
            url = server.make_url("app")
        filler = place / "filler"
        with filler.open("wb", buffering=0) as file, contextlib.suppress(OSError):
            while True:
                file.write(bytes(65536))
        with pytest.raises(OriginUnavailable) as caught:
            edgelift.move(url, tmp_path / "moved")
        assert_told(caught, "disk", "full")
        filler.unlink()
        outcome = edgelift.move(url, tmp_path / "moved")
        assert not outcome.failed
        query = "SELECT id, name FROM t"
        target = tmp_path / "moved" / ".edgelift" / "data" / "target" / "main.sqlite"
        assert read_plainly(url, query) == read_target(target, query)
