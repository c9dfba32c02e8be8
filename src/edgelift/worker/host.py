"""The way from Python to JavaScript: the host module of PROTOCOL (runtime.py), suspension, timers.

Nothing of JavaScript is kept in a module global here: a memory snapshot could not hold it.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable
from typing import Any

MODULE = "_edgelift_host"
# Where a bytes object's content starts behind its address: the basic size counts the closing zero.
_BYTES_OFFSET = bytes.__basicsize__ - 1

# Called before a stack waits; set while the app is imported, when threads have not been started
# yet (flows.py).
before_wait: Callable[[], None] | None = None


def read_host() -> Any:
    """Return the host module, or None outside a Worker (unit tests under CPython)."""
    try:
        return importlib.import_module(MODULE)
    except ImportError:
        return None


def can_suspend() -> bool:
    """Return whether this stack may wait for JavaScript without blocking the isolate."""
    if sys.platform != "emscripten":
        return False
    from pyodide.ffi import can_run_sync

    return bool(can_run_sync())


def to_javascript(data: object) -> Any:
    """Return bytes, or a tuple of simple values, as JavaScript's own.

    Under CPython the value itself.
    """
    if sys.platform != "emscripten":
        return data
    from pyodide.ffi import to_js

    return to_js(data)


def locate_bytes(data: bytes | None) -> tuple[int, int]:
    """Return address and size of the content of `data`, which must stay alive; zeros for None.

    Handing these over costs a tenth of what converting to a JavaScript object does.
    """
    return (0, 0) if data is None else (id(data) + _BYTES_OFFSET, len(data))


def from_buffer(buffer: Any) -> bytes:
    """Return what PROTOCOL calls JsBuffer as bytes."""
    return buffer if isinstance(buffer, bytes) else buffer.to_bytes()


def run_soon(callback: Callable[[], object], delay_s: float) -> None:
    """Run a callback on a stack of its own in the I/O context that calls."""
    import js
    from pyodide.ffi import create_once_callable

    js.setTimeout(create_once_callable(callback, _may_syncify=True), delay_s * 1000)


def keep_alive() -> Callable[[], object]:
    """Keep the running request's I/O context alive until the returned function is called."""
    import js

    pending = js.Promise.withResolvers()
    read_host().wait_until(pending.promise)
    return pending.resolve


class Parking:
    """Where one waiting stack is parked; `wake` may be called from any other stack, at any time."""

    __slots__ = ("_future", "_woken")

    def __init__(self) -> None:
        self._future: Any = None
        self._woken = False

    def wake(self) -> None:
        """Let the parked stack go on.

        When it is not parked yet, its next `park` returns at once.
        """
        if self._future is None:
            self._woken = True
        elif not self._future.done():
            self._future.set_result(None)

    def park(self, limit_ms: float) -> None:
        """Suspend the calling stack until `wake`, at most `limit_ms`.

        The timer belongs to the request that waits: one that waits only for another request's
        promise is ended by workerd as hung. Raises RuntimeError where nothing can be waited for.
        """
        if self._woken:
            self._woken = False
            return
        if before_wait is not None:
            before_wait()
        if not can_suspend():
            raise RuntimeError("this would wait for ever: nothing else can run here")
        from pyodide.ffi import run_sync

        self._future = read_host().sleep(limit_ms)
        try:
            run_sync(self._future)
        finally:
            self._future = None
