"""The production host's way to a SQL object: which call goes to the gateway, which to its session."""

from __future__ import annotations

import asyncio
import json
from types import SimpleNamespace
from typing import Any

import pytest

from edgelift.worker.cloudflare_host import CloudflareHost

ENDED = '{"results":[],"ended":true}'


class Session:
    def __init__(self, answers: list[str]) -> None:
        self.answers = answers
        self.abandoned = False

    async def step(self, message: str) -> str:
        answer = self.answers.pop(0)
        if answer == "lost":
            raise ConnectionError(message)
        return answer

    def abandon(self) -> None:
        self.abandoned = True


class Gateway:
    """Answers as js/sql_gateway.mjs does, whose own tests are in tests/workerd/sql_object."""

    def __init__(self, *answers: str) -> None:
        self.session = Session(list(answers))
        self.asked: list[Any] = []

    async def query(self, shard: str, message: str) -> str:
        self.asked.append(("query", shard, message))
        return "{}"

    async def begin(self, shard: str, message: str, busy_ms: int) -> Any:
        self.asked.append(("begin", shard, message, busy_ms))
        if "refuse" in message:
            return SimpleNamespace(answer=ENDED)
        return SimpleNamespace(answer='{"results":[]}', session=self.session)


@pytest.fixture
def send(monkeypatch: pytest.MonkeyPatch) -> Any:
    def connect(gateway: Gateway) -> Any:
        host = CloudflareHost()
        module = SimpleNamespace(env=SimpleNamespace(DB=gateway))
        monkeypatch.setattr(CloudflareHost, "workers_module", staticmethod(lambda: module))

        def ask(number: int, message: str, *, begins: bool = False) -> str:
            return asyncio.run(host.sql("DB", "", number, begins, 5000, 1, message))

        return host, ask

    return connect


def test_outside_of_a_transaction_the_gateway_is_asked(send: Any) -> None:
    gateway = Gateway()
    _, ask = send(gateway)
    assert ask(0, "m") == "{}"
    assert gateway.asked == [("query", "", "m")]


def test_a_transaction_goes_on_in_its_session(send: Any) -> None:
    gateway = Gateway('{"results":[]}', ENDED)
    _, ask = send(gateway)
    assert ask(7, "first", begins=True) == '{"results":[]}'
    assert gateway.asked == [("begin", "", "first", 5000)]
    assert [ask(7, "more"), ask(7, "commit")] == ['{"results":[]}', ENDED]
    assert "the request that began it ended" in json.loads(ask(7, "late"))["error"]


def test_one_that_could_not_begin_has_no_session(send: Any) -> None:
    _, ask = send(Gateway())
    assert ask(7, "refuse", begins=True) == ENDED
    assert json.loads(ask(7, "more"))["ended"]


def test_a_lost_session_is_forgotten(send: Any) -> None:
    _, ask = send(Gateway("lost"))
    ask(7, "first", begins=True)
    with pytest.raises(ConnectionError):
        ask(7, "more")
    assert json.loads(ask(7, "again"))["ended"]


def test_abandoning_does_not_wait(send: Any) -> None:
    gateway = Gateway()
    host, ask = send(gateway)
    ask(7, "first", begins=True)
    host.sql_abandon(7)
    host.sql_abandon(7)
    assert gateway.session.abandoned


def test_a_transaction_ends_with_its_request(send: Any) -> None:
    gateway = Gateway()
    host, ask = send(gateway)
    ask(7, "first", begins=True)
    host.end_transactions(2)
    assert host.sql_is_open(7)
    host.end_transactions(1)
    assert not host.sql_is_open(7)
    assert gateway.session.abandoned
