"""Callbacks of Pyodide's event loop go to the request they belong to (loop.py).

Without it asyncio.Lock, timeouts and tasks run in another request's I/O context and workerd ends
the request as hung; asyncio.run() and run_until_complete() return without having run anything.
"""

from __future__ import annotations

import asyncio
import contextvars
import math
from collections.abc import Callable
from typing import Any

from edgelift.worker.flows import MAIN_FLOW, current
from edgelift.worker.loop import run_coroutine, schedule


def _call_later(
    self: Any,
    delay: float,
    callback: Callable[..., Any],
    *args: Any,
    context: contextvars.Context | None = None,
) -> asyncio.Handle:
    delay = max(delay, 0)
    handle = asyncio.Handle(callback, args, self, context=context)
    if delay != math.inf:
        owner: Any = handle
        schedule(owner._context.get(current, MAIN_FLOW), handle, delay)
    return handle


def _run_until_complete(self: Any, future: Any) -> Any:
    async def wait() -> Any:
        return await future

    return run_coroutine(wait())


def _run(main: Any, *, debug: bool | None = None, loop_factory: Any = None) -> Any:
    """Stand in for asyncio.run: there is one loop, and it always runs."""
    if not asyncio.iscoroutine(main):
        raise TypeError(f"a coroutine was expected, got {main!r}")
    return run_coroutine(main)


def _create_future(self: Any) -> Any:
    """Make a future without Pyodide's count of those in progress, which costs a callback each."""
    from pyodide.webloop import PyodideFuture

    return PyodideFuture(loop=self)


def _create_task(
    self: Any, coro: Any, *, name: str | None = None, context: Any = None, **options: Any
) -> Any:
    """Make a task without that count; asyncio itself reports exceptions nobody retrieves."""
    if self._task_factory is not None:
        return self._task_factory(self, coro, name=name, context=context, **options)
    from pyodide.webloop import PyodideTask

    return PyodideTask(coro, loop=self, name=name, context=context)


def install() -> None:
    """Patch the class, so that loops made later behave alike."""
    from pyodide.webloop import WebLoop

    WebLoop.create_future = _create_future
    WebLoop.create_task = _create_task

    WebLoop.call_later = _call_later
    WebLoop.run_until_complete = _run_until_complete
    asyncio.run = _run
