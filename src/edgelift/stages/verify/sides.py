"""Fresh origins and Workers, seeded from the same proven state, gone without a trace after use."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import shutil
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Protocol

from edgelift.errors import TargetError
from edgelift.model.catalogue import Catalogue
from edgelift.model.comparison import TableComparison
from edgelift.model.inventory import Inventory
from edgelift.model.move_plan import MovePlan
from edgelift.model.plan import DatabasePlan, Plan
from edgelift.model.server_url import find_engine
from edgelift.model.shard_map import ShardMap
from edgelift.model.target_schema import TargetSchema
from edgelift.project import JobSection, expand_variables
from edgelift.run import Run
from edgelift.sources.estimators import capture_environment
from edgelift.sources.origin_server import (
    SCRIPTS,
    OriginPlace,
    OriginServer,
    SupervisedProcess,
    copy_database,
    prepare_origin,
    read_last_lines,
    serve_origin,
)
from edgelift.sources.own_tests import Suite, TestsOutcome
from edgelift.sources.recorded_sql import recording_environment
from edgelift.sources.server_copies import name_copies
from edgelift.sources.server_copies.moved import Move
from edgelift.sources.sqlite_compare import compare_databases
from edgelift.stages.verify.faults import OriginFaults
from edgelift.stages.verify.lifted import Lifted
from edgelift.stages.verify.samples import Samples, Source
from edgelift.stages.verify.servers import OpenCopies, Servers
from edgelift.targets.workerd import Bundle, Worker, read_bundle, start_worker
from edgelift.toolchain import Toolchain, ensure_toolchain


@dataclass(frozen=True)
class Side:
    """A running server; its SQLite files `databases` are complete once `stop` was called.

    `run_jobs` runs the named jobs of one schedule and returns what failed, `name: error`. `arm`
    makes its databases fail (worker/sqlite3/faults.py) and returns how many faults there were.
    """

    url: str
    databases: dict[str, Path]
    check_alive: Callable[[], None]
    read_log_tail: Callable[[], list[str]]
    stop: Callable[[], None]
    run_jobs: Callable[[str, Sequence[JobSection]], list[str]]
    arm: Callable[[str], int] = lambda _fault: 0


JOB_TIMEOUT_S = 600.0
THREADS = 8  # they wait for programs most of the time


class Launcher(Protocol):
    """Opens fresh sides; `tag` names the folder of one."""

    def open(self, tag: str) -> contextlib.AbstractContextManager[Side]:
        """Start a server from the initial state; it is stopped when the context ends."""
        ...


@dataclass
class Bench:
    """What all parts of verify work with; nothing is started or installed before it is needed."""

    run: Run
    inventory: Inventory
    plan: Plan
    catalogues: dict[str, Catalogue]
    target: Launcher | None = None
    shards: dict[str, ShardMap] = field(default_factory=dict)
    pool: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(THREADS))
    _initial: dict[str, list[TableComparison]] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _running: set[Callable[[], None]] = field(default_factory=set)

    @contextlib.contextmanager
    def working(self) -> Iterator[None]:
        """Keep the threads of the pool to this block; when it is broken off, all programs end."""
        try:
            yield
        except BaseException:
            for stop in list(self._running):
                stop()
            raise
        finally:
            self.pool.shutdown(wait=True, cancel_futures=True)

    @contextlib.contextmanager
    def running(self, stop: Callable[[], None]) -> Iterator[None]:
        """Know how to stop a program while this block runs, in whatever thread."""
        self._running.add(stop)
        try:
            yield
        finally:
            self._running.discard(stop)

    def note(self, text: str) -> None:
        """Tell one line of information, from any thread."""
        with self._lock:
            self.run.note(text)

    def progress(self, what: str, done: int, total: int | None = None) -> None:
        """Tell how far a part is, from any thread."""
        with self._lock:
            self.run.progress(what, done, total)

    @property
    def folder(self) -> Path:
        """Return the folder of what verify writes."""
        return self.run.project.state / "verify"

    @property
    def work(self) -> Path:
        """Return the scratch folder, which is emptied before and after."""
        return self.folder / "work"

    @cached_property
    def servers(self) -> Servers:
        """Return the databases that are on servers at the origin."""
        journal, moves = self.run.journal, {}
        for database in self.moved:
            if find_engine(expand_variables(database.url)) is None:
                continue
            plan = journal.read_document(f"move:{database.name}", MovePlan)
            schema = journal.read_document(f"schema:{database.name}", TargetSchema)
            if plan is not None and schema is not None and database.name in self.catalogues:
                moves[database.name] = Move(plan=plan, schema=schema)
        return Servers(self.run.project, self.plan, self.folder / "servers", moves)

    def prepare(self) -> None:
        """Make the templates of the databases that stay on their servers."""
        if self.servers.sections:
            self.note("copying the databases that are on servers")
            self.catalogues |= self.servers.prepare()

    def snapshot(self, name: str) -> Path:
        """Return the consistent copy of the origin's database, never written."""
        if name in self.servers.sections:
            return self.servers.snapshot(name)
        return self.run.project.state / "data" / "snapshot" / f"{name}.sqlite"

    @cached_property
    def lifted(self) -> Lifted:
        """Return the files of the lifted databases."""
        return Lifted(self.run.project.state / "data" / "target", self.shards)

    @property
    def databases(self) -> list[str]:
        """Return the names of the databases that the app uses."""
        return [database.name for database in self.plan.databases]

    @property
    def moved(self) -> list[DatabasePlan]:
        """Return the databases that were moved, not those that stay on their servers."""
        return [database for database in self.plan.databases if not database.in_place]

    @cached_property
    def samples(self) -> Samples:
        """Return the values that generated requests use."""
        return Samples([Source(self.snapshot(n), c) for n, c in self.catalogues.items()])

    @cached_property
    def python(self) -> Path:
        """Return the origin's Python, made when there is none."""
        from edgelift.sources.python_env import ensure_origin_python

        return ensure_origin_python(self.run.project, self.note)

    @property
    def captured(self) -> Path:
        """Return the file of what the origin's models were given during replays (JSON lines)."""
        return self.folder / "captured.jsonl"

    @property
    def records(self) -> Path:
        """Return the folder of the SQL that the second origin was seen to send."""
        return self.folder / "sql"

    def initial(self, name: str) -> list[TableComparison]:
        """Return the comparison of snapshot and lifted database, made once, on private copies."""
        if name not in self._initial:
            with self.scratch(f"initial-{name}") as folder:
                copies = folder / "origin.sqlite", folder / "target.sqlite"
                copy_database(self.snapshot(name), copies[0])
                copy_database(self.lifted.find_whole(name, folder), copies[1])
                self._initial[name] = compare_databases(
                    *copies, self.catalogues[name], progress=self._tell_rows
                )
        return self._initial[name]

    def _tell_rows(self, table: str, rows: int) -> None:
        self.progress(f"rows of {table}", rows)

    @property
    def origin(self) -> Launcher:
        """Return the launcher of the origin."""
        return OriginLauncher(self)

    @property
    def origin_failing(self) -> Launcher:
        """Return the launcher of an origin whose databases can be made to fail."""
        return OriginLauncher(self, fails=True)

    @property
    def origin_idle(self) -> Launcher:
        """Return the launcher of an origin that serves nothing: its jobs can be run."""
        return OriginLauncher(self, serves=False)

    @property
    def origin_again(self) -> Launcher:
        """Return the launcher of the second origin, which is watched.

        What its models are given is captured, and the SQL that servers are whose databases moved.
        """
        capture = self.captured if self.inventory.models else None
        records = self.records if self.servers.moves else None
        return OriginLauncher(self, capture=capture, records=records)

    @cached_property
    def worker(self) -> Launcher:
        """Return the launcher of the target: the built Worker, unless a test put another one."""
        if self.target is not None:
            return self.target
        bundle = read_bundle(self.run.project.state / "build" / "runtime")
        if bundle is None:
            raise TargetError(
                "There is no Worker to verify",
                why="the local bundle is missing",
                tip=self.run.command("build", "--force"),
            )
        return WorkerLauncher(self, bundle, ensure_toolchain(note=self.note))

    @contextlib.contextmanager
    def scratch(self, tag: str) -> Iterator[Path]:
        """Give an empty folder that is removed afterwards."""
        folder = self.work / tag
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def run_tests(self, url: str, tag: str) -> TestsOutcome:
        """Run the project's test command against a URL; see Suite."""
        with self.scratch(f"suite-{tag}") as folder:
            log = self.log(f"suite-{tag}")
            project = self.run.project
            suite = Suite(project, self.python, folder, log, self.note, self.running)
            return suite.run(url)

    def log(self, tag: str) -> Path:
        """Return the log file of a side, emptied."""
        path = self.run.project.folder("logs") / f"verify-{tag.replace(':', '-')}.log"
        path.write_bytes(b"")
        return path

    def environment(self) -> dict[str, str]:
        """Return the app's declared variables: plain values, and secrets from the environment."""
        values = {}
        for name, variable in self.run.project.settings.env.items():
            value = os.environ.get(name) if variable.secret else variable.value
            if value is not None:
                values[name] = value
        return values

    def clean(self) -> None:
        """Remove what an earlier run, perhaps a killed one, left on disk and on servers."""
        shutil.rmtree(self.work, ignore_errors=True)
        self.servers.drop_all()


