"""Django takes code for asynchronous only where it is: in a task, outside sync_to_async.

Without it every query raises SynchronousOnlyOperation ("You cannot call this from an async
context"): a loop always runs here, also while a synchronous view does.
"""

from __future__ import annotations

import asyncio
import importlib.util
from contextvars import ContextVar
from typing import Any

_synchronous: ContextVar[bool] = ContextVar("edgelift_synchronous", default=False)


def get_running_loop() -> asyncio.AbstractEventLoop:
    """Return the loop inside a task; raises RuntimeError where the origin would have none."""
    if _synchronous.get() or asyncio.current_task() is None:
        raise RuntimeError("no running event loop")
    return asyncio.get_running_loop()


def install() -> None:
    """Patch Django's check, and mark what sync_to_async calls, when Django is there."""
    if importlib.util.find_spec("django") is None:
        return
    import asgiref.sync
    import django.utils.asyncio

    check: Any = django.utils.asyncio
    if check.get_running_loop is get_running_loop:
        return
    check.get_running_loop = get_running_loop
    bridge: Any = asgiref.sync.SyncToAsync
    call = bridge.__call__

    async def call_marked(self: Any, *args: Any, **kwargs: Any) -> Any:
        mark = _synchronous.set(True)
        try:
            return await call(self, *args, **kwargs)
        finally:
            _synchronous.reset(mark)

    bridge.__call__ = call_marked
