"""psycopg.waiting for the Worker, where polling a descriptor would not suspend.

Without it psycopg's generators are polled in a loop that lets no other request run.
"""

from __future__ import annotations

import time
from collections.abc import Generator
from types import ModuleType
from typing import Any

from edgelift.worker.psycopg.link import find_link, use_blocking_sockets

_READ, _WRITE = 1, 2


def wait(
    gen: Generator[Any, Any, Any], fileno: int, interval: float = 0.0, timeout: float | None = None
) -> Any:
    """Run a generator of psycopg to its end, moving the bytes of its connection.

    Raises psycopg's OperationalError for a closed connection, its _WaitTimeout after `timeout`.
    """
    from psycopg import errors

    deadline = None if timeout is None else time.monotonic() + timeout
    try:
        state = next(gen)
        while True:
            link = find_link(fileno)
            if link is None:
                raise errors.OperationalError("connection socket closed")
            if state & _WRITE:
                link.flush()
                ready = _WRITE | (_READ if link.session.results else 0)
            else:
                left = None if deadline is None else max(deadline - time.monotonic(), 0.001)
                ready = _READ if link.wait_readable(left) else 0
            state = gen.send(ready)
            if deadline is not None and time.monotonic() >= deadline:
                raise errors._WaitTimeout("wait timeout expired")
    except StopIteration as stop:
        return stop.value


async def wait_async(
    gen: Generator[Any, Any, Any],
    fileno: int,
    interval: float = 0.0,
    timeout: float | None = None,  # noqa: ASYNC109 - psycopg's own signature
) -> Any:
    """Do as `wait`: reading a socket suspends the request, so the event loop goes on beside it."""
    return wait(gen, fileno, interval, timeout)


def patch(module: ModuleType) -> None:
    """Put these functions into psycopg.waiting."""
    use_blocking_sockets()
    names: Any = module
    names.wait, names.wait_async = wait, wait_async
