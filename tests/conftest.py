"""Fixtures for all tests: the servers that tests start for themselves."""

from __future__ import annotations

from tests.servers.mariadb import mariadb_server, new_mariadb
from tests.servers.postgres import make_database, postgres_server

__all__ = ["make_database", "mariadb_server", "new_mariadb", "postgres_server"]
