"""Chunks read by other processes, here and on a Dask cluster: what comes out is the same file."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import pickle
import signal
import socket
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest

import edgelift
from edgelift.errors import OriginError, TargetError, TargetUnavailable, UsageError
from edgelift.model.findings import Status
from edgelift.project import Secret
from edgelift.sources.origin_database import Capabilities, Chunk
from edgelift.stages.data.server import prove
from edgelift.stages.data.server.copy import copy_rows, create_rest, create_tables
from edgelift.stages.data.server.tasks import Source, Task, leave_all, run_task
from edgelift.stages.data.server.workers import LocalWorkers, Workers, open_workers
from tests.contract.mover.moving import Moving, read_plainly, read_target, start_moving
from tests.contract.mover.test_resume import POSTGRES, TABLES, count_done, run_sql, watch

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture
def url(make_database) -> str:
    return make_database(POSTGRES)


class Interfering:
    """Workers beside which something happens once so many parcels came."""

    def __init__(self, workers: Workers, after: int, act: Callable[[], None]) -> None:
        self.workers, self.after, self.act = workers, after, act
        self.count = workers.count
        self.came = 0

    def place(self, name: str) -> str:
        return self.workers.place(name)

    def run(self, wanted) -> Iterator:
        for parcel in self.workers.run(wanted):
            self.came += 1
            if self.came == self.after:
                self.act()
            yield parcel

    def close(self) -> None:
        self.workers.close()


def copy_with(moving: Moving, workers: Workers, sample: float = 1.0) -> dict[str, Status]:
    """Copy and prove with workers; returns the checks' outcomes by id."""
    with moving.open() as copy:
        copy.workers = workers
        copy.source = Source(Secret(moving.url), copy.reader.ticket)
        create_tables(copy)
        copy_rows(copy)
        create_rest(copy)
        proof = prove.Proof(
            db=copy.db, reader=copy.reader, plan=moving.plan, reproduce="", sample=sample,
            workers=workers, source=copy.source,
        )  # fmt: skip
        checks = [prove.check_rows(proof), prove.check_again(proof)]
        copy.db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    return {check.id: check.status for check in checks}


def assert_same(moving: Moving) -> None:
    for table in TABLES:
        query = f"SELECT * FROM {table}"
        assert read_plainly(moving.url, query) == read_target(moving.part, query), table


def read_in_order(path: Path, table: str) -> list[tuple]:
    with contextlib.closing(sqlite3.connect(path)) as db:
        return db.execute(f"SELECT rowid, * FROM {table} ORDER BY rowid").fetchall()


def test_two_processes_leave_the_file_that_one_leaves(url: str, tmp_path: Path) -> None:
    (tmp_path / "alone").mkdir()
    alone = start_moving(url, tmp_path / "alone", chunk_rows=400)
    alone.copy()
    moving = start_moving(url, tmp_path, chunk_rows=400)
    with contextlib.closing(LocalWorkers(2, tmp_path / "chunks")) as workers:
        assert set(copy_with(moving, workers).values()) == {Status.PASS}
        assert list((tmp_path / "chunks").iterdir()) == []
    assert not (tmp_path / "chunks").exists()
    for table in TABLES:
        assert read_in_order(moving.part, table) == read_in_order(alone.part, table)


def test_a_killed_process_is_replaced(url: str, tmp_path: Path) -> None:
    moving = start_moving(url, tmp_path, chunk_rows=300)
    local = LocalWorkers(2, tmp_path / "chunks")

    def kill() -> None:
        os.kill(next(iter(local._pool._processes)), signal.SIGKILL)

    with contextlib.closing(Interfering(local, 3, kill)) as workers:
        assert set(copy_with(moving, workers).values()) == {Status.PASS}
        assert workers.came > 3
    assert_same(moving)


def test_processes_that_end_again_and_again(url: str, tmp_path: Path) -> None:
    moving = start_moving(url, tmp_path, chunk_rows=300)
    local = LocalWorkers(1, tmp_path / "chunks")
    with moving.open() as copy, contextlib.closing(local):
        source = Source(Secret(url), copy.reader.ticket)
        asked = Task(source, moving.plan.tables[0].spec, Chunk(index=0), engine="auto")
        local._submit = lambda _task: local._pool.submit(os._exit, 1)  # type: ignore[assignment]
        with pytest.raises(TargetError, match="again and again"):
            list(local.run([asked]))


def test_what_another_run_copied_is_kept_and_what_changed_is_not(url: str, tmp_path: Path) -> None:
    moving = start_moving(url, tmp_path, chunk_rows=400)
    moving.copy()
    run_sql(url, "UPDATE keyed SET n = -1 WHERE id = 700", "DELETE FROM pairs WHERE a = 9")
    with contextlib.closing(LocalWorkers(2, tmp_path / "chunks")) as workers:
        assert set(copy_with(moving, workers).values()) == {Status.PASS}
    assert_same(moving)


