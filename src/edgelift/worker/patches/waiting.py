"""time.sleep() suspends, and run_sync() resumes its stack without turns of the event loop.

Without it the C sleep spins while the clock of the isolate stands still, and every promise a stack
waits for costs turns of the event loop, which a flow waiting inside a callback never gets.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from typing import Any

from edgelift.worker import host
from edgelift.worker.flows import RUNNING, SUSPENDED, current
from edgelift.worker.loop import post_pending


def sleep(seconds: float, /) -> None:
    """Suspend this flow; where that is impossible (outside any request) return at once."""
    if seconds < 0:
        raise ValueError("sleep length must be non-negative")
    if host.before_wait is not None:
        host.before_wait()
    if not host.can_suspend():
        return
    from pyodide.ffi import run_sync

    run_sync(host.read_host().sleep(float(seconds) * 1000))


def make_run_sync(
    original: Callable[[Any], Any], future_type: type
) -> Callable[[Awaitable[Any]], Any]:
    """Return a run_sync over Pyodide's own; `future_type` is what its promises arrive as."""

    def run_sync(awaitable: Awaitable[Any]) -> Any:
        """Wait for a promise or awaitable.

        Other flows, and callbacks of this one, run meanwhile.
        """
        if type(awaitable) is future_type:
            _aim_at_stack(awaitable)
        flow = current.get()
        if flow.driver != RUNNING:
            return original(awaitable)
        flow.driver = SUSPENDED
        post_pending(flow)
        try:
            return original(awaitable)
        finally:
            flow.driver = RUNNING

    return run_sync


def _aim_at_stack(future: Any) -> None:
    """Keep aside the callbacks that resume stacks, so that set_result itself can call them.

    Pyodide adds each only after its stack is suspended, when the future may be done already.
    Nothing of this stays on a future that is done: it would be a reference cycle per wait.
    """
    if future.done() or getattr(future, "stacks", None) is not None:
        return
    future.stacks = []

    def add_done_callback(resume: Callable[[Any], None]) -> None:
        if future.done():
            del future.add_done_callback
            resume(future)
        else:
            future.stacks.append(resume)

    future.add_done_callback = add_done_callback


def _resume_directly(settle: Callable[[Any, Any], None]) -> Callable[[Any, Any], None]:
    def settle_and_resume(self: Any, value: Any) -> None:
        settle(self, value)
        stacks = getattr(self, "stacks", None)
        if stacks is None:
            return
        del self.stacks
        if stacks:
            del self.add_done_callback
        for resume in stacks:
            resume(self)

    return settle_and_resume


def install() -> None:
    """Replace time.sleep and pyodide.ffi.run_sync, and let Pyodide's futures resume stacks."""
    import pyodide.ffi
    import pyodide.webloop
    from pyodide.webloop import PyodideFuture

    PyodideFuture.set_result = _resume_directly(PyodideFuture.set_result)
    PyodideFuture.set_exception = _resume_directly(PyodideFuture.set_exception)
    run_sync = make_run_sync(pyodide.ffi.run_sync, PyodideFuture)
    pyodide.ffi.run_sync = pyodide.webloop.run_sync = run_sync
    clock: Any = time
    clock.sleep = sleep
