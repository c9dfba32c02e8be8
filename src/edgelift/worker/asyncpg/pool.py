"""asyncpg.Pool; a connection is used again only by the request that opened it.

Under a Worker sockets end with their request, so the pool keeps idle connections by request and
drops those of others. Outside of a Worker there is one request: the process.
"""

# ruff: noqa: ASYNC109 - the timeouts are those of asyncpg's own signatures
from __future__ import annotations

import asyncio
import functools
import inspect
from collections.abc import Generator
from types import TracebackType
from typing import Any, Self

from edgelift.worker.flows import current

from .connection import Connection, connect
from .exceptions import InterfaceError
from .record import Record


class PoolConnectionProxy:
    """A connection that was acquired; of no use after it was released."""

    def __init__(self, holder: Pool, con: Connection) -> None:
        self._holder = holder
        self._con: Connection | None = con
        con._proxy = self

    def __getattr__(self, attr: str) -> Any:
        con = self.__dict__.get("_con")
        value = getattr(Connection if con is None else con, attr)
        if con is None and callable(value):
            return functools.partial(_refuse, attr)
        if con is None:
            raise _released(attr)
        return value

    def _detach(self) -> Connection | None:
        con, self._con = self._con, None
        if con is not None:
            con._proxy = None
        return con

    @property  # type: ignore[misc]
    def __class__(self) -> Any:
        # isinstance(proxy, asyncpg.Connection) is true in asyncpg.
        return Connection

    def __repr__(self) -> str:
        if self._con is None:
            return f"<asyncpg.pool.PoolConnectionProxy [released] {id(self):#x}>"
        return f"<asyncpg.pool.PoolConnectionProxy {self._con!r} {id(self):#x}>"


def _released(name: str) -> InterfaceError:
    return InterfaceError(
        f"cannot call Connection.{name}(): connection has been released back to the pool"
    )


def _refuse(name: str, *_args: Any, **_kwargs: Any) -> Any:
    raise _released(name)


class PoolAcquireContext:
    """What Pool.acquire returns: to be awaited, or used with `async with`."""

    __slots__ = "connection", "done", "pool", "timeout"

    def __init__(self, pool: Pool, timeout: float | None) -> None:
        self.pool, self.timeout = pool, timeout
        self.connection: Any = None
        self.done = False

    async def __aenter__(self) -> Any:
        if self.connection is not None or self.done:
            raise InterfaceError("a connection is already acquired")
        self.connection = await self.pool._acquire(self.timeout)
        return self.connection

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.done = True
        con, self.connection = self.connection, None
        await self.pool.release(con)

    def __await__(self) -> Generator[Any, None, Any]:
        self.done = True
        return self.pool._acquire(self.timeout).__await__()


