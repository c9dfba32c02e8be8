"""One workerd with D1 for the tests of the SQL driver."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from edgelift.worker import sqlite3 as driver
from edgelift.worker.sqlite3.registry import configure
from tests.workerd.sql_driver.d1_server import HttpTransport, serve_d1

DATABASE = "/app/instance/x.db"


@pytest.fixture(scope="session")
def d1_transport(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HttpTransport]:
    with serve_d1(tmp_path_factory.mktemp("d1") / "run") as transport:
        yield transport


def clear_database(connection: Any) -> None:
    """Drop everything in a database, children before parents."""
    kinds = {"view": 0, "trigger": 1, "table": 2}
    query = "SELECT type, name FROM sqlite_master WHERE type IN ('view', 'trigger', 'table')"
    shadows = (
        "_data",
        "_idx",
        "_content",
        "_docsize",
        "_config",
    )  # of FTS5: they go with their table
    rows = [
        row
        for row in connection.execute(query).fetchall()
        if not row[1].startswith("sqlite_") and not row[1].endswith(shadows)
    ]
    drops = [
        f'DROP {kind} IF EXISTS "{name}"' for kind, name in sorted(rows, key=lambda r: kinds[r[0]])
    ]
    from edgelift.worker.sqlite3.fitting import Fitted

    texts = ["PRAGMA defer_foreign_keys=ON", *drops, "DROP TABLE IF EXISTS _edgelift_pragmas"]
    connection.database.ask([(Fitted(text, []), "run") for text in texts])
    connection.database.forget()


@pytest.fixture
def d1(d1_transport: HttpTransport) -> Iterator[Any]:
    """An empty database in D1, reached as DATABASE."""
    configure([{"binding": "DB", "path": DATABASE}], d1_transport)
    connection = driver.connect(DATABASE)
    clear_database(connection)
    d1_transport.requests.clear()
    yield connection
    connection.close()
    configure([])
