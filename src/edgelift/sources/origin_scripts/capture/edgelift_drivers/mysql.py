"""MySQL's drivers: PyMySQL, MySQLdb, aiomysql, MySQL's own connector."""

from __future__ import annotations

from typing import Any

from .statements import (
    Seat,
    around,
    around_async,
    around_commit,
    around_commit_async,
    replace,
)

_METHODS = ("execute", "executemany", "callproc")


def _text(sql: Any, _owner: Any) -> str:
    if isinstance(sql, (bytes, bytearray)):
        return bytes(sql).decode("utf-8", "replace")
    return str(sql)


def _connection_of(owner: Any) -> Any:
    """Return the connection of a cursor, or of itself; a cursor may hold a weak reference."""
    return getattr(owner, "connection", None) or getattr(owner, "_connection", None) or owner


def _run(owner: Any, sql: str) -> None:
    _connection_of(owner).cursor().execute(sql)


async def _run_async(owner: Any, sql: str) -> None:
    async with _connection_of(owner).cursor() as cursor:
        await cursor.execute(sql)


def _read_database(owner: Any) -> str:
    connection = _connection_of(owner)
    # `database` of MySQL's own connector asks the server.
    for name in ("_edgelift_database", "_database", "db", "database"):
        found = getattr(connection, name, None)
        if isinstance(found, (str, bytes)):
            return found.decode() if isinstance(found, bytes) else found
    return ""


_SEAT = Seat("mysql", _text, _read_database, _run)
_ASYNC_SEAT = Seat("mysql", _text, _read_database, _run_async)


def watch_cursors(name: str) -> Any:
    """Return the change of a module whose class `name` has the methods of all its cursors."""

    def watch(module: Any) -> None:
        replace(getattr(module, name), _METHODS, lambda f: around(f, _SEAT))

    return watch


def watch_connections(name: str) -> Any:
    """Return the change of a module whose class `name` is its connections'."""

    def watch(module: Any) -> None:
        made = getattr(module, name)
        if "commit" in vars(made):
            replace(made, ("commit",), lambda f: around_commit(f, _SEAT))
        else:  # MySQLdb's is written in C, below this class
            made.commit = around_commit(made.commit, _SEAT)

    return watch


def watch_mysqldb(module: Any) -> None:
    """Watch connections of MySQLdb, which do not know their database."""
    watch_connections("Connection")(module)
    start = module.Connection.__init__

    def begin(self: Any, *given: Any, **named: Any) -> None:
        names = ("host", "user", "password", "database", "port")
        told = {**dict(zip(names, given)), **named}
        start(self, *given, **named)
        self._edgelift_database = told.get("database") or told.get("db") or ""

    module.Connection.__init__ = begin


def watch_aiomysql(module: Any) -> None:
    """Watch aiomysql's cursors."""
    replace(module.Cursor, _METHODS, lambda f: around_async(f, _ASYNC_SEAT))


def watch_aiomysql_connections(module: Any) -> None:
    """Watch aiomysql's commits."""
    replace(module.Connection, ("commit",), lambda f: around_commit_async(f, _ASYNC_SEAT))


PATCHES = {
    "pymysql.cursors": watch_cursors("Cursor"),
    "pymysql.connections": watch_connections("Connection"),
    "MySQLdb.cursors": watch_cursors("BaseCursor"),
    "MySQLdb.connections": watch_mysqldb,
    "aiomysql.cursors": watch_aiomysql,
    "aiomysql.connection": watch_aiomysql_connections,
    "mysql.connector.cursor": watch_cursors("MySQLCursor"),
    "mysql.connector.cursor_cext": watch_cursors("CMySQLCursor"),
    "mysql.connector.connection": watch_connections("MySQLConnection"),
    "mysql.connector.connection_cext": watch_connections("CMySQLConnection"),
}
