"""Conditions: parts of the app's own as they were translated before the cut, and XOR."""

from __future__ import annotations

import functools
import re
from typing import Any

from django.core.exceptions import EmptyResultSet, FullResultSet

from edgelift.worker.django_moved import texts

_PLACES = re.compile(r"('(?:[^']|'')*')|\?")


def _read(sql: str) -> str:
    """Return a part of a statement; a translated one with places as the ORM writes them."""
    known = texts.read_text(sql)
    if known is None:
        return sql
    return _PLACES.sub(lambda found: found[1] or "%s", known.replace("%", "%%"))


def _extra(node: Any, compiler: Any, connection: Any) -> Any:
    parts = [f"({_read(sql)})" for sql in node.sqls]
    return " AND ".join(parts), list(node.params or ())


def _raw(node: Any, compiler: Any, connection: Any) -> Any:
    return f"({_read(node.sql)})", node.params


def _differ(left: str, right: str) -> str:
    return f"(({left}) <> ({right}))"


def _exclusive_or(node: Any, compiler: Any, connection: Any) -> Any:
    """Return XOR as MySQL has it: unknown where a part is."""
    if node.connector != "XOR" or connection.origin != "mysql" or len(node.children) < _TWO:
        return None
    try:
        parts = [compiler.compile(child) for child in node.children]
    except (EmptyResultSet, FullResultSet):
        return None
    made = functools.reduce(
        lambda left, right: f"(({left}) <> ({right}))", (sql for sql, _ in parts)
    )
    params = [param for _, listed in parts for param in listed]
    return f"NOT {made}" if node.negated else made, params


_TWO = 2
RULES = {
    "django.db.models.sql.where.WhereNode": _exclusive_or,
    "django.db.models.sql.where.ExtraWhere": _extra,
    "django.db.models.expressions.RawSQL": _raw,
}
