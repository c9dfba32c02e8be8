"""A MariaDB server of the tests' own: a fresh instance on a free port in a temporary folder."""

from __future__ import annotations

import getpass
import hashlib
import itertools
import os
import shutil
import socket
import subprocess
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import quote

import pymysql
import pytest
from filelock import FileLock

CACHE = Path(__file__).resolve().parents[2] / ".cache"
_SETTINGS: dict[str, str] = {
    "bind-address": "127.0.0.1",
    "character-set-server": "utf8mb4",
    "collation-server": "utf8mb4_general_ci",
    "innodb-buffer-pool-size": "64M",
    "innodb-flush-log-at-trx-commit": "0",
    "innodb-fast-shutdown": "1",
    "innodb-log-file-size": "16M",
    # Many servers at once would use up the machine's asynchronous requests.
    "innodb-use-native-aio": "0",
    "log-bin": "binlog",
    "binlog-format": "ROW",
    "binlog-row-image": "FULL",
    "binlog-row-metadata": "FULL",
    "server-id": "1",
    "skip-name-resolve": "1",
    "sql-mode": "",
    "performance-schema": "0",
    "event-scheduler": "OFF",
    "max-allowed-packet": "64M",
}
_numbers = itertools.count(1)
Server = TypeVar("Server", bound="MariaDb")


@dataclass
class MariaDb:
    """A running instance; `root` may do everything and has no password."""

    folder: Path
    port: int
    settings: dict[str, str] = field(default_factory=dict)
    process: subprocess.Popen[bytes] | None = None

    product = "MariaDB"

    @property
    def url(self) -> str:
        """The URL of the database `app`, as root."""
        return self.make_url("app")

    @property
    def log(self) -> Path:
        return self.folder / "server.log"

    @property
    def data(self) -> Path:
        return self.folder / "data"

    def make_url(self, database: str, user: str = "root", password: str = "") -> str:
        secret = f":{quote(password, safe='')}" if password else ""
        return f"mysql://{user}{secret}@127.0.0.1:{self.port}/{quote(database, safe='')}"

    def connect(self, database: str | None = None, **settings: Any) -> pymysql.Connection[Any]:
        settings.setdefault("user", "root")
        settings.setdefault("charset", "utf8mb4")
        settings.setdefault("autocommit", True)
        return pymysql.connect(host="127.0.0.1", port=self.port, database=database, **settings)

    def execute(self, statement: str, *values: object, database: str | None = None) -> list[tuple]:
        """Run one statement as root and return its rows."""
        with self.connect(database) as connection, connection.cursor() as cursor:
            cursor.execute(statement, values or None)
            return list(cursor.fetchall())

    def run_script(self, script: str | bytes, database: str = "app") -> str:
        """Run a script with the server's own client, which knows DELIMITER; return its output."""
        return self.run_client(["--batch", "--raw", database], script)

    def run_client(self, arguments: list[str], script: str | bytes) -> str:
        client = shutil.which("mariadb") or shutil.which("mysql") or "mariadb"
        where = ["--no-defaults", "-h127.0.0.1", f"-P{self.port}", "-uroot"]
        done = subprocess.run(
            [client, *where, "--default-character-set=utf8mb4", *arguments],
            input=script.encode() if isinstance(script, str) else script,
            capture_output=True,
            check=False,
        )
        if done.returncode:
            raise AssertionError(done.stderr.decode(errors="replace"))
        return done.stdout.decode()

    @contextmanager
    def be_strict(self) -> Iterator[None]:
        """Refuse what does not fit, as servers do by default, for connections made meanwhile."""
        self.execute("SET GLOBAL sql_mode = 'STRICT_TRANS_TABLES'")
        try:
            yield
        finally:
            self.execute("SET GLOBAL sql_mode = ''")

    def load_zones(self, *names: str) -> None:
        """Tell the server of time zones by their names, as CONVERT_TZ needs it."""
        tool = shutil.which("mariadb-tzinfo-to-sql") or "mysql_tzinfo_to_sql"
        for name in names:
            command = [tool, f"/usr/share/zoneinfo/{name}", name]
            done = subprocess.run(command, capture_output=True, text=True, check=True)
            self.run_script(done.stdout, "mysql")

    def create_database(self, name: str = "case", options: str = "") -> str:
        """Create an empty database of a name that no other test has, and return the name."""
        unique = f"{name}_{next(_numbers)}"
        self.execute(f"CREATE DATABASE `{unique}` {options}")
        return unique

    def start(self) -> None:
        """Start the server and return when it answers."""
        options = self.list_options() | {"port": str(self.port)} | self.settings
        lines = [f"{name}={value}" for name, value in options.items()]
        folder = self.folder
        own = folder / "tmp"  # servers clear what they find in a shared one when they start
        own.mkdir(exist_ok=True)
        own.chmod(0o777)
        paths = [
            f"tmpdir={own}",
            f"datadir={self.data}",
            f"socket={folder}/s",
            f"pid-file={folder}/pid",
        ]
        (folder / "my.cnf").write_text("\n".join(["[mysqld]", *paths, *lines, ""]))
        command = [self.find_server(), f"--defaults-file={folder}/my.cnf", *_user_option()]
        tied = ["setpriv", "--pdeathsig", "KILL"] if shutil.which("setpriv") else []
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [*tied, *command], stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )
        while not self._answers():
            try:
                self.process.wait(0.05)
            except subprocess.TimeoutExpired:
                continue
            raise AssertionError(f"{self.product} did not start:\n{self.log.read_text()[-3000:]}")

    def install(self) -> None:
        """Put the data of a fresh server into its folder."""
        _install(self)

    def list_options(self) -> dict[str, str]:
        """Return the settings of all tests, by their names without the dashes."""
        return dict(_SETTINGS)

    def find_server(self) -> str:
        """Return the server's program."""
        return _find_server()

    def stop(self) -> None:
        """Shut the server down in order."""
        if self.process:
            self.process.terminate()
            self.process.wait(60)
            self.process = None

    def kill(self) -> None:
        """End the server as a power cut would."""
        if self.process:
            self.process.kill()
            self.process.wait(60)
            self.process = None

    def restart(self, settings: Mapping[str, str] | None = None) -> None:
        """Stop and start again on the same port, with settings changed."""
        self.stop()
        self.settings |= settings or {}
        self.start()

    def _answers(self) -> bool:
        try:
            self.connect().close()
        except pymysql.err.OperationalError:
            return False
        return True


