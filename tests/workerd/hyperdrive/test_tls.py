"""TLS from the app's own sockets: trusted by edgelift.toml's authorities, checked by host name."""

from __future__ import annotations

import httpx
import pytest

from edgelift.model.server_url import ServerUrl
from tests.servers.mariadb import MariaDb
from tests.servers.postgres import PASSWORD, USER, PostgresServer
from tests.workerd.hyperdrive.conftest import PATIENCE_S, Build, Start

pytestmark = [pytest.mark.workerd, pytest.mark.xdist_group("hyperdrive")]


def ask_postgres(client: httpx.Client, server: PostgresServer, host: str, tls: str = "1") -> dict:
    login = {"user": USER, "password": PASSWORD, "database": "postgres"}
    where = {"host": host, "port": server.port, "tls": tls}
    return client.get("/direct", params={**login, **where}).json()


def ask_mysql(client: httpx.Client, server: MariaDb, host: str, tls: str = "1") -> dict:
    login = {"user": "root", "password": ""}
    where = {"host": host, "port": server.port, "tls": tls}
    return client.get("/direct-mysql", params={**login, **where}).json()


def test_pg8000_with_scram_over_tls(client: httpx.Client, postgres: PostgresServer) -> None:
    assert ask_postgres(client, postgres, "localhost") == {"tls": True}
    assert ask_postgres(client, postgres, "127.0.0.1", tls="") == {"tls": False}


def test_another_host_name_is_refused_before_the_login(
    client: httpx.Client, postgres: PostgresServer
) -> None:
    answer = ask_postgres(client, postgres, "127.0.0.1")
    assert "TLS handshake failed" in answer["error"]


def test_pymysql_over_tls(client: httpx.Client, mariadb: MariaDb) -> None:
    assert ask_mysql(client, mariadb, "localhost") == {"tls": True}
    assert ask_mysql(client, mariadb, "127.0.0.1", tls="") == {"tls": False}
    assert "TLS handshake failed" in ask_mysql(client, mariadb, "127.0.0.1")["error"]


def test_an_authority_that_is_not_listed_is_not_trusted(
    build: Build, start: Start, servers: dict[str, ServerUrl], postgres: PostgresServer
) -> None:
    worker = start(build("server_sockets", "flask"), servers)
    with httpx.Client(base_url=worker.url, timeout=PATIENCE_S) as client:
        assert "TLS handshake failed" in ask_postgres(client, postgres, "localhost")["error"]


@pytest.mark.parametrize(
    ("host", "name", "passes"),
    [
        ("localhost", "", True),
        ("127.0.0.1", "localhost", True),
        ("127.0.0.1", "", False),
        ("localhost", "other.example", False),
    ],
)
def test_start_tls_of_asyncio_checks_the_name(
    streams: httpx.Client, postgres: PostgresServer, host: str, name: str, passes: bool
) -> None:
    where = {"host": host, "port": postgres.port, "name": name}
    answer = streams.get("/starttls", params=where).json()
    if passes:
        assert answer["answer"] == "S"
        assert answer["first"] in {"R", "E"}
    else:
        assert "TLS handshake failed" in answer["error"]
