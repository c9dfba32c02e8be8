"""Connections and pools of every PostgreSQL driver, kept by the app over requests."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from edgelift.model.server_url import ServerUrl
from tests.servers.postgres import PostgresServer
from tests.workerd.hyperdrive.conftest import PATIENCE_S, Build, Start
from tests.workerd.hyperdrive.test_connections import wait_for_no_session

pytestmark = [pytest.mark.workerd, pytest.mark.xdist_group("hyperdrive")]
KEPT = (
    "aiopg", "aiopg-pool", "asyncpg", "asyncpg-single", "psycopg", "psycopg-async", "psycopg-pool", "psycopg2",
    "psycopg2-pool",
)  # fmt: skip


@pytest.fixture(scope="module")
def drivers(build: Build, start: Start, servers: dict[str, ServerUrl]) -> Iterator[httpx.Client]:
    bundle = build("postgres_drivers", "fastapi")
    assert bundle.snapshot, bundle.snapshot_error
    with httpx.Client(base_url=start(bundle, servers).url, timeout=PATIENCE_S) as client:
        yield client


@pytest.mark.parametrize("kept", KEPT)
def test_each_request_has_a_session_of_its_own(
    drivers: httpx.Client, postgres: PostgresServer, kept: str
) -> None:
    sessions = [drivers.get(f"/{kept}").json() for _ in range(3)]
    assert len(set(sessions)) == 3
    assert wait_for_no_session(postgres) == 0


# aiopg itself refuses two statements at once on one connection.
@pytest.mark.parametrize("kept", [kept for kept in KEPT if kept != "aiopg"])
def test_overlapping_requests_do_not_meet(drivers: httpx.Client, kept: str) -> None:
    with ThreadPoolExecutor(6) as threads:
        answers = list(threads.map(lambda _n: drivers.get(f"/{kept}"), range(6)))
    assert [answer.status_code for answer in answers] == [200] * 6
    assert len({answer.json() for answer in answers}) == 6


def test_a_transaction_of_aiopg_is_whole_or_nothing(
    drivers: httpx.Client, postgres: PostgresServer
) -> None:
    postgres.run("CREATE TABLE words (word text PRIMARY KEY, made timestamptz)")
    assert drivers.post("/aiopg-words/one/two").json() == ["one", "two"]
    assert drivers.post("/aiopg-words/three/three").json() == {"refused": "23505"}
    assert drivers.post("/aiopg-words/four/five").json() == ["five", "four", "one", "two"]


def test_statements_of_aiopg_wait_together(drivers: httpx.Client) -> None:
    assert drivers.get("/aiopg-together").json()["found"] == [0, 1, 2]
