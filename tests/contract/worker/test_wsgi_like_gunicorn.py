"""edgelift's WSGI server answers like gunicorn: the same app, asked both ways in one run."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from edgelift.worker.wsgi import WsgiServer

from .wsgi_sides import (
    PROBE,
    Asked,
    ask_adapter,
    ask_gunicorn,
    list_paths,
    load_probe,
    run_gunicorn,
)

CASES = json.loads(
    (Path(__file__).parents[2] / "cases" / "wsgi" / "environ.json").read_text("utf-8")
)
# Where the two differ on purpose (wsgi.build_environ) or cannot be the same.
DIFFERENT = {"REMOTE_PORT", "SERVER_SOFTWARE", "wsgi.multithread", "HTTP_ACCEPT_ENCODING"}
# The app fails after its first part: gunicorn has sent a HEAD's headers by then, ours can still say 500.
FAILS_AFTER_HEADERS = {"too_late", "breaks", "text_body"}


@pytest.fixture(scope="module")
def gunicorn(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    with run_gunicorn(PROBE, tmp_path_factory.mktemp("gunicorn") / "log") as port:
        yield port


@pytest.fixture
def server() -> WsgiServer:
    return WsgiServer(load_probe().app)


@pytest.mark.parametrize("case", CASES, ids=[case["name"] for case in CASES])
def test_environ(case: dict[str, Any], gunicorn: int, server: WsgiServer) -> None:
    asked = Asked(**case["request"])
    origin = json.loads(ask_gunicorn(gunicorn, asked).body)
    target = json.loads(ask_adapter(server, asked, gunicorn).body)
    for seen in (origin, target):
        assert {name: seen.get(name) for name in case["environ"]} == case["environ"]
        assert not set(case.get("absent", ())) & set(seen)
    for name in DIFFERENT:
        origin.pop(name, None)
        target.pop(name, None)
    assert target == origin


@pytest.mark.parametrize("name", list_paths())
@pytest.mark.parametrize("method", ["GET", "HEAD", "POST"])
def test_answer(name: str, method: str, gunicorn: int, server: WsgiServer) -> None:
    body = "line one\nline two\n\nrest" if method == "POST" else None
    headers = [["content-length", str(len(body))]] if body else []
    asked = Asked(method, f"/{name}", "", headers, body)
    ask_gunicorn(gunicorn, Asked(path="/show_log"))
    origin = ask_gunicorn(gunicorn, asked)
    target = ask_adapter(server, asked, gunicorn)
    if origin.broken or (method == "HEAD" and name in FAILS_AFTER_HEADERS):
        # How much of a broken body arrives is a matter of buffers, not of the protocol.
        assert target.broken or target.status == 500
        return
    assert (target.status, target.body) == (origin.status, origin.body)
    assert target.headers == origin.headers
    logs = [
        ask_gunicorn(gunicorn, Asked(path="/show_log")).body,
        ask_adapter(server, Asked(path="/show_log"), gunicorn).body,
    ]
    assert logs[0] == logs[1]


def test_a_different_environ_would_be_seen(gunicorn: int, server: WsgiServer) -> None:
    origin = json.loads(ask_gunicorn(gunicorn, Asked(path="/environ/a%20b")).body)
    target = json.loads(ask_adapter(server, Asked(path="/environ/a+b"), gunicorn).body)
    assert origin["PATH_INFO"] != target["PATH_INFO"]
