"""Opens the servers of moved databases: what drivers take for connections lead to them."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Mapping
from typing import Any

from edgelift.worker.moved.backend import Backend
from edgelift.worker.moved.catalogue import read_catalogue
from edgelift.worker.moved.channel import Channel, Server, open_streams
from edgelift.worker.moved.failures import ServerError
from edgelift.worker.moved.finding import Moved, find_host
from edgelift.worker.moved.mysql_backend import MysqlBackend
from edgelift.worker.moved.mysql_session import MysqlSession
from edgelift.worker.moved.session import Session
from edgelift.worker.moved.translation import Translations

BUSY_S = 20.0
_OWN = frozenset({"user", "database", "client_encoding", "replication", "options"})
_translations: dict[tuple[str, str], Translations] = {}


def read_translations(moved: Moved) -> Translations:
    """Return what is known of a database's SQL, for all of its connections."""
    key = moved.host, moved.engine
    if key not in _translations:
        catalogue = read_catalogue(moved.settings["catalogue"], moved.engine)
        _translations[key] = Translations(catalogue, moved.engine)
    return _translations[key]


def open_database(path: str) -> Any:
    """Return a connection that commits by itself and keeps foreign keys, as servers do."""
    db = sqlite3.connect(path, isolation_level=None, timeout=BUSY_S, check_same_thread=False)
    db.execute("PRAGMA foreign_keys=ON").close()
    return db


def open_session(moved: Moved, options: Mapping[str, str]) -> Session:
    """Return the server's side of a new connection to PostgreSQL; raises ServerError."""
    if options.get("replication"):
        raise ServerError("0A000", "a moved database has no replication")
    settings = {name.lower(): value for name, value in options.items() if name.lower() not in _OWN}
    settings["database"] = options.get("database", moved.name)
    settings["session_authorization"] = options.get("user", "edgelift")
    translations = read_translations(moved)
    return Session(open_database(moved.path), translations.catalogue, translations, settings)


def open_mysql_session(
    moved: Moved, options: Mapping[str, str], counts_found: bool
) -> MysqlSession:
    """Return the server's side of a new connection to MySQL."""
    translations = read_translations(moved)
    settings = {"session_authorization": options.get("user", "edgelift")}
    if counts_found:
        settings["counts_found"] = "1"
    return MysqlSession(open_database(moved.path), translations.catalogue, translations, settings)


_OPENERS: dict[str, Callable[[Moved], Server]] = {
    "postgresql": lambda moved: Backend(lambda options: open_session(moved, options)),
    "mysql": lambda moved: MysqlBackend(
        lambda options, counts: open_mysql_session(moved, options, counts)
    ),
}


def open_server(host: str) -> Server:
    """Return a server for the database that a host stands for; raises OSError."""
    moved = find_host(host)
    return _OPENERS[moved.engine](moved)


def dial(host: str) -> Channel:
    """Return what a driver takes for a connected socket."""
    return Channel(open_server(host))


def dial_streams(host: str) -> Any:
    """Return asyncio's two halves of a connection."""
    return open_streams(open_server(host))
