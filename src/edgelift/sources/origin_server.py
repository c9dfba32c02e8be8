"""The origin app as a server on this machine: verify and benchmarks start it on a scratch copy.

It never runs in the origin's own folder nor on its own database: `place_databases` copies each
snapshot to where the app looks for it inside the scratch copy. WSGI apps run under gunicorn when
the origin's Python has it (one worker, four threads), else under wsgiref; ASGI under uvicorn.
"""

from __future__ import annotations

import contextlib
import functools
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Self

from edgelift.errors import OriginError, UsageError
from edgelift.project import expand_variables
from edgelift.sources.sqlite_url import find_sqlite_file, is_sqlite_url

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from edgelift.project import DatabaseSection, Project

SCRIPTS = Path(__file__).parent / "origin_scripts"
START_TIMEOUT_S = 60.0
GRACE_S = 3.0
# A request line that every HTTP server refuses by itself: the app is loaded when it is answered,
# and never sees it, so that asking leaves no trace in the app's state.
PROBE = b"edgelift\r\n\r\n"
# What a program needs from the surroundings; all else the app sees is declared in edgelift.toml.
INHERITED = ("PATH", "HOME", "LANG", "LC_ALL", "TZ", "TMPDIR", "LD_LIBRARY_PATH", "SYSTEMROOT")


def database_file(project: Project, section: DatabaseSection) -> Path | None:
    """Return the SQLite file a database section points at, None for other databases and memory."""
    if not is_sqlite_url(expand_variables(section.url)):
        return None
    with contextlib.suppress(UsageError):
        return find_sqlite_file(section.url, project.root)
    return None


def place_databases(
    project: Project, copy: Path, snapshots: Mapping[str, Path]
) -> tuple[dict[str, Path], dict[str, str]]:
    """Copy database snapshots into a scratch copy of the origin, where the app looks for them.

    Returns the placed file by database name, and the variables that point the app at them. Raises
    OriginError when the app would open a file outside the copy and no variable can redirect it.
    """
    placed: dict[str, Path] = {}
    variables: dict[str, str] = {}
    for section in project.settings.databases:
        file = database_file(project, section)
        if section.name not in snapshots or file is None:
            continue
        file = Path(os.path.normpath(file))
        inside = file.is_relative_to(project.root)
        if not inside and not section.env:
            raise OriginError(
                f"The origin cannot be run on a copy of the database {section.name}",
                why=f"it is at {file}, outside the project, and no variable sets its place",
                tip=f"set databases.env for {section.name} in edgelift.toml",
            )
        relative = (
            file.relative_to(project.root)
            if inside
            else Path(".edgelift-databases") / f"{section.name}.sqlite"
        )
        target = copy / relative
        copy_database(snapshots[section.name], target)
        placed[section.name] = target
        if section.env:
            variables[section.env] = _database_variable(section, target)
    return placed, variables


def _database_variable(section: DatabaseSection, target: Path) -> str:
    """Return what the variable must hold: a URL or a path, as the project file writes it."""
    scheme, separator, _ = expand_variables(section.url).partition("://")
    return f"{scheme}:///{target}" if separator else str(target)


def copy_database(source: Path, target: Path) -> None:
    """Copy a SQLite file that nobody writes; leftovers of an older copy (WAL) are removed."""
    target.parent.mkdir(parents=True, exist_ok=True)
    for suffix in ("", "-wal", "-shm", "-journal"):
        Path(f"{target}{suffix}").unlink(missing_ok=True)
    try:
        shutil.copyfile(source, target)
    except OSError as error:
        raise OriginError(
            f"The database snapshot {source} cannot be copied",
            why=str(error.strerror or error),
            tip="run edgelift data again; check the free space",
        ) from error


def build_origin_env(
    project: Project, copy: Path, python: Path, extra: Mapping[str, str]
) -> dict[str, str]:
    """Return the origin's environment: few inherited names, the declared ones, then `extra`."""
    values = {name: os.environ[name] for name in INHERITED if name in os.environ}
    for name, variable in project.settings.env.items():
        value = os.environ.get(name) if variable.secret else variable.value
        if value is not None:
            values[name] = value
    values.update(extra)
    values["PATH"] = f"{python.parent}{os.pathsep}{values.get('PATH', os.defpath)}"
    import_root = copy / project.settings.app.root
    known = values.get("PYTHONPATH")
    values["PYTHONPATH"] = f"{import_root}{os.pathsep}{known}" if known else str(import_root)
    values["PYTHONUNBUFFERED"] = "1"
    return values


