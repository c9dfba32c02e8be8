"""Fixtures for all tests: the servers that tests start for themselves; which tests run every time."""

from __future__ import annotations

import os

import pytest

from tests.servers.mariadb import mariadb_server, new_mariadb
from tests.servers.mysql import mysql_server
from tests.servers.postgres import make_database, postgres_server

__all__ = ["make_database", "mariadb_server", "mysql_server", "new_mariadb", "postgres_server"]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Leave long variants out unless they are asked for."""
    if os.environ.get("EDGELIFT_NIGHTLY"):
        return
    for item in items:
        if item.get_closest_marker("nightly"):
            item.add_marker(pytest.mark.skip(reason="a long variant: EDGELIFT_NIGHTLY=1 runs it"))
