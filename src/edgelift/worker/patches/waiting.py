"""time.sleep() that suspends, and run_sync() that hands a flow's callbacks over: the C sleep spins while the clock of
the isolate stands still, and a flow that waits inside a callback would keep its other callbacks from running.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable
from typing import Any

from edgelift.worker import host
from edgelift.worker.flows import RUNNING, SUSPENDED, current
from edgelift.worker.host import can_suspend, read_host
from edgelift.worker.loop import post_pending


def sleep(seconds: float, /) -> None:
    """Suspend this flow; where that is impossible (outside any request) return at once."""
    if seconds < 0:
        raise ValueError("sleep length must be non-negative")
    if host.before_wait is not None:
        host.before_wait()
    if not can_suspend():
        return
    from pyodide.ffi import run_sync

    run_sync(read_host().sleep(float(seconds) * 1000))


def install() -> None:
    """Replace time.sleep and wrap pyodide.ffi.run_sync."""
    import pyodide.ffi
    import pyodide.webloop

    original = pyodide.ffi.run_sync

    def run_sync(awaitable: Awaitable[Any]) -> Any:
        """Wait for a promise or awaitable; other flows run meanwhile, and so do this one's callbacks."""
        flow = current.get()
        if flow.driver != RUNNING:
            return original(awaitable)
        flow.driver = SUSPENDED
        post_pending(flow)
        try:
            return original(awaitable)
        finally:
            flow.driver = RUNNING

    pyodide.ffi.run_sync = pyodide.webloop.run_sync = run_sync
    time.sleep = sleep
