"""What a Django app asks of PostgreSQL or MySQL that its moved database has not, by file and line.

Runs for databases that are moved. The ORM itself is kept (worker/django_moved); what is found here
is what stands beside it: types and operators of contrib.postgres, GIS, questions for the vendor.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Collection, Iterator

from edgelift.model.findings import Finding, Level
from edgelift.model.rules import Rule
from edgelift.sources.source_code.view import CodeView, Site

POSTGRES = Rule(
    id="DJANGO-POSTGRES",
    level=Level.ERROR,
    title="A part of django.contrib.postgres has no form in SQLite",
    why="full text search, trigrams, unaccent, operators of ranges and some aggregates are "
    "PostgreSQL's own: the Worker raises NotSupportedError when such a query runs",
    tip="do without it, or keep the database on its server",
)
GIS = Rule(
    id="DJANGO-GIS",
    level=Level.ERROR,
    title="The app uses django.contrib.gis",
    why="it needs GEOS and GDAL, and the moved database has no spatial functions",
    tip="keep the database on its server and the app where those libraries are",
)
VENDOR = Rule(
    id="DJANGO-VENDOR",
    level=Level.WARNING,
    title="The app asks for the vendor of its database",
    why="`connection.vendor` is sqlite over a moved database, since who asks wants to know which "
    "SQL to write; the branch for SQLite did not run at the origin",
    tip="look at what that branch does, and let a flow or a test of verify go through it",
)
EXPRESSION = Rule(
    id="DJANGO-EXPRESSION",
    level=Level.ERROR,
    title="An expression of the app has SQL of its own for the server",
    why="over the moved database as_sqlite is asked first, then as_sql, and the class has no "
    "as_sqlite",
    tip="give it an as_sqlite with SQL that SQLite knows",
)
LOCKS = Rule(
    id="DJANGO-LOCKS",
    level=Level.WARNING,
    title="A query skips locked rows or does not wait for them",
    why="a transaction has the whole database for itself from its first write or FOR UPDATE on: "
    "nothing is skipped, and others wait for it",
    tip="keep transactions short; a queue of jobs works, one worker at a time",
)
STYLE = Rule(
    id="DJANGO-STYLE",
    level=Level.ERROR,
    title="Moments would be written otherwise than Django writes them",
    why="the app's own and the moved rows would no longer compare and sort alike",
    tip='leave schema.timestamps out of edgelift.toml, or write timestamps = "django"',
)
RULES = (POSTGRES, GIS, VENDOR, EXPRESSION, LOCKS, STYLE)

_CONTRIB = "django.contrib.postgres"
# Modules, and members of others, of which nothing is kept.
_MODULES = re.compile(
    rf"{re.escape(_CONTRIB)}\.(search|constraints|fields\.(\w*[Rr]ange\w*|citext|CI\w+)"
    r"|aggregates(\.\w+)?\.(BitAnd|BitOr|BitXor|Corr|CovarPop|Regr\w+|StatAggregate)"
    r"|lookups\.(Unaccent|Trigram\w+|SearchLookup))"
)
_LOOKUPS = re.compile(
    r"__(search|unaccent|trigram_similar|trigram_word_similar|trigram_strict_word_similar)(__|$)"
)
_OWN_SQL = {"postgresql": "as_postgresql", "mysql": "as_mysql"}
_LOCKS = frozenset({"skip_locked", "nowait"})


def is_django(view: CodeView) -> bool:
    """Return whether the app's code is Django's."""
    return any(name.partition(".")[0] == "django" for _site, name in view.imports)


def check_django(view: CodeView, engines: Collection[str], timestamps: str) -> Iterator[Finding]:
    """Yield what the app's code asks of the engines whose databases are moved."""
    if not is_django(view):
        return
    if timestamps not in {"auto", "django"}:
        yield STYLE.at(f"schema.timestamps is {timestamps}", "edgelift.toml", None)
    for site in view.sites:
        node = site.node
        if isinstance(node, ast.ImportFrom | ast.Import):
            yield from _check_import(site, node)
        elif isinstance(node, ast.Compare):
            yield from _check_vendor(site, node)
        elif isinstance(node, ast.ClassDef):
            yield from _check_class(site, node, engines)
        elif isinstance(node, ast.Call):
            yield from _check_call(site, node)


def _check_import(site: Site, node: ast.ImportFrom | ast.Import) -> Iterator[Finding]:
    if isinstance(node, ast.Import):
        names = [alias.name for alias in node.names]
    else:
        names = [f"{node.module}.{alias.name}" for alias in node.names if not node.level]
    for name in names:
        if name.startswith("django.contrib.gis"):
            yield GIS.at(name, site.path, site.line)
        elif _MODULES.match(name):
            yield POSTGRES.at(name, site.path, site.line)


def _check_vendor(site: Site, node: ast.Compare) -> Iterator[Finding]:
    sides = [node.left, *node.comparators]
    if any(isinstance(side, ast.Attribute) and side.attr == "vendor" for side in sides):
        yield VENDOR.at(ast.unparse(node)[:60], site.path, site.line)


def _check_class(site: Site, node: ast.ClassDef, engines: Collection[str]) -> Iterator[Finding]:
    methods = {item.name for item in node.body if isinstance(item, ast.FunctionDef)}
    for engine in sorted(engines):
        if _OWN_SQL[engine] in methods and "as_sqlite" not in methods:
            yield EXPRESSION.at(f"{node.name}.{_OWN_SQL[engine]}", site.path, site.line)


def _check_call(site: Site, node: ast.Call) -> Iterator[Finding]:
    name = node.func.attr if isinstance(node.func, ast.Attribute) else ""
    for keyword in node.keywords:
        if keyword.arg and _LOOKUPS.search(keyword.arg):
            yield POSTGRES.at(keyword.arg, site.path, site.line)
        if name == "select_for_update" and keyword.arg in _LOCKS:
            yield LOCKS.at(f"select_for_update({keyword.arg}=...)", site.path, site.line)
