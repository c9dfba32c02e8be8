"""What the app's code says in its server's own words: what the Worker cannot run is found here.

Runs for databases that are moved from a server. SQL in string literals and the functions that
SQLAlchemy is asked to call are judged by the Worker's own rules (sources/server_sql.py), and told
with file and line as what speaks to a driver that the Worker has not.
"""

from __future__ import annotations

import ast
from collections.abc import Collection, Iterator

from edgelift.model.findings import Finding, Level
from edgelift.model.rules import Rule
from edgelift.sources.server_sql import find_unknown, find_unknown_function
from edgelift.sources.source_code.own_orms import has_django
from edgelift.sources.source_code.server_texts import read_fragments, read_sent
from edgelift.sources.source_code.view import CodeView, Site
from edgelift.stages.plan.driver_code import check_driver_code, is_driven

TEXT = Rule(
    id="SQL-DIALECT-TEXT",
    level=Level.ERROR,
    title="A statement in the server's SQL has no form in SQLite",
    why="the moved database is SQLite, where it would fail or mean something else",
    tip="write it with SQLAlchemy's expressions or in SQL that both know; or keep the database on "
    'its server: strategy = "hyperdrive"',
)
FUNCTION = Rule(
    id="SQL-DIALECT-FUNCTION",
    level=Level.ERROR,
    title="A function of the server is called through SQLAlchemy",
    why="no rule of the Worker puts it into SQLite's words: it is answered with an error",
    tip="compute it in Python, or use another function",
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
    why="Django's exceptions stay the same, but what is in their `__cause__` is sqlite3's, without "
    "SQLSTATE",
    tip="catch django.db.IntegrityError and its like",
)
RULES = (TEXT, FUNCTION, DRIVER, ERRORS)

# Of drivers that no server of this process answers.
_CONNECT = frozenset({"mysql.connector.connect", "mysql.connector.pooling.MySQLConnectionPool"})
_ERROR_WORDS = frozenset({"pgcode", "sqlstate", "diag"})
_FUNC = "sqlalchemy.func."
# Functions that SQLAlchemy itself writes in each dialect's words, and what is none of the server.
_GENERIC = frozenset(
    {"aggregate_strings", "sysdate", "user", "next_value", "cube", "rollup", "grouping_sets",
     "sequence"}
)  # fmt: skip


def check_server_code(view: CodeView, engines: Collection[str]) -> Iterator[Finding]:
    """Yield what the app's code asks of the engines whose databases are moved."""
    for engine in sorted(engines):
        if is_driven(view, engine):
            yield from check_driver_code(view, engine)
            continue
        yield from _check_texts(view, engine)
        yield from _check_functions(view, engine)
    for site, _call, name in view.calls:
        if name in _CONNECT:
            yield DRIVER.at(f"{name}()", site.path, site.line)
    for site in view.sites if has_django(view) else ():
        if isinstance(site.node, ast.Attribute) and _reads_errors(view, site, site.node):
            yield ERRORS.at(ast.unparse(site.node)[:60], site.path, site.line)


def _check_texts(view: CodeView, engine: str) -> Iterator[Finding]:
    for site, text in read_sent(view):
        yield from _judge(site, text, find_unknown(text, engine))
    for site, text in read_fragments(view):
        yield from _judge(site, text, find_unknown(f"SELECT ({text})", engine))


def _judge(site: Site, text: str, problem: str) -> Iterator[Finding]:
    if problem:
        shown = " ".join(text.split())[:70]
        yield TEXT.at(f"{shown} ({problem})", site.path, site.line)


def _check_functions(view: CodeView, engine: str) -> Iterator[Finding]:
    for site, call, name in view.calls:
        called = name.removeprefix(_FUNC).lower()
        if not name.startswith(_FUNC) or "." in called or called in _GENERIC:
            continue
        places = sum(not isinstance(argument, ast.Starred) for argument in call.args)
        problem = find_unknown_function(called, places, engine)
        if problem:
            yield FUNCTION.at(f"func.{called}(): {problem}", site.path, site.line)


def _reads_errors(view: CodeView, site: Site, node: ast.Attribute) -> bool:
    if node.attr in _ERROR_WORDS and isinstance(node.value, ast.Attribute):
        return node.value.attr in {"orig", "diag", "__cause__"}
    return view.resolve(site, node).startswith(("psycopg2.errors.", "psycopg.errors."))
