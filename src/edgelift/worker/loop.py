"""Runs a flow's asyncio callbacks on the flow's own stack, in its own I/O context.

Pyodide's loop puts the callbacks of all requests into one JavaScript queue, so a task may run in
another request's I/O context, where its promises and timers are refused. Here every callback goes
to the flow of its context: to the driver that waits for it, or, when nobody drives the flow,
through JavaScript into the request (flows.post).
"""

from __future__ import annotations

import asyncio
import heapq
import itertools
import time
from collections.abc import Callable, Coroutine
from typing import Any

from edgelift.worker.flows import IDLE, PARKED, RUNNING, Flow, current, post

# A parked request looks again this often, see Parking.park.
_LONGEST_PARK_S = 0.1
_order = itertools.count()


def schedule(flow: Flow, handle: asyncio.Handle, delay_s: float) -> None:
    """Queue a callback of a flow."""
    if delay_s > 0:
        heapq.heappush(flow.timers, (time.monotonic() + delay_s, next(_order), handle))
    else:
        flow.ready.append(handle)
    if flow.driver == PARKED:
        flow.parking.wake()
    elif flow.driver != RUNNING:
        post_pending(flow)


def post_pending(flow: Flow) -> None:
    """Have a flow's queued callbacks run from JavaScript, since no driver will."""
    if flow.ready and not flow.posted:
        flow.posted = post(flow, 0, lambda: _run_posted(flow))
    elif flow.timers and not flow.ready:
        when = flow.timers[0][0]
        post(flow, max(0, when - time.monotonic()), lambda: _run_posted(flow))


def _run_posted(flow: Flow) -> None:
    flow.posted = False
    _move_due(flow)
    # Only what is there now: what these callbacks queue comes by a turn of its own, so none
    # can starve the rest.
    for _ in range(len(flow.ready)):
        if flow.ready:
            run_handle(flow.ready.popleft())
    if flow.driver not in (RUNNING, PARKED):
        post_pending(flow)


def _move_due(flow: Flow) -> None:
    now = time.monotonic()
    timers = flow.timers
    while timers and (timers[0][0] <= now or timers[0][2].cancelled()):
        flow.ready.append(heapq.heappop(timers)[2])


def run_handle(handle: asyncio.Handle) -> None:
    """Run one callback in its own context; what it raises is logged by the loop."""
    if not handle.cancelled():
        handle._run()


def drive(flow: Flow, is_done: Callable[[], bool]) -> None:
    """Run a flow's callbacks on this stack until `is_done`.

    What is left then runs from JavaScript.
    """
    loop: Any = asyncio.get_event_loop()
    loop._install_running_loop()
    loop._install_asyncgen_hooks()
    # This stack may be inside a task's step: no other could be entered on it meanwhile.
    running = asyncio.tasks._swap_current_task(loop, None)  # type: ignore[attr-defined]
    outer = flow.driver
    flow.driver = RUNNING
    try:
        while not is_done():
            if flow.timers:
                _move_due(flow)
            if flow.ready:
                run_handle(flow.ready.popleft())
                continue
            limit = _LONGEST_PARK_S
            if flow.timers:
                limit = min(limit, max(0.0, flow.timers[0][0] - time.monotonic()))
            flow.driver = PARKED
            try:
                flow.parking.park(limit * 1000)
            finally:
                flow.driver = RUNNING
    finally:
        asyncio.tasks._swap_current_task(loop, running)  # type: ignore[attr-defined]
        flow.driver = outer
        if outer == IDLE:
            post_pending(flow)


def run_coroutine(coroutine: Coroutine[Any, Any, Any]) -> Any:
    """Run a coroutine to its end and return its result, for synchronous callers."""
    task = asyncio.get_event_loop().create_task(coroutine)
    drive(current.get(), task.done)
    return task.result()
