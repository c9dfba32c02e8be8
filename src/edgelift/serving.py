"""Serving the lifted app on this machine: at the end of `lift`, and `dev` with restarts.

Both use `.edgelift/state/`, seeded from the proven copy of the database, so that what a person does
to the served app never touches the copy that proofs are made from.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import sqlite3
import threading
from pathlib import Path
from typing import TYPE_CHECKING

from edgelift.errors import EdgeliftError, TargetError
from edgelift.events import Emit, Note, ignore
from edgelift.journal import Journal, hold_project
from edgelift.model.plan import Plan
from edgelift.project import IGNORED_FOLDERS, Project, read_project
from edgelift.targets.workerd import d1_file, read_bundle, start_worker
from edgelift.toolchain import ensure_toolchain

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from edgelift.targets.workerd import Worker

SEED_MARK = "seed.txt"
POLL_S = 0.5


@contextlib.contextmanager
def serve(path: str | Path, *, port: int = 0, emit: Emit = ignore) -> Iterator[Worker]:
    """Serve the built Worker until the block ends; the Worker has `.url`.

    Raises TargetError when nothing was built, the port is taken or workerd does not start.
    """
    project = read_project(Path(path))
    with hold_project(project.folder("state"), "lock"), _start(project, port, emit) as worker:
        yield worker


def dev(
    path: str | Path,
    *,
    port: int = 0,
    emit: Emit = ignore,
    stop: threading.Event | None = None,
    ready: Callable[[str], None] = lambda _url: None,
) -> None:
    """Serve the app with its live log, and build and start again whenever a file of it changes.

    `ready` gets the URL after every start; setting `stop` ends it. A failed rebuild is told and the
    next change tried; a worker that crashed is reported with the end of its log and started again.
    """
    from edgelift.verbs import build

    stop = stop or threading.Event()
    build(path, emit=emit)
    project = read_project(Path(path))
    with hold_project(project.folder("state"), "lock"):
        while not stop.is_set():
            with _start(project, port, emit) as worker:
                port = int(worker.url.rsplit(":", 1)[1])
                ready(worker.url)
                reason = _watch(project, worker, emit, stop)
            if stop.is_set():
                return
            emit(Note(stage="dev", text=f"{reason}; building again"))
            _rebuild(path, emit, stop)


def _rebuild(path: str | Path, emit: Emit, stop: threading.Event) -> None:
    """Build until it works or `stop` is set; after a failure wait for the next change."""
    from watchfiles import watch

    from edgelift.verbs import build

    root = Path(path)
    while not stop.is_set():
        try:
            build(path, emit=emit)
        except EdgeliftError as error:
            emit(Note(stage="dev", text=" | ".join(error.lines())))
            for changes in watch(root, stop_event=stop, watch_filter=_is_source, rust_timeout=500):
                if changes:
                    break
        else:
            return


def _is_source(_change: object, path: str) -> bool:
    parts = set(Path(path).parts)
    return not (parts & IGNORED_FOLDERS) and not path.endswith((".pyc", "-wal", "-shm", "-journal"))


def _watch(project: Project, worker: Worker, emit: Emit, stop: threading.Event) -> str:
    """Return why the worker must start again, a changed file or a crash; tell its log meanwhile."""
    from watchfiles import watch

    databases = {str(file) for file in _origin_databases(project)}
    log = worker.log
    position = log.stat().st_size if log.exists() else 0
    for changes in watch(
        project.root,
        stop_event=stop,
        watch_filter=_is_source,
        rust_timeout=int(POLL_S * 1000),
        yield_on_timeout=True,
        raise_interrupt=True,
    ):
        position = _follow_log(log, position, emit)
        changed = sorted(p for _, p in changes if p not in databases)
        if changed:
            return f"{os.path.relpath(changed[0], project.root)} changed"
        try:
            worker.check_alive()
        except TargetError as error:
            emit(Note(stage="dev", text=" | ".join(error.lines())))
            return "the worker crashed"
    return "stopped"


def _follow_log(log: Path, position: int, emit: Emit) -> int:
    if not log.exists():
        return position
    with log.open("rb") as handle:
        handle.seek(position)
        for line in handle.read().decode(errors="replace").splitlines():
            emit(Note(stage="dev", text=line))
        return handle.tell()


def _origin_databases(project: Project) -> list[Path]:
    return [
        (project.root / database.url.removeprefix("sqlite:///")).resolve()
        for database in project.settings.databases
        if database.url.startswith("sqlite:///")
    ]


@contextlib.contextmanager
def _start(project: Project, port: int, emit: Emit) -> Iterator[Worker]:
    bundle = read_bundle(project.state / "build" / "runtime")
    if bundle is None:
        raise TargetError(
            "There is nothing to serve",
            why="the Worker was not built yet",
            tip=f"run: edgelift build {project.root}",
        )
    toolchain = ensure_toolchain(note=lambda text: emit(Note(stage="serve", text=text)))
    state = project.folder("state")
    seed_state(project, state)
    log = project.folder("logs") / "worker.log"
    with start_worker(
        bundle,
        state=state,
        port=port,
        env=read_environment(project),
        log=log,
        toolchain=toolchain,
    ) as worker:
        yield worker


def read_environment(project: Project) -> dict[str, str]:
    """Return the app's variables: plain values, and secrets that this environment sets."""
    values: dict[str, str] = {}
    for name, variable in project.settings.env.items():
        if variable.secret:
            if name in os.environ:
                values[name] = os.environ[name]
        elif variable.value is not None:
            values[name] = variable.value
    return values


def seed_state(project: Project, state: Path) -> None:
    """Put the proven copies where workerd's D1 looks for them, once per version of the data."""
    with contextlib.closing(Journal(project.state / "journal.db")) as journal:
        plan = journal.read_document("plan", Plan)
    for database in plan.databases if plan else ():
        golden = project.state / "data" / "target" / f"{database.name}.sqlite"
        target = d1_file(state, database.binding)
        version = hashlib.sha256(f"{golden.stat().st_mtime_ns}:{golden.stat().st_size}".encode())
        mark = target.with_suffix(".seed")
        if target.exists() and mark.exists() and mark.read_text() == version.hexdigest():
            continue
        for leftover in target.parent.glob(target.name + "*"):
            leftover.unlink()
        copy = target.with_suffix(".part")
        shutil.copyfile(golden, copy)
        with contextlib.closing(sqlite3.connect(copy)) as db:
            db.execute("PRAGMA journal_mode=WAL")
        copy.replace(target)
        mark.write_text(version.hexdigest())
