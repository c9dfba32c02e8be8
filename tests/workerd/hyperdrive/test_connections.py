"""Whatever an app keeps over requests, each request has connections of its own, closed at its end."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from edgelift.targets.workerd import Bundle
from tests.servers.mariadb import MariaDb
from tests.servers.postgres import PostgresServer

pytestmark = [pytest.mark.workerd, pytest.mark.xdist_group("hyperdrive")]
PATIENCE_S = 20


def count_sessions(postgres: PostgresServer) -> int:
    rows = postgres.run(
        "SELECT count(*) FROM pg_stat_activity "
        "WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()"
    )
    return int(rows[0][0])


def wait_for_no_session(postgres: PostgresServer) -> int:
    """The server notices the end of a socket by itself, a moment later."""
    end = time.monotonic() + PATIENCE_S
    while (left := count_sessions(postgres)) and time.monotonic() < end:
        pass
    return left


def test_the_apps_import_opens_nothing_and_the_snapshot_holds(flask_bundle: Bundle) -> None:
    assert flask_bundle.snapshot, flask_bundle.snapshot_error


@pytest.mark.parametrize(
    ("path", "column"),
    [("/engine", 2), ("/mysql-engine", 1), ("/kept/mysql", 0), ("/kept/postgres", 0)],
)
def test_a_kept_engine_or_connection_is_another_one_in_the_next_request(
    client: httpx.Client, path: str, column: int
) -> None:
    sessions = [client.get(path).json()[0][column] for _ in range(4)]
    assert len(set(sessions)) == 4


def test_values_come_exactly(client: httpx.Client) -> None:
    assert client.get("/engine").json()[0][:2] == [1152921504606846977, "1.50"]
    assert client.get("/many").json() == 5000 * 5001 / 2


@pytest.mark.parametrize("kind", ["mysql", "postgres"])
def test_a_connection_opened_by_the_import_keeps_its_settings(
    client: httpx.Client, kind: str
) -> None:
    answers = [client.get(f"/early/{kind}").json() for _ in range(3)]
    assert len({answer["pid"] for answer in answers}) == 3
    assert all(answer["autocommit"] for answer in answers)


@pytest.mark.parametrize("path", ["/left-open", "/left-open?fail=1"])
def test_what_a_request_leaves_open_is_rolled_back_and_closed(
    client: httpx.Client, postgres: PostgresServer, path: str
) -> None:
    answer = client.get(path)
    assert answer.status_code == (500 if "fail" in path else 200)
    assert wait_for_no_session(postgres) == 0
    assert postgres.run("SELECT count(*) FROM seen") == [(0,)]


def test_a_streamed_answer_keeps_its_connection_to_the_end(
    client: httpx.Client, postgres: PostgresServer
) -> None:
    assert client.get("/left-streaming").text == "0\n1\n2\n"
    assert wait_for_no_session(postgres) == 0


def test_a_client_that_goes_away_leaves_no_session(
    client: httpx.Client, postgres: PostgresServer
) -> None:
    with client.stream("GET", "/left-streaming?parts=2000") as answer:
        assert next(answer.iter_lines()) == "0"
        assert count_sessions(postgres) == 1
    assert wait_for_no_session(postgres) == 0


def test_overlapping_requests_wait_beside_each_other(client: httpx.Client) -> None:
    kinds = ["mysql", "postgres", "shared"] * 4
    paths = [f"/sleep/{kind}?s=0.8&id={number}" for number, kind in enumerate(kinds)]
    started = time.monotonic()
    with ThreadPoolExecutor(12) as threads:
        answers = [answer.json() for answer in threads.map(client.get, paths)]
    took_s = time.monotonic() - started
    assert [answer["id"] for answer in answers] == [str(number) for number in range(12)]
    assert all(answer["elapsed"] >= 0.8 for answer in answers)
    # One after the other they would need 9.6 s.
    assert took_s < 12 * 0.8 / 2


def test_nothing_is_left_at_the_servers(
    client: httpx.Client, postgres: PostgresServer, mariadb: MariaDb
) -> None:
    client.get("/mysql-engine")
    assert wait_for_no_session(postgres) == 0
    assert len(mariadb.execute("SHOW PROCESSLIST")) == 1
