"""Writes the answers of the real servers, and the same database as edgelift moves it.

  python -m tests.cases.moved_sqlalchemy.record postgresql

The driver is the real one: PostgreSQL's is asked in an environment of its own.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

from tests.cases.moved_drivers.record import write_moved
from tests.cases.moved_sqlalchemy.replay import HERE
from tests.servers.mariadb import start_mariadb
from tests.servers.postgres import start_postgres
from tests.shared_venv import make_venv

ROOT = HERE.parents[2]


def ask(step: str, origin: str, url: str, target: Path = HERE) -> None:
    """Do a step of this file where the real driver is."""
    python = Path(sys.executable)
    if origin == "postgresql":
        needs = ["sqlalchemy==2.1.9", "psycopg2-binary==2.9.13"]
        python = make_venv("moved-sqlalchemy-2.1.9", needs) / "bin/python"
    command = [python, "-m", "tests.cases.moved_sqlalchemy.asking", step, origin, url, str(target)]
    subprocess.run(command, check=True, cwd=ROOT)


def record(origin: str, url: str, driver: str, target: Path) -> None:
    """Make the tables on a server, move them, and ask the server."""
    asked = url.replace(f"{origin}:", f"{origin}+{driver}:", 1)
    ask("fill", origin, asked)
    with tempfile.TemporaryDirectory() as name:
        write_moved(origin, url, Path(name), target.parent)
    ask("answers", origin, asked, target)


def record_anew(origin: str, target: Path) -> None:
    """Record an engine's answers from a server that is started for it."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "server"
        if origin == "postgresql":
            with start_postgres(folder) as server:
                server.run("CREATE DATABASE cases")
                record(origin, server.url_of("cases"), "psycopg2", target)
            return
        with start_mariadb(folder) as mariadb:
            record(origin, mariadb.make_url(mariadb.create_database("cases")), "pymysql", target)


def main() -> int:
    """Record an engine's answers, into the case file or another."""
    origin = sys.argv[1]
    record_anew(origin, Path(sys.argv[2]) if len(sys.argv) > 2 else HERE / f"{origin}.txt")
    return 0


if __name__ == "__main__":
    sys.exit(main())
