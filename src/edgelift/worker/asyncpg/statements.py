"""How an asyncpg connection prepares and runs statements: cache, portals, types, many at once."""

# ruff: noqa: ASYNC109 - the timeouts are those of asyncpg's own signatures
from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Iterable
from typing import Any

from edgelift.worker.postgres.results import Result, Status, split_row
from edgelift.worker.postgres.session import Session

from . import introspection
from .codecs import Codecs, Description
from .exceptions import (
    InterfaceError,
    InvalidCachedStatementError,
    PostgresError,
    make_error,
)
from .statement import Statement
from .wire import Wire

_BATCH_BYTES = 1 << 18


class Statements:
    """The part of a connection that talks to the server."""

    _wire: Wire
    _codecs: Codecs
    _cache: OrderedDict[tuple[str, Any], Statement]
    _cache_size: int
    _cacheable_size: int
    _command_timeout: float | None
    _record_class: Any
    _stale: list[bytes]
    _ids: int

    def _get_unique_id(self, prefix: str) -> str:
        self._ids += 1
        return f"__asyncpg_{prefix}_{self._ids:x}__"

    def is_closed(self) -> bool:
        """Return whether the connection is closed."""
        return self._wire.closed

    def is_in_transaction(self) -> bool:
        """Return whether a transaction is open, failed or not."""
        return not self._wire.closed and self._wire.session.transaction != b"I"

    async def _limit(self, work: Awaitable[Any], timeout: float | None) -> Any:
        """Await an exchange; the server is told when it is given up."""
        timeout = self._command_timeout if timeout is None else timeout
        try:
            if timeout is None:
                return await work
            async with asyncio.timeout(timeout):
                return await work
        except (asyncio.CancelledError, TimeoutError):
            if not self._wire.closed and self._wire.session.pending:
                await asyncio.shield(self._wire.cancel_running())
            raise

    async def _exchange(self, fill: Any, query: str | None = None, **options: Any) -> list[Result]:
        """Run commands and return their results; raises the first error."""
        results = await self._wire.exchange(fill, **options)
        self._deliver()
        for result in results:
            if result.status is Status.ERROR:
                if self._wire.session.failure is not None:
                    self._wire.abort()
                raise make_error(result.report, query)
        return results

    def _deliver(self) -> None:
        """Tell listeners what came by the way."""

    # Preparing

    async def _get_statement(
        self,
        query: str,
        timeout: float | None,
        *,
        named: bool = False,
        use_cache: bool = True,
        record_class: Any = None,
    ) -> Statement:
        """Return a prepared statement, from the cache when it may come from there."""
        kind = record_class or self._record_class
        use_cache = use_cache and self._cache_size > 0 and len(query) <= self._cacheable_size
        key = (query, kind)
        if use_cache and key in self._cache:
            self._cache.move_to_end(key)
            return self._cache[key]
        name = self._get_unique_id("stmt").encode() if use_cache or named else b""
        statement = Statement(name, query, kind)
        await self._limit(self._prepare(statement), timeout)
        if use_cache:
            statement.cached = True
            self._cache[key] = statement
            while len(self._cache) > self._cache_size:
                _, old = self._cache.popitem(last=False)
                old.cached = False
                self._discard(old)
        return statement

    def _discard(self, statement: Statement) -> None:
        """Let the server forget a statement that nobody uses any more."""
        if statement.name and not statement.cached and statement.uses <= 0:
            self._stale.append(statement.name)

    async def _prepare(self, statement: Statement) -> None:
        def fill(session: Session) -> None:
            for name in self._stale:
                session.close(b"S", name)
            self._stale.clear()
            session.parse(statement.name, statement.query.encode())
            session.describe(b"S", statement.name)
            session.sync()

        results = await self._exchange(fill, statement.query)
        described = results[-1]
        statement.describe(described.parameter_oids, described.fields)
        await self._look_up(statement.oids)

    async def _look_up(self, oids: Iterable[int]) -> None:
        """Learn the types that are not known yet."""
        missing = self._codecs.list_missing(oids)
        found: list[Description] = []
        asked: set[int] = set()
        version = self.get_server_version().major
        while missing:
            asked |= missing
            sql = introspection.build_oid_query(missing, version).encode()
            results = await self._exchange(lambda session, sql=sql: session.query(sql))
            new = [introspection.read_description(split_row(row)) for row in results[0].rows]
            found += new
            parts = {oid for description in new for oid in introspection.list_parts(description)}
            missing = self._codecs.list_missing(parts) - asked
        for description in introspection.sort_descriptions(found):
            self._codecs.add(description)

    def get_server_version(self) -> Any:
        """Return the server's version."""
        raise InterfaceError("connection is closed")

    # Running

    async def _run_query(
        self,
        query: str,
        args: Any,
        limit: int,
        timeout: float | None,
        record_class: Any = None,
    ) -> tuple[list[Any], bytes]:
        """Prepare and run a statement; one whose plan is stale is prepared again."""
        statement = await self._get_statement(query, timeout, record_class=record_class)
        try:
            return await self._run_statement(statement, args, limit, timeout)
        except InvalidCachedStatementError:
            if self._wire.session.transaction != b"I":
                raise
        statement = await self._get_statement(query, timeout, record_class=record_class)
        return await self._run_statement(statement, args, limit, timeout)

    async def _run_with(self, statement: Statement, fill: Any) -> list[Result]:
        """Run commands of a statement; one whose plan is stale leaves the cache."""
        try:
            return await self._exchange(fill, statement.query)
        except InvalidCachedStatementError:
            self._forget(statement)
            raise

    def _forget(self, statement: Statement) -> None:
        if self._cache.pop((statement.query, statement.record_class), None) is not None:
            statement.cached = False
            self._discard(statement)

    async def _run_statement(
        self,
        statement: Statement,
        args: Any,
        limit: int,
        timeout: float | None,
    ) -> tuple[list[Any], bytes]:
        values, formats = statement.encode(args, self._codecs)

        def fill(session: Session) -> None:
            wanted = statement.result_formats(self._codecs)
            session.bind(b"", statement.name, values, formats, wanted)
            session.execute(b"", limit, describe=False)
            session.sync()

        results = await self._limit(self._run_with(statement, fill), timeout)
        result = results[-1]
        await self._look_up_rows(statement, result)
        return statement.decode(result, self._codecs), result.tag

    async def _look_up_rows(self, statement: Statement, result: Result) -> None:
        """Learn types again that reload_schema_state has forgotten."""
        if result.rows and self._codecs.list_missing(statement.oids):
            await self._look_up(statement.oids)

    async def _run_many(
        self,
        statement: Statement,
        args: Iterable[Any],
        timeout: float | None,
        *,
        return_rows: bool = False,
    ) -> list[Any]:
        """Run a statement for each of the arguments in one implicit transaction."""
        encoded = [
            statement.encode(tuple(row), self._codecs, number) for number, row in enumerate(args)
        ]

        def fill(session: Session) -> None:
            wanted = statement.result_formats(self._codecs)
            for values, formats in encoded:
                session.bind(b"", statement.name, values, formats, wanted)
                session.execute(b"", 0, describe=False)
            session.sync()

        if not encoded:
            return []
        results = await self._limit(self._run_with(statement, fill), timeout)
        if not return_rows:
            return []
        return [row for result in results for row in statement.decode(result, self._codecs)]

    # Portals

    async def _bind_portal(
        self,
        statement: Statement,
        args: Any,
        portal: bytes,
        limit: int,
        timeout: float | None,
    ) -> tuple[list[Any], bool]:
        values, formats = statement.encode(args, self._codecs)

        def fill(session: Session) -> None:
            wanted = statement.result_formats(self._codecs)
            session.bind(portal, statement.name, values, formats, wanted)
            if limit:
                session.execute(portal, limit, describe=False)
            session.sync()

        results = await self._limit(self._run_with(statement, fill), timeout)
        if not limit:
            return [], False
        result = results[-1]
        ended = result.status is not Status.SUSPENDED
        return statement.decode(result, self._codecs), ended

    async def _run_portal(
        self,
        statement: Statement,
        portal: bytes,
        limit: int,
        timeout: float | None,
    ) -> tuple[list[Any], bool]:
        def fill(session: Session) -> None:
            session.execute(portal, limit, describe=False)
            session.sync()

        results = await self._limit(self._run_with(statement, fill), timeout)
        result = results[-1]
        ended = result.status is not Status.SUSPENDED
        return statement.decode(result, self._codecs), ended

    async def _close_portal(self, portal: bytes) -> None:
        def fill(session: Session) -> None:
            session.close(b"P", portal)
            session.sync()

        await self._exchange(fill)

    async def _run_simple(self, query: str, timeout: float | None) -> str:
        """Run a script and return the last command tag."""
        sql = query.encode()
        work = self._exchange(lambda session: session.query(sql), query)
        results = await self._limit(work, timeout)
        return results[-1].tag.decode() if results else ""


__all__ = ["PostgresError", "Statements"]
