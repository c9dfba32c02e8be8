"""Dialects that models of PostgreSQL and MySQL meet in the Worker: their names, SQLite beneath.

`engine.dialect.name` stays what it was, so variants of types and the app's own questions choose
what they chose at the origin; the statements are SQLite's, the connection is our sqlite3 module's.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sqlalchemy import column, pool
from sqlalchemy.dialects.mysql.base import MySQLDialect
from sqlalchemy.dialects.postgresql.base import PGDialect
from sqlalchemy.dialects.sqlite.pysqlite import SQLiteDialect_pysqlite
from sqlalchemy.sql.elements import TextClause

from edgelift.worker.sqlalchemy_moved import counters, texts, types
from edgelift.worker.sqlalchemy_moved.compiler import (
    IS_14,
    MovedCompiler,
    MovedPreparer,
    MovedTypeCompiler,
)
from edgelift.worker.sqlite3 import faults

# What sqlite3.connect takes; anything else in connect_args was meant for the server's driver.
_CONNECT = frozenset({"timeout", "detect_types", "isolation_level", "cached_statements", "uri"})
_paths: dict[str, list[str]] = {}


def remember_paths(origin: str, paths: list[str]) -> None:
    """Know where the moved databases of an engine are; the first is that of unknown URLs."""
    _paths[origin] = paths


class MovedDialect(SQLiteDialect_pysqlite):
    """SQLite under another name; `origin` is the engine whose meaning the statements keep."""

    origin = "postgresql"
    driver = "edgelift"
    own_schemas: frozenset[str] = frozenset({"public"})
    supports_statement_cache = True
    statement_compiler = MovedCompiler
    type_compiler_cls = MovedTypeCompiler
    type_compiler = MovedTypeCompiler
    preparer = MovedPreparer
    supports_native_decimal = True
    dbapi: Any

    def __init__(
        self,
        *,
        executemany_mode: Any = None,
        executemany_batch_page_size: Any = None,
        executemany_values_page_size: Any = None,
        use_native_unicode: Any = None,
        use_native_hstore: Any = None,
        use_native_uuid: Any = None,
        use_insertmanyvalues_wo_returning: Any = None,
        server_side_cursors: Any = None,
        client_encoding: Any = None,
        prepared_statement_cache_size: Any = None,
        isolation_level: Any = None,
        is_mariadb: Any = None,
        **kwargs: Any,
    ) -> None:
        kwargs.pop("name", None)
        if isolation_level == "AUTOCOMMIT":
            kwargs["isolation_level"] = isolation_level
        if IS_14:
            # It counts a parameter where it is compiled; our forms may write it twice, or leave it.
            kwargs["paramstyle"] = "named"
        super().__init__(**kwargs)

    @classmethod
    def get_pool_class(cls, url: Any) -> Any:
        """Return a pool that takes the options of the server's."""
        return pool.QueuePool

    @classmethod
    def get_async_dialect_cls(cls, url: Any) -> Any:
        """Return the dialect of asynchronous engines."""
        return ASYNC[cls.origin]

    def type_descriptor(self, typeobj: Any) -> Any:
        """Return the moved type behind a declared one."""
        own = types.adapt_type(typeobj)
        return super().type_descriptor(typeobj) if own is None else own

    def create_connect_args(self, url: Any) -> Any:
        """Return the moved database's path: the URL's own, else the engine's first."""
        known = _paths.get(self.origin, [])
        name = url.database or ""
        found = next((path for path in known if path in {name, f"/{name}"}), None)
        return ([found or known[0]], {})

    def connect(self, *cargs: Any, **cparams: Any) -> Any:
        """Connect; options of the server's driver are left out."""
        return super().connect(*cargs, **{k: v for k, v in cparams.items() if k in _CONNECT})

    def on_connect(self) -> Callable[[Any], None]:
        """Return what makes a connection keep foreign keys, as servers do."""

        def connect(connection: Any) -> None:
            connection.execute("PRAGMA foreign_keys=ON").close()

        return connect

    def get_isolation_level_values(self, dbapi_connection: Any) -> Any:
        """Return all levels: the strictest stands in for each."""
        return [
            "AUTOCOMMIT",
            "SERIALIZABLE",
            "REPEATABLE READ",
            "READ COMMITTED",
            "READ UNCOMMITTED",
        ]

    def set_isolation_level(self, dbapi_connection: Any, level: Any) -> None:
        """Set a level; all but AUTOCOMMIT are the object's own, serializable."""
        dbapi_connection.isolation_level = None if level == "AUTOCOMMIT" else ""

    def get_isolation_level(self, dbapi_connection: Any) -> Any:
        """Return the level of a connection."""
        return "AUTOCOMMIT" if dbapi_connection.isolation_level is None else "SERIALIZABLE"

    def get_default_isolation_level(self, dbapi_connection: Any) -> Any:
        """Return the level that connections begin with."""
        return "SERIALIZABLE"

    def do_execute(self, cursor: Any, statement: Any, parameters: Any, context: Any = None) -> None:
        """Run a statement; numbers that it takes from a counter are used up."""
        connection = getattr(cursor, "connection", None)
        table = counters.find_counter(context, connection) if context is not None else None
        if table is None:
            super().do_execute(cursor, statement, parameters, context)
            return
        rows = counters.count_rows(context)
        upsert = counters.is_upsert(context)
        before = counters.read_counters(connection, table).get(table, 0) if upsert else 0
        try:
            super().do_execute(cursor, statement, parameters, context)
        except self.dbapi.IntegrityError:
            counters.lose(connection, table, rows)
            raise
        if upsert:
            counters.raise_counters(connection, {table: before + rows})

    def do_rollback(self, dbapi_connection: Any) -> None:
        """Roll back all but the counters."""
        dbapi_connection = getattr(dbapi_connection, "dbapi_connection", dbapi_connection)
        if not dbapi_connection.in_transaction and not counters.has_lost(dbapi_connection):
            super().do_rollback(dbapi_connection)
            return
        used = counters.read_used(dbapi_connection)
        super().do_rollback(dbapi_connection)
        counters.raise_counters(dbapi_connection, used)
        if dbapi_connection.in_transaction:
            with faults.aside():
                dbapi_connection.commit()

    def do_commit(self, dbapi_connection: Any) -> None:
        """Commit, with the numbers that refused rows have used up."""
        own = getattr(dbapi_connection, "dbapi_connection", dbapi_connection)
        if counters.has_lost(own):
            counters.raise_counters(own, counters.read_used(own))
        super().do_commit(dbapi_connection)

    def do_close(self, dbapi_connection: Any) -> None:
        """Close a connection and forget what it lost."""
        counters.forget(dbapi_connection)
        super().do_close(dbapi_connection)

    def do_rollback_to_savepoint(self, connection: Any, name: Any) -> None:
        """Roll back to a savepoint, all but the counters."""
        own = connection.connection.dbapi_connection
        used = counters.read_used(own)
        super().do_rollback_to_savepoint(connection, name)
        counters.raise_counters(own, used)

    def has_table(self, connection: Any, table_name: Any, schema: Any = None, **kw: Any) -> Any:
        """Return whether a table was moved."""
        if schema and schema not in self.own_schemas:
            table_name = f"{schema}__{table_name}"
        return super().has_table(connection, table_name, None, **kw)

    def has_sequence(self, *_arguments: Any, **_options: Any) -> bool:
        """Return that nothing is missing: tables count by themselves."""
        return True

    def has_type(self, *_arguments: Any, **_options: Any) -> bool:
        """Return that nothing is missing: SQLite needs no types to be made."""
        return True


