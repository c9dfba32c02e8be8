"""Asking the door: what is tried again, what is an error at once, and what its three lines say."""

from __future__ import annotations

from collections.abc import Callable

import httpx
import pytest

from edgelift.errors import TargetError, TargetUnavailable, UsageError
from edgelift.targets.door.client import PAUSES_S, Door, check_door

SECRET = "twenty letters and more"


def make_door(
    answer: Callable[[httpx.Request], httpx.Response],
) -> tuple[Door, list[float], list[str]]:
    waited: list[float] = []
    notes: list[str] = []
    client = httpx.Client(transport=httpx.MockTransport(answer))
    door = Door(
        client,
        "https://shop-sql.example.org/",
        SECRET,
        "MAIN",
        "MAIN/a b",
        notes.append,
        waited.append,
    )
    return door, waited, notes


def test_a_question_names_binding_object_and_secret() -> None:
    seen: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return httpx.Response(200, text='{"state":"loading","done":3,"rows":""}')

    door, _, _ = make_door(answer)
    assert door.ask("begin", {"identity": "i"}).done == 3
    [request] = seen
    assert str(request.url) == "https://shop-sql.example.org/load/MAIN/begin?object=MAIN/a%20b"
    assert request.headers["authorization"] == f"Bearer {SECRET}"
    assert request.content == b'{"identity":"i"}'


@pytest.mark.parametrize("trouble", [502, 503, 429, 522, "connect", "read"])
def test_what_may_pass_is_tried_again_with_growing_pauses(trouble: object) -> None:
    asked = 0

    def answer(request: httpx.Request) -> httpx.Response:
        nonlocal asked
        asked += 1
        if asked > 3:
            return httpx.Response(200, text='{"done":1}')
        if trouble == "connect":
            raise httpx.ConnectError("refused", request=request)
        if trouble == "read":
            raise httpx.ReadTimeout("late", request=request)
        return httpx.Response(int(str(trouble)), text="<html>")

    door, waited, notes = make_door(answer)
    assert door.ask("rows", b"{}", tries=5).done == 1
    assert tuple(waited) == PAUSES_S[:3]
    assert all("trying again" in note for note in notes)
    asked = 0
    with pytest.raises(TargetUnavailable):
        door.ask("begin", b"{}")
    assert asked == 1


def test_it_gives_up_in_the_end() -> None:
    door, waited, _ = make_door(lambda _request: httpx.Response(503))
    with pytest.raises(TargetUnavailable, match="do not answer now") as raised:
        door.ask("rows", b"{}", tries=5)
    assert tuple(waited) == PAUSES_S
    assert "what was applied stays" in raised.value.tip


@pytest.mark.parametrize(
    ("status", "text", "what", "why", "tip"),
    [
        (404, "Not Found\n", "There is no door for rows", "without the secret", "DEPLOY.md"),
        (200, "<html>hello", "There is no door for rows", "HTTP 200", "deploy .edgelift/build/sql"),
        (403, '{"refused":"no"}', "refuses to take rows", "no", "export EDGELIFT_LOAD_SECRET"),
        (409, '{"refused":"it holds rows"}', "refuses to take rows", "it holds rows", "--replace"),
        (409, '{"refused":"the schema is another"}', "refuses to take rows", "schema", "edgelift build"),
        (404, '{"refused":"no MAIN here"}', "refuses to take rows", "no MAIN here", "the address"),
        (500, '{"failed":"disk full: SQLITE_FULL"}', "could not take rows", "SQLITE_FULL", "same command"),
        (200, '{"done":"many"}', "There is no door for rows", "HTTP 200", "deploy"),
    ],
)  # fmt: skip
def test_what_it_says_is_told_in_three_lines(
    status: int, text: str, what: str, why: str, tip: str
) -> None:
    door, waited, _ = make_door(lambda _request: httpx.Response(status, text=text))
    with pytest.raises(TargetError) as raised:
        door.ask("rows", b"{}", tries=5)
    assert what in raised.value.what
    assert why in raised.value.why
    assert tip in raised.value.tip
    assert waited == []
    assert SECRET not in str(raised.value)


@pytest.mark.parametrize(
    "url", ["", "shop", "ftp://shop", "https://", "http://10.0.0.5:80", "http://example.org"]
)
def test_an_address_that_cannot_be_right(url: str) -> None:
    with pytest.raises(UsageError):
        check_door(url, SECRET)


@pytest.mark.parametrize("secret", ["", "short", "x" * 19])
def test_a_secret_that_cannot_be_right_is_not_shown(secret: str) -> None:
    with pytest.raises(UsageError) as raised:
        check_door("https://example.org", secret)
    assert not secret or secret not in str(raised.value)


@pytest.mark.parametrize(
    "url",
    ["https://a.workers.dev", "http://127.0.0.1:8787", "http://localhost:1", "http://[::1]:2"],
)
def test_addresses_that_are_taken(url: str) -> None:
    check_door(url, SECRET)