def read_last_lines(log: Path, count: int = 1) -> list[str]:
    """Return the last non-empty lines of a log file, oldest first."""
    try:
        text = log.read_bytes()[-65536:].decode(errors="replace")
    except OSError:
        return []
    return [line.strip() for line in text.splitlines() if line.strip()][-count:]


class SupervisedProcess:
    """A program whose process group ends with `stop`, or when edgelift dies, even by SIGKILL."""

    def __init__(
        self,
        arguments: Sequence[str],
        *,
        cwd: Path,
        env: Mapping[str, str],
        log: Path,
        fds: tuple[int, ...] = (),
    ) -> None:
        log.parent.mkdir(parents=True, exist_ok=True)
        self.log = log
        passed = ",".join(map(str, fds)) or "-"
        supervisor = [sys.executable, "-I", "-S", str(SCRIPTS / "supervise.py"), str(GRACE_S)]
        with log.open("ab") as output:
            self._process = subprocess.Popen(
                [*supervisor, passed, *arguments],
                cwd=cwd,
                env=dict(env),
                stdin=subprocess.PIPE,
                stdout=output,
                stderr=subprocess.STDOUT,
                pass_fds=fds,
                start_new_session=True,
            )

    def exit_code(self) -> int | None:
        """Return the exit code, None while the program runs."""
        return self._process.poll()

    def wait(self, timeout_s: float) -> int | None:
        """Wait for the program's end; returns its exit code, None when the time was not enough."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            return self._process.wait(timeout_s)
        return None

    def stop(self) -> None:
        """End the program and everything it started; does nothing when it ended before."""
        if self._process.stdin is not None:
            with contextlib.suppress(OSError):
                self._process.stdin.close()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(GRACE_S * 2)
            return
        self._process.send_signal(signal.SIGKILL)
        self._process.wait()


@dataclass(frozen=True)
class OriginPlace:
    """A scratch copy ready to run: its databases by name, and the app's whole environment."""

    copy: Path
    python: Path
    databases: dict[str, Path]
    env: dict[str, str]


@dataclass
class OriginServer:
    """A running origin; `databases` are its live SQLite files by name."""

    url: str
    server: str
    place: OriginPlace
    log: Path
    process: SupervisedProcess

    @property
    def databases(self) -> dict[str, Path]:
        """Return the live SQLite files by name, free to read after `stop`."""
        return self.place.databases

    def check_alive(self) -> None:
        """Raise OriginError, with the end of its log, when the origin's server has ended."""
        code = self.process.exit_code()
        if code is not None:
            raise _explain_exit(code, self.log, "The origin app stopped")

    def read_log_tail(self, lines: int = 20) -> list[str]:
        """Return the last lines of the server's log, oldest first."""
        return read_last_lines(self.log, lines)

    def stop(self) -> None:
        """Stop the server and its workers; safe to call twice."""
        self.process.stop()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exc: object) -> None:
        self.stop()


def start_origin(
    project: Project,
    *,
    copy: Path,
    python: Path,
    databases: Mapping[str, Path],
    env: Mapping[str, str],
    log: Path,
) -> OriginServer:
    """Start the origin in a scratch copy of its folder and return once it answers HTTP.

    `databases` maps names to snapshot files, which are copied and never written; `env` is added to
    the declared variables. The port is chosen by the system. Raises OriginError with the last line
    of the log when the app does not come up.
    """
    place = prepare_origin(project, copy=copy, python=python, databases=databases, env=env)
    return serve_origin(project, place, log)


def prepare_origin(
    project: Project,
    *,
    copy: Path,
    python: Path,
    databases: Mapping[str, Path],
    env: Mapping[str, str],
) -> OriginPlace:
    """Place the databases in a scratch copy and return all that is needed to run the app there."""
    copy, python = copy.absolute(), python.absolute()  # not resolved: a venv's python is a link
    placed, variables = place_databases(project, copy, databases)
    values = build_origin_env(project, copy, python, {**variables, **env})
    return OriginPlace(copy, python, placed, values)