class MovedPostgres(MovedDialect):
    """What `postgresql://` leads to."""

    name = "postgresql"
    supports_statement_cache = True
    construct_arguments = PGDialect.construct_arguments


class MovedMysql(MovedDialect):
    """What `mysql://` and `mariadb://` lead to."""

    name = "mysql"
    supports_statement_cache = True
    origin = "mysql"
    own_schemas = frozenset()
    is_mariadb = True
    construct_arguments = MySQLDialect.construct_arguments


def read_by_kinds(
    connection: Any, statement: Any, parameters: Any, _several: Any, _options: Any
) -> tuple[Any, Any, Any]:
    """Give a text whose result columns are known their types: SQLAlchemy's `before_execute`."""
    if isinstance(statement, TextClause) and isinstance(connection.dialect, MovedDialect):
        kinds = texts.read_kinds(statement.text)
        named = [column(f"c{number}", types.make_type(kind)) for number, kind in enumerate(kinds)]
        if named:
            return statement.columns(*named), parameters, _several
    return statement, parameters, _several


class _Async:
    """Makes a dialect that of an AsyncEngine: our driver suspends by itself, without threads."""

    is_async = True

    @classmethod
    def get_pool_class(cls, url: Any) -> Any:
        """Return a pool for asynchronous engines."""
        return pool.AsyncAdaptedQueuePool


class MovedPostgresAsync(_Async, MovedPostgres):
    """What `postgresql+asyncpg://` leads to."""

    supports_statement_cache = True


class MovedMysqlAsync(_Async, MovedMysql):
    """What `mysql+aiomysql://` leads to."""

    supports_statement_cache = True


ASYNC: dict[str, Any] = {"postgresql": MovedPostgresAsync, "mysql": MovedMysqlAsync}
