"""asyncio: aiomysql's pool from the app's start, and SQLAlchemy's asyncio side without greenlet."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from tests.servers.mariadb import MariaDb

pytestmark = [pytest.mark.workerd, pytest.mark.xdist_group("hyperdrive")]


def test_a_pool_of_the_apps_start_serves_requests(streams: httpx.Client, mariadb: MariaDb) -> None:
    sessions = [streams.get("/pool").json() for _ in range(3)]
    assert [session[0] for session in sessions] == [2, 2, 2]
    assert len({session[1] for session in sessions}) == 3
    assert len(mariadb.execute("SHOW PROCESSLIST")) == 1


def test_tasks_of_one_request_wait_together(streams: httpx.Client) -> None:
    assert streams.get("/together").json()["elapsed"] < 3 * 0.4


def test_a_query_that_takes_too_long_is_given_up(streams: httpx.Client) -> None:
    assert streams.get("/timeout").json() == "timed out"
    assert streams.get("/pool").json()[0] == 2


def test_sessions_of_sqlalchemy_commit_and_roll_back(streams: httpx.Client) -> None:
    assert streams.post("/tables").status_code == 200
    assert streams.post("/authors/Ada").json() == {"id": 1}
    assert streams.post("/authors/Bo?fail=1").json() == {"error": "IntegrityError"}
    with ThreadPoolExecutor(6) as threads:
        made = threads.map(lambda n: streams.post(f"/authors/writer{n}").json(), range(6))
        numbers = sorted(answer["id"] for answer in made)
    listed = streams.get("/authors").json()
    assert listed["Ada"] == 1
    assert "Bo" not in listed
    assert sorted(set(listed.values()) - {1}) == numbers


def test_lazy_loading_is_refused_as_with_greenlet(streams: httpx.Client) -> None:
    streams.post("/tables")
    streams.post("/authors/Ada")
    assert streams.get("/lazy").json() == "refused"
