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
from edgelift.model.server_url import ServerUrl, parse_server_url
from edgelift.project import (
    IGNORED_FOLDERS,
    Project,
    expand_variables,
    list_files,
    read_project,
)
from edgelift.sources.origin_server import database_file
from edgelift.sources.server_copies import copy_prefix, open_copies
from edgelift.sources.shard_files import find_members
from edgelift.sources.sqlite_newer import read_past_newer
from edgelift.targets.workerd import database_file as state_file
from edgelift.targets.workerd import read_bundle, start_worker
from edgelift.toolchain import ensure_toolchain

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from edgelift.targets.workerd import Worker

SEED_MARK = "seed.txt"
POLL_S = 0.5
NOT_SOURCE = (".pyc", "-wal", "-shm", "-journal")  # written by running, beside the sources


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
    project = read_project(Path(path))
    sources = _Sources(project)
    build(path, emit=emit)
    with hold_project(project.folder("state"), "lock"):
        while not stop.is_set():
            with _start(project, port, emit) as worker:
                port = int(worker.url.rsplit(":", 1)[1])
                ready(worker.url)
                reason = _watch(sources, worker, emit, stop)
            if not stop.is_set():
                emit(Note(stage="dev", text=f"{reason}; building again"))
                _rebuild(path, sources, emit, stop)


def _rebuild(path: str | Path, sources: _Sources, emit: Emit, stop: threading.Event) -> None:
    """Build until it works or `stop` is set; after a failure wait for the next change."""
    from edgelift.verbs import build

    while not stop.is_set():
        sources.mark()
        try:
            build(path, emit=emit)
        except EdgeliftError as error:
            emit(Note(stage="dev", text=" | ".join(error.lines())))
            next(filter(None, sources.changes(stop)), None)
        else:
            return


class _Sources:
    """The files of the app, less its databases, and how they were when a build began."""

    def __init__(self, project: Project) -> None:
        self.root = project.root.resolve()
        found = [database_file(project, section) for section in project.settings.databases]
        self._databases = {str(file.resolve()) for file in found if file is not None}
        self.mark()

    def mark(self) -> None:
        """Remember the files as they are: what changes from now on is news."""
        self.state = self._read_state()

    def changes(self, stop: threading.Event) -> Iterator[list[str]]:
        """Yield the files changed since the mark, then those that change, twice a second.

        A file saved during a build counts; no change gives an empty list.
        """
        from watchfiles import watch

        missed = True
        for events in watch(
            self.root,
            stop_event=stop,
            watch_filter=self._is_source,
            rust_timeout=int(POLL_S * 1000),
            yield_on_timeout=True,
            raise_interrupt=True,
        ):
            changed = {os.path.relpath(name, self.root) for _, name in events}
            if missed:
                changed |= {name for name, _ in self._read_state() ^ self.state}
                missed = False
            yield sorted(changed)

    def _read_state(self) -> frozenset[tuple[str, tuple[int, int]]]:
        files = [file for file in list_files(self.root) if self._is_source(None, str(file))]
        return frozenset((os.path.relpath(file, self.root), _stamp(file)) for file in files)

    def _is_source(self, _change: object, name: str) -> bool:
        """Tell the app's own files; names of folders above the project do not count."""
        parts = set(Path(name).relative_to(self.root).parts)
        ignored = bool(parts & IGNORED_FOLDERS) or name.endswith(NOT_SOURCE)
        return not ignored and name not in self._databases


def _stamp(file: Path) -> tuple[int, int]:
    try:
        status = file.stat()
    except FileNotFoundError:
        return 0, 0
    return status.st_mtime_ns, status.st_size


def _watch(sources: _Sources, worker: Worker, emit: Emit, stop: threading.Event) -> str:
    """Return why the worker must start again, a changed file or a crash; tell its log meanwhile."""
    log = worker.log
    position = log.stat().st_size if log.exists() else 0
    for changed in sources.changes(stop):
        position = _follow_log(log, position, emit)
        if changed:
            return f"{changed[0]} changed"
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
    with (
        open_servers(project, emit) as servers,
        start_worker(
            bundle,
            state=state,
            port=port,
            env=read_environment(project),
            log=log,
            toolchain=toolchain,
            servers=servers,
        ) as worker,
    ):
        yield worker


@contextlib.contextmanager
def open_servers(project: Project, emit: Emit) -> Iterator[dict[str, ServerUrl]]:
    """Give the servers behind the Hyperdrive bindings: copies, which are dropped at the end.

    With `serve = "origin"` a binding leads to the origin's own database.
    """
    with contextlib.closing(Journal(project.state / "journal.db")) as journal:
        plan = journal.read_document("plan", Plan)
    sections = {section.name: section for section in project.settings.databases}
    found: dict[str, ServerUrl] = {}
    with contextlib.ExitStack() as stack:
        for database in plan.databases if plan else ():
            section = sections.get(database.name)
            if not database.in_place or section is None:
                continue
            if section.serve == "origin":
                url = parse_server_url(expand_variables(section.url), os.environ)
                if url is not None:
                    found[database.binding] = url
                continue
            copies, prefix = open_copies(section), copy_prefix(project, section, "serve")
            for left in copies.list_names(prefix):
                copies.drop(left)
            stack.callback(copies.drop, f"{prefix}1")
            stack.callback(copies.drop, f"{prefix}0")
            copies.make_template(f"{prefix}0")
            found[database.binding] = copies.make_copy(f"{prefix}0", f"{prefix}1")
            text = f"{database.name} is served from a copy on its server, dropped at the end"
            emit(Note(stage="serve", text=text))
        yield found


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
    """Put the proven copies where workerd's databases look for them, once per version of data."""
    with contextlib.closing(Journal(project.state / "journal.db")) as journal:
        plan = journal.read_document("plan", Plan)
        moved = [database for database in plan.databases if not database.in_place] if plan else []
        members = [
            (member, database.strategy)
            for database in moved
            for member in find_members(project.settings.data, journal, database)
        ]
    for member, strategy in members:
        golden = project.state / "data" / "target" / f"{member.name}.sqlite"
        target = state_file(state, member.binding, strategy, member.shard)
        version = hashlib.sha256(f"{golden.stat().st_mtime_ns}:{golden.stat().st_size}".encode())
        mark = target.with_suffix(".seed")
        if target.exists() and mark.exists() and mark.read_text() == version.hexdigest():
            continue
        for leftover in target.parent.glob(target.name + "*"):
            leftover.unlink()
        copy = target.with_suffix(".part")
        shutil.copyfile(golden, copy)
        with contextlib.closing(sqlite3.connect(copy)) as db:
            read_past_newer(db, copy)
            db.execute("PRAGMA journal_mode=WAL")
        copy.replace(target)
        mark.write_text(version.hexdigest())
