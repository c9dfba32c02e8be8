"""A PostgreSQL of the tests' own: fresh cluster, free port, stopped and removed at the end.

`start_postgres(folder)` is a context manager; the fixture `postgres_server` keeps one server for
each test process, and `make_database` gives a test an empty database in it. As root the server
runs under another user. Passwords are checked (SCRAM) over TCP, `wal_level` is `logical`.
"""

from __future__ import annotations

import contextlib
import functools
import itertools
import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg
import pytest

USER = "edgelift"
PASSWORD = "very-secret-word"
SETTINGS = {
    "fsync": "off",
    "full_page_writes": "off",
    "max_connections": "60",
    "shared_buffers": "64MB",
    "wal_level": "logical",
    "max_wal_senders": "20",
    "max_replication_slots": "20",
    "max_prepared_transactions": "5",
    "max_wal_size": "1GB",
    "autovacuum": "off",
    "timezone": "UTC",
    "lc_messages": "C",
    "logging_collector": "off",
    "log_line_prefix": "%m [%p] %a ",
    "listen_addresses": "127.0.0.1",
}
_START_S = 60
_numbers = itertools.count(1)


@functools.cache
def find_programs() -> Path | None:
    """Return the folder with `initdb` and `postgres`, of the newest version found, or None."""
    versions = Path("/usr/lib/postgresql").glob("*/bin/initdb")
    for path in sorted(versions, key=lambda p: int(p.parts[-3]), reverse=True):
        return path.parent
    found = shutil.which("initdb")
    return Path(found).resolve().parent if found else None


def find_server_user() -> pwd.struct_passwd | None:
    """Return the user to run the server as: None for oneself, `postgres` or `nobody` as root."""
    if os.getuid() != 0:
        return None
    with contextlib.suppress(KeyError):
        return pwd.getpwnam("postgres")
    return pwd.getpwnam("nobody")


