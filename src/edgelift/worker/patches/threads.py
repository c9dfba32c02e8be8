"""Threads as stacks of their own that take turns.

Without it starting one fails ("can't start new thread"). Each runs in the I/O context of the
request that starts it, which stays alive for it as long as the platform allows.
"""

from __future__ import annotations

import _thread
import sys
import threading
from collections.abc import Callable
from contextvars import Context, copy_context
from typing import Any

from edgelift.worker.flows import (
    Flow,
    close_stack,
    current,
    end_flow,
    launch,
    new_identity,
    open_stack,
)
from edgelift.worker.host import keep_alive
from edgelift.worker.patches.locks import Lock

_threads: Any = threading


class ThreadHandle:
    """Stands in for _thread._ThreadHandle: when a green thread has ended."""

    def __init__(self) -> None:
        self.ident = 0
        self._running = Lock()
        self._running.acquire()

    def finish(self) -> None:
        """Note the end and wake those who wait for it."""
        self._running.release()

    def is_done(self) -> bool:
        """Return whether the thread has ended."""
        return not self._running.locked()

    def join(self, timeout: float | None = None) -> None:
        """Wait for the end, at most `timeout` seconds."""
        if self._running.acquire(timeout=-1 if timeout is None else max(0, timeout)):
            self._running.release()


def run_thread(
    flow: Flow, context: Context, body: Callable[[], object], end: Callable[[], None]
) -> None:
    """Launch `body` as a green thread; `end` is called after it, whatever it raised."""

    def run() -> None:
        release = keep_alive()
        open_stack(flow)
        try:
            context.run(current.set, flow)
            context.run(body)
        finally:
            end_flow(flow)
            flow.identity.forget_locals()
            close_stack(flow)
            end()
            release()

    launch(flow, run)


def _start(self: Any) -> None:
    if not self._initialized:
        raise RuntimeError("thread.__init__() not called")
    if self._started.is_set():
        raise RuntimeError("threads can only be started once")
    flow = Flow(current.get().request_id, new_identity())
    ident = flow.identity.ident
    if self._context is None:
        inherit = sys.flags.thread_inherit_context  # type: ignore[attr-defined]
        self._context = copy_context() if inherit else Context()
    handle = self._os_thread_handle
    handle.ident = self._ident = self._native_id = ident
    _threads._active[ident] = self
    self._started.set()

    def body() -> None:
        try:
            self.run()
        except BaseException:  # noqa: BLE001 - the thread's own last line, as in threading.py
            self._invoke_excepthook(self)

    def end() -> None:
        _threads._active.pop(ident, None)
        handle.finish()

    run_thread(flow, self._context, body, end)


def _start_new_thread(
    function: Callable[..., object], args: tuple[Any, ...], kwargs: dict[str, Any] | None = None
) -> int:
    """Stand in for _thread.start_new_thread."""
    thread = threading.Thread(target=function, args=args, kwargs=kwargs)
    thread.start()
    return thread.ident or 0


def install() -> None:
    """Replace what Thread.start, join and is_alive rest on."""
    raw: Any = _thread
    _threads._ThreadHandle = ThreadHandle
    threading.Thread.start = _start  # type: ignore[method-assign]
    raw.start_new_thread = raw.start_new = _start_new_thread
