"""PyMySQL's connections go through Hyperdrive and belong to their request (connections.py).

Without it the app's URL leads to a host that is no server, and a connection that a module or a pool
keeps hangs or fails in the next request.
"""

from __future__ import annotations

import contextlib
import functools
import importlib
import importlib.util
from collections.abc import Iterator
from typing import Any

from edgelift.worker.connections import Driver, adopt, guard, may_postpone, postpone
from edgelift.worker.hyperdrive import UnreachableError, find_database, read_endpoint
from edgelift.worker.moved.finding import find_moved

_METHODS = (
    "_execute_command", "autocommit", "begin", "commit", "cursor", "next_result", "ping", "query",
    "rollback", "select_db", "set_character_set", "set_charset", "show_warnings",
)  # fmt: skip
_TARGET = ("host", "port", "user", "password", "db", "ssl", "unix_socket", "_ssl_required")
_KEPT = "_edgelift_arguments"


def _carry(old: Any, new: Any) -> None:
    """Copy what the app may have set after the connect."""
    new.cursorclass = old.cursorclass
    if old.autocommit_mode != new.autocommit_mode and old.autocommit_mode is not None:
        new.autocommit(old.autocommit_mode)


DRIVER = Driver(
    open=lambda kind, args, kwargs: kind(*args, **kwargs),
    close=lambda connection: connection.close(),
    is_open=lambda connection: connection._sock is not None,
    carry=_carry,
)


def aim(connection: Any) -> None:
    """Point a connection object at the binding that serves its server, if one does.

    Raises UnreachableError.
    """
    database = find_database("mysql", connection.host, connection.port, _text(connection.db))
    if database is None:
        return
    endpoint = read_endpoint(database)
    connection.host, connection.port = endpoint.host, endpoint.port
    connection.unix_socket = None
    connection.user, connection.db = endpoint.user.encode(), endpoint.database.encode()
    connection.password = endpoint.password.encode("utf-8")
    if not endpoint.tls:
        connection.ssl = connection._ssl_required = False
    elif not connection.ssl:
        connection.ssl, connection._ssl_required = True, True
        connection.ctx = connection._create_ssl_ctx({})


def dial_moved(connection: Any) -> Any:
    """Return what stands for a socket to a moved database, None where a server is meant."""
    if find_database("mysql", connection.host, connection.port, _text(connection.db)) is not None:
        return None
    moved = find_moved("mysql", (connection.host, _text(connection.db)))
    if moved is None:
        return None
    connection.ssl = connection._ssl_required = False
    connection.host_info = f"moved {moved.name}"
    return importlib.import_module("edgelift.worker.moved.servers").dial(moved.host)


@contextlib.contextmanager
def _as_asked(connection: Any) -> Iterator[None]:
    """Give a connection the target the app asked for back afterwards: a reconnect asks again."""
    asked = {name: getattr(connection, name) for name in _TARGET}
    try:
        yield
    finally:
        for name, value in asked.items():
            setattr(connection, name, value)


def _text(value: Any) -> str | None:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else value


def install() -> None:
    """Patch the connection class when PyMySQL is among the packages."""
    if importlib.util.find_spec("pymysql") is None:
        return
    from pymysql import connections, err

    kind: Any = connections.Connection
    if hasattr(kind.connect, "__wrapped__"):
        return
    initialize, connect = kind.__init__, kind.connect

    @functools.wraps(initialize)
    def initialize_here(self: Any, *args: Any, **kwargs: Any) -> None:
        self.__dict__[_KEPT] = args, kwargs
        initialize(self, *args, **kwargs)

    @functools.wraps(connect)
    def connect_here(self: Any, sock: Any = None) -> None:
        args, kwargs = self.__dict__.get(_KEPT, ((), {}))
        again = {**kwargs, "defer_connect": False}
        try:
            with _as_asked(self):
                if sock is None:
                    aim(self)
                    sock = dial_moved(self)
                connect(self, sock)
        except UnreachableError as error:
            if not may_postpone():
                text = f"Can't connect to MySQL server on {self.host!r} ({error})"
                raise err.OperationalError(2003, text) from error
            postpone(self, DRIVER, args, again)
        else:
            adopt(self, DRIVER, args, again)

    kind.__init__, kind.connect = initialize_here, connect_here
    guard(kind, _METHODS)
