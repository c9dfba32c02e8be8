"""psycopg2.pool: connection pools; in the Worker a connection does not outlive its request."""

from __future__ import annotations

import threading
from typing import Any

from . import connect, extensions
from ._errors import Error


class PoolError(Error):
    """The pool is exhausted or closed, or a connection is not its own."""


class AbstractConnectionPool:
    """Connections kept for reuse, `minconn` from the start and `maxconn` at most."""

    def __init__(self, minconn: Any, maxconn: Any, *args: Any, **kwargs: Any) -> None:
        self.minconn, self.maxconn = int(minconn), int(maxconn)
        self.closed = False
        self._args, self._kwargs = args, kwargs
        self._pool: list[Any] = []
        self._used: dict[Any, Any] = {}
        self._rused: dict[int, Any] = {}
        self._keys = 0
        for _ in range(self.minconn):
            self._connect()

    def _connect(self, key: Any = None) -> Any:
        made = connect(*self._args, **self._kwargs)
        if key is None:
            self._pool.append(made)
        else:
            self._used[key] = made
            self._rused[id(made)] = key
        return made

    def _getkey(self) -> int:
        self._keys += 1
        return self._keys

    def _getconn(self, key: Any = None) -> Any:
        if self.closed:
            raise PoolError("connection pool is closed")
        if key is None:
            key = self._getkey()
        if key in self._used:
            return self._used[key]
        if self._pool:
            found = self._used[key] = self._pool.pop()
            self._rused[id(found)] = key
            return found
        if len(self._used) == self.maxconn:
            raise PoolError("connection pool exhausted")
        return self._connect(key)

    def _putconn(self, conn: Any, key: Any = None, close: bool = False) -> None:
        if self.closed:
            raise PoolError("connection pool is closed")
        if key is None:
            key = self._rused.get(id(conn))
            if key is None:
                raise PoolError("trying to put unkeyed connection")
        if len(self._pool) < self.minconn and not close and not conn.closed:
            status = conn.info.transaction_status
            if status == extensions.TRANSACTION_STATUS_UNKNOWN:
                conn.close()
            else:
                if status != extensions.TRANSACTION_STATUS_IDLE:
                    conn.rollback()
                self._pool.append(conn)
        else:
            conn.close()
        if not self.closed or key in self._used:
            del self._used[key]
            del self._rused[id(conn)]

    def _closeall(self) -> None:
        if self.closed:
            raise PoolError("connection pool is closed")
        for conn in [*self._pool, *self._used.values()]:
            conn.close()
        self.closed = True


class SimpleConnectionPool(AbstractConnectionPool):
    """A pool for one thread."""

    getconn = AbstractConnectionPool._getconn
    putconn = AbstractConnectionPool._putconn
    closeall = AbstractConnectionPool._closeall


class ThreadedConnectionPool(AbstractConnectionPool):
    """A pool that threads share."""

    def __init__(self, minconn: Any, maxconn: Any, *args: Any, **kwargs: Any) -> None:
        super().__init__(minconn, maxconn, *args, **kwargs)
        self._lock = threading.Lock()

    def getconn(self, key: Any = None) -> Any:
        """Return a free connection, or the one of a key."""
        with self._lock:
            return self._getconn(key)

    def putconn(self, conn: Any = None, key: Any = None, close: bool = False) -> None:
        """Give a connection back."""
        with self._lock:
            self._putconn(conn, key, close)

    def closeall(self) -> None:
        """Close all connections."""
        with self._lock:
            self._closeall()
