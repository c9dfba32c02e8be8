"""aiomysql's connections go through Hyperdrive and belong to their request (connections.py).

Without it the app's URL leads to a host that is no server, and the pool made at the app's start
hands every request a connection of another.
"""

from __future__ import annotations

import functools
import importlib
import importlib.util
from typing import Any

from edgelift.worker.connections import Driver, adopt, guard
from edgelift.worker.hyperdrive import UnreachableError, find_database, read_endpoint
from edgelift.worker.loop import run_coroutine
from edgelift.worker.moved.finding import SUFFIX, find_moved

_METHODS = (
    "_execute_command", "autocommit", "begin", "commit", "cursor", "get_transaction_status",
    "next_result", "ping", "query", "rollback", "select_db", "set_charset", "show_warnings",
)  # fmt: skip
_TARGET = ("_host", "_port", "_user", "_password", "_db", "_unix_socket", "_ssl_context",
           "client_flag")  # fmt: skip
_KEPT = "_edgelift_arguments"
_CLIENT_SSL = 1 << 11


async def _open(kind: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    connection = kind(*args, **kwargs)
    await connection._connect()
    return connection


DRIVER = Driver(
    open=lambda kind, args, kwargs: run_coroutine(_open(kind, args, kwargs)),
    close=lambda connection: connection.close(),
    is_open=lambda connection: connection._writer is not None,
)


def aim(connection: Any) -> None:
    """Point a connection object at the binding that serves its server, if one does.

    Raises UnreachableError.
    """
    database = find_database("mysql", connection._host, connection._port, connection._db)
    if database is None:
        moved = find_moved("mysql", (connection._host, connection._db))
        if moved is not None:
            connection._host, connection._unix_socket = moved.host, None
            connection._ssl_context = None
            connection.client_flag &= ~_CLIENT_SSL
        return
    endpoint = read_endpoint(database)
    connection._host, connection._port = endpoint.host, endpoint.port
    connection._user, connection._password = endpoint.user, endpoint.password
    connection._db, connection._unix_socket = endpoint.database, None
    if not endpoint.tls:
        connection._ssl_context = None
        connection.client_flag &= ~_CLIENT_SSL


def _lead_streams(module: Any) -> None:
    """Let connections to moved databases lead to the server in this process."""
    opened = module._open_connection

    @functools.wraps(opened)
    async def open_connection(host: Any = None, port: Any = None, **options: Any) -> Any:
        if str(host).endswith(SUFFIX):
            return importlib.import_module("edgelift.worker.moved.servers").dial_streams(host)
        return await opened(host=host, port=port, **options)

    module._open_connection = open_connection


def install() -> None:
    """Patch the connection class when aiomysql is among the packages."""
    if importlib.util.find_spec("aiomysql") is None:
        return
    from aiomysql import connection as module

    _lead_streams(module)
    kind: Any = module.Connection
    initialize, connect = kind.__init__, kind._connect
    if hasattr(initialize, "__wrapped__"):
        return

    @functools.wraps(initialize)
    def initialize_here(self: Any, *args: Any, **kwargs: Any) -> None:
        self.__dict__[_KEPT] = args, kwargs
        initialize(self, *args, **kwargs)

    @functools.wraps(connect)
    async def connect_here(self: Any) -> None:
        asked = {name: getattr(self, name) for name in _TARGET}
        try:
            aim(self)
            await connect(self)
        except UnreachableError as error:
            text = f"Can't connect to MySQL server on {self._host!r} ({error})"
            raise module.OperationalError(2003, text) from error
        finally:
            for name, value in asked.items():
                setattr(self, name, value)
        adopt(self, DRIVER, *self.__dict__[_KEPT])

    kind.__init__, kind._connect = initialize_here, connect_here
    guard(kind, _METHODS)