def test_workers_read_the_holders_moment(url: str, tmp_path: Path) -> None:
    moving = start_moving(url, tmp_path, chunk_rows=400)
    before = {table: read_plainly(url, f"SELECT * FROM {table}") for table in TABLES}

    def write() -> None:
        run_sql(url, "UPDATE keyed SET n = n + 1", "DELETE FROM pairs", "DELETE FROM bare")

    local = LocalWorkers(2, tmp_path / "chunks")
    with contextlib.closing(Interfering(local, 1, write)) as workers:
        assert set(copy_with(moving, workers).values()) == {Status.PASS}
    for table in TABLES:
        assert read_target(moving.part, f"SELECT * FROM {table}") == before[table]


def test_a_corrupt_parcel_is_caught(url: str, tmp_path: Path) -> None:
    moving = start_moving(url, tmp_path, chunk_rows=400)
    local = LocalWorkers(2, tmp_path / "chunks")

    class Corrupting(Interfering):
        def run(self, wanted) -> Iterator:
            for number, parcel in enumerate(self.workers.run(wanted)):
                if parcel.path and number == 2:
                    with contextlib.closing(sqlite3.connect(parcel.path)) as db:
                        (table,) = db.execute("SELECT name FROM sqlite_schema").fetchone()
                        db.execute(f"UPDATE {table} SET n = n + 1 WHERE rowid = 3")
                        db.commit()
                yield parcel

    with contextlib.closing(Corrupting(local, 0, lambda: None)) as workers:
        found = copy_with(moving, workers)
    assert Status.FAIL in found.values()


def test_errors_of_workers_arrive_whole(url: str, tmp_path: Path) -> None:
    moving = start_moving(url, tmp_path, chunk_rows=400)
    with contextlib.closing(LocalWorkers(1, tmp_path / "chunks")) as workers:
        gone = Source(Secret(url), "00000003-0000FFFF-1@0/0")
        asked = Task(gone, moving.plan.tables[0].spec, Chunk(index=0))
        with pytest.raises(OriginError) as caught:
            list(workers.run([asked]))
    assert len(caught.value.lines()) == 3
    assert all(caught.value.lines())


def test_a_task_hides_its_password(url: str) -> None:
    source = Source(Secret(url), "ticket")
    assert url not in repr(source)
    assert pickle.loads(pickle.dumps(source)).url.reveal() == url


def test_readers_are_closed_when_a_run_ends(url: str, tmp_path: Path) -> None:
    moving = start_moving(url, tmp_path)
    with moving.open() as copy:
        source = Source(Secret(url), copy.reader.ticket)
        task = Task(source, moving.plan.tables[0].spec, Chunk(index=0))
        assert run_task(task) == run_task(task)
        leave_all()
        with pytest.raises(OriginError):
            run_task(Task(Source(Secret(url), "nonsense"), task.spec, task.chunk))
    leave_all()
    with psycopg.connect(url) as db:
        query = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
        row = db.execute(query).fetchone()
    assert row == (1,)


def test_a_source_that_cannot_be_joined_is_read_alone(tmp_path: Path) -> None:
    told: list[str] = []
    alone = Capabilities(product="MariaDB", dialect="mysql", wire="mysql")
    with open_workers(
        alone, tmp_path / "chunks", count=4, scheduler="", note=told.append
    ) as workers:
        assert workers is None
    assert told == ["MariaDB lets no other process join a snapshot: this one reads alone"]


