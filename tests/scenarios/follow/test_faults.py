"""Origins and targets that fail while a database is followed: each is told, nothing is lost."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pymysql
import pytest

import edgelift
from edgelift.stages.follow.file_writer import read_checkpoint
from tests.contract.mover.moving import read_target
from tests.scenarios.follow.conftest import make_postgres, make_sqlite
from tests.scenarios.follow.origins import SCRIPTS, Origin, kill
from tests.scenarios.follow.test_follow import assert_error, wait_for
from tests.servers.mariadb import MariaDb
from tests.servers.postgres import (
    PostgresServer,
    require_postgres,
    start_postgres,
    start_standby,
)

pytestmark = [pytest.mark.scenario, pytest.mark.workerd]
NIGHTLY = os.environ.get("EDGELIFT_NIGHTLY")
nightly = pytest.mark.skipif(not NIGHTLY, reason="its error has unit tests: EDGELIFT_NIGHTLY=1")


def make_cutter(request: pytest.FixtureRequest, origin: Origin) -> Callable[[], int]:
    """Return what ends every connection of edgelift to a database, and says how many there were."""
    name = origin.url.rpartition("/")[2]
    if origin.kind == "postgres":
        server: PostgresServer = request.getfixturevalue("postgres_server")
        ours = f"application_name = 'edgelift' AND datname = '{name}'"
        return lambda: server.end_connections(ours)
    mariadb: MariaDb = request.getfixturevalue("mariadb_server")

    def cut() -> int:
        found = [row[0] for row in mariadb.execute("SHOW PROCESSLIST") if row[3] == name]
        for number in found:
            with contextlib.suppress(pymysql.err.OperationalError):  # one that just left
                mariadb.execute(f"KILL {number}")
        return len(found)

    return cut


@pytest.mark.parametrize(
    "origin", ["postgres", "mysql"] if NIGHTLY else ["postgres"], indirect=True
)
def test_connections_that_are_cut_again_and_again(origin: Origin, request) -> None:
    cut = make_cutter(request, origin)
    process = origin.start(first=True)
    wait_for(origin.target.exists, process)
    for number in range(3):
        before = origin.count_applied()
        origin.run(f"UPDATE book SET title = 'cut {number}' WHERE id < 20")
        wait_for(lambda before=before: origin.count_applied() > before, process)
        assert cut() > 0
        origin.run(
            f"UPDATE book SET price = {number} WHERE id < 30", "DELETE FROM pair WHERE a = 3"
        )
    _, told = kill(process, signal.SIGTERM)
    assert process.returncode == 0, told
    assert "trying again" in told
    assert origin.follow("--verify").returncode == 0
    origin.assert_same()


@nightly
def test_a_log_that_postgres_threw_away(tmp_path: Path) -> None:
    require_postgres()
    settings = {"max_slot_wal_keep_size": "1MB", "max_wal_size": "32MB", "min_wal_size": "32MB"}
    with start_postgres(settings=settings) as server:
        server.run(SCRIPTS["postgres"], server.create_database("app").rpartition("/")[2])
        origin = make_postgres(server.url_of("app"), tmp_path / "moved")
        assert origin.follow(first=True).returncode == 0
        held = origin.target.read_bytes()
        for _ in range(5):
            server.run("CREATE TABLE IF NOT EXISTS other (n int)", "postgres")
            server.run("INSERT INTO other VALUES (1)", "postgres")
            server.run("SELECT pg_switch_wal()")
        server.run("CHECKPOINT")
        assert_error(
            origin.follow(), 4, "no longer has all changes", "max_slot_wal_keep_size", "--force"
        )
        assert read_checkpoint(origin.target) is not None
        assert len(origin.target.read_bytes()) == len(held)
        assert origin.follow("--force", "--verify").returncode == 0
        origin.assert_same()


@nightly
def test_a_standby_is_refused(tmp_path: Path) -> None:
    require_postgres()
    with start_postgres() as primary:
        primary.run(SCRIPTS["postgres"], primary.create_database("app").rpartition("/")[2])
        with start_standby(primary) as standby:
            origin = make_postgres(standby.url_of("app"), tmp_path / "moved")
            assert_error(origin.follow(first=True), 4, "standby", "primary")


@nightly
def test_a_role_of_mariadb_without_the_log(mariadb_server: MariaDb, tmp_path: Path) -> None:
    name = mariadb_server.create_database("rights")
    mariadb_server.run_script(SCRIPTS["mysql"], name)
    mariadb_server.execute("CREATE OR REPLACE USER looker@'%'")
    mariadb_server.execute(
        f"GRANT SELECT, SHOW VIEW, TRIGGER, EVENT, EXECUTE ON `{name}`.* TO looker@'%'"
    )
    origin = Origin("mysql", mariadb_server.make_url(name, "looker"), tmp_path / "moved")
    done = origin.follow(first=True)
    assert_error(done, 4, "cannot be followed", "binary log", "GRANT")
    assert not origin.target.exists()


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Callable[[Path, int], None]]:
    """Put a file system of its own, of so many bytes, under a folder; again to change its size."""
    mounted: list[Path] = []

    def mount(folder: Path, size: int) -> None:
        if folder in mounted:
            subprocess.run(["mount", "-o", f"remount,size={size}", folder], check=True)
            return
        held = tmp_path / "held"
        shutil.move(folder, held)
        folder.mkdir()
        done = subprocess.run(
            ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", folder],
            check=False, capture_output=True,
        )  # fmt: skip
        if done.returncode:
            pytest.skip("no right to mount a file system here")
        mounted.append(folder)
        for path in held.iterdir():
            shutil.copy(path, folder)

    yield mount
    for folder in mounted:
        subprocess.run(["umount", folder], check=True)


def test_a_disk_that_is_really_full(tmp_path: Path, small_disk) -> None:
    origin = make_sqlite(tmp_path)
    assert origin.follow(first=True).returncode == 0
    folder = origin.target.parent
    size = origin.target.stat().st_size
    small_disk(folder, size + 300_000)
    origin.run("UPDATE book SET title = title || hex(zeroblob(700))")
    assert_error(origin.follow(), 5, "disk is full", "continues where it stood")
    assert read_target(origin.target, "SELECT count(*) FROM book WHERE length(title) > 1000") == [
        (0,)
    ]
    small_disk(folder, size + 60_000_000)
    assert origin.follow("--verify").returncode == 0
    origin.assert_same()


def write_project(folder: Path, urls: dict[str, str]) -> None:
    folder.mkdir()
    sections = [
        f'[[databases]]\nname = "{name}"\nbinding = "{name.upper()}"\nurl = "{url}"\n'
        for name, url in urls.items()
    ]
    (folder / "edgelift.toml").write_text("\n".join(['name = "several"\n', *sections]))


def test_several_databases_are_followed_at_once_and_status_shows_them_meanwhile(
    make_database, postgres_server: PostgresServer, mariadb_server: MariaDb, tmp_path: Path
) -> None:
    name = mariadb_server.create_database("several")
    mariadb_server.run_script(SCRIPTS["mysql"], name)
    (tmp_path / "file").mkdir()
    origins = {
        "first": Origin("postgres", make_database(SCRIPTS["postgres"]), tmp_path),
        "second": Origin("mysql", mariadb_server.make_url(name), tmp_path),
        "third": make_sqlite(tmp_path / "file"),
    }
    folder = tmp_path / "several"
    write_project(folder, {name: origin.url for name, origin in origins.items()})
    for origin in origins.values():
        origin.folder = folder
    command = Origin("sqlite", "", folder, ("--install-triggers",))
    process = command.start("--install-triggers")
    targets = {name: folder / ".edgelift" / "follow" / f"{name}.sqlite" for name in origins}
    wait_for(lambda: all(read_checkpoint(path) is not None for path in targets.values()), process)
    with contextlib.ExitStack() as stack:
        writers = [stack.enter_context(o.write(n)) for n, o in enumerate(origins.values(), 20)]
        wait_for(lambda: all(writer.written > 30 for writer in writers), process)
    wait_for(
        lambda: all(state.transactions > 0 for state in edgelift.status(folder).follows), process
    )
    states = edgelift.status(folder).follows
    assert [(s.database, s.state) for s in states] == [(name, "following") for name in origins]
    assert [s.product for s in states] == ["PostgreSQL", "MariaDB", "SQLite"]
    assert all(abs(s.updated - time.time()) < 3600 for s in states)
    kill(process, signal.SIGTERM)
    assert process.returncode == 0
    done = command.follow("--verify")
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("PASS Every row of") == 3
    assert edgelift.status(folder).follows[0].state == "caught up"
    for name, origin in origins.items():
        for table, columns in origin.tables.items():
            origin.compare_table(table, columns, targets[name])
    edgelift.follow(folder, follow_options=edgelift.FollowOptions(drop=True))
    assert {s.state for s in edgelift.status(folder).follows} == {"ended"}
