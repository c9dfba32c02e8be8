"""A database with every kind of object, and short ways to the adapter."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from edgelift.sources.mysql import MySqlDatabase, open_mysql
from tests.servers.mariadb import MariaDb

SCRIPT = Path(__file__).with_name("every_object.sql")


@pytest.fixture(scope="session")
def every(mariadb_server: MariaDb) -> str:
    """The name of a database with every object; tests only read it."""
    name = mariadb_server.create_database("every", "CHARACTER SET utf8mb4")
    mariadb_server.run_script(SCRIPT.read_text().replace("{schema}", name), name)
    return name


@pytest.fixture
def open_database(mariadb_server: MariaDb) -> Iterator[Callable[..., MySqlDatabase]]:
    """Open databases of the shared server with the adapter; they are closed after the test."""
    with ExitStack() as stack:

        def open_named(name: str, user: str = "root", password: str = "") -> MySqlDatabase:
            url = mariadb_server.make_url(name, user, password)
            return stack.enter_context(open_mysql(url))

        yield open_named


@pytest.fixture
def make_database(mariadb_server: MariaDb) -> Callable[[str], str]:
    """Make a database from a script and return its name."""

    def make(script: str) -> str:
        name = mariadb_server.create_database()
        mariadb_server.run_script(script, name)
        return name

    return make