def test_workers_end_with_their_parent(tmp_path: Path) -> None:
    script = (
        "import os, signal\nfrom pathlib import Path\n"
        "from edgelift.stages.data.server.workers import LocalWorkers\n"
        "if __name__ == '__main__':\n"
        f"    pool = LocalWorkers(1, Path({str(tmp_path / 'chunks')!r}))._pool\n"
        "    print(pool.submit(os.getpid).result(), flush=True)\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    (tmp_path / "parent.py").write_text(script)
    done = subprocess.run(
        [sys.executable, str(tmp_path / "parent.py")], capture_output=True, text=True, check=False
    )
    pid = int(done.stdout)
    with contextlib.suppress(ProcessLookupError):
        handle = os.pidfd_open(pid)
        with contextlib.closing(os.fdopen(handle)):
            assert multiprocessing.connection.wait([handle], 30)


@pytest.mark.workerd
def test_killed_with_its_workers_and_changed_meanwhile(url: str, tmp_path: Path) -> None:
    folder = tmp_path / "shop"
    edgelift.move(url, folder, options=edgelift.Options(plan_only=True))
    settings = folder / "edgelift.toml"
    settings.write_text(settings.read_text() + "\n[data]\nchunk_rows = 200\n")
    part = folder / ".edgelift" / "data" / "target" / "main.sqlite.part"
    command = [sys.executable, "-m", "edgelift", "move", url, "--to", str(folder)]
    process = subprocess.Popen([*command, "--workers", "2"], cwd=ROOT, stderr=subprocess.PIPE)
    watch(process, lambda: part.exists() and count_done(part) >= 4, 120)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    run_sql(url, "UPDATE keyed SET n = -1 WHERE id = 7", "DELETE FROM bare WHERE n = 3")
    again = subprocess.run(
        [*command, "--workers", "2"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert again.returncode == 0, again.stderr
    if process.returncode == -signal.SIGKILL:  # not when the move was quicker than the look at it
        assert "chunks were there already" in again.stderr
    for table in TABLES:
        query = f"SELECT * FROM {table}"
        assert read_plainly(url, query) == read_target(part.with_suffix(""), query), table
    assert not part.with_name("main.sqlite.chunks").exists()


distributed = pytest.importorskip("distributed")


@pytest.fixture(scope="module")
def cluster() -> Iterator:
    """A real cluster on this machine: a scheduler and three worker processes."""
    with distributed.LocalCluster(
        n_workers=3, threads_per_worker=1, processes=True, dashboard_address=":0",
        memory_limit=0, silence_logs=50,
    ) as made:  # fmt: skip
        yield made


@pytest.mark.filterwarnings("ignore::ResourceWarning")
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
class TestCluster:
    def test_one_worker_killed_in_the_middle(self, cluster, url: str, tmp_path: Path) -> None:
        from edgelift.stages.data.server.cluster import ClusterWorkers

        told: list[str] = []
        moving = start_moving(url, tmp_path, chunk_rows=300)
        dask = ClusterWorkers(cluster.scheduler_address, told.append)
        assert dask.count == 3
        pids = sorted(dask._client.run(os.getpid).values())

        def kill() -> None:
            os.kill(pids[0], signal.SIGKILL)

        with contextlib.closing(Interfering(dask, 4, kill)) as workers:
            assert set(copy_with(moving, workers).values()) == {Status.PASS}
            assert workers.came > 4
        assert_same(moving)
        (tmp_path / "alone").mkdir()
        alone = start_moving(url, tmp_path / "alone", chunk_rows=300)
        alone.copy()
        for table in TABLES:
            assert read_in_order(moving.part, table) == read_in_order(alone.part, table)
        with psycopg.connect(url) as db:
            query = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
            assert db.execute(query).fetchone() == (1,)

    @pytest.mark.workerd
    def test_a_whole_move_on_the_cluster(self, cluster, url: str, tmp_path: Path) -> None:
        cluster.wait_for_workers(3)  # the test before killed one
        address = cluster.scheduler_address
        told: list[str] = []
        outcome = edgelift.move(
            url,
            tmp_path / "shop",
            options=edgelift.Options(scheduler=address, paranoid=True),
            emit=lambda event: told.append(str(event)),
        )
        assert {check.status for check in outcome.checks} <= {Status.PASS, Status.SKIPPED}
        assert any(f"3 threads at {address}" in line for line in told)
        target = tmp_path / "shop" / ".edgelift" / "data" / "target" / "main.sqlite"
        for table in TABLES:
            query = f"SELECT * FROM {table}"
            assert read_plainly(url, query) == read_target(target, query), table

    def test_a_scheduler_that_goes_away(self, url: str, tmp_path: Path) -> None:
        from edgelift.stages.data.server.cluster import ClusterWorkers

        moving = start_moving(url, tmp_path, chunk_rows=300)
        with distributed.LocalCluster(
            n_workers=1, threads_per_worker=1, dashboard_address=":0", memory_limit=0,
            silence_logs=50,
        ) as short:  # fmt: skip
            dask = ClusterWorkers(short.scheduler_address, lambda _text: None)
            with (
                contextlib.closing(Interfering(dask, 3, short.close)) as workers,
                pytest.raises(TargetUnavailable, match="went away"),
            ):
                copy_with(moving, workers)
        copy = moving.copy()
        assert copy.kept > 0
        assert_same(moving)


def test_an_unreachable_scheduler_is_three_lines(url: str, tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        done = subprocess.run(
            [sys.executable, "-m", "edgelift", "move", url, "--to", str(tmp_path / "shop"),
             "--scheduler", f"tcp://127.0.0.1:{port}"],
            capture_output=True, text=True, check=False, cwd=ROOT,
        )  # fmt: skip
    assert done.returncode == 5
    lines = done.stderr.splitlines()[-3:]
    assert "cannot be reached" in lines[0]
    assert lines[2].startswith("Tip: ")
    assert "Traceback" not in done.stderr


def test_without_dask_it_says_what_to_install(monkeypatch) -> None:
    from edgelift.stages.data.server.cluster import ClusterWorkers

    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(UsageError) as caught:
        ClusterWorkers("tcp://127.0.0.1:1", lambda _text: None)
    assert "edgelift[dask]" in caught.value.tip
