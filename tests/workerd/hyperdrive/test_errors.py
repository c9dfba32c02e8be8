"""What goes wrong with a server reaches the app as its driver's own error, and the next try works."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor

import httpx
import msgspec
import pytest

from edgelift.model.server_url import ServerUrl
from edgelift.targets.workerd import Bundle
from tests.servers.mariadb import MariaDb
from tests.servers.postgres import PostgresServer, find_free_port
from tests.workerd.hyperdrive.conftest import PATIENCE_S, Start

pytestmark = [pytest.mark.workerd, pytest.mark.xdist_group("hyperdrive")]


def ask(start: Start, bundle: Bundle, servers: dict[str, ServerUrl], kind: str) -> dict:
    worker = start(bundle, servers)
    return httpx.get(f"{worker.url}/fails/{kind}", timeout=PATIENCE_S).json()


@pytest.mark.parametrize(
    ("kind", "name", "words"),
    [("postgres", "PG", "InterfaceError"), ("mysql", "MY", "OperationalError")],
)
def test_no_server(
    start: Start, flask_bundle: Bundle, servers: dict[str, ServerUrl], kind: str, name: str,
    words: str,
) -> None:  # fmt: skip
    down = msgspec.structs.replace(servers[name], port=find_free_port())
    answer = ask(start, flask_bundle, {**servers, name: down}, kind)
    assert answer["phase"] == "connect"
    assert words in answer["error"]


@pytest.mark.parametrize(
    ("kind", "name", "words"), [("postgres", "PG", "28P01"), ("mysql", "MY", "1045")]
)
def test_a_wrong_password(
    start: Start, flask_bundle: Bundle, servers: dict[str, ServerUrl], kind: str, name: str,
    words: str,
) -> None:  # fmt: skip
    wrong = msgspec.structs.replace(servers[name], password="wrong")
    answer = ask(start, flask_bundle, {**servers, name: wrong}, kind)
    assert answer["phase"] == "connect"
    assert words in answer["error"]
    assert "wrong" not in answer["error"]


def test_a_binding_without_a_server(start: Start, flask_bundle: Bundle) -> None:
    answer = ask(start, flask_bundle, {}, "postgres")
    assert answer["phase"] == "connect"
    assert "no server was told" in answer["error"]


def test_a_connection_cut_during_a_query(
    client: httpx.Client, postgres: PostgresServer, mariadb: MariaDb
) -> None:
    with ThreadPoolExecutor(2) as threads:
        asked = [threads.submit(client.get, f"/fails/{kind}") for kind in ("postgres", "mysql")]
        _cut(postgres, mariadb)
        answers = [answer.result().json() for answer in asked]
    assert [answer["phase"] for answer in answers] == ["query", "query"]
    assert client.get("/engine").status_code == 200
    assert client.get("/mysql-engine").status_code == 200


def _cut(postgres: PostgresServer, mariadb: MariaDb) -> None:
    """End both sessions once each has begun its query."""
    cut = set()
    end = time.monotonic() + PATIENCE_S
    while len(cut) < 2 and time.monotonic() < end:
        statement = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE %s"
        with postgres.connect() as db:
            if db.execute(statement, ("select pg_sleep(30)%",)).fetchall():
                cut.add("postgres")
        for row in mariadb.execute("SHOW PROCESSLIST"):
            if "sleep(30)" in str(row[7]):
                mariadb.execute(f"KILL {row[0]}")
                cut.add("mysql")
