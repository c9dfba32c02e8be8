"""Rules about databases: each one that the app opens must be known, or it would be left behind."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator, Sequence

from edgelift.errors import UsageError
from edgelift.model.findings import Finding, Level
from edgelift.model.inventory import DatabaseUse
from edgelift.model.rules import Rule
from edgelift.model.server_url import parse_server_url
from edgelift.project import DatabaseSection, expand_variables, read_engine

UNDECLARED = Rule(
    id="DB-UNDECLARED",
    level=Level.ERROR,
    title="The app opens a database that edgelift.toml does not name",
    why="it would not be moved, and the Worker would begin with an empty one",
    tip="add it under [[databases]], or accept the rule when its content may be lost",
)
SERVER = Rule(
    id="DB-SERVER-UNDECLARED",
    level=Level.ERROR,
    title="The app uses a driver of a database server that edgelift.toml does not name",
    why="the Worker could not reach the server, and verify would run on the server's own data "
    "instead of on a copy",
    tip='name it under [[databases]], with url = "${VARIABLE}" and env = "VARIABLE", or accept the '
    "rule when the app never connects",
)
RULES = (UNDECLARED, SERVER)
_DRIVERS = {
    "psycopg2": "postgresql", "psycopg": "postgresql", "asyncpg": "postgresql",
    "aiopg": "postgresql", "pg8000": "postgresql", "pymysql": "mysql", "MySQLdb": "mysql",
    "aiomysql": "mysql", "asyncmy": "mysql", "mysql": "mysql",
}  # fmt: skip


def check_drivers(
    imported: Iterable[str], declared: Sequence[DatabaseSection]
) -> Iterator[Finding]:
    """Yield drivers that the app loads though no server of their kind is declared."""
    engines = {read_engine(section) for section in declared}
    for module in sorted(set(imported) & set(_DRIVERS)):
        if _DRIVERS[module] not in engines:
            yield SERVER.at(module, None, None)


def check_databases(
    found: Sequence[DatabaseUse], declared: Sequence[DatabaseSection]
) -> Iterator[Finding]:
    """Yield databases that were found but are not declared; same path means same database."""
    known = {_path(section.url) for section in declared}
    variables = {section.env for section in declared if section.env}
    for use in found:
        if _path(use.url) not in known and not (use.env and use.env in variables):
            yield UNDECLARED.at(use.url, use.path, use.line)


def _path(url: str) -> str:
    """Return what tells databases apart: a file's path; a server's engine, address and name."""
    with contextlib.suppress(UsageError):
        url = expand_variables(url)
    server = parse_server_url(url)
    if server is not None:
        return f"{server.engine}://{server.address}/{server.database}"
    scheme, separator, rest = url.partition("://")
    path = (rest if separator else scheme).partition("?")[0]
    return (
        path.removeprefix("/").removeprefix("./")
        if not separator or scheme.startswith("sqlite")
        else f"{scheme}://{path}"
    )
