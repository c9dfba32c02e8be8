"""Databases that the tests of PostgreSQL as an origin share."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from edgelift.sources.postgres import PostgresDatabase, open_postgres
from tests.servers.postgres import PostgresServer

CASES = Path(__file__).resolve().parents[2] / "cases" / "postgres"


@pytest.fixture(scope="session")
def everything_url(postgres_server: PostgresServer) -> str:
    """Return the url of a database with every type and kind of object; tests only read it."""
    url = postgres_server.create_database("everything", "LC_COLLATE 'C.UTF-8' LC_CTYPE 'C.UTF-8'")
    postgres_server.run((CASES / "everything.sql").read_text(), "everything")
    return url


@pytest.fixture
def everything(everything_url: str) -> Iterator[PostgresDatabase]:
    with open_postgres(everything_url) as database:
        yield database
