"""The tests' own PostgreSQL does what other tests rely on."""

from __future__ import annotations

import psycopg
import pytest

from tests.servers.postgres import PostgresServer, require_postgres, start_postgres


def test_what_was_committed_survives_a_kill_and_a_restart(tmp_path) -> None:
    require_postgres()
    with start_postgres(tmp_path / "pg") as server:
        server.run("CREATE TABLE t (a int); INSERT INTO t VALUES (1)")
        server.kill()
        with pytest.raises(psycopg.OperationalError):
            server.connect()
        server.start()
        assert server.run("SELECT a FROM t") == [(1,)]
        server.restart()
        assert server.run("SELECT a FROM t") == [(1,)]
        folder = server.folder
    assert not (folder / "data").exists()


def test_passwords_are_checked(postgres_server: PostgresServer) -> None:
    with pytest.raises(psycopg.OperationalError, match="password"):
        psycopg.connect(postgres_server.url_of("postgres", password="wrong"))


def test_databases_are_apart_and_dropped(postgres_server: PostgresServer, make_database) -> None:
    first, second = make_database("CREATE TABLE t (a int)"), make_database()
    with psycopg.connect(first) as one, psycopg.connect(second) as two:
        assert one.execute("SELECT count(*) FROM t").fetchone() == (0,)
        with pytest.raises(psycopg.errors.UndefinedTable):
            two.execute("SELECT * FROM t")
