"""anyio.to_thread.run_sync() calls its function in place.

Without it FastAPI's `def` routes, file answers and uploads start threads that do not exist ("can't
start new thread"). What the function waits for suspends this request only.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from typing import Any


async def run_sync(func: Callable[..., Any], *args: Any, **_options: Any) -> Any:
    """Call the function; the options of anyio's own mean nothing without threads."""
    return func(*args)


def install() -> None:
    """Patch anyio when it is among the packages; callers look the function up in the module."""
    if importlib.util.find_spec("anyio") is None:
        return
    import anyio.to_thread

    module: Any = anyio.to_thread
    module.run_sync = run_sync
