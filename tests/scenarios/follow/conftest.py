"""One origin of each kind; what following left at a server is dropped after the test."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from edgelift.stages.init.database_settings import PASSWORD
from tests.scenarios.follow.origins import SCRIPTS, Origin


def make_postgres(url: str, folder: Path) -> Origin:
    password = urlsplit(url).password or ""
    return Origin("postgres", url, folder, environment={PASSWORD: password})


def make_sqlite(folder: Path) -> Origin:
    path = folder / "app.sqlite"
    with closing(sqlite3.connect(path)) as db:
        db.executescript(SCRIPTS["sqlite"])
    return Origin("sqlite", str(path), folder / "moved", ("--install-triggers",))


# Oracle's MySQL differs from MariaDB in its log; test_oracle.py shows the same shortly.
@pytest.fixture(
    params=["postgres", "mysql", "sqlite", pytest.param("oracle", marks=pytest.mark.nightly)]
)
def origin(request, tmp_path: Path) -> Iterator[Origin]:
    if request.param == "postgres":
        url = request.getfixturevalue("make_database")(SCRIPTS["postgres"])
        found = make_postgres(url, tmp_path / "moved")
        yield found
        server = request.getfixturevalue("postgres_server")
        server.run(
            "SELECT pg_terminate_backend(active_pid) FROM pg_replication_slots "
            "WHERE active_pid IS NOT NULL"
        )
        server.run(
            "SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots "
            f"WHERE database = '{url.rpartition('/')[2]}'"
        )
    elif request.param in {"mysql", "oracle"}:
        product = "mariadb_server" if request.param == "mysql" else "mysql_server"
        server = request.getfixturevalue(product)
        name = server.create_database("followed")
        server.run_script(SCRIPTS["mysql"], name)
        yield Origin("mysql", server.make_url(name), tmp_path / "moved")
    else:
        yield make_sqlite(tmp_path)