@dataclass(frozen=True)
class OriginLauncher:
    """Starts the origin in a fresh copy of its folder on fresh copies of the snapshots.

    With `capture` the app's models append what they are given to that file, with `records` the SQL
    that it sends to servers is written into that folder. Without `serves` there is only the copy,
    in which jobs can be run. With `fails` its databases can be made to fail.
    """

    bench: Bench
    capture: Path | None = None
    records: Path | None = None
    serves: bool = True
    fails: bool = False

    @contextlib.contextmanager
    def open(self, tag: str) -> Iterator[Side]:
        """Start the origin; raises OriginError when it does not come up."""
        from edgelift.sources.origin_copy import copy_origin

        bench, project = self.bench, self.bench.run.project
        with bench.scratch(tag) as folder, bench.servers.open(folder) as copies:
            failing = [copies.urls[name].database for name in bench.servers.moves]
            faults = OriginFaults(folder / "faults", failing) if self.fails else None
            copy = copy_origin(project, folder / "app")
            place = prepare_origin(
                project,
                copy=copy,
                python=bench.python,
                databases={
                    database.name: bench.snapshot(database.name) for database in bench.moved
                },
                env={
                    **(capture_environment(self.capture) if self.capture else {}),
                    **(recording_environment(self.records, copy) if self.records else {}),
                    **(faults.prepare() if faults else {}),
                    **name_copies(bench.servers.sections, copies.urls),
                },
            )
            if faults:
                faults.name_databases(place.databases)
            log = bench.log(tag)
            if not self.serves:
                yield self._to_side(place, log, copies)
                return
            with serve_origin(project, place, log) as server, bench.running(server.stop):
                side = self._to_side(place, log, copies, server)
                yield dataclasses.replace(side, arm=faults.arm) if faults else side

    def _to_side(
        self, place: OriginPlace, log: Path, copies: OpenCopies, server: OriginServer | None = None
    ) -> Side:
        def run_jobs(_schedule: str, jobs: Sequence[JobSection]) -> list[str]:
            return run_origin_jobs(self.bench, place, jobs, log)

        return Side(
            url=server.url if server else "",
            databases={**place.databases, **copies.files},
            check_alive=server.check_alive if server else _nothing,
            read_log_tail=lambda: read_last_lines(log, 20),
            stop=lambda: _stop(server.stop if server else _nothing, copies),
            run_jobs=run_jobs,
        )


