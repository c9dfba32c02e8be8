"""Identities of requests, contexts, threads that are held back during the app's import."""

from __future__ import annotations

from collections.abc import Iterator
from contextvars import ContextVar

import pytest

from edgelift.worker import flows, host


@pytest.fixture(autouse=True)
def _idle() -> Iterator[None]:
    yield
    flows._idle[:] = [flows.MAIN_IDENTITY]
    flows._deferred = None
    host.before_wait = None


def test_requests_in_a_row_share_the_main_thread() -> None:
    for number in (1, 2, 3):
        flow = flows.open_flow(number)
        assert flow.identity is flows.MAIN_IDENTITY
        flows.close_flow(flow)


def test_overlapping_requests_have_threads_of_their_own() -> None:
    first, second, third = (flows.open_flow(n) for n in (1, 2, 3))
    idents = {f.identity.ident for f in (first, second, third)}
    assert len(idents) == 3
    for flow in (first, third, second):
        flows.close_flow(flow)
    # The main thread is taken first again, then the others: none is made anew.
    again = [flows.open_flow(n) for n in (4, 5, 6)]
    assert again[0].identity is flows.MAIN_IDENTITY
    assert {f.identity.ident for f in again} == idents


def test_a_context_starts_from_the_import_and_knows_its_flow() -> None:
    variable = ContextVar("variable", default="unset")
    flow = flows.open_flow(1)
    context = flows.new_context(flow)
    context.run(variable.set, "set")
    assert context.run(flows.current.get) is flow
    assert context.run(flows.get_ident) == flow.identity.ident
    assert flows.new_context(flow).run(variable.get) == "unset"
    assert flows.current.get() is flows.MAIN_FLOW


def test_threads_wait_for_the_end_of_the_import(monkeypatch: pytest.MonkeyPatch) -> None:
    posted: list[int] = []
    monkeypatch.setattr(flows, "post", lambda flow, _delay, _body: posted.append(flow.request_id))
    flows.begin_import()
    for number in (1, 2, 3):
        flows.launch(flows.Flow(number, flows.new_identity()), lambda: None)
    assert posted == []
    assert host.before_wait is not None
    host.before_wait()
    assert posted == [3]  # the newest: most likely the one that is waited for
    flows.end_import()
    assert flows.release_threads() == 2
    assert posted == [3, 1, 2]
    flows.launch(flows.Flow(4, flows.new_identity()), lambda: None)
    assert posted[-1] == 4


def test_tokens_run_once() -> None:
    ran: list[str] = []
    flows._callbacks[99] = lambda: ran.append("ran")
    flows.run_posted(99)
    flows.run_posted(99)
    assert ran == ["ran"]
    assert not flows.overlapping()
