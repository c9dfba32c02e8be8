"""asyncpg.Connection: statements, transactions, COPY, listeners, type codecs."""

# ruff: noqa: ASYNC109 - the timeouts are those of asyncpg's own signatures
from __future__ import annotations

import asyncio
import inspect
from collections import OrderedDict
from collections.abc import Callable, Iterable
from typing import Any

from edgelift.worker.postgres.results import Report, split_row

from . import copying, introspection
from .codecs import Codecs, Description, check_record_class
from .connect_utils import read_parameters
from .cursor import CursorFactory
from .exceptions import InterfaceError, PostgresLogMessage, PostgresMessage
from .prepared_stmt import PreparedStatement
from .record import Record
from .statements import Statements
from .transaction import Transaction
from .types import ServerVersion, Type
from .wire import Wire, open_wire


class ConnectionSettings:
    """What the server reports of its settings."""

    def __init__(self, values: dict[str, str]) -> None:
        self._settings = values

    def __getattr__(self, name: str) -> str:
        if name.startswith("_"):
            raise AttributeError(name)
        try:
            return self._settings[name]
        except KeyError:
            raise AttributeError(name) from None

    def __repr__(self) -> str:
        return f"<ConnectionSettings {self._settings!r}>"


class Connection(Statements):
    """A connection to a server; made by asyncpg.connect."""

    def __init__(self, wire: Wire, options: dict[str, Any], record_class: Any) -> None:
        self._wire = wire
        self._options = options
        self._record_class = record_class
        self._codecs = Codecs(record_class)
        self._cache = OrderedDict()
        self._cache_size = options.get("statement_cache_size", 100)
        self._cacheable_size = options.get("max_cacheable_statement_size", 15360) or (1 << 62)
        self._command_timeout = options.get("command_timeout")
        self._stale = []
        self._ids = 0
        self._top_xact: Transaction | None = None
        self._releases = 0
        self._proxy: Any = None
        self._listeners: dict[str, list[Callable[..., Any]]] = {}
        self._log_listeners: list[Callable[..., Any]] = []
        self._end_listeners: list[Callable[..., Any]] = []
        self._query_loggers: list[Callable[..., Any]] = []
        wire.session.on_notice = self._take_notice
        wire.on_arrival = self._deliver

    # Statements

    async def execute(self, query: str, *args: Any, timeout: float | None = None) -> str:
        """Run a script, or one statement with arguments, and return the last command tag."""
        self._check_open()
        if not args:
            return await self._run_simple(query, timeout)
        _, tag = await self._run_query(query, args, 0, timeout)
        return tag.decode()

    async def executemany(
        self,
        command: str,
        args: Iterable[Any],
        *,
        timeout: float | None = None,
    ) -> None:
        """Run a statement for each of the arguments, all or none."""
        self._check_open()
        statement = await self._get_statement(command, timeout)
        await self._run_many(statement, args, timeout)

    async def fetch(
        self,
        query: str,
        *args: Any,
        timeout: float | None = None,
        record_class: Any = None,
    ) -> list[Any]:
        """Return all rows of a statement."""
        self._check_open()
        self._check_class(record_class)
        rows, _ = await self._run_query(query, args, 0, timeout, record_class)
        return rows

    async def fetchval(
        self,
        query: str,
        *args: Any,
        column: int = 0,
        timeout: float | None = None,
    ) -> Any:
        """Return a value of the first row, None without rows."""
        self._check_open()
        rows, _ = await self._run_query(query, args, 1, timeout)
        return rows[0][column] if rows else None

    async def fetchrow(
        self,
        query: str,
        *args: Any,
        timeout: float | None = None,
        record_class: Any = None,
    ) -> Any:
        """Return the first row of a statement, None without rows."""
        self._check_open()
        self._check_class(record_class)
        rows, _ = await self._run_query(query, args, 1, timeout, record_class)
        return rows[0] if rows else None

    async def fetchmany(
        self,
        query: str,
        args: Iterable[Any],
        *,
        timeout: float | None = None,
        record_class: Any = None,
    ) -> list[Any]:
        """Run a statement for each of the arguments and return all rows."""
        self._check_open()
        self._check_class(record_class)
        statement = await self._get_statement(query, timeout, record_class=record_class)
        return await self._run_many(statement, args, timeout, return_rows=True)

    async def prepare(
        self,
        query: str,
        *,
        name: str | bool | None = None,
        timeout: float | None = None,
        record_class: Any = None,
    ) -> PreparedStatement:
        """Return a prepared statement."""
        self._check_open()
        self._check_class(record_class)
        state = await self._get_statement(
            query, timeout, named=name is not False, use_cache=name is None,
            record_class=record_class,
        )  # fmt: skip
        return PreparedStatement(self, query, state)

    def cursor(
        self,
        query: str,
        *args: Any,
        prefetch: int | None = None,
        timeout: float | None = None,
        record_class: Any = None,
    ) -> CursorFactory:
        """Return a cursor over a statement's rows."""
        self._check_open()
        self._check_class(record_class)
        return CursorFactory(self, query, None, args, prefetch, timeout, record_class)

    def transaction(
        self, *, isolation: str | None = None, readonly: bool = False, deferrable: bool = False
    ) -> Transaction:
        """Return a transaction, or a savepoint inside another."""
        self._check_open()
        return Transaction(self, isolation, readonly, deferrable)

    def _check_open(self) -> None:
        if self.is_closed():
            raise InterfaceError("connection is closed")

    @staticmethod
    def _check_class(kind: Any) -> None:
        if kind is not None:
            check_record_class(kind)

    # COPY

    async def copy_from_table(
        self,
        table_name: str,
        *,
        output: Any,
        columns: Any = None,
        schema_name: str | None = None,
        timeout: float | None = None,
        **options: Any,
    ) -> str:
        """Write a table to a path, file or coroutine function and return the command tag."""
        target = copying.build_target(table_name, schema_name, columns)
        statement = f"COPY {target} TO STDOUT {copying.build_options(options)}"
        return await self._copy_out(statement, output, timeout)

    async def copy_from_query(
        self,
        query: str,
        *args: Any,
        output: Any,
        timeout: float | None = None,
        **options: Any,
    ) -> str:
        """Write a query's rows to a path, file or coroutine function; returns the command tag."""
        if args:
            query = await self._put_in(query, args)
        statement = f"COPY ({query}) TO STDOUT {copying.build_options(options)}"
        return await self._copy_out(statement, output, timeout)

    async def _put_in(self, query: str, args: Any) -> str:
        """Return a query with its arguments as literals, which COPY needs."""
        statement = await self._get_statement(query, None)
        statement._check_count(args)
        marks = []
        for oid, number in zip(statement.parameters, range(len(args)), strict=True):
            kind = await self.fetchval(f"SELECT format_type({oid}, NULL)")
            value = args[number]
            sql = f"SELECT quote_nullable($1::{kind}::text)"
            marks.append(f"{await self.fetchval(sql, value)}::{kind}")
        for number in range(len(args), 0, -1):
            query = query.replace(f"${number}", marks[number - 1])
        return query

    async def _copy_out(self, statement: str, output: Any, timeout: float | None) -> str:
        self._check_open()
        sql = statement.encode()
        with copying.open_sink(output) as sink:
            work = self._exchange(lambda session: session.query(sql), statement, sink=sink)
            results = await self._limit(work, timeout)
        return str(results[-1].tag.decode())

    async def copy_to_table(
        self,
        table_name: str,
        *,
        source: Any,
        columns: Any = None,
        schema_name: str | None = None,
        timeout: float | None = None,
        where: str | None = None,
        **options: Any,
    ) -> str:
        """Load a table from a path, file or iterable of bytes and return the command tag."""
        target = copying.build_target(table_name, schema_name, columns)
        condition = f" WHERE {where}" if where else ""
        statement = f"COPY {target} FROM STDIN {copying.build_options(options)}{condition}"
        return await self._copy_in(statement, copying.read_source(source), timeout)

    async def copy_records_to_table(
        self,
        table_name: str,
        *,
        records: Any,
        columns: Any = None,
        schema_name: str | None = None,
        timeout: float | None = None,
        where: str | None = None,
    ) -> str:
        """Load a table from rows of Python values and return the command tag."""
        plain = copying.build_target(table_name, schema_name, None)
        listed = ", ".join(map(copying.quote_ident, columns)) if columns else "*"
        statement = await self._get_statement(f"SELECT {listed} FROM {plain}", timeout)
        oids = [field.type_oid for field in statement.fields or ()]
        target = copying.build_target(table_name, schema_name, columns)
        condition = f" WHERE {where}" if where else ""
        sql = f"COPY {target} FROM STDIN (FORMAT binary){condition}"
        source = copying.encode_records(records, oids, self._codecs)
        return await self._copy_in(sql, source, timeout)

    async def _copy_in(self, statement: str, source: Any, timeout: float | None) -> str:
        self._check_open()
        sql = statement.encode()
        work = self._exchange(lambda session: session.query(sql), statement, source=source)
        results = await self._limit(work, timeout)
        return str(results[-1].tag.decode())

    # Types

    async def set_type_codec(
        self,
        typename: str,
        *,
        schema: str = "public",
        encoder: Callable[[Any], Any],
        decoder: Callable[[Any], Any],
        format: str = "text",
    ) -> None:
        """Read and write a type by the application's functions."""
        self._check_open()
        found = await self._find_type(typename, schema)
        if found.kind not in {"scalar", "enum", "composite"}:
            raise InterfaceError(
                f"cannot use custom codec on type {schema}.{typename}: it is neither a scalar "
                "type nor a composite type"
            )
        if found.kind == "composite" and format != "tuple":
            raise InterfaceError("only tuple-format codecs can be used on composite types")
        shown = Type(found.oid, found.name, "scalar", found.schema)
        self._codecs.set_own(shown, encoder, decoder, format)
        self._cache_clear()

    async def reset_type_codec(self, typename: str, *, schema: str = "public") -> None:
        """Read and write a type as usual again."""
        self._check_open()
        self._codecs.reset_own((await self._find_type(typename, schema)).oid)
        self._cache_clear()

    async def set_builtin_type_codec(
        self,
        typename: str,
        *,
        schema: str = "public",
        codec_name: str,
        format: str | None = None,
    ) -> None:
        """Read and write a type as a built-in one, or as an extension's that is known."""
        self._check_open()
        found = await self._find_type(typename, schema)
        shown = Type(found.oid, found.name, "scalar", found.schema)
        if codec_name == "pg_contrib.hstore":
            from .hstore import decode_hstore, encode_hstore

            self._codecs.set_own(shown, encode_hstore, decode_hstore, "binary")
            return
        named = await self._find_type(codec_name, "pg_catalog")
        self._codecs.use_as(shown, self._codecs.get(named.oid))

    async def _find_type(self, name: str, schema: str) -> Description:
        where = (
            f"t.typname = {copying.quote_literal(name)} "
            f"AND n.nspname = {copying.quote_literal(schema)}"
        )
        sql = introspection.build_query(where, self.get_server_version().major).encode()
        results = await self._exchange(lambda session: session.query(sql))
        if not results[0].rows:
            raise ValueError(f"unknown type: {schema}.{name}")
        found = introspection.read_description(split_row(results[0].rows[0]))
        await self._look_up([found.oid])
        return found

    async def reload_schema_state(self) -> None:
        """Forget what is known of the database's types."""
        self._codecs.clear()
        self._cache_clear()

    def _cache_clear(self) -> None:
        statements = list(self._cache.values())
        self._cache.clear()
        for statement in statements:
            statement.cached = False
            self._discard(statement)

    # Listeners

    async def add_listener(self, channel: str, callback: Callable[..., Any]) -> None:
        """Call `callback(connection, pid, channel, payload)` for what NOTIFY sends."""
        self._check_open()
        if channel not in self._listeners:
            await self.execute(f"LISTEN {copying.quote_ident(channel)}")
            self._listeners[channel] = []
        if callback not in self._listeners[channel]:
            self._listeners[channel].append(callback)
        self._wire.watch()

    async def remove_listener(self, channel: str, callback: Callable[..., Any]) -> None:
        """Stop to call a callback."""
        if self.is_closed() or callback not in self._listeners.get(channel, []):
            return
        self._listeners[channel].remove(callback)
        if not self._listeners[channel]:
            del self._listeners[channel]
            await self.execute(f"UNLISTEN {copying.quote_ident(channel)}")

    def add_log_listener(self, callback: Callable[..., Any]) -> None:
        """Call `callback(connection, message)` for the server's notices."""
        self._check_open()
        self._log_listeners.append(callback)

    def remove_log_listener(self, callback: Callable[..., Any]) -> None:
        """Stop to call a callback."""
        if callback in self._log_listeners:
            self._log_listeners.remove(callback)

    def add_termination_listener(self, callback: Callable[..., Any]) -> None:
        """Call `callback(connection)` when the connection is closed."""
        self._end_listeners.append(callback)

    def remove_termination_listener(self, callback: Callable[..., Any]) -> None:
        """Stop to call a callback."""
        if callback in self._end_listeners:
            self._end_listeners.remove(callback)

    def _deliver(self) -> None:
        queue = self._wire.session.notifications
        while queue:
            pid, channel, payload = queue.popleft()
            name = channel.decode()
            for callback in list(self._listeners.get(name, ())):
                self._call(callback, self._shown(), pid, name, payload.decode())

    def _take_notice(self, report: Report) -> None:
        message: PostgresLogMessage = PostgresMessage.new(report)
        for callback in list(self._log_listeners):
            self._call(callback, self._shown(), message)

    def _shown(self) -> Any:
        return self if self._proxy is None else self._proxy

    @staticmethod
    def _call(callback: Callable[..., Any], *args: Any) -> None:
        loop = asyncio.get_running_loop()
        if inspect.iscoroutinefunction(callback):
            loop.create_task(callback(*args))  # noqa: RUF006 - the loop's own, as in asyncpg
        else:
            loop.call_soon(callback, *args)

    # Information and end

    def get_server_pid(self) -> int:
        """Return the process id of the server's side."""
        return self._wire.session.pid

    def get_server_version(self) -> ServerVersion:
        """Return the server's version."""
        text = self._wire.session.parameters.get("server_version", "0").split()[0]
        digits = [int("".join(filter(str.isdigit, part)) or 0) for part in text.split(".")]
        if digits[0] >= 10:
            return ServerVersion(digits[0], 0, digits[1] if len(digits) > 1 else 0, "final", 0)
        digits += [0, 0]
        return ServerVersion(digits[0], digits[1], digits[2], "final", 0)

    def get_settings(self) -> ConnectionSettings:
        """Return what the server reports of its settings."""
        return ConnectionSettings(self._wire.session.parameters)

    def get_reset_query(self) -> str:
        """Return the script that `reset` runs."""
        return "SELECT pg_advisory_unlock_all();\nCLOSE ALL;\nUNLISTEN *;\nRESET ALL;"

    async def reset(self, *, timeout: float | None = None) -> None:
        """Return to the state of a new connection, rolling back."""
        self._check_open()
        self._listeners.clear()
        self._log_listeners.clear()
        self._top_xact = None
        script = self.get_reset_query()
        if self.is_in_transaction():
            script = f"ROLLBACK;\n{script}"
        await self.execute(script, timeout=timeout)

    async def close(self, *, timeout: float | None = None) -> None:
        """Close the connection."""
        if self.is_closed():
            return
        if self._wire.busy:
            raise InterfaceError("cannot perform operation: another operation is in progress")
        await self._limit(self._wire.close(), timeout)
        self._ended()

    def terminate(self) -> None:
        """Close the connection at once."""
        if not self.is_closed():
            self._wire.abort()
            self._ended()

    def _ended(self) -> None:
        self._stale.clear()
        self._cache.clear()
        listeners, self._end_listeners = self._end_listeners, []
        for callback in listeners:
            self._call(callback, self._shown())

    def __repr__(self) -> str:
        return f"<{type(self).__module__}.{type(self).__name__} object at {id(self):#x}>"


_LOCAL = (
    "statement_cache_size", "max_cached_statement_lifetime", "max_cacheable_statement_size",
    "command_timeout",
)  # fmt: skip


async def connect(
    dsn: str | None = None,
    *,
    timeout: float | None = 60,
    connection_class: Any = Connection,
    record_class: Any = Record,
    loop: Any = None,
    **options: Any,
) -> Any:
    """Return a new connection; parameters are asyncpg's, the environment's and the DSN's."""
    if not isinstance(connection_class, type) or not issubclass(connection_class, Connection):
        raise InterfaceError(
            "connection_class is expected to be a subclass of asyncpg.Connection, got "
            f"{connection_class!r}"
        )
    check_record_class(record_class)
    local = {name: options.pop(name) for name in _LOCAL if name in options}
    libpq, settings, context = await read_parameters(dsn, options)
    async with asyncio.timeout(timeout):
        wire = await open_wire(libpq, settings, context)
    return connection_class(wire, local, record_class)