def _stop(stop: Callable[[], None], copies: OpenCopies) -> None:
    """Stop a server, then read what it left in its databases on servers."""
    stop()
    copies.export()


def _nothing() -> None:
    """Do nothing: there is no server."""


def run_origin_jobs(
    bench: Bench, place: OriginPlace, jobs: Sequence[JobSection], log: Path
) -> list[str]:
    """Run jobs in a copy of the origin, one process each, as cron would; return what failed."""
    failed = []
    for job in jobs:
        own_log = log.with_suffix(f".{job.name}.log")
        own_log.unlink(missing_ok=True)
        script = [str(place.python), str(SCRIPTS / "run_job.py")]
        process = SupervisedProcess(
            [*script, bench.run.project.settings.app.entry, job.name, job.call],
            cwd=place.copy,
            env=place.env,
            log=own_log,
        )
        with bench.running(process.stop):
            code = process.wait(JOB_TIMEOUT_S)
            process.stop()
        if code != 0:
            ended = f"no end after {JOB_TIMEOUT_S:g} s" if code is None else f"exit code {code}"
            failed.append(f"{job.name}: {' '.join(read_last_lines(own_log))} ({ended})")
    return failed


@dataclass(frozen=True)
class WorkerLauncher:
    """Starts the built Worker with a state folder of its own, seeded from the lifted databases."""

    bench: Bench
    bundle: Bundle
    toolchain: Toolchain

    @contextlib.contextmanager
    def open(self, tag: str) -> Iterator[Side]:
        """Start a Worker with Python already running; raises TargetError when it does not start."""
        servers = self.bench.servers
        with self.bench.scratch(tag) as folder, servers.open(folder, servers.kept) as copies:
            databases = dict(copies.files)
            for database in self.bench.moved:
                databases[database.name], write = self.bench.lifted.place(database, folder)
                copies.exports += [write] if write else []
            worker = start_worker(
                self.bundle,
                state=folder,
                env=self.bench.environment(),
                log=self.bench.log(tag),
                toolchain=self.toolchain,
                warm=True,
                servers={
                    database.binding: copies.urls[database.name]
                    for database in self.bench.plan.databases
                    if database.in_place
                },
            )
            with worker, self.bench.running(worker.stop):
                yield Side(
                    url=worker.url,
                    databases=databases,
                    check_alive=worker.check_alive,
                    read_log_tail=lambda: worker.read_log_tail().splitlines()[-20:],
                    stop=lambda: _stop(worker.stop, copies),
                    arm=worker.arm_fault,
                    run_jobs=lambda schedule, _jobs: _run_worker_jobs(worker, schedule),
                )


def _run_worker_jobs(worker: Worker, schedule: str) -> list[str]:
    jobs: list[dict[str, object]] = worker.run_scheduled(schedule).get("jobs", [])
    if not jobs:
        return [f"{schedule}: the Worker knows no job with this schedule"]
    return [f"{job.get('name')}: {job.get('error')}" for job in jobs if not job.get("ok")]
