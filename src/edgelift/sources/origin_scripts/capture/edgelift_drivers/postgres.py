"""PostgreSQL's drivers: psycopg2, aiopg, psycopg, asyncpg, pg8000."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from .statements import (
    FAILURES,
    Seat,
    around,
    around_async,
    around_commit,
    at_work,
    is_due,
    kind_of,
    replace,
)

_WRITES = ("execute", "executemany", "callproc")
_QUERIES = ("execute", "executemany", "fetch", "fetchrow", "fetchval", "fetchmany")


def _text(sql: Any, owner: Any) -> str:
    """Return SQL given as text, bytes or psycopg's own composition."""
    if isinstance(sql, (bytes, bytearray)):
        return bytes(sql).decode("utf-8", "replace")
    if hasattr(sql, "as_string"):
        return str(sql.as_string(owner))
    return str(sql)


def _seat(read_database: Callable[[Any], str], run: Callable[[Any, str], Any]) -> Seat:
    return Seat("postgresql", _text, read_database, run)


# psycopg2: classes in C, so the connection makes cursors of subclasses
def _run_psycopg2(owner: Any, sql: str) -> None:
    connection = getattr(owner, "connection", owner)
    if sql == "ROLLBACK":  # psycopg2 keeps its own account of transactions
        connection.rollback()
    else:
        connection.cursor().execute(sql)


_PSYCOPG2 = _seat(lambda owner: str(getattr(owner, "connection", owner).info.dbname), _run_psycopg2)


@functools.cache
def _watched_cursor(base: Any) -> Any:
    made = {name: around(getattr(base, name), _PSYCOPG2) for name in _WRITES}
    for name in ("copy_expert",):
        made[name] = around(getattr(base, name), _PSYCOPG2)
    return type(base.__name__, (base,), {**made, "__module__": base.__module__})


@functools.cache
def _watched_connection(base: Any) -> Any:
    def cursor(self: Any, *given: Any, **named: Any) -> Any:
        kind: Any = type(base.cursor(self, *given, **named))  # what the app's settings lead to
        names = ("name", "cursor_factory", "scrollable", "withhold")
        named = {**dict(zip(names, given)), **named, "cursor_factory": _watched_cursor(kind)}
        return base.cursor(self, **named)

    def leave(self: Any, kind: Any, error: Any, traceback: Any) -> Any:
        open_now = kind is None and self.info.transaction_status
        if open_now and is_due("commit", _PSYCOPG2.read_database(self)):
            try:
                with at_work():
                    _PSYCOPG2.fail(self, "commit")
            except BaseException as failure:  # the block is left, or it can never be entered again
                base.__exit__(self, type(failure), failure, None)
                raise
        return base.__exit__(self, kind, error, traceback)

    made = {
        "cursor": cursor,
        "commit": around_commit(base.commit, _PSYCOPG2),
        "__exit__": leave,
        "__module__": base.__module__,
    }
    return type(base.__name__, (base,), made)


def watch_psycopg2(module: Any) -> None:
    """Let connections and their cursors be watched ones."""
    connect = module.connect

    @functools.wraps(connect)
    def watched(
        dsn: Any = None, connection_factory: Any = None, cursor_factory: Any = None, **named: Any
    ) -> Any:
        base = connection_factory or module.extensions.connection
        if isinstance(base, type):
            base = _watched_connection(base)
        return connect(dsn, connection_factory=base, cursor_factory=cursor_factory, **named)

    module.connect = watched


def watch_extras(module: Any) -> None:
    """See the statement of execute_values and execute_batch as the app wrote it."""
    for name in ("execute_values", "execute_batch"):
        setattr(module, name, around(getattr(module, name), _PSYCOPG2))


# aiopg: psycopg2 with connections that are waited for by its own cursors
async def _run_aiopg(cursor: Any, sql: str) -> None:
    await cursor.execute(sql)


_AIOPG = _seat(lambda cursor: str(cursor.raw.connection.info.dbname), _run_aiopg)


def watch_aiopg(module: Any) -> None:
    """Watch the methods of aiopg's cursors."""
    replace(module.Cursor, ("execute", "callproc"), lambda f: around_async(f, _AIOPG))


# psycopg
def _run_psycopg(owner: Any, sql: str) -> Any:
    return getattr(owner, "connection", owner).cursor().execute(sql)


_PSYCOPG = _seat(lambda owner: str(getattr(owner, "connection", owner).info.dbname), _run_psycopg)


