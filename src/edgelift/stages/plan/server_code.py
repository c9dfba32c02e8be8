"""What the app's code says in its server's own words: kept, translated, or found before the cut.

Runs for databases that are moved from a server. SQL in string literals is translated by
sources/server_sql.py; calls of SQLAlchemy that have no rule in the Worker, and what speaks to the
server's driver itself, are found with file and line.
"""

from __future__ import annotations

import ast
from collections.abc import Collection, Iterator

from edgelift.model.findings import Finding, Level
from edgelift.model.rules import Rule
from edgelift.sources.server_sql import list_functions, translate_sql
from edgelift.sources.source_code.server_texts import read_texts
from edgelift.sources.source_code.view import CodeView, Site
from edgelift.worker.sqlalchemy_moved import names

TEXT = Rule(
    id="SQL-DIALECT-TEXT",
    level=Level.ERROR,
    title="A statement in the server's SQL has no form in SQLite",
    why="the moved database is SQLite, where it would fail or mean something else",
    tip="write it with SQLAlchemy's expressions or in SQL that both know; or keep the database on "
    'its server: strategy = "hyperdrive"',
)
CHANGED = Rule(
    id="SQL-DIALECT-CHANGED",
    level=Level.NOTE,
    title="A statement is translated",
    why="the Worker runs this text in place of the app's when text() is given it",
    tip="compare the two where the statement matters",
)
FUNCTION = Rule(
    id="SQL-DIALECT-FUNCTION",
    level=Level.ERROR,
    title="A function of the server is called through SQLAlchemy",
    why="neither SQLite nor edgelift's dialect has it",
    tip="compute it in Python, or use a function that SQLite has",
)
DRIVER = Rule(
    id="SQL-DIALECT-DRIVER",
    level=Level.ERROR,
    title="The app connects with the server's driver itself",
    why="there is no server any more: the connection is refused in the Worker",
    tip="let SQLAlchemy connect, or keep the database on its server",
)
ERRORS = Rule(
    id="SQL-DIALECT-ERRORS",
    level=Level.WARNING,
    title="The app looks at the driver's own errors",
    why="SQLAlchemy's exceptions stay the same, but what is in their `orig` is sqlite3's, without "
    "SQLSTATE",
    tip="catch sqlalchemy.exc.IntegrityError and its like",
)
DISTINCT = Rule(
    id="SQL-DIALECT-DISTINCT-ON",
    level=Level.ERROR,
    title="A query uses DISTINCT ON",
    why="SQLite has no such clause, and the Worker refuses to compile it",
    tip="number the rows by row_number() over a partition and take the first",
)
RULES = (TEXT, CHANGED, FUNCTION, DRIVER, ERRORS, DISTINCT)

_CONNECT = frozenset(
    {"psycopg2.connect", "psycopg.connect", "psycopg.AsyncConnection.connect", "asyncpg.connect",
     "asyncpg.create_pool", "aiopg.connect", "aiopg.create_pool", "pymysql.connect",
     "MySQLdb.connect", "aiomysql.connect", "aiomysql.create_pool", "mysql.connector.connect",
     "psycopg2.pool.ThreadedConnectionPool", "psycopg2.pool.SimpleConnectionPool",
     "psycopg_pool.ConnectionPool", "psycopg_pool.AsyncConnectionPool"}
)  # fmt: skip
_ERROR_WORDS = frozenset({"pgcode", "sqlstate", "diag"})
_FUNC = "sqlalchemy.func."
# Functions that SQLAlchemy itself writes in each dialect's words.
_GENERIC = frozenset({"count", "coalesce", "aggregate_strings", "sysdate", "user"})
_KNOWN = {"postgresql": names.POSTGRESQL, "mysql": names.MYSQL}


def check_server_code(view: CodeView, engines: Collection[str]) -> Iterator[Finding]:
    """Yield what the app's code asks of the engines whose databases are moved."""
    for engine in sorted(engines):
        yield from _check_texts(view, engine)
        yield from _check_functions(view, engine)
    for site, call, name in view.calls:
        if name in _CONNECT:
            yield DRIVER.at(f"{name}()", site.path, site.line)
        elif (_is_distinct_on(call) or name.endswith("postgresql.distinct_on")) and (
            "postgresql" in engines
        ):
            yield DISTINCT.at(ast.unparse(call)[-60:], site.path, site.line)
    for site in view.sites:
        if isinstance(site.node, ast.Attribute) and _reads_errors(view, site, site.node):
            yield ERRORS.at(ast.unparse(site.node)[:60], site.path, site.line)


def _check_texts(view: CodeView, engine: str) -> Iterator[Finding]:
    for site, text in read_texts(view):
        made = translate_sql(text, engine)
        shown = " ".join(text.split())[:70]
        if made.problem:
            yield TEXT.at(f"{shown} ({made.problem})", site.path, site.line)
        elif made.text != text:
            yield CHANGED.at(" ".join(made.text.split())[:160], site.path, site.line)


def _check_functions(view: CodeView, engine: str) -> Iterator[Finding]:
    known = _KNOWN[engine] | _GENERIC | {name.lower() for name in list_functions()}
    for site, call, name in view.calls:
        if name.startswith(_FUNC) and call.func and "." not in name[len(_FUNC) :]:
            called = name[len(_FUNC) :].lower()
            if called not in known:
                yield FUNCTION.at(f"func.{called}()", site.path, site.line)


def _is_distinct_on(call: ast.Call) -> bool:
    func = call.func
    return (
        isinstance(func, ast.Attribute)
        and func.attr == "distinct"
        and bool(call.args)
        and not (isinstance(func.value, ast.Name) and func.value.id in {"sa", "sqlalchemy", "func"})
    )


def _reads_errors(view: CodeView, site: Site, node: ast.Attribute) -> bool:
    if node.attr in _ERROR_WORDS and isinstance(node.value, ast.Attribute):
        return node.value.attr in {"orig", "diag"}
    return view.resolve(site, node).startswith(("psycopg2.errors.", "psycopg.errors."))
