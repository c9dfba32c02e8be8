"""The entry class for Cloudflare, run in workerd with Workers' objects and the real workers-runtime-sdk."""

from __future__ import annotations

from typing import Any

import pytest

from .conftest import APPS, Lift, Lifted

pytestmark = pytest.mark.workerd


@pytest.fixture(scope="module")
def deployed(lift: Lift) -> Lifted:
    return lift(APPS / "production_entry", "wsgi")


def ask(deployed: Lifted, path: str, **options: Any) -> Any:
    method = "POST" if "content" in options else "GET"
    answer = deployed.client.request(method, path, **options)
    assert answer.status_code == 200, (answer.text, deployed.worker.read_log_tail())
    return answer.json()


def test_a_request_reaches_the_app(deployed: Lifted) -> None:
    answer = ask(deployed, "/wsgi/hello?a=1&a=%202")
    assert answer["status"] == 200, answer
    assert answer["body"] == '["hi from vars","192.0.2.1",["1"," 2"]]\n'
    assert ["content-length", str(len(answer["body"]))] in answer["headers"]


def test_bodies_and_cookies(deployed: Lifted) -> None:
    for size in (1, 100_000, 2_000_000):
        answer = ask(deployed, "/wsgi/echo", content=b"x" * size)
        assert (answer["status"], len(answer["body"])) == (200, size), answer["body"][:500]
        cookies = [value for name, value in answer["headers"] if name == "set-cookie"]
        assert cookies == ["a=1; Path=/", "b=2; Path=/"]


def test_streams_keep_their_context(deployed: Lifted) -> None:
    assert ask(deployed, "/wsgi/stream")["body"] == "/stream0/stream1/stream2"


def test_no_content(deployed: Lifted) -> None:
    answer = ask(deployed, "/wsgi/nothing")
    assert (answer["status"], answer["body"]) == (204, "")


def test_jobs(deployed: Lifted) -> None:
    assert ask(deployed, "/wsgi/cron?*+*+*+*+*")["body"] == "done"
    answer = ask(deployed, "/wsgi/cron?0+0+*+*+*")
    assert (answer["status"], answer["body"]) == (
        599,
        "JobsFailedError: failing: ValueError: no luck",
    )


def test_lifespan_runs_once(deployed: Lifted) -> None:
    for _ in range(3):
        assert ask(deployed, "/asgi/some", content=b"abc")["body"] == "kept 1 3 /some"