def watch_psycopg(module: Any) -> None:
    """Watch the methods of all cursors, and the COMMIT that ends a transaction in any way."""
    for name in ("Cursor", "ServerCursor"):
        replace(getattr(module, name), ("execute", "executemany"), lambda f: around(f, _PSYCOPG))
        replace(getattr(module, name), ("stream", "copy"), lambda f: _noting(f, _PSYCOPG))
    for name in ("AsyncCursor", "AsyncServerCursor"):
        made = getattr(module, name)
        replace(made, ("execute", "executemany"), lambda f: around_async(f, _PSYCOPG))
        replace(made, ("stream", "copy"), lambda f: around_async(f, _PSYCOPG, runs=False))
    owner = next(c for c in module.Connection.__mro__ if "_exec_command" in vars(c))
    command = owner._exec_command

    @functools.wraps(command)
    def watched(self: Any, sql: Any, *given: Any, **named: Any) -> Any:
        text = _text(sql, self) if isinstance(sql, (bytes, str)) else ""
        if kind_of(text) == "commit" and is_due("commit", str(self.info.dbname)):
            try:
                yield from command(self, FAILURES["postgresql"].encode())
            finally:
                yield from command(self, b"ROLLBACK")
        result = yield from command(self, sql, *given, **named)
        return result

    owner._exec_command = watched


def _noting(function: Any, seat: Seat) -> Any:
    """Tell of the statement of a method that is a context manager or a generator."""
    return around_async(function, seat, runs=False)


# asyncpg
async def _run_asyncpg(owner: Any, sql: str) -> None:
    await getattr(owner, "_connection", owner).execute(sql)


def _read_asyncpg(owner: Any) -> str:
    return str(getattr(owner, "_connection", owner)._params.database)


_ASYNCPG = _seat(_read_asyncpg, _run_asyncpg)


def watch_asyncpg(module: Any) -> None:
    """Watch the methods of connections; a pool's proxies call these."""
    replace(module.Connection, _QUERIES, lambda f: around_async(f, _ASYNCPG))
    others = ("prepare", "cursor", "copy_from_query")
    replace(module.Connection, others, lambda f: around_async(f, _ASYNCPG, runs=False))


def watch_prepared(module: Any) -> None:
    """Let prepared statements fail; their text was told when they were prepared."""

    def failing(function: Any) -> Any:
        def without_text(self: Any, _sql: str, *given: Any, **named: Any) -> Any:
            return function(self, *given, **named)

        run = around_async(without_text, _ASYNCPG)

        @functools.wraps(function)
        def method(self: Any, *given: Any, **named: Any) -> Any:
            return run(self, self.get_query(), *given, **named)

        return method

    names = ("fetch", "fetchrow", "fetchval", "fetchmany", "executemany")
    replace(module.PreparedStatement, names, failing)


# pg8000
def _run_pg8000(owner: Any, sql: str) -> None:
    connection = getattr(owner, "_c", owner)
    run = connection.cursor().execute if hasattr(connection, "cursor") else connection.run
    run(sql)


def _read_pg8000(owner: Any) -> str:
    connection = getattr(owner, "_c", owner)
    found = getattr(connection, "_edgelift_database", "")
    return str(found)


_PG8000 = _seat(_read_pg8000, _run_pg8000)


def watch_pg8000(module: Any) -> None:
    """Watch the cursors and commits of pg8000's DB-API modules, and its native interface."""
    if hasattr(module, "Cursor"):
        replace(module.Cursor, ("execute", "executemany"), lambda f: around(f, _PG8000))
    replace(module.Connection, ("commit",), lambda f: around_commit(f, _PG8000))
    replace(module.Connection, ("run",), lambda f: around(f, _PG8000))


def watch_pg8000_core(module: Any) -> None:
    """Remember of each connection which database it is to."""
    start = module.CoreConnection.__init__

    @functools.wraps(start)
    def begin(self: Any, user: Any, *given: Any, **named: Any) -> None:
        host_and_database = dict(zip(("host", "database"), given))
        database = {**host_and_database, **named}.get("database") or user
        self._edgelift_database = database.decode() if isinstance(database, bytes) else database
        start(self, user, *given, **named)

    module.CoreConnection.__init__ = begin


PATCHES = {
    "psycopg2": watch_psycopg2,
    "psycopg2.extras": watch_extras,
    "aiopg.connection": watch_aiopg,
    "psycopg": watch_psycopg,
    "asyncpg.connection": watch_asyncpg,
    "asyncpg.prepared_stmt": watch_prepared,
    "pg8000.core": watch_pg8000_core,
    "pg8000.legacy": watch_pg8000,
    "pg8000.dbapi": watch_pg8000,
    "pg8000.native": watch_pg8000,
}
