"""Rules about SQL in the source that a Worker's SQLite refuses or takes otherwise than SQLite.

D1 and SQL objects run SQLite with an authorizer and an allow-list of functions. What edgelift's
driver answers itself (sqlite_version(), most PRAGMAs) is no finding. Only SQL in string literals is
seen.
"""

from __future__ import annotations

import ast
import itertools
import re
from collections.abc import Iterator

from edgelift.model.findings import Finding, Level
from edgelift.model.rules import Rule
from edgelift.sources.source_code.view import CodeView, Site
from edgelift.sources.sqlite_tokens import tokenize

ATTACH = Rule(
    id="SQL-ATTACH",
    level=Level.ERROR,
    title="Attaches another database",
    why="D1 and SQL objects refuse ATTACH: a query sees one database",
    tip="put the tables into one database",
)
TEMPORARY = Rule(
    id="SQL-TEMP",
    level=Level.ERROR,
    title="Makes a temporary table, view or trigger",
    why="D1 and SQL objects refuse the temporary schema",
    tip="use a common table expression, or an ordinary table that is emptied",
)
VACUUM = Rule(
    id="SQL-VACUUM",
    level=Level.WARNING,
    title="Runs VACUUM",
    why="D1 and SQL objects refuse it; Cloudflare keeps their files in order",
    tip="leave the statement out",
)
FUNCTION = Rule(
    id="SQL-FUNCTION",
    level=Level.WARNING,
    title="Calls an SQL function that D1 and SQL objects refuse",
    why="the driver brings the tables of the statement, up to 20,000 rows each, to the Worker's "
    "own SQLite; a schema, a script or a larger table is refused",
    tip="compute it in Python, or use the function named in the message",
)
REGEXP = Rule(
    id="SQL-REGEXP",
    level=Level.WARNING,
    title="Uses the REGEXP operator",
    why="its function is Python's: the driver brings the tables of the statement to it, up to "
    "20,000 rows each; a schema, a script or a larger table is refused",
    tip="use LIKE or GLOB, or filter in Python",
)
PRAGMA = Rule(
    id="SQL-PRAGMA",
    level=Level.WARNING,
    title="Sets a PRAGMA that has no effect",
    why="foreign keys are always checked, whatever is set: by D1 at each statement, by a SQL "
    "object at the latest when the transaction ends",
    tip="use PRAGMA defer_foreign_keys, or order the statements so that every reference exists",
)
PY_FUNCTION = Rule(
    id="SQL-PYFUNCTION",
    level=Level.WARNING,
    title="Adds functions of its own to the database",
    why="the driver brings the tables of a statement that calls one to Python, up to 20,000 rows "
    "each; a schema, a script or a larger table is refused",
    tip="compute it in Python after the query where tables are large",
)
EXTENSION = Rule(
    id="SQL-EXTENSION",
    level=Level.ERROR,
    title="Loads an SQLite extension",
    why="D1 and SQL objects load no extensions; full-text search (FTS5) and JSON are built in",
    tip="do without the extension",
)
RULES = (ATTACH, TEMPORARY, VACUUM, FUNCTION, REGEXP, PRAGMA, PY_FUNCTION, EXTENSION)

# Core functions that the allow-list of both (workerd, util/sqlite.c++) lacks, with what to use
# instead; each is proven refused, and each substitute taken, by tests/workerd/test_sql_rules.py.
REFUSED_FUNCTIONS = {
    "if": "iif",
    "json_pretty": "",
    "json_error_position": "json_valid",
    "unistr": "",
    "soundex": "",
    "load_extension": "",
    "sqlite_compileoption_used": "",
    "sqlite_source_id": "",
    "median": "",
    "percentile": "",
}
_STATEMENT = re.compile(
    r"^\s*(?:--[^\n]*\n\s*)*(SELECT|INSERT|UPDATE|DELETE|REPLACE|CREATE|ALTER|DROP|WITH|PRAGMA|ATTACH"
    r"|VACUUM|EXPLAIN|VALUES|ANALYZE|REINDEX|DETACH)\b",
    re.IGNORECASE,
)
_PYTHON_SIDE = frozenset(
    {"create_function", "create_aggregate", "create_window_function", "create_collation"}
)
_FUNCTION_MAKERS = ("sqlalchemy.func.", "django.db.models.functions.")
_EXTENSIONS = frozenset({"enable_load_extension", "load_extension"})


def check_sql(view: CodeView) -> Iterator[Finding]:
    """Yield SQL statements and database calls that D1 and SQL objects refuse."""
    for site in view.sites:
        node = site.node
        if isinstance(node, ast.Constant | ast.JoinedStr):
            text = view.constant(site, node)
            if isinstance(text, str) and _is_sql(text):
                yield from _check_statement(site, text)
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            yield from _check_call(view, site, node)


def _is_sql(text: str) -> bool:
    """Return whether a literal is a statement: its first word, and another word that fits it."""
    found = _STATEMENT.match(text)
    if found is None:
        return False
    # Prose begins with such words too ("Select a colour from", "update failed").
    return found[1].isupper() or bool(
        found[1].islower() and re.search(r"\b(from|into|set|table|index|view|values|as)\b", text)
    )


def _check_statement(site: Site, text: str) -> Iterator[Finding]:
    tokens = tokenize(text)
    words = [token.upper for token in tokens]
    for rule, begin in ((ATTACH, ("ATTACH",)), (VACUUM, ("VACUUM",))):
        if words[:1] == list(begin):
            yield rule.at(text.strip()[:60], site.path, site.line)
    if words[:1] == ["CREATE"] and {"TEMP", "TEMPORARY"} & set(words[1:2]):
        yield TEMPORARY.at(text.strip()[:60], site.path, site.line)
    if "REGEXP" in words:
        yield REGEXP.at("REGEXP", site.path, site.line)
    if (words[:2] == ["PRAGMA", "FOREIGN_KEYS"] and {"OFF", "FALSE", "NO"} & set(words[2:])) or (
        words[:2] == ["PRAGMA", "FOREIGN_KEYS"] and any(t.text == "0" for t in tokens[2:])
    ):
        yield PRAGMA.at(text.strip()[:60], site.path, site.line)
    for token, following in itertools.pairwise(tokens):
        name = token.text.lower()
        if token.kind == "word" and following.text == "(" and name in REFUSED_FUNCTIONS:
            instead = REFUSED_FUNCTIONS[name]
            hint = f" (use {instead}())" if instead else ""
            yield FUNCTION.at(f"{name}(){hint}", site.path, site.line)


def _check_call(view: CodeView, site: Site, call: ast.Call) -> Iterator[Finding]:
    assert isinstance(call.func, ast.Attribute)
    name = call.func.attr
    if name in _PYTHON_SIDE and len(call.args) + len(call.keywords) > 1:
        yield PY_FUNCTION.at(f"{name}()", site.path, site.line)
    elif name in _EXTENSIONS:
        yield EXTENSION.at(f"{name}()", site.path, site.line)
    elif view.resolve(site, call.func).startswith(
        ("sqlalchemy.func.", "django.db.models.functions.")
    ):
        lowered = name.lower()
        if lowered in REFUSED_FUNCTIONS:
            instead = REFUSED_FUNCTIONS[lowered]
            hint = f" (use {instead}())" if instead else ""
            yield FUNCTION.at(f"func.{name}(){hint}", site.path, site.line)
    elif name in {"regexp_match", "regexp_replace"}:
        yield REGEXP.at(f"{name}()", site.path, site.line)
