"""A FastAPI app on the adapter in workerd: coroutines, plain functions, lifespan, streams, background tasks."""

from __future__ import annotations

import httpx
import pytest

from .conftest import Lifted

pytestmark = pytest.mark.workerd


def test_kinds_of_routes_overlap(fastapi_app: Lifted) -> None:
    paths = [f"/{kind}/{n}" for kind in ("async", "defsleep") for n in range(8)]
    answers = fastapi_app.get_together(paths)
    assert [answer.json() for answer in answers] == [{"ok": True}] * 16


def test_lifespan_runs_once_and_keeps_its_state(fastapi_app: Lifted) -> None:
    answers = [answer.json() for answer in fastapi_app.get_together(["/state"] * 4)]
    expected = {"state": "pool", "starts": 1, "client": "127.0.0.1", "path": "/state"}
    assert answers == [expected] * 4


def test_an_asyncio_lock_across_requests(fastapi_app: Lifted) -> None:
    answers = fastapi_app.get_together(["/lock"] * 6)
    assert [answer.status_code for answer in answers] == [200] * 6


def test_timers_and_gather(fastapi_app: Lifted) -> None:
    assert fastapi_app.get("/timeout").json() == "timeout"
    assert fastapi_app.get("/gather").status_code == 200


def test_streams(fastapi_app: Lifted) -> None:
    paths = ["/stream", "/syncstream"] * 4
    assert [a.text for a in fastapi_app.get_together(paths)] == ["0\n1\n2\n"] * 8


def test_background_tasks_run_after_the_answer(fastapi_app: Lifted) -> None:
    before = fastapi_app.get("/bg").json()
    for _ in range(200):
        if fastapi_app.get("/done").json() >= before + 2:
            return
        fastapi_app.get("/gather")
    pytest.fail("the background tasks did not run")


def test_bodies_and_forms(fastapi_app: Lifted) -> None:
    assert fastapi_app.client.post("/body", content=b"x" * 3_000_000).json() == {"n": 3_000_000}
    answer = fastapi_app.client.post("/upload", files={"f": ("n.txt", b"abc")}, data={"a": "1"})
    assert answer.json() == {"n": 3, "name": "n.txt", "a": "1"}


def test_errors(fastapi_app: Lifted) -> None:
    answer = fastapi_app.get("/boom")
    assert (answer.status_code, answer.text) == (500, "Internal Server Error")
    assert fastapi_app.get("/item/x").status_code == 422
    with pytest.raises(httpx.HTTPError):
        fastapi_app.get("/breaks")
    assert fastapi_app.get("/").json() == {"hello": "world"}


def test_documentation_is_served(fastapi_app: Lifted) -> None:
    assert "/item/{n}" in fastapi_app.get("/openapi.json").json()["paths"]
    assert fastapi_app.get("/docs").status_code == 200