def serve_origin(project: Project, place: OriginPlace, log: Path) -> OriginServer:
    """Start the origin's server in a prepared copy; see start_origin."""
    listener = socket.socket()
    # The socket is made here and inherited: no other program can take the port in between.
    with listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(128)
        listener.set_inheritable(True)
        port = int(listener.getsockname()[1])
        name, arguments = build_server_command(project, place.python, listener.fileno())
        process = SupervisedProcess(
            arguments, cwd=place.copy, env=place.env, log=log, fds=(listener.fileno(),)
        )
    try:
        _wait_ready(process, port, log)
    except BaseException:
        process.stop()
        raise
    return OriginServer(f"http://127.0.0.1:{port}", name, place, log, process)


def build_server_command(project: Project, python: Path, fd: int) -> tuple[str, list[str]]:
    """Return the server's name and the command that serves the app on an inherited socket."""
    entry = project.settings.app.entry
    if project.settings.app.framework in {"fastapi", "asgi"}:
        if not has_module(python, "uvicorn"):
            raise OriginError(
                "The origin app cannot be started",
                why=f"it is an ASGI app and {python} has no uvicorn",
                tip="add uvicorn to the origin's requirements",
            )
        factory = ["--factory"] if entry.endswith("()") else []
        options = ["--fd", str(fd), "--no-access-log", "--lifespan", "auto", *factory]
        return "uvicorn", [str(python), "-m", "uvicorn", *options, entry.removesuffix("()")]
    if has_module(python, "gunicorn"):
        # Naming a file keeps gunicorn from the origin's gunicorn.conf.py: its ports, logs.
        options = ["--config", str(SCRIPTS / "gunicorn_settings.py"), "--bind", f"fd://{fd}"]
        return "gunicorn", [str(python), "-m", "gunicorn", *options, entry]
    return "wsgiref", [str(python), str(SCRIPTS / "serve_wsgi.py"), str(fd), entry]


@functools.cache
def has_module(python: Path, module: str) -> bool:
    """Return whether a Python can import a module; raises OriginError when it does not run."""
    code = f"import importlib.util, sys; sys.exit(importlib.util.find_spec({module!r}) is None)"
    try:
        result = subprocess.run([python, "-c", code], capture_output=True, check=False)
    except OSError as error:
        raise OriginError(
            f"The origin's Python {python} does not run",
            why=str(error.strerror or error),
            tip="set app.python in edgelift.toml to a Python that has the app's packages",
        ) from error
    return result.returncode == 0


def _wait_ready(process: SupervisedProcess, port: int, log: Path) -> None:
    deadline = time.monotonic() + START_TIMEOUT_S
    while time.monotonic() < deadline:
        if (code := process.exit_code()) is not None:
            raise _explain_exit(code, log, "The origin app did not start")
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1) as sock:
            sock.sendall(PROBE)
            if _answers(sock, process, deadline):
                return
        process.wait(0.02)
    raise OriginError(
        "The origin app did not start",
        why=f"no answer after {START_TIMEOUT_S:g} s; last log line: {_last_line(log)}",
        tip=f"read {log}",
    )


def _answers(sock: socket.socket, process: SupervisedProcess, deadline: float) -> bool:
    """Wait for a reply on a connection the listening socket has already taken in."""
    sock.settimeout(0.1)
    while process.exit_code() is None and time.monotonic() < deadline:
        try:
            return sock.recv(1) != b""
        except TimeoutError:
            continue
    return False


def _last_line(log: Path) -> str:
    lines = read_last_lines(log, 40)
    # gunicorn reports a broken app by its traceback and then talks about itself.
    telling = [line for line in lines if not line.startswith("[")]
    return (telling or lines or ["the log is empty"])[-1]


def _explain_exit(code: int, log: Path, what: str) -> OriginError:
    return OriginError(what, why=f"{_last_line(log)} (exit code {code})", tip=f"read {log}")
