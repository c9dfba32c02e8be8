"""Connections that outlive their request, with a driver of the test's own."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator
from contextvars import Context
from typing import Any, ClassVar

import pytest

from edgelift.worker import connections, flows
from edgelift.worker.connections import Driver, adopt, guard, postpone
from edgelift.worker.flows import Flow, close_flow, new_context, open_flow


class Connection:
    opened: ClassVar[list[Connection]] = []

    def __init__(self, name: str = "db") -> None:
        self.name = name
        self.autocommit = False
        self.open = True
        self.sent: list[str] = []
        Connection.opened.append(self)
        adopt(self, DRIVER, (name,))

    def execute(self, text: str) -> int:
        if not self.open:
            raise ValueError("closed")
        self.sent.append(text)
        return len(self.sent)

    def close(self) -> None:
        self.open = False


def _carry(old: Any, new: Any) -> None:
    new.autocommit = old.autocommit


DRIVER = Driver(
    open=lambda kind, args, kwargs: kind(*args, **kwargs),
    close=lambda connection: connection.close(),
    is_open=lambda connection: connection.open,
    carry=_carry,
)
guard(Connection, ("execute",))


@pytest.fixture(autouse=True)
def forget() -> Iterator[None]:
    Connection.opened = []
    yield
    flows.end_flow(flows.MAIN_FLOW)


class Request:
    """A request that a test begins, runs code in, and ends."""

    def __init__(self, number: int) -> None:
        self.flow: Flow = open_flow(number)
        self.context: Context = new_context(self.flow)

    def run(self, function: Callable[..., Any], *args: Any) -> Any:
        return self.context.run(function, *args)

    def execute(self, connection: Any, text: str) -> int:
        # The method is looked up in the request too, as the app's code does.
        return self.context.run(lambda: connection.execute(text))

    def end(self) -> None:
        close_flow(self.flow)


def test_a_request_uses_the_connection_itself() -> None:
    request = Request(1)
    connection = request.run(Connection)
    assert request.execute(connection, "a") == 1
    assert len(Connection.opened) == 1
    request.end()


def test_the_end_of_a_request_closes_what_it_left_open() -> None:
    request = Request(1)
    connection = request.run(Connection)
    state = connection.sent
    request.end()
    assert type(connection) is not Connection
    assert isinstance(connection, Connection)
    assert state == []
    other = Request(2)
    assert other.execute(connection, "b") == 1
    assert len(Connection.opened) == 2
    other.end()
    third = Request(3)
    assert third.execute(connection, "c") == 1
    third.end()
    assert [one.open for one in Connection.opened[1:]] == [False, False]


def test_settings_are_carried_to_the_next_connection() -> None:
    request = Request(1)
    connection = request.run(Connection, "orders")
    connection.autocommit = True
    request.end()
    other = Request(2)
    assert other.run(lambda: (connection.name, connection.autocommit)) == ("orders", True)
    other.end()


def test_a_connection_the_app_closed_stays_closed() -> None:
    request = Request(1)
    connection = request.run(Connection)
    request.run(connection.close)
    request.end()
    other = Request(2)
    with pytest.raises(ValueError, match="closed"):
        other.run(Connection.__dict__["execute"].__wrapped__, connection, "x")
    assert type(connection) is Connection
    other.end()


def test_overlapping_requests_have_one_each_behind_the_same_object() -> None:
    first, second = Request(1), Request(2)
    connection = first.run(Connection)
    assert first.execute(connection, "a") == 1
    assert second.execute(connection, "b") == 1
    assert first.execute(connection, "c") == 2
    first.end()
    assert second.execute(connection, "d") == 2
    second.end()


def test_a_method_that_is_running_keeps_its_own_state() -> None:
    """A frame of the first request goes on after the second has divided the object."""
    first, second = Request(1), Request(2)
    connection = first.run(Connection)

    def run_long() -> list[str]:
        connection.execute("before")
        second.execute(connection, "between")
        connection.execute("after")
        return list(connection.sent)

    assert first.run(run_long) == ["before", "after"]
    first.end()
    second.end()


def test_what_a_thread_of_the_request_opened_ends_with_the_request() -> None:
    request = Request(1)
    thread = Flow(1, flows.new_identity())
    connection = new_context(thread).run(Connection)
    flows.end_flow(thread)
    assert request.execute(connection, "a") == 1
    request.end()
    assert type(connection) is not Connection


def test_a_thread_that_outlives_its_request_keeps_its_connection() -> None:
    request = Request(1)
    thread = Flow(1, flows.new_identity())
    connection = new_context(thread).run(Connection)
    request.end()
    assert new_context(thread).run(lambda: connection.execute("a")) == 1
    assert type(connection) is Connection
    flows.end_flow(thread)
    assert type(connection) is not Connection


def test_a_postponed_connection_opens_in_the_request_that_uses_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    connection = object.__new__(Connection)
    connection.autocommit = False
    postpone(connection, DRIVER, ("late",))
    monkeypatch.setattr(connections, "is_importing", lambda: True)
    connection.autocommit = True
    assert Connection.opened == []
    monkeypatch.setattr(connections, "is_importing", lambda: False)
    request = Request(1)
    assert request.execute(connection, "a") == 1
    assert request.run(lambda: (connection.name, connection.autocommit)) == ("late", True)
    request.end()


def test_a_failing_close_does_not_break_the_end_of_a_request() -> None:
    request = Request(1)
    connection = request.run(Connection)

    def fail() -> None:
        raise OSError("gone")

    connection.close = fail  # type: ignore[method-assign]
    request.end()
    assert type(connection) is not Connection


def test_connections_nobody_keeps_are_not_kept_alive() -> None:
    request = Request(1)
    request.run(Connection)
    Connection.opened.clear()
    gc.collect()
    request.end()
    assert Connection.opened == []
