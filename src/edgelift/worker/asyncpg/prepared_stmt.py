"""asyncpg's prepared statements."""

# ruff: noqa: ASYNC109 - the timeouts are those of asyncpg's own signatures
from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from .connresource import ConnectionResource, guarded
from .cursor import CursorFactory
from .exceptions import InterfaceError
from .types import Attribute, Type


class PreparedStatement(ConnectionResource):
    """A statement that the server has prepared."""

    def __init__(self, connection: Any, query: str, state: Any) -> None:
        super().__init__(connection)
        self._query, self._state = query, state
        self._last_status: bytes | None = None
        state.uses += 1

    def __del__(self) -> None:
        state = getattr(self, "_state", None)
        if state is not None:
            state.uses -= 1
            self._connection._discard(state)

    @guarded
    def get_name(self) -> str:
        """Return the statement's name on the server."""
        return str(self._state.name.decode())

    @guarded
    def get_query(self) -> str:
        """Return the statement's text."""
        return self._query

    @guarded
    def get_statusmsg(self) -> str | None:
        """Return the command tag of the last run, None before it."""
        return None if self._last_status is None else self._last_status.decode()

    @guarded
    def get_parameters(self) -> tuple[Type, ...]:
        """Return the types of the parameters."""
        codecs = self._connection._codecs
        return tuple(codecs.get(oid).type for oid in self._state.parameters)

    @guarded
    def get_attributes(self) -> tuple[Attribute, ...]:
        """Return the names and types of the columns."""
        codecs = self._connection._codecs
        return tuple(
            Attribute(field.name.decode(), codecs.get(field.type_oid).type)
            for field in self._state.fields or ()
        )

    @guarded
    def cursor(
        self, *args: Any, prefetch: int | None = None, timeout: float | None = None
    ) -> CursorFactory:
        """Return a cursor over the statement's rows."""
        return CursorFactory(
            self._connection, self._query, self._state, args, prefetch, timeout, None
        )

    @guarded
    async def explain(self, *args: Any, analyze: bool = False) -> Any:
        """Return the plan of the statement; `analyze` runs it, and rolls back what it did."""
        query = f"EXPLAIN (FORMAT JSON, VERBOSE{', ANALYZE' if analyze else ''}) {self._query}"
        if not analyze:
            return json.loads(await self._connection.fetchval(query, *args))
        transaction = self._connection.transaction()
        await transaction.start()
        try:
            data = await self._connection.fetchval(query, *args)
        finally:
            await transaction.rollback()
        return json.loads(data)

    async def _run(self, args: Any, limit: int, timeout: float | None) -> list[Any]:
        if self._connection.is_closed():
            raise InterfaceError("connection is closed")
        rows, self._last_status = await self._connection._run_statement(
            self._state, args, limit, timeout
        )
        return list(rows)

    @guarded
    async def fetch(
        self,
        *args: Any,
        timeout: float | None = None,
        record_class: Any = None,
    ) -> list[Any]:
        """Return all rows."""
        return await self._run(args, 0, timeout)

    @guarded
    async def fetchval(self, *args: Any, column: int = 0, timeout: float | None = None) -> Any:
        """Return a value of the first row, None without rows."""
        rows = await self._run(args, 1, timeout)
        return rows[0][column] if rows else None

    @guarded
    async def fetchrow(self, *args: Any, timeout: float | None = None) -> Any:
        """Return the first row, None without rows."""
        rows = await self._run(args, 1, timeout)
        return rows[0] if rows else None

    @guarded
    async def fetchmany(self, args: Iterable[Any], *, timeout: float | None = None) -> list[Any]:
        """Run the statement for each of the arguments and return all rows."""
        return list(await self._connection._run_many(self._state, args, timeout, return_rows=True))

    @guarded
    async def executemany(self, args: Iterable[Any], *, timeout: float | None = None) -> None:
        """Run the statement for each of the arguments, all or none."""
        await self._connection._run_many(self._state, args, timeout)
