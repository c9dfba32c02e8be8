"""Imports the origin app in a subprocess and tells what it is; init and assess ask it.

The app runs in a scratch copy of its folder, with its own Python, under a bound of time; nothing of
the origin is written. What the subprocess runs is in `origin_scripts/edgelift_probe`.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import msgspec

from edgelift.errors import OriginError
from edgelift.model.inventory import Route, StaticFolder
from edgelift.project import Project, expand_variables
from edgelift.sources.origin_copy import copy_origin
from edgelift.sources.origin_server import (
    SCRIPTS,
    SupervisedProcess,
    build_origin_env,
    read_last_lines,
)
from edgelift.sources.sqlite_url import find_sqlite_file, is_sqlite_url

Note = Callable[[str], None]
# An import that takes longer waits for something: a queue, a server, a loop. (Cloudflare allows a
# Worker's start-up 1 s: workers.startup in cloudflare-limits.)
IMPORT_TIMEOUT_S = 30.0


class Place(msgspec.Struct, frozen=True, kw_only=True):
    """A place in the origin's source, None when a library did it; base of what the probe saw."""

    path: str | None = None
    line: int | None = None


class EngineSeen(Place, frozen=True, kw_only=True):
    """A SQLAlchemy engine; the URL has no password, a SQLite path inside is relative."""

    url: str


class DatabaseSeen(Place, frozen=True, kw_only=True):
    """A file that sqlite3.connect was called with, relative where it is inside the project."""

    database: str


class DjangoDatabase(msgspec.Struct, frozen=True, kw_only=True):
    """A database of Django's settings by its alias."""

    name: str
    url: str


class SettingSeen(msgspec.Struct, frozen=True, kw_only=True):
    """A database URL or SQLite path held by a module's global, or by app.config (no module)."""

    module: str
    name: str
    value: str


class EnvSeen(Place, frozen=True, kw_only=True):
    """A variable read on import; `required` when reading it without a value would fail."""

    name: str
    default: str | None = None
    required: bool = False


class FileSeen(Place, frozen=True, kw_only=True):
    """A file opened on import, relative where it is inside the project."""

    file: str
    writes: bool = False


class EventSeen(Place, frozen=True, kw_only=True):
    """Something done on import: `kind` is process, fork, network, listen, thread or entropy."""

    kind: str
    detail: str = ""


class JobSeen(msgspec.Struct, frozen=True, kw_only=True):
    """A scheduled job; `schedule` is empty when `problem` says why cron cannot express it.

    `call` is `module:function`, empty when the job takes arguments or has no importable name.
    """

    name: str
    call: str
    trigger: str
    schedule: str
    problem: str = ""


class ImportFailure(Place, frozen=True, kw_only=True):
    """Why the app could not be imported, with the last place in its own code."""

    type: str
    message: str
    missing_module: str | None = None

    @property
    def text(self) -> str:
        """Return the exception as one line with its place."""
        place = f" at {self.path}:{self.line}" if self.path else ""
        return f"{self.type}: {self.message}{place}"


class Probe(msgspec.Struct, frozen=True, kw_only=True):
    """All that importing the app has shown.

    `inner` is the framework inside middleware, `sources` the app's own files that were imported,
    `modules` the top-level modules outside the standard library. `distributions` maps loaded
    top-level modules to project names, `versions` those to versions, `native` extension modules to
    project names. `idle` maps installed top-level modules that were not loaded to their projects.
    """

    framework: str = ""
    inner: str = ""
    routes: tuple[Route, ...] = ()
    static: tuple[StaticFolder, ...] = ()
    jobs: tuple[JobSeen, ...] = ()
    django: tuple[DjangoDatabase, ...] = ()
    engines: tuple[EngineSeen, ...] = ()
    databases: tuple[DatabaseSeen, ...] = ()
    settings: tuple[SettingSeen, ...] = ()
    env: tuple[EnvSeen, ...] = ()
    files: tuple[FileSeen, ...] = ()
    events: tuple[EventSeen, ...] = ()
    modules: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()
    distributions: dict[str, str] = {}
    versions: dict[str, str] = {}
    native: dict[str, str] = {}
    idle: dict[str, tuple[str, ...]] = {}
    seconds: float = 0.0
    error: ImportFailure | None = None


