"""ORDER BY with NULLs where PostgreSQL puts them: last upwards, first downwards."""

from __future__ import annotations

from typing import Any

from django.db.models.expressions import Col, OrderBy, Value
from django.db.utils import NotSupportedError

from edgelift.worker.django_moved.rules.functions import is_definition

_BINARY = frozenset({"c", "posix", "ucs_basic"})
_OF_SQLITE = frozenset({"binary", "nocase", "rtrim"})


def _order(node: Any, compiler: Any, connection: Any) -> Any:
    if connection.origin != "postgresql" or node.nulls_first or node.nulls_last:
        return None
    if is_definition(compiler) or _is_never_null(node.expression, compiler):
        return None
    place = "FIRST" if node.descending else "LAST"
    return node.as_sql(compiler, connection, template=f"{node.template} NULLS {place}")


def _order_list(node: Any, compiler: Any, connection: Any) -> Any:
    """Return the terms of a window or an aggregate, those without a direction upwards."""
    if connection.origin != "postgresql":
        return None
    terms = node.get_source_expressions()
    if all(isinstance(term, OrderBy) for term in terms):
        return None
    copy = node.copy()
    ordered = [term if isinstance(term, OrderBy) else OrderBy(term) for term in terms]
    copy.set_source_expressions(ordered)
    return copy.as_sql(compiler, connection)


def _is_never_null(expression: Any, compiler: Any) -> bool:
    if isinstance(expression, Value):
        return True
    return (
        isinstance(expression, Col)
        and not expression.target.null
        and expression.alias == getattr(compiler.query, "base_table", None)
    )


def _collate(node: Any, compiler: Any, connection: Any) -> Any:
    """Return COLLATE with SQLite's name of a collation of bytes or of no case."""
    name = node.collation.lower()
    if name in _OF_SQLITE:
        return None
    if name in _BINARY or name.endswith("_bin"):
        found = "BINARY"
    elif name.endswith("_ci"):
        found = "NOCASE"
    else:
        raise NotSupportedError(f"SQLite has no collation {node.collation}")
    sql, params = compiler.compile(node.get_source_expressions()[0])
    return f"{sql} COLLATE {found}", params


RULES = {
    "django.db.models.expressions.OrderBy": _order,
    "django.db.models.expressions.OrderByList": _order_list,
    "django.db.models.functions.comparison.Collate": _collate,
}
