"""psycopg_pool's pools open a connection for each use and close it afterwards.

Without it a pool fills itself by threads that end with the request that opened it, and hands
requests the connections of others.
"""

from __future__ import annotations

import importlib.util
from typing import Any


def _get(self: Any, timeout: float | None = None) -> Any:
    self._check_open_getconn()
    connection = self._connect(timeout)
    connection._pool = self
    return connection


def _put(self: Any, conn: Any) -> None:
    conn._pool = None
    conn.close()


def _open(self: Any, wait: bool = False, timeout: float = 30.0) -> None:
    if self._closed:
        self._check_open()
        self._closed, self._opened = False, True


def _close(self: Any, timeout: float = 5.0) -> None:
    self._closed = True


async def _get_async(self: Any, timeout: float | None = None) -> Any:  # noqa: ASYNC109 - its own
    self._check_open_getconn()
    connection = await self._connect(timeout)
    connection._pool = self
    return connection


async def _put_async(self: Any, conn: Any) -> None:
    conn._pool = None
    await conn.close()


async def _open_async(self: Any, *_args: Any, **_kwargs: Any) -> None:
    _open(self)


async def _close_async(self: Any, *_args: Any, **_kwargs: Any) -> None:
    _close(self)


def _nothing(self: Any, *_args: Any, **_kwargs: Any) -> None:
    """Do nothing: no connection is kept."""


async def _nothing_async(self: Any, *_args: Any, **_kwargs: Any) -> None:
    """Do nothing: no connection is kept."""


def _no_workers(self: Any) -> list[Any]:
    """Return the threads to stop: there are none."""
    return []


def install() -> None:
    """Patch both pool classes when psycopg_pool and psycopg are among the packages."""
    if not all(importlib.util.find_spec(name) for name in ("psycopg_pool", "psycopg")):
        return
    import psycopg_pool

    for kind in (psycopg_pool.ConnectionPool, psycopg_pool.AsyncConnectionPool):
        kind._open, kind._signal_stop_worker = _open, _no_workers
    pool: Any = psycopg_pool.ConnectionPool
    pool.getconn, pool.putconn, pool.open, pool.close = _get, _put, _open, _close
    pool.wait = pool.check = pool.resize = pool.drain = _nothing
    pool = psycopg_pool.AsyncConnectionPool
    pool.getconn, pool.putconn = _get_async, _put_async
    pool.open, pool.close = _open_async, _close_async
    pool.wait = pool.check = pool.resize = pool.drain = _nothing_async
