"""SQLAlchemy over a moved database: its own dialect and driver, whose server is in this process.

Installed before the app's import where a database of PostgreSQL or MySQL was moved and SQLAlchemy
is among the packages. The statements are those that the server would get; worker/moved puts them
into SQLite's words, as it does for drivers without an ORM.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Iterable, Mapping
from typing import Any

BACKENDS = {
    "postgresql": ("postgresql", "postgres"),
    "mysql": ("mysql", "mariadb"),
}
# Drivers by SQLAlchemy's name, with the module that each imports and the drivers that stand in for
# one whose module the Worker has not.
DRIVERS: dict[str, dict[str, tuple[str, tuple[str, ...]]]] = {
    "postgresql": {
        "psycopg2": ("psycopg2", ()),
        "psycopg": ("psycopg", ("psycopg2",)),
        "psycopg_async": ("psycopg", ("asyncpg",)),
        "pg8000": ("pg8000", ("psycopg2",)),
        "psycopg2cffi": ("psycopg2cffi", ("psycopg2",)),
        "asyncpg": ("asyncpg", ()),
    },
    "mysql": {
        "mysqldb": ("MySQLdb", ("pymysql",)),
        "pymysql": ("pymysql", ("mysqldb",)),
        "mysqlconnector": ("", ("pymysql", "mysqldb")),
        "mariadbconnector": ("", ("pymysql", "mysqldb")),
        "cymysql": ("", ("pymysql", "mysqldb")),
        "aiomysql": ("aiomysql", ()),
        "asyncmy": ("", ("aiomysql",)),
    },
}


def install(databases: Iterable[Mapping[str, Any]]) -> None:
    """Register the dialects for the engines of moved databases; nothing without SQLAlchemy."""
    moved = {one["origin"] for one in databases if one.get("origin") and one.get("catalogue")}
    if not moved or importlib.util.find_spec("sqlalchemy") is None:
        return
    from sqlalchemy.dialects import registry

    for origin in sorted(moved):
        for backend in BACKENDS[origin]:
            for driver in ("", *DRIVERS[origin]):
                name = f"{backend}.{driver}" if driver else backend
                registry.register(name, f"{__name__}.dialects", name.replace(".", "__"))