def find_free_port() -> int:
    """Return a TCP port of 127.0.0.1 that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass
class PostgresServer:
    """A running server; `url` is that of its superuser in the database `postgres`.

    `socket_folder` holds its unix socket, over which no password is asked. `certificate` is the
    server's own, self-signed, when it was started with `tls=True`.
    """

    folder: Path
    port: int
    settings: Mapping[str, str]
    auth: str
    certificate: Path | None = None
    process: subprocess.Popen[bytes] | None = field(default=None, repr=False)

    @property
    def data(self) -> Path:
        return self.folder / "data"

    @property
    def log(self) -> Path:
        return self.folder / "server.log"

    @property
    def socket_folder(self) -> Path:
        return self.folder

    @property
    def url(self) -> str:
        return self.url_of("postgres")

    def url_of(self, database: str, user: str = USER, password: str = PASSWORD) -> str:
        """Return the url of a database as a given user."""
        return f"postgresql://{user}:{password}@127.0.0.1:{self.port}/{database}"

    def connect(self, database: str = "postgres") -> psycopg.Connection[Any]:
        """Open an autocommit connection as the superuser."""
        return psycopg.connect(self.url_of(database), autocommit=True, connect_timeout=20)

    def run(self, sql: str, database: str = "postgres") -> list[tuple[Any, ...]]:
        """Run a script as the superuser and return the rows of its last statement."""
        with self.connect(database) as connection:
            cursor = connection.execute(sql)  # type: ignore[call-overload]
            while cursor.nextset():
                pass
            return cursor.fetchall() if cursor.description else []

    def create_database(self, name: str = "", options: str = "") -> str:
        """Create an empty database and return its url."""
        name = name or f"t{next(_numbers)}"
        self.run(f'CREATE DATABASE "{name}" TEMPLATE template0 {options}')
        return self.url_of(name)

    def start(self) -> None:
        """Start the server and wait until it answers; raises RuntimeError with its log if not.

        It ends with the thread that calls this, so that a killed test leaves no server behind.
        """
        arguments = [find_programs_or_fail() / "postgres", "-D", self.data]
        for name, value in {
            **SETTINGS,
            "port": str(self.port),
            "unix_socket_directories": str(self.socket_folder),
            **self.settings,
        }.items():
            arguments += ["-c", f"{name}={value}"]
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [*as_server_user("--pdeathsig", "QUIT"), *arguments],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=self.folder,
            )
        deadline = time.monotonic() + _START_S
        while True:
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"PostgreSQL did not start:\n{self.log.read_text()[-3000:]}")
            try:
                psycopg.connect(
                    host=str(self.socket_folder), port=self.port, user=USER, dbname="postgres"
                ).close()
            except psycopg.OperationalError:
                time.sleep(0.05)  # it is a server's start that is awaited: there is no event
            else:
                return

    def stop(self, how: signal.Signals = signal.SIGINT) -> None:
        """Stop the server by a `fast` shutdown: connections end, all is written."""
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(how)
            try:
                self.process.wait(30)
            except subprocess.TimeoutExpired:
                self.kill()
        self.process = None

    def kill(self) -> None:
        """Kill the server and all its backends with SIGKILL, as a power cut would."""
        if self.process is None:
            return
        if self.process.poll() is None:
            backends = self._read_children(self.process.pid)
            self.process.kill()
            for pid in backends:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            self.process.wait(30)
            while any(Path(f"/proc/{pid}").exists() for pid in backends):
                time.sleep(0.01)  # not our children: their end sends us no signal
        (self.data / "postmaster.pid").unlink(missing_ok=True)
        self.process = None

    def restart(self) -> None:
        """Stop the server if it runs, and start it again on the same port and data."""
        self.stop()
        self.start()

    def end_connections(self, condition: str = "true") -> int:
        """End other client connections that match a condition on pg_stat_activity."""
        rows = self.run(
            "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity "
            f"WHERE backend_type IN ('client backend', 'walsender') AND pid <> pg_backend_pid() AND ({condition})"
        )
        return int(rows[0][0])

    @staticmethod
    def _read_children(pid: int) -> list[int]:
        path = Path(f"/proc/{pid}/task/{pid}/children")
        return [int(word) for word in path.read_text().split()] if path.exists() else []


def find_programs_or_fail() -> Path:
    """Return the folder of the server's programs; raises RuntimeError when there is none."""
    programs = find_programs()
    if programs is None:
        raise RuntimeError("PostgreSQL's server programs are not installed")
    return programs


def as_server_user(*options: str) -> list[str | Path]:
    """Return the start of a command that runs as the server's user and dies with its parent."""
    user = find_server_user()
    setpriv = shutil.which("setpriv")
    if user is None:
        return [setpriv, *options, "--"] if setpriv and options else []
    if setpriv is None:
        return ["runuser", "-u", user.pw_name, "--"]
    ids = [f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", "--clear-groups"]
    return [setpriv, *ids, *options, "--"]


def _make_reachable(folder: Path | None) -> tuple[Path, bool]:
    """Return a folder that the server's user can reach, and whether it is to be removed after."""
    closed = folder is None or (
        os.getuid() == 0
        and any(p.exists() and not p.stat().st_mode & 0o001 for p in folder.absolute().parents)
    )
    # A socket's path has a limit of 107 bytes, which pytest's folders can exceed.
    if folder is None or closed or len(str(folder)) > 70:
        made = Path(tempfile.mkdtemp(prefix="edgelift-pg-"))
        made.chmod(0o755)
        return made, True
    folder.mkdir(parents=True, exist_ok=True)
    return folder, False


def _make_certificate(folder: Path) -> Path:
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "30"]
    command += ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"]
    command += ["-keyout", str(folder / "server.key"), "-out", str(folder / "server.crt")]
    subprocess.run(command, check=True, capture_output=True)
    (folder / "server.key").chmod(0o600)
    return folder / "server.crt"


