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
from edgelift.sources.server_sql import Translation, list_functions
from edgelift.sources.source_code.own_orms import has_orm
from edgelift.sources.source_code.server_texts import (
    read_fragments,
    read_texts,
    translate,
    translate_fragment,
)
from edgelift.sources.source_code.view import CodeView, Site
from edgelift.stages.plan.driver_code import check_driver_code, is_driven
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
    why="the exceptions of SQLAlchemy and Django stay the same, but what is in their `orig` or "
    "`__cause__` is sqlite3's, without SQLSTATE",
    tip="catch sqlalchemy.exc.IntegrityError, django.db.IntegrityError and their like",
)
DISTINCT = Rule(
    id="SQL-DIALECT-DISTINCT-ON",
    level=Level.ERROR,
    title="A query uses DISTINCT ON",
    why="SQLite has no such clause, and the Worker refuses to compile it",
    tip="number the rows by row_number() over a partition and take the first",
)
RULES = (TEXT, CHANGED, FUNCTION, DRIVER, ERRORS, DISTINCT)

# Of drivers that no server of this process answers.
_CONNECT = frozenset({"mysql.connector.connect", "mysql.connector.pooling.MySQLConnectionPool"})
_ERROR_WORDS = frozenset({"pgcode", "sqlstate", "diag"})
_FUNC = "sqlalchemy.func."
# Functions that SQLAlchemy itself writes in each dialect's words.
_GENERIC = frozenset({"count", "coalesce", "aggregate_strings", "sysdate", "user"})
_KNOWN = {"postgresql": names.POSTGRESQL, "mysql": names.MYSQL}


def check_server_code(view: CodeView, engines: Collection[str]) -> Iterator[Finding]:
    """Yield what the app's code asks of the engines whose databases are moved."""
    for engine in sorted(engines):
        if is_driven(view, engine):
            yield from check_driver_code(view, engine)
            continue
        yield from _check_texts(view, engine)
        yield from _check_functions(view, engine)
    for site, call, name in view.calls:
        if name in _CONNECT:
            yield DRIVER.at(f"{name}()", site.path, site.line)
        elif (_is_distinct_on(call) or name.endswith("postgresql.distinct_on")) and (
            "postgresql" in engines
        ):
            yield DISTINCT.at(ast.unparse(call)[-60:], site.path, site.line)
    for site in view.sites if has_orm(view) else ():
        if isinstance(site.node, ast.Attribute) and _reads_errors(view, site, site.node):
            yield ERRORS.at(ast.unparse(site.node)[:60], site.path, site.line)


def _check_texts(view: CodeView, engine: str) -> Iterator[Finding]:
    for site, text in read_texts(view):
        yield from _judge(site, text, translate(text, engine))
    for site, text in read_fragments(view):
        yield from _judge(site, text, translate_fragment(text, engine))


def _judge(site: Site, text: str, made: Translation) -> Iterator[Finding]:
    if made.problem:
        shown = " ".join(text.split())[:70]
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
        and not all(isinstance(arg, ast.Constant) for arg in call.args)  # names: Django's, kept
        and not (isinstance(func.value, ast.Name) and func.value.id in {"sa", "sqlalchemy", "func"})
    )


def _reads_errors(view: CodeView, site: Site, node: ast.Attribute) -> bool:
    if node.attr in _ERROR_WORDS and isinstance(node.value, ast.Attribute):
        return node.value.attr in {"orig", "diag", "__cause__"}
    return view.resolve(site, node).startswith(("psycopg2.errors.", "psycopg.errors."))
