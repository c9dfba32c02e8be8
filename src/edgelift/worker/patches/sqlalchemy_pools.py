"""SQLAlchemy's pools of server connections open one for each use, as NullPool does.

Without it an engine hands a request the connection of another: the Worker refuses it or waits for
ever. Pools of SQLite, in memory above all, stay as they are.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from typing import Any


def _is_server(pool: Any) -> bool:
    return getattr(pool._dialect, "name", "sqlite") not in {"sqlite", "default"}


def _get(original: Callable[[Any], Any]) -> Callable[[Any], Any]:
    def do_get(self: Any) -> Any:
        return self._create_connection() if _is_server(self) else original(self)

    return do_get


def _give_back(original: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
    def do_return_conn(self: Any, record: Any) -> Any:
        return record.close() if _is_server(self) else original(self, record)

    return do_return_conn


def install() -> None:
    """Patch the pool classes when SQLAlchemy is among the packages."""
    if importlib.util.find_spec("sqlalchemy") is None:
        return
    from sqlalchemy.pool import impl

    for name in ("QueuePool", "StaticPool", "SingletonThreadPool", "AssertionPool"):
        kind: Any = getattr(impl, name)
        if kind._do_get.__name__ != "do_get":
            kind._do_get = _get(kind._do_get)
            kind._do_return_conn = _give_back(kind._do_return_conn)