@contextlib.contextmanager
def start_postgres(
    folder: Path | None = None,
    settings: Mapping[str, str] | None = None,
    *,
    auth: str = "scram-sha-256",
    tls: bool = False,
    locale: str = "C.UTF-8",
) -> Iterator[PostgresServer]:
    """Make a cluster, start it on a free port, and stop and remove it at the end.

    `settings` go over SETTINGS; `auth` is that of TCP connections (`trust`, `md5`,
    `scram-sha-256`). Data lies in `folder`, or in a temporary one where the server's user
    could not reach it (then `server.folder` says where).
    """
    place, temporary = _make_reachable(folder)
    settings = dict(settings or {})
    server = PostgresServer(place, find_free_port(), settings, auth)
    user = find_server_user()
    try:
        password = place / "password"
        password.write_text(PASSWORD)
        if tls:
            server.certificate = _make_certificate(place)
            settings |= {
                "ssl": "on",
                "ssl_cert_file": str(server.certificate),
                "ssl_key_file": str(place / "server.key"),
            }
        if user is not None:
            for path in (place, *place.iterdir()):
                os.chown(path, user.pw_uid, user.pw_gid)
        subprocess.run(
            [
                *as_server_user(),
                find_programs_or_fail() / "initdb",
                *("-D", server.data, "-U", USER, "-E", "UTF8", "--no-sync", "--no-instructions"),
                *(f"--locale={locale}", f"--pwfile={password}"),
                *("--auth-local=trust", f"--auth-host={auth}"),
            ],
            check=True,
            capture_output=True,
            cwd=place,
        )
        for attempt in range(3):
            try:
                server.start()
                break
            except RuntimeError:
                if attempt == 2 or "in use" not in server.log.read_text():
                    raise
                server.port = find_free_port()
        yield server
    finally:
        server.stop(signal.SIGQUIT)
        shutil.rmtree(place if temporary else server.data, ignore_errors=True)


@contextlib.contextmanager
def start_standby(primary: PostgresServer) -> Iterator[PostgresServer]:
    """Start a hot standby that streams from a running server; stopped and removed at the end."""
    place, _ = _make_reachable(None)
    user = find_server_user()
    if user is not None:
        os.chown(place, user.pw_uid, user.pw_gid)
    standby = PostgresServer(place, find_free_port(), {"hot_standby": "on"}, primary.auth)
    try:
        source = ["-h", primary.socket_folder, "-p", str(primary.port), "-U", USER]
        subprocess.run(
            [
                *as_server_user(),
                find_programs_or_fail() / "pg_basebackup",
                *(*source, "-D", standby.data, "-R", "-X", "stream", "--checkpoint=fast"),
            ],
            check=True,
            capture_output=True,
            cwd=place,
        )
        standby.start()
        yield standby
    finally:
        standby.stop(signal.SIGQUIT)
        shutil.rmtree(place, ignore_errors=True)


def require_postgres() -> None:
    """Skip the test, or fail in CI, where the server's programs are missing."""
    if find_programs() is None:
        reason = "PostgreSQL's server programs are missing: apt-get install postgresql-15"
        if os.environ.get("EDGELIFT_NEEDS_SERVERS"):
            pytest.fail(reason)
        pytest.skip(reason)


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[PostgresServer]:
    """Give one server to all tests of this process; tests make databases of their own in it."""
    require_postgres()
    with start_postgres() as server:
        yield server


@pytest.fixture
def make_database(postgres_server: PostgresServer) -> Iterator[Callable[[str], str]]:
    """Give a function that makes a database from a script and returns its url; dropped after."""
    names: list[str] = []

    def make(script: str = "", options: str = "") -> str:
        names.append(f"test_{os.getpid()}_{next(_numbers)}")
        url = postgres_server.create_database(names[-1], options)
        if script:
            postgres_server.run(script, names[-1])
        return url

    yield make
    for name in names:
        postgres_server.run(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')