@contextmanager
def start_mariadb(folder: Path, settings: Mapping[str, str] | None = None) -> Iterator[MariaDb]:
    """Run an own MariaDB in `folder`; settings are options of `mariadbd` without the dashes."""
    require_mariadb()
    with run_server(MariaDb(folder, find_free_port(), dict(settings or {}))) as server:
        yield server


@contextmanager
def run_server(server: Server) -> Iterator[Server]:
    """Install a server in its folder and run it, with an empty database `app`."""
    server.folder.mkdir(parents=True, exist_ok=True)
    server.install()
    try:
        server.start()
        server.execute("CREATE DATABASE IF NOT EXISTS app")
        yield server
    finally:
        server.kill()


def require_mariadb() -> None:
    """Skip the test where MariaDB is not installed."""
    if not (_find_server() and _find_installer()):
        pytest.skip("mariadbd is not installed (Debian: apt-get install mariadb-server)")


@pytest.fixture(scope="session")
def mariadb_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MariaDb]:
    """One server per test worker; tests take a database of their own from `create_database`."""
    with start_mariadb(tmp_path_factory.mktemp("mariadb")) as server:
        yield server


@pytest.fixture
def new_mariadb(tmp_path: Path) -> Iterator[Callable[..., MariaDb]]:
    """Start servers that one test alone may stop, kill and fill up."""
    stack: list[Any] = []

    def start(settings: Mapping[str, str] | None = None) -> MariaDb:
        running = start_mariadb(tmp_path / f"mariadb{len(stack)}", settings)
        stack.append(running)
        return running.__enter__()

    yield start
    for running in reversed(stack):
        running.__exit__(None, None, None)


def _install(server: MariaDb) -> None:
    """Copy the data of a server that was just installed; that is made once for all tests."""
    version = subprocess.run([_find_server(), "--version"], capture_output=True, check=True).stdout
    label = f"mariadb-{getpass.getuser()}-{hashlib.sha256(version).hexdigest()[:12]}"
    fresh = CACHE / label
    CACHE.mkdir(exist_ok=True)
    with FileLock(CACHE / f"{label}.lock"):
        if not fresh.exists():
            making = CACHE / f"{label}.new"
            shutil.rmtree(making, ignore_errors=True)
            _make_data(making)
            making.rename(fresh)
    shutil.copytree(fresh, server.data)


def _make_data(folder: Path) -> None:
    options = [
        f"--datadir={folder}",
        "--auth-root-authentication-method=normal",
        "--skip-test-db",
        "--skip-name-resolve",
        "--innodb-log-file-size=16M",
        "--innodb-use-native-aio=0",
    ]
    done = subprocess.run(
        [_find_installer(), "--no-defaults", *options, *_user_option()],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise AssertionError(f"mariadb-install-db failed:\n{done.stdout}{done.stderr}")


def _user_option() -> list[str]:
    # As root the server refuses to run without being told that root is meant.
    return [f"--user={getpass.getuser()}"] if os.getuid() == 0 else []


def _find_server() -> str:
    return shutil.which("mariadbd", path=_search_path()) or ""


def _find_installer() -> str:
    return shutil.which("mariadb-install-db", path=_search_path()) or ""


def _search_path() -> str:
    return f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin"


def find_free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