class Pool:
    """Connections kept for reuse, `max_size` of them at most."""

    def __init__(self, *connect_args: Any, **options: Any) -> None:
        take = options.pop
        self._min_size, self._max_size = take("min_size", 10), take("max_size", 10)
        take("max_queries", None), take("max_inactive_connection_lifetime", None)
        self._setup, self._init = take("setup", None), take("init", None)
        self._reset, self._connect = take("reset", None), take("connect", None) or connect
        self._connection_class = take("connection_class", Connection)
        self._record_class = take("record_class", Record)
        take("loop", None)
        if self._max_size <= 0:
            raise ValueError("max_size is expected to be greater than zero")
        if self._min_size < 0:
            raise ValueError("min_size is expected to be greater or equal to zero")
        if self._min_size > self._max_size:
            raise ValueError("min_size is greater than max_size")
        self._args, self._options = connect_args, options
        self._idle: dict[int, list[Connection]] = {}
        self._used: set[Connection] = set()
        self._free = asyncio.Semaphore(self._max_size)
        self._initialized = self._closed = self._closing = False

    # Life

    async def _open(self) -> Pool:
        if self._initialized:
            return self
        if self._closed:
            raise InterfaceError("pool is closed")
        self._initialized = True
        made = [await self._make() for _ in range(self._min_size)]
        self._idle.setdefault(_request(), []).extend(made)
        return self

    def __await__(self) -> Generator[Any, None, Pool]:
        return self._open().__await__()

    async def __aenter__(self) -> Self:
        await self._open()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Wait for the connections in use and close all."""
        if self._closed:
            return
        self._check()
        self._closing = True
        for _ in range(self._max_size):
            await self._free.acquire()
        for con in self._all():
            await con.close()
        self._idle.clear()
        self._closed, self._closing = True, False

    def terminate(self) -> None:
        """Close all connections at once."""
        if self._closed:
            return
        self._check()
        for con in self._all():
            con.terminate()
        self._idle.clear()
        self._closed = True

    def _all(self) -> list[Connection]:
        return [*self._used, *(con for idle in self._idle.values() for con in idle)]

    async def expire_connections(self) -> None:
        """Close the idle connections, so that new ones are made."""
        for con in [con for idle in self._idle.values() for con in idle]:
            await con.close()
        self._idle.clear()

    def _check(self) -> None:
        if not self._initialized:
            raise InterfaceError("pool is not initialized")
        if self._closed:
            raise InterfaceError("pool is closed")

    def is_closing(self) -> bool:
        """Return whether the pool is closed or about to be."""
        return self._closed or self._closing

    # Sizes

    def get_size(self) -> int:
        """Return how many connections there are."""
        return len(self._all())

    def get_min_size(self) -> int:
        """Return how many connections were made at first."""
        return int(self._min_size)

    def get_max_size(self) -> int:
        """Return how many connections there can be."""
        return int(self._max_size)

    def get_idle_size(self) -> int:
        """Return how many connections are not in use."""
        return sum(map(len, self._idle.values()))

    def set_connect_args(self, dsn: Any = None, **connect_kwargs: Any) -> None:
        """Connect differently from now on."""
        self._args, self._options = (dsn,), connect_kwargs

    # Connections

    async def _make(self) -> Any:
        made = await self._connect(
            *self._args,
            connection_class=self._connection_class,
            record_class=self._record_class,
            **self._options,
        )
        if self._init is not None:
            await self._init(made)
        return made

    def acquire(self, *, timeout: float | None = None) -> PoolAcquireContext:
        """Return a connection, when awaited or in `async with`."""
        return PoolAcquireContext(self, timeout)

    async def _acquire(self, timeout: float | None) -> Any:
        if self._closing:
            raise InterfaceError("pool is closing")
        self._check()
        async with asyncio.timeout(timeout):
            await self._free.acquire()
            try:
                con = await self._take()
            except BaseException:
                self._free.release()
                raise
        self._used.add(con)
        proxy = PoolConnectionProxy(self, con)
        if self._setup is not None:
            try:
                await self._setup(proxy)
            except BaseException:
                await self.release(proxy)
                raise
        return proxy

    async def _take(self) -> Any:
        """Return an idle connection of this request, or a new one."""
        request = _request()
        for other in [key for key in self._idle if key != request]:
            for con in self._idle.pop(other):
                con._wire.closed = True  # its socket ended with its request
        idle = self._idle.get(request, [])
        while idle:
            con = idle.pop()
            if not con.is_closed():
                return con
        return await self._make()

    async def release(self, connection: Any, *, timeout: float | None = None) -> None:
        """Give a connection back."""
        if type(connection) is not PoolConnectionProxy or connection._holder is not self:
            raise InterfaceError(
                f"Pool.release() received invalid connection: {connection!r} is not a member of "
                "this pool"
            )
        if connection._con is None:
            return
        self._check()
        con: Any = connection._con
        try:
            if not con.is_closed():
                await asyncio.shield(self._restore(con, timeout))
        finally:
            connection._detach()
            con._releases += 1
            self._used.discard(con)
            if not con.is_closed():
                self._idle.setdefault(_request(), []).append(con)
            self._free.release()

    async def _restore(self, con: Any, timeout: float | None) -> None:
        """Make a connection ready for its next user; one that cannot be is closed."""
        try:
            if con._wire.session.pending:
                await con._wire.exchange(lambda session: session.sync())
            if self._reset is not None:
                await self._reset(con)
            await con.reset(timeout=timeout)
        except BaseException:
            con.terminate()
            raise

    # Shortcuts

    async def execute(self, query: str, *args: Any, timeout: float | None = None) -> str:
        """Run a statement on a connection of the pool."""
        async with self.acquire() as con:
            return str(await con.execute(query, *args, timeout=timeout))

    async def executemany(self, command: str, args: Any, *, timeout: float | None = None) -> None:
        """Run a statement for each of the arguments on a connection of the pool."""
        async with self.acquire() as con:
            await con.executemany(command, args, timeout=timeout)

    async def fetch(self, query: str, *args: Any, **options: Any) -> Any:
        """Return all rows of a statement."""
        async with self.acquire() as con:
            return await con.fetch(query, *args, **options)

    async def fetchval(self, query: str, *args: Any, **options: Any) -> Any:
        """Return a value of the first row of a statement."""
        async with self.acquire() as con:
            return await con.fetchval(query, *args, **options)

    async def fetchrow(self, query: str, *args: Any, **options: Any) -> Any:
        """Return the first row of a statement."""
        async with self.acquire() as con:
            return await con.fetchrow(query, *args, **options)

    async def fetchmany(self, query: str, args: Any, **options: Any) -> Any:
        """Run a statement for each of the arguments and return all rows."""
        async with self.acquire() as con:
            return await con.fetchmany(query, args, **options)

    def __getattr__(self, name: str) -> Any:
        if not name.startswith("copy_"):
            raise AttributeError(name)

        async def copy(*args: Any, **options: Any) -> Any:
            async with self.acquire() as con:
                return await getattr(con, name)(*args, **options)

        return copy


def _request() -> int:
    return current.get().request_id


def create_pool(dsn: str | None = None, **options: Any) -> Pool:
    """Return a pool; awaiting it, or `async with`, opens it."""
    kind = options.get("connection_class", Connection)
    if not inspect.isclass(kind) or not issubclass(kind, Connection):
        raise InterfaceError(
            f"connection_class is expected to be a subclass of asyncpg.Connection, got {kind!r}"
        )
    return Pool(dsn, **options)
