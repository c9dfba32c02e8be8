"""One workerd with D1 for the tests of the SQL driver; each test gets a database of its own."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from edgelift.worker import sqlite3 as driver
from edgelift.worker.sqlite3.registry import configure
from tests.workerd.sql_driver.d1_server import BINDINGS, HttpTransport, serve_d1

DATABASE = "/app/instance/x.db"
_unused = iter(BINDINGS)


@pytest.fixture(scope="session")
def d1_transport(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HttpTransport]:
    with serve_d1(tmp_path_factory.mktemp("d1") / "run") as transport:
        yield transport


@pytest.fixture
def d1(d1_transport: HttpTransport) -> Iterator[Any]:
    """An empty database in D1, reached as DATABASE."""
    configure([{"binding": next(_unused), "path": DATABASE}], d1_transport)
    connection = driver.connect(DATABASE)
    d1_transport.requests.clear()
    yield connection
    connection.close()
    configure([])
