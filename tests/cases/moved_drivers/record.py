"""Writes the cases anew: what a real server gives, and the same database as edgelift moves it.

python -m tests.cases.moved_drivers.record postgresql
"""

from __future__ import annotations

import json
import sqlite3
import sys
import tempfile
from contextlib import closing
from pathlib import Path

import msgspec

from tests.cases.moved_drivers.replay import HERE, open_postgresql, record
from tests.contract.mover.moving import Moving, judge
from tests.servers.mariadb import start_mariadb
from tests.servers.postgres import start_postgres


def write_moved(engine: str, url: str, folder: Path, target: Path = HERE) -> None:
    """Move a database and write it as SQL, with what its statements may name."""
    moving = Moving(url=url, part=folder / "moved.sqlite", judgement=judge(url))
    moving.copy()
    with closing(sqlite3.connect(moving.part)) as db:
        script = "\n".join(db.iterdump())
    (target / f"{engine}.moved.sql").write_text(script + "\n")
    known = msgspec.to_builtins(moving.plan.vocabulary)
    (target / f"{engine}.json").write_text(json.dumps(known, indent=1, ensure_ascii=False) + "\n")


def record_postgresql(folder: Path) -> None:
    """Record what PostgreSQL gives."""
    with start_postgres(folder / "server") as server:
        server.run("CREATE DATABASE cases")
        server.run((HERE / "postgresql.sql").read_text(), "cases")
        write_moved("postgresql", server.url_of("cases"), folder)
        with closing(open_postgresql(server.url_of("cases"))) as connection:
            record("postgresql", connection)


def record_mysql(folder: Path) -> None:
    """Record what MariaDB gives."""
    with start_mariadb(folder / "server") as server:
        name = server.create_database("cases")
        server.run_script((HERE / "mysql.sql").read_text(), name)
        write_moved("mysql", server.make_url(name), folder)
        with closing(server.connect(name)) as connection:
            connection.autocommit(True)
            connection.cursor().execute("SET sql_mode = 'STRICT_TRANS_TABLES'")
            record("mysql", connection)


def main() -> int:
    """Record an engine's cases."""
    with tempfile.TemporaryDirectory() as name:
        {"postgresql": record_postgresql, "mysql": record_mysql}[sys.argv[1]](Path(name))
    return 0


if __name__ == "__main__":
    sys.exit(main())
