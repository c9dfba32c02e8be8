"""What an app asks of its server's driver that a moved database has not, with file and line.

Its statements are judged by the rules of the Worker's own translation (sources/server_sql.py), here
by their words alone: the tables are read later, and build judges again with them.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from edgelift.model.findings import Finding, Level
from edgelift.model.rules import Rule
from edgelift.sources.server_sql import ENGINES, find_unknown
from edgelift.sources.source_code.own_drivers import imports_driver
from edgelift.sources.source_code.own_orms import has_orm
from edgelift.sources.source_code.server_texts import read_texts
from edgelift.sources.source_code.view import CodeView, Site

STATEMENT = Rule(
    id="SQL-DRIVER-TEXT",
    level=Level.ERROR,
    title="A statement for the server's driver has no form over a moved database",
    why="the Worker answers it with an error (SQLSTATE 0A000)",
    tip='write it in other words; or keep the database on its server: strategy = "hyperdrive"',
)
FEATURE = Rule(
    id="SQL-DRIVER-FEATURE",
    level=Level.ERROR,
    title="The app asks its driver for what a moved database has not",
    why="no server notifies, replicates, keeps large objects or prepares transactions any more",
    tip="do without it, or keep the database on its server",
)
LOCK = Rule(
    id="SQL-DRIVER-ADVISORY-LOCK",
    level=Level.WARNING,
    title="The app takes advisory locks",
    why="within a transaction they hold as on the server, for one writer has the object at a time; "
    "a lock of the session that outlives its transaction holds nobody up",
    tip="take pg_advisory_xact_lock in the transaction that it guards",
)
RULES = (STATEMENT, FEATURE, LOCK)
_METHODS = frozenset(
    {"add_listener", "notifies", "lobject", "tpc_begin", "start_replication",
     "copy_records_to_table", "set_type_codec"}
)  # fmt: skip
_NOTIFIES = re.compile(r"^\s*(LISTEN|NOTIFY)\s+\w+", re.IGNORECASE)
_LOCKS = re.compile(r"\bpg_(try_)?advisory_lock(_shared)?\b", re.IGNORECASE)


def is_driven(view: CodeView, engine: str) -> bool:
    """Return whether all of the app's own SQL goes to the driver of an engine."""
    return engine in ENGINES and imports_driver(view, engine) and not has_orm(view)


def check_driver_code(view: CodeView, engine: str) -> Iterator[Finding]:
    """Yield what the app's code asks of an engine's driver that cannot be kept."""
    for site, text in read_texts(view):
        problem = find_unknown(text, engine)
        if problem:
            yield STATEMENT.at(f"{_show(text)} ({problem})", site.path, site.line)
        elif _LOCKS.search(text):
            yield LOCK.at(_show(text), site.path, site.line)
    for site in view.sites:
        yield from _check_site(site)


def _check_site(site: Site) -> Iterator[Finding]:
    node = site.node
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        if _NOTIFIES.match(node.value):
            yield FEATURE.at(_show(node.value), site.path, site.line)
    elif (
        isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr in _METHODS
    ):
        yield FEATURE.at(f".{node.func.attr}()", site.path, site.line)


def _show(text: str) -> str:
    return " ".join(text.split())[:70]
