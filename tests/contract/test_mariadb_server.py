"""The tests' own MariaDB: starts, stops, survives being killed, and takes settings."""

from __future__ import annotations

from collections.abc import Callable

import pymysql
import pytest

from tests.servers.mariadb import MariaDb


def test_databases_are_apart(mariadb_server: MariaDb) -> None:
    first, second = mariadb_server.create_database(), mariadb_server.create_database()
    mariadb_server.run_script("CREATE TABLE t (a INT); INSERT INTO t VALUES (1)", first)
    assert first != second
    assert mariadb_server.execute("SHOW TABLES", database=second) == []
    assert mariadb_server.run_script("SELECT a FROM t", first) == "a\n1\n"


def test_what_was_committed_outlives_a_kill(new_mariadb: Callable[..., MariaDb]) -> None:
    server = new_mariadb({"innodb-flush-log-at-trx-commit": "1"})
    server.run_script("CREATE TABLE t (a INT) ENGINE=InnoDB; INSERT INTO t VALUES (7)")
    server.kill()
    with pytest.raises(pymysql.err.OperationalError):
        server.connect("app")
    server.start()
    assert server.execute("SELECT a FROM t", database="app") == [(7,)]
    server.restart({"max-connections": "17"})
    assert server.execute("SELECT @@max_connections") == [(17,)]
