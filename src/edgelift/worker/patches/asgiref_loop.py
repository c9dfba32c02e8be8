"""asgiref's bridges (Flask's `async def` views, Django's async code) use the one loop there is.

Without it async_to_sync raises RuntimeError, since a loop always runs here, and sync_to_async
starts threads.
"""

from __future__ import annotations

import importlib.util
from typing import Any

from edgelift.worker.loop import run_coroutine


def _call_async(self: Any, *args: Any, **kwargs: Any) -> Any:
    return run_coroutine(self.awaitable(*args, **kwargs))


async def _call_sync(self: Any, *args: Any, **kwargs: Any) -> Any:
    return self.func(*args, **kwargs)


def install() -> None:
    """Patch asgiref when it is among the packages."""
    if importlib.util.find_spec("asgiref") is None:
        return
    import asgiref.sync

    asgiref.sync.AsyncToSync.__call__ = _call_async
    asgiref.sync.SyncToAsync.__call__ = _call_sync