def probe_app(
    project: Project, python: Path, note: Note, *, timeout_s: float = IMPORT_TIMEOUT_S
) -> Probe:
    """Import the app and return what it is.

    Raises OriginError when it raises, ends or hangs on import, with the place in its own code.
    """
    probe = try_import(project, python, note, timeout_s=timeout_s)
    if probe.error is not None:
        raise explain_failure(project, probe)
    if not probe.framework:
        raise OriginError(
            f"{project.settings.app.entry} is not an app",
            why="the object cannot be called as a WSGI or ASGI app",
            tip="set app.entry in edgelift.toml to module:object or module:factory()",
        )
    return probe


def try_import(
    project: Project, python: Path, note: Note, *, timeout_s: float = IMPORT_TIMEOUT_S
) -> Probe:
    """Import the app; the result's `error` says when it raised.

    Raises OriginError when it hangs or ends the process.
    """
    entry = project.settings.app.entry
    note(f"importing {entry} in a scratch copy")
    folder = project.folder("probe")
    try:
        copy = copy_origin(project, folder / "app").resolve()
        return _run(project, python, copy, timeout_s)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _run(project: Project, python: Path, copy: Path, timeout_s: float) -> Probe:
    entry = project.settings.app.entry
    output, log = copy.parent / "result.json", copy.parent / "output.log"
    settings = {"PYTHONDONTWRITEBYTECODE": "1", "MPLBACKEND": "agg"}
    settings |= read_database_variables(project, copy)
    arguments = [str(python), str(SCRIPTS / "probe_app.py"), str(output), str(copy)]
    process = SupervisedProcess(
        [*arguments, str(project.root), entry],
        cwd=copy,
        env=build_origin_env(project, copy, python, settings),
        log=log,
    )
    try:
        code = process.wait(timeout_s)
    finally:
        process.stop()
    if code is None:
        raise OriginError(
            f"The app {entry} does not finish its import",
            why=f"it still ran after {timeout_s:g} s; {_last_line(log)}",
            tip="move servers, loops and waiting below `if __name__ == '__main__':`, or set "
            "app.entry to the app object",
        )
    if not output.is_file():
        raise OriginError(
            f"The app {entry} ended its Python on import",
            why=f"exit code {code}; {_last_line(log)}",
            tip=f"see it yourself: python -c 'import {entry.partition(':')[0]}'",
        )
    return msgspec.json.decode(output.read_bytes(), type=Probe)


def read_database_variables(project: Project, copy: Path) -> dict[str, str]:
    """Return the variables that name the app's databases; SQLite files inside are those of a copy.

    Each has the form in which edgelift.toml writes it, a URL or a path. Raises UsageError when one
    refers to a variable that is not set.
    """
    found = {}
    for section in project.settings.databases:
        if section.env is None:
            continue
        url = expand_variables(section.url)
        file = find_sqlite_file(url, project.root) if is_sqlite_url(url) else None
        if file is not None and file.is_relative_to(project.root):
            place = copy / file.relative_to(project.root)
            scheme, separator, _ = url.partition("://")
            url = f"{scheme}:///{place}" if separator else str(place)
        found[section.env] = url
    return found


def _last_line(log: Path) -> str:
    lines = read_last_lines(log)
    return f"its last output: {lines[-1]}" if lines else "it printed nothing"


_MOST_NAMED = 4


def _find_unset(probe: Probe, message: str) -> list[str]:
    """Return the variables that the app's code reads and nobody sets, those in a message first."""
    names = {e.name for e in probe.env if e.path and e.default is None and e.name not in os.environ}
    return sorted(names, key=lambda name: (name not in message, name))[:_MOST_NAMED]


def explain_failure(project: Project, probe: Probe) -> OriginError:
    """Return the error that tells a user why the app cannot be imported."""
    failure = probe.error or ImportFailure(type="Error", message="unknown")
    module = project.settings.app.entry.partition(":")[0]
    root = project.settings.app.root
    see = f"{'' if root == '.' else f'cd {root} && '}python -c 'import {module}'"
    tip = f"see it yourself: {see}"
    required = [seen.name for seen in probe.env if seen.required]
    if failure.type == "KeyError" and failure.message.strip("'\"") in required:
        name = failure.message.strip("'\"")
        tip = f"the app needs the variable {name}: export {name}=... and run again"
    elif failure.missing_module:
        tip = (
            f"add the package of {failure.missing_module} to the requirement files, or set "
            "app.python in edgelift.toml to a Python that has it"
        )
    elif unset := _find_unset(probe, failure.message):
        tip = f"the app reads variables that are not set; if it needs them: export {unset[0]}=..."
        tip += f" (and {', '.join(unset[1:])})" if unset[1:] else ""
        tip += f"; or see it yourself: {see}"
    return OriginError(
        f"The app {project.settings.app.entry} cannot be imported", why=failure.text, tip=tip
    )
