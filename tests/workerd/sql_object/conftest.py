"""One workerd with the SQL object for these tests; each test gets a database of its own."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

import pytest

from edgelift.worker import sqlite3 as driver
from edgelift.worker.sqlite3.registry import configure
from tests.workerd.sql_object.object_server import (
    HttpObjectTransport,
    ObjectServer,
    serve_object,
)

DATABASE = "/app/instance/object.db"
_numbers = itertools.count(1)


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ObjectServer]:
    with serve_object(tmp_path_factory.mktemp("object") / "run") as running:
        yield running


@pytest.fixture
def carrier(server: ObjectServer) -> Iterator[HttpObjectTransport]:
    """The way to an empty object, which sqlite3.connect(DATABASE) opens."""
    made = HttpObjectTransport(server, f"test-{next(_numbers)}")
    settings = [{"binding": "DB", "path": DATABASE, "strategy": "object"}]
    configure(settings, carrier=made)
    yield made
    configure([])


@pytest.fixture
def connection(carrier: HttpObjectTransport) -> Iterator[Any]:
    opened = driver.connect(DATABASE)
    yield opened
    opened.close()
