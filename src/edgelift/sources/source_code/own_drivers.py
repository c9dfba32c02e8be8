"""Whether an app speaks to its server's driver itself, not through an ORM that has a dialect."""

from __future__ import annotations

from collections.abc import Collection

from edgelift.sources.source_code.view import CodeView

MODULES = {
    "postgresql": frozenset({"psycopg2", "psycopg", "psycopg_pool", "asyncpg", "aiopg", "pg8000"}),
    "mysql": frozenset({"pymysql", "MySQLdb", "aiomysql"}),
}
_PACKAGES = {
    "postgresql": frozenset(
        {"psycopg2", "psycopg2-binary", "psycopg", "psycopg-binary", "asyncpg", "aiopg", "pg8000"}
    ),
    "mysql": frozenset({"pymysql", "mysqlclient", "aiomysql"}),
}
_WITH_DIALECTS = frozenset({"sqlalchemy", "django"})


def imports_driver(view: CodeView, engine: str) -> bool:
    """Return whether the app's own code imports a driver of an engine."""
    return any(name.partition(".")[0] in MODULES[engine] for _site, name in view.imports)


def speaks_to_driver(view: CodeView, packages: Collection[str], engine: str) -> bool:
    """Return whether a driver is used: by the app's code, or by a package that has no dialect.

    `packages` are the normalised names of those that the Worker has.
    """
    if imports_driver(view, engine):
        return True
    return not set(packages) & _WITH_DIALECTS and bool(set(packages) & _PACKAGES[engine])
