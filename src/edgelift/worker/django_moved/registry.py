"""Rules for nodes of the ORM whose SQL would mean something else in SQLite than at the origin.

A rule takes node, compiler and connection and returns SQL and parameters, or None where Django's
own SQL for SQLite is right. Rules are found by the names of classes, so that nothing is imported
that the app does not use; a class of the app with SQL of its own keeps it.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from edgelift.worker.django_moved.rules import (
    aggregates,
    arrays,
    documents,
    functions,
    numbers,
    ordering,
    patterns,
    raw,
)

Sql = tuple[str, Any]
Rule = Callable[[Any, Any, Any], Sql | None]

RULES: dict[str, Rule] = {
    **patterns.RULES,
    **ordering.RULES,
    **numbers.RULES,
    **functions.RULES,
    **documents.RULES,
    **arrays.RULES,
    **aggregates.RULES,
    **raw.RULES,
}


@functools.lru_cache(maxsize=1024)
def find_rule(kind: Any) -> Rule | None:
    """Return the rule of a class of nodes, its bases' where it writes no SQL itself."""
    for base in getattr(kind, "__mro__", ()):
        rule = RULES.get(f"{base.__module__}.{base.__qualname__}")
        if rule is not None:
            return rule
        if "as_sqlite" in vars(base) or "as_sql" in vars(base):
            return None
    return None
