"""SQLAlchemy over a moved database: URLs of its server lead to the SQLite that it became.

Installed before the app's import where a database of PostgreSQL or MySQL was moved and SQLAlchemy
is among the packages; the app's models, URLs and engine options stay as they are.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Iterable, Mapping
from typing import Any

from edgelift.worker.sqlalchemy_moved import texts

_BACKENDS = {
    "postgresql": ("postgresql", "postgres"),
    "mysql": ("mysql", "mariadb"),
}
_DRIVERS = {
    "postgresql": ("psycopg2", "psycopg", "pg8000", "psycopg2cffi"),
    "mysql": ("mysqldb", "pymysql", "mysqlconnector", "mariadbconnector", "cymysql"),
}
_ASYNC_DRIVERS = {
    "postgresql": ("asyncpg", "psycopg_async"),
    "mysql": ("aiomysql", "asyncmy"),
}


def install(databases: Iterable[Mapping[str, Any]]) -> None:
    """Register the dialects for the engines of moved databases; nothing without SQLAlchemy."""
    moved = [database for database in databases if database.get("origin")]
    for database in moved:
        texts.remember(database.get("texts", {}), database.get("kinds", {}))
    if not moved or importlib.util.find_spec("sqlalchemy") is None:
        return
    from sqlalchemy import event
    from sqlalchemy.engine import Engine

    from edgelift.worker.sqlalchemy_moved import dialect

    if not event.contains(Engine, "before_execute", dialect.read_by_kinds):
        event.listen(Engine, "before_execute", dialect.read_by_kinds, retval=True)
    for origin in dict.fromkeys(database["origin"] for database in moved):
        paths = [database["path"] for database in moved if database["origin"] == origin]
        dialect.remember_paths(origin, paths)
        _register(origin)


def _register(origin: str) -> None:
    from sqlalchemy.dialects import registry

    from edgelift.worker.sqlalchemy_moved import dialect

    place = dialect.__name__
    plain = {"postgresql": dialect.MovedPostgres, "mysql": dialect.MovedMysql}[origin]
    for backend in _BACKENDS[origin]:
        registry.register(backend, place, plain.__name__)
        for driver in _DRIVERS[origin]:
            registry.register(f"{backend}.{driver}", place, plain.__name__)
        for driver in _ASYNC_DRIVERS[origin]:
            registry.register(f"{backend}.{driver}", place, dialect.ASYNC[origin].__name__)
