"""asyncpg's cursors: portals whose rows are fetched some at a time, inside a transaction."""

# ruff: noqa: ASYNC109 - the timeouts are those of asyncpg's own signatures
from __future__ import annotations

from collections import deque
from typing import Any, Self

from .connresource import ConnectionResource, guarded
from .exceptions import InterfaceError, NoActiveSQLTransactionError


class CursorFactory(ConnectionResource):
    """What Connection.cursor returns: to be awaited, or iterated over with `async for`."""

    def __init__(  # noqa: PLR0917 - what a cursor takes
        self,
        connection: Any,
        query: str,
        state: Any,
        args: Any,
        prefetch: int | None,
        timeout: float | None,
        record_class: Any,
    ) -> None:
        super().__init__(connection)
        self._query, self._state, self._args = query, state, args
        self._prefetch, self._timeout, self._record_class = prefetch, timeout, record_class

    @guarded
    def __aiter__(self) -> CursorIterator:
        prefetch = 50 if self._prefetch is None else self._prefetch
        return CursorIterator(self, prefetch)

    @guarded
    def __await__(self) -> Any:
        if self._prefetch is not None:
            raise InterfaceError("prefetch argument can only be specified for iterable cursor")
        return Cursor(self)._init().__await__()


class BaseCursor(ConnectionResource):
    """A portal on the server."""

    def __init__(self, factory: CursorFactory) -> None:
        super().__init__(factory._connection)
        self._factory = factory
        self._state = factory._state
        self._portal = b""
        self._exhausted = False

    def _check_ready(self) -> None:
        if self._exhausted and self._portal == b"":
            raise InterfaceError("cursor is closed")
        if not self._connection.is_in_transaction():
            raise NoActiveSQLTransactionError("cursor cannot be created outside of a transaction")

    async def _open(self, limit: int) -> list[Any]:
        """Bind the portal, and fetch rows at once unless `limit` is 0."""
        self._check_ready()
        connection, factory = self._connection, self._factory
        if self._state is None:
            self._state = await connection._get_statement(
                factory._query, factory._timeout, named=True, record_class=factory._record_class
            )
        self._portal = connection._get_unique_id("portal").encode()
        rows, self._exhausted = await connection._bind_portal(
            self._state, factory._args, self._portal, limit, factory._timeout
        )
        return list(rows)

    async def _exec(self, limit: int, timeout: float | None) -> list[Any]:
        self._check_ready()
        if self._exhausted:
            return []
        rows, self._exhausted = await self._connection._run_portal(
            self._state, self._portal, limit, timeout
        )
        return list(rows)

    def __repr__(self) -> str:
        state = "exhausted " if self._exhausted else ""
        query = self._factory._query[:20]
        return f"<{type(self).__module__}.{type(self).__name__} {query!r} {state}{id(self):#x}>"


class CursorIterator(BaseCursor):
    """Iterates over rows, `prefetch` of them fetched at a time."""

    def __init__(self, factory: CursorFactory, prefetch: int) -> None:
        if prefetch <= 0:
            raise InterfaceError("prefetch argument must be greater than zero")
        super().__init__(factory)
        self._prefetch = prefetch
        self._buffer: deque[Any] = deque()

    def __aiter__(self) -> Self:
        return self

    @guarded
    async def __anext__(self) -> Any:
        if not self._buffer:
            if not self._portal:
                self._buffer.extend(await self._open(self._prefetch))
            else:
                self._buffer.extend(await self._exec(self._prefetch, self._factory._timeout))
        if not self._buffer:
            if self._portal:
                await self._connection._close_portal(self._portal)
                self._portal = b""
            raise StopAsyncIteration
        return self._buffer.popleft()


class Cursor(BaseCursor):
    """A cursor whose rows are fetched on demand."""

    async def _init(self) -> Cursor:
        await self._open(0)
        return self

    @guarded
    async def fetch(self, n: int, *, timeout: float | None = None) -> list[Any]:
        """Return up to `n` rows."""
        if n <= 0:
            raise InterfaceError("n must be greater than zero")
        return await self._exec(n, timeout)

    @guarded
    async def fetchrow(self, *, timeout: float | None = None) -> Any:
        """Return the next row, None after the last."""
        rows = await self._exec(1, timeout)
        return rows[0] if rows else None

    @guarded
    async def forward(self, n: int, *, timeout: float | None = None) -> int:
        """Skip `n` rows and return how many there were."""
        if n <= 0:
            raise InterfaceError("n must be greater than zero")
        self._check_ready()
        name = self._portal.decode()
        status = await self._connection.execute(f"MOVE FORWARD {n} {name}", timeout=timeout)
        skipped = int(status.split()[1])
        self._exhausted = self._exhausted or skipped < n
        return skipped
