"""Who is running: flows (requests, jobs, green threads) and the thread identities they carry.

All Python of an isolate runs on one native thread; what a server would run on many threads are here
stacks that take turns whenever one waits for JavaScript. `current` says whose stack this is.
"""

from __future__ import annotations

import _thread
import itertools
from collections import deque
from collections.abc import Callable
from contextvars import Context, ContextVar, copy_context
from typing import Any

from edgelift.worker import host
from edgelift.worker.host import Parking, read_host

# What the driver of a flow's callbacks is doing (loop.py).
IDLE, RUNNING, PARKED, SUSPENDED = range(4)


class Identity:
    """One thread as Python code sees it: its ident, and the thread-locals that must end with it."""

    __slots__ = ("ident", "touched")

    def __init__(self, ident: int) -> None:
        self.ident = ident
        self.touched: list[Any] = []

    def forget_locals(self) -> None:
        """Drop this thread's values from every threading.local, as the end of a thread does."""
        for reference in self.touched:
            local = reference()
            if local is not None:
                object.__getattribute__(local, "_local__state")[0].pop(self.ident, None)
                # It may still show the values of the thread that used it last: this one's.
                object.__setattr__(local, "__dict__", {})
        self.touched.clear()


MAIN_IDENTITY = Identity(_thread.get_ident())
_next_ident = itertools.count(MAIN_IDENTITY.ident + 1)
# Idle identities of requests; the main thread's lies on top, so requests that do not overlap all
# run on it, like those of a gunicorn worker, and overlapping ones on a second, third, ... thread
# that keeps its thread-locals.
_idle = [MAIN_IDENTITY]


class Flow:
    """A request, job or green thread in flight."""

    __slots__ = (
        "_parking",
        "_ready",
        "closed",
        "driver",
        "endings",
        "identity",
        "posted",
        "request_id",
        "timers",
    )

    def __init__(self, request_id: int, identity: Identity) -> None:
        self.request_id = request_id
        self.identity = identity
        self.driver = IDLE
        self.posted = False
        # The first two are made when they are first used: most requests need neither.
        self._ready: deque[Any] | None = None
        self._parking: Parking | None = None
        self.timers: list[Any] = []
        self.closed = False
        # What to do when the flow ends, each with the flow that asked for it.
        self.endings: list[tuple[Flow, Callable[[], object]]] = []

    @property
    def ready(self) -> deque[Any]:
        """The callbacks that can run."""
        if self._ready is None:
            self._ready = deque()
        return self._ready

    @property
    def parking(self) -> Parking:
        """Where the driver of the callbacks waits for more."""
        if self._parking is None:
            self._parking = Parking()
        return self._parking


MAIN_FLOW = Flow(0, MAIN_IDENTITY)
current: ContextVar[Flow] = ContextVar("edgelift_flow", default=MAIN_FLOW)


def new_identity() -> Identity:
    """Return the identity of a new green thread."""
    return Identity(next(_next_ident))


def open_flow(request_id: int) -> Flow:
    """Return the flow of a request or job, on an idle identity."""
    flow = Flow(request_id, _idle.pop() if _idle else new_identity())
    _requests[request_id] = flow
    return flow


def close_flow(flow: Flow) -> None:
    """Do what was asked for at a request's end, and give the identity of its flow back."""
    _requests.pop(flow.request_id, None)
    end_flow(flow)
    if flow.identity is MAIN_IDENTITY:
        _idle.append(flow.identity)
    else:
        _idle.insert(0, flow.identity)


# The flows of requests that have not ended; green threads of the same request are not among them.
_requests: dict[int, Flow] = {}


def is_running(request_id: int) -> bool:
    """Return whether a request or job has not ended, with all that it waits for."""
    return request_id in _requests


def at_end(callback: Callable[[], object]) -> None:
    """Call `callback` once when the running request ends.

    Asked for by a green thread that is still running then, it is called when that one ends.
    """
    flow = current.get()
    _requests.get(flow.request_id, flow).endings.append((flow, callback))


def end_flow(flow: Flow) -> None:
    """Do what was asked for at the end of a request, a green thread or the import; newest first."""
    flow.closed = flow is not MAIN_FLOW
    while flow.endings:
        asker, callback = flow.endings.pop()
        if asker.closed or asker is flow:
            callback()
        else:
            asker.endings.insert(0, (asker, callback))


def get_ident() -> int:
    """Return the ident of the running green thread; stands in for threading.get_ident."""
    return current.get().identity.ident


_open_stacks: set[object] = set()


def overlapping() -> bool:
    """Return whether another stack may be suspended while this one runs."""
    return len(_open_stacks) > 1


def open_stack(owner: object) -> None:
    """Note that a stack has begun, which may be suspended from now on."""
    _open_stacks.add(owner)


def close_stack(owner: object) -> None:
    """Note that a stack has ended."""
    _open_stacks.discard(owner)


_base_context = Context()


def new_context(flow: Flow) -> Context:
    """Return a context for a flow's stack: what the import set, nothing of other requests."""
    context = _base_context.copy()
    context.run(current.set, flow)
    return context


_callbacks: dict[int, Callable[[], object]] = {}
_tokens = itertools.count(1)
_deferred: list[tuple[Flow, Callable[[], object]]] | None = None


def post(flow: Flow, delay_s: float, callback: Callable[[], object]) -> bool:
    """Run `callback` on a stack of its own in the I/O context of the flow's request.

    When that request is over, it runs in the one that calls, whose timers are then as good; False
    is returned then, since the callback is lost if that one ends first.
    """
    if flow.request_id:
        token = next(_tokens)
        _callbacks[token] = callback
        if read_host().post(flow.request_id, delay_s * 1000, token) is not False:
            return True
        del _callbacks[token]
    host.run_soon(lambda: _run_as_stack(callback), delay_s)
    return False


def run_posted(token: int) -> None:
    """Run the callback of a token once; unknown tokens are ignored."""
    callback = _callbacks.pop(token, None)
    if callback is not None:
        _run_as_stack(callback)


def _run_as_stack(callback: Callable[[], object]) -> None:
    stack = object()
    open_stack(stack)
    try:
        callback()
    finally:
        close_stack(stack)


def launch(flow: Flow, body: Callable[[], object]) -> None:
    """Start a green thread's stack.

    During the app's import only once something waits for it, or at `resume`.
    """
    if _deferred is None:
        post(flow, 0, body)
    else:
        _deferred.append((flow, body))


def begin_import() -> None:
    """Hold back threads: a suspended stack could not be part of a memory snapshot."""
    global _deferred
    _deferred = []
    host.before_wait = _launch_deferred


def end_import() -> None:
    """Keep the import's context variables as every request's start."""
    global _base_context
    host.before_wait = None
    _base_context = copy_context()


def is_importing() -> bool:
    """Return whether the app's import is still going on."""
    return host.before_wait is not None


def release_threads() -> int:
    """Start what was held back, in the request that starts the isolate, and return how many."""
    global _deferred
    held, _deferred = _deferred or [], None
    for flow, body in held:
        post(flow, 0, body)
    return len(held)


def _launch_deferred() -> None:
    """Start the newest of the threads held back: most likely the one that is waited for.

    The next wait starts the next. A thread that polls for ever stays held back that way; once
    started, its suspended stack would keep the snapshot from being made.
    """
    if _deferred:
        flow, body = _deferred.pop()
        post(flow, 0, body)
