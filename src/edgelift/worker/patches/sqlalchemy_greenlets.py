"""SQLAlchemy's asyncio side without greenlet, which has no build for the Worker.

Without it create_async_engine() ends in "requires that the Python 'greenlet' library is installed".
What SQLAlchemy runs in a greenlet runs here on the task's own stack, and an await inside it drives
the request's tasks until the awaited one is done (loop.py).
"""

from __future__ import annotations

import importlib
import importlib.util
import sys
from collections.abc import Awaitable, Callable
from contextvars import ContextVar
from types import ModuleType
from typing import Any

from edgelift.worker.loop import run_coroutine

# Whether a caller is inside greenlet_spawn: outside, SQLAlchemy refuses I/O, and so does this.
_spawned: ContextVar[bool] = ContextVar("edgelift_spawned", default=False)


def in_greenlet() -> bool:
    """Return whether the caller may use await_only."""
    return _spawned.get()


def await_only(awaitable: Awaitable[Any]) -> Any:
    """Wait for an awaitable in synchronous code that greenlet_spawn called; return its result.

    Raises sqlalchemy.exc.MissingGreenlet elsewhere.
    """
    if not _spawned.get():
        from sqlalchemy import exc

        close = getattr(awaitable, "close", None)
        if close is not None:
            close()
        raise exc.MissingGreenlet(
            "greenlet_spawn has not been called; can't call await_only() "
            "here. Was IO attempted in an unexpected place?"
        )
    return await_fallback(awaitable)


def await_fallback(awaitable: Awaitable[Any]) -> Any:
    """Wait for an awaitable in any synchronous code."""

    async def wait() -> Any:
        return await awaitable

    return run_coroutine(wait())


async def greenlet_spawn(
    fn: Callable[..., Any], *args: Any, _require_await: bool = False, **kwargs: Any
) -> Any:
    """Call a synchronous function, which may use await_only."""
    mark = _spawned.set(True)
    try:
        return fn(*args, **kwargs)
    finally:
        _spawned.reset(mark)


_REPLACED: dict[str, Any] = {
    "await_": await_only,
    "await_only": await_only,
    "await_fallback": await_fallback,
    "greenlet_spawn": greenlet_spawn,
    "in_greenlet": in_greenlet,
}


def _make_greenlet() -> ModuleType:
    """Return what SQLAlchemy 2.0's import of greenlet must find."""

    class Greenlet:
        """Stands for a stack that is never switched to."""

    module: Any = ModuleType("greenlet")
    module.greenlet, module.getcurrent = Greenlet, Greenlet
    return module


def install() -> None:
    """Patch SQLAlchemy when it is among the packages and greenlet is not."""
    if importlib.util.find_spec("sqlalchemy") is None or "greenlet" in sys.modules:
        return
    if importlib.util.find_spec("greenlet") is not None:
        return
    sys.modules["greenlet"] = _make_greenlet()
    try:
        concurrency: Any = importlib.import_module("sqlalchemy.util.concurrency")
        shim = getattr(concurrency, "_concurrency_shim", None)
        if shim is not None:
            shim._initialize()
    finally:
        # Whether greenlet is installed is for everybody else to see as it is.
        del sys.modules["greenlet"]
    loaded = [m for name, m in sys.modules.items() if name.partition(".")[0] == "sqlalchemy"]
    for module in loaded:
        for name, replacement in _REPLACED.items():
            if name in vars(module):
                setattr(module, name, replacement)
