"""The route around an app: who reaches it, on which shards, and what others are told."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from contextvars import copy_context
from pathlib import Path
from typing import Any

import pytest

from edgelift.worker import flows
from edgelift.worker.exchange import Request
from edgelift.worker.jobs import JobNotFoundError, run_due_jobs
from edgelift.worker.sharding import list_runs, read_router, route_app
from edgelift.worker.sharding.choice import read_choice
from edgelift.worker.sharding.router import Router, to_key
from edgelift.worker.wsgi import WsgiServer
from tests.unit.sharding.files import DOCUMENT

ROUTE: dict[str, Any] = {"from": ["header:X-Tenant"]}


def make_router(tmp_path: Path, **route: Any) -> Router:
    place = tmp_path / "main.json"
    place.write_text(json.dumps(DOCUMENT))
    database = {"binding": "DB", "shards": {"map": str(place)}}
    router = read_router({"databases": [database], "route": {**ROUTE, **route}})
    assert router is not None
    return router


class Asked:
    """An app that notes the shards it was asked on."""

    def __init__(self) -> None:
        self.seen: list[Any] = []

    def __call__(self, environ: dict[str, Any], start_response: Any) -> list[bytes]:
        self.seen.append(dict(read_choice().shards))
        start_response("200 OK", [])
        return [b"app"]

    async def serve(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        await asyncio.sleep(0)
        self.seen.append(dict(read_choice().shards) if scope["type"] == "http" else scope["type"])
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"app"})


@pytest.fixture(autouse=True)
def in_a_request() -> Iterator[None]:
    flow = flows.open_flow(77)
    before = flows.current.set(flow)
    yield
    flows.current.reset(before)
    flows.close_flow(flow)


def ask_wsgi(router: Router, tenant: str | None) -> tuple[str, str, list[Any]]:
    app, told = Asked(), []
    environ = {"RAW_URI": "/", "QUERY_STRING": ""}
    environ |= {} if tenant is None else {"HTTP_X_TENANT": tenant}
    routed = route_app(app, "flask", router)
    body = copy_context().run(routed, environ, lambda status, _headers: told.append(status))
    return told[0], b"".join(body).decode(), app.seen


def ask_asgi(router: Router, tenant: str | None) -> tuple[str, str, list[Any]]:
    app, sent = Asked(), []
    scope = {"type": "http", "raw_path": b"/", "query_string": b"", "headers": []}
    scope["headers"] = [] if tenant is None else [(b"x-tenant", tenant.encode())]

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    asyncio.run(route_app(app.serve, "fastapi", router)(scope, None, send))
    return str(sent[0]["status"]), sent[1]["body"].decode(), app.seen


@pytest.mark.parametrize("ask", [ask_wsgi, ask_asgi])
@pytest.mark.parametrize(
    ("route", "tenant", "status", "shards"),
    [
        ({}, "a", "200", {"DB": "main-0"}),
        ({}, "c", "200", {"DB": "main-1"}),
        ({}, "nobody", "400", None),
        ({}, "", "400", None),
        ({}, None, "400", None),
        ({"status": 503}, None, "503", None),
        ({"status": 599}, "nobody", "599", None),
        ({"missing": "replicated"}, None, "200", {}),
        ({"missing": "replicated"}, "nobody", "400", None),
        ({"missing": "default", "default": "d"}, None, "200", {"DB": "main-2"}),
        ({"missing": "default", "default": "d"}, "a", "200", {"DB": "main-0"}),
        ({"missing": "default", "default": "nobody"}, None, "400", None),
        # SHA-256 of "nobody" begins with 6382 (sha256sum): the second of three parts.
        ({"unknown": "spread"}, "nobody", "200", {"DB": "main-1"}),
        ({"unknown": "spread"}, "b", "200", {"DB": "main-0"}),
    ],
)
def test_a_request_reaches_the_app_on_its_shard_or_is_told_why_not(
    ask, tmp_path: Path, route, tenant, status, shards
) -> None:
    answered, body, seen = ask(make_router(tmp_path, **route), tenant)
    assert answered.startswith(status)
    if shards is None:
        assert seen == []
        assert body.startswith("No shard: ")
        assert ("no shard holds 'nobody'" if "nobody" in body else "has no key of a shard") in body
    else:
        assert (body, seen) == ("app", [shards])


def test_two_requests_do_not_share_their_choice(tmp_path: Path) -> None:
    router = make_router(tmp_path)
    assert [ask_wsgi(router, t)[2] for t in ("a", "c")] == [[{"DB": "main-0"}], [{"DB": "main-1"}]]
    assert read_choice().shards == {}


def test_two_asgi_requests_at_once_keep_theirs(tmp_path: Path) -> None:
    app = Asked()
    routed = route_app(app.serve, "asgi", make_router(tmp_path))

    async def send(_message: dict[str, Any]) -> None:
        await asyncio.sleep(0)

    async def both() -> None:
        scopes = [
            {"type": "http", "raw_path": b"/", "query_string": b"", "headers": [(b"x-tenant", t)]}
            for t in (b"a", b"c", b"d")
        ]
        await asyncio.gather(*(routed(scope, None, send) for scope in scopes))

    asyncio.run(both())
    assert app.seen == [{"DB": "main-0"}, {"DB": "main-1"}, {"DB": "main-2"}]


def test_the_lifespan_goes_to_the_app(tmp_path: Path) -> None:
    app = Asked()
    routed = route_app(app.serve, "asgi", make_router(tmp_path))

    async def send(_message: dict[str, Any]) -> None: ...

    asyncio.run(routed({"type": "lifespan"}, None, send))
    assert app.seen == ["lifespan"]


def find_tenant(environ: dict[str, Any]) -> object:
    return {"a": "c", "": None}.get(environ.get("HTTP_X_TENANT", ""), 7)


async def find_later(place: dict[str, Any]) -> object:
    await asyncio.sleep(0)
    return "d"


def find_nonsense(_environ: dict[str, Any]) -> object:
    return True


HERE = __name__


def test_the_apps_own_function_decides(tmp_path: Path) -> None:
    router = make_router(tmp_path, **{"from": [], "call": f"{HERE}:find_tenant"})
    assert ask_wsgi(router, "a")[2] == [{"DB": "main-1"}]
    assert ask_wsgi(router, "x")[:2] == ("400 Bad Request", "No shard: no shard holds '7'\n")
    assert "find_tenant() returned none" in ask_wsgi(router, None)[1]


def test_the_apps_own_function_may_wait(tmp_path: Path) -> None:
    router = make_router(tmp_path, **{"from": [], "call": f"{HERE}:find_later"})
    assert ask_asgi(router, None)[2] == [{"DB": "main-2"}]


def test_what_is_no_key_is_an_error_of_the_app(tmp_path: Path) -> None:
    router = make_router(tmp_path, **{"from": [], "call": f"{HERE}:find_nonsense"})
    with pytest.raises(TypeError, match="True, which is no key"):
        ask_wsgi(router, "a")
    with pytest.raises(TypeError, match=r"1\.5"):
        to_key(1.5)


def test_a_function_that_is_not_there_fails_at_the_import(tmp_path: Path) -> None:
    router = make_router(tmp_path, **{"from": [], "call": f"{HERE}:nothing"})
    with pytest.raises(JobNotFoundError, match="nothing"):
        route_app(Asked(), "flask", router)


def test_an_app_without_shards_is_left_alone() -> None:
    app = Asked()
    settings = {"databases": [{"binding": "DB", "path": "/x"}], "route": ROUTE}
    assert read_router(settings) is None
    assert route_app(app, "flask", None) is app


RAN: list[Any] = []


def run_job() -> None:
    shards = dict(read_choice().shards)
    RAN.append(shards)
    if shards == {"DB": "main-1"}:
        raise RuntimeError("not today")


@pytest.mark.parametrize(
    ("jobs", "ran", "error"),
    [
        ("each", [{"DB": f"main-{n}"} for n in range(3)], "main-1: RuntimeError: not today"),
        ("once", [{}], ""),
    ],
)
def test_jobs_run_once_for_each_shard(
    tmp_path: Path, jobs: str, ran: list[Any], error: str
) -> None:
    RAN.clear()
    runs = list_runs(make_router(tmp_path, jobs=jobs))
    declared = [{"name": "x", "schedule": "0 3 * * *", "call": f"{HERE}:run_job"}]
    (report,) = run_due_jobs(declared, "0 3 * * *", "wsgi", None, runs)
    assert (RAN, report["ok"], report["error"]) == (ran, not error, error)
    assert read_choice().shards == {}


def test_jobs_without_shards_run_once() -> None:
    RAN.clear()
    declared = [{"name": "x", "schedule": "0 3 * * *", "call": f"{HERE}:run_job"}]
    run_due_jobs(declared, "0 3 * * *", "wsgi", None, list_runs(None))
    assert RAN == [{}]


def test_the_end_of_a_streamed_answer_is_still_on_its_shard(tmp_path: Path) -> None:
    """Flask gives a session back in the close() of what it streams."""
    seen: list[Any] = []

    class Body:
        def __iter__(self) -> Iterator[bytes]:
            for part in (b"one", b"two"):
                seen.append(dict(read_choice().shards))
                yield part

        def close(self) -> None:
            seen.append(("close", dict(read_choice().shards)))

    def app(_environ: dict[str, Any], start_response: Any) -> Body:
        start_response("200 OK", [])
        return Body()

    server = WsgiServer(route_app(app, "flask", make_router(tmp_path)))
    request = Request("GET", "/", "", "x-tenant\nc", None, "http://x", 78)
    rest = server.answer(request, flows.open_flow(78)).rest
    assert rest is not None
    while rest.read() is not None:
        pass
    shard = {"DB": "main-1"}
    assert seen == [shard, shard, ("close", shard)]
    assert not flows.is_running(78)
