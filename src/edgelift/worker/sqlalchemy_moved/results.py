"""Types of functions' results that SQLAlchemy leaves open and servers' drivers tell themselves."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sqlalchemy import types as sqltypes

_MOMENTS = frozenset(
    {"now", "current_timestamp", "transaction_timestamp", "statement_timestamp", "clock_timestamp"}
)
_FIRST = frozenset({"greatest", "least", "array_remove", "array_append"})
_TRUTHS = frozenset({"bool_and", "bool_or", "every"})


def infer_type(clause: Any, origin: str) -> Any:
    """Return the type that the server gives a function's result, None where nothing is known."""
    name = getattr(clause, "name", None)
    if not isinstance(name, str) or not hasattr(clause, "clauses"):
        return None
    kinds = [argument.type for argument in clause.clauses]
    rule = _RULES.get(name.lower())
    if name.lower() in _MOMENTS and origin == "postgresql":
        return sqltypes.DateTime(timezone=True)
    return rule(clause, kinds, origin) if rule is not None and kinds else None


def _first(_clause: Any, kinds: list[Any], _origin: str) -> Any:
    return kinds[0]


def _truncated(_clause: Any, kinds: list[Any], _origin: str) -> Any:
    return sqltypes.DateTime(timezone=bool(getattr(kinds[-1], "timezone", False)))


def _truth(_clause: Any, _kinds: list[Any], _origin: str) -> Any:
    return sqltypes.Boolean()


def _is_exact(kind: Any) -> bool:
    return isinstance(kind, sqltypes.Integer) or (
        isinstance(kind, sqltypes.Numeric) and not isinstance(kind, sqltypes.Float)
    )


def _average(_clause: Any, kinds: list[Any], origin: str) -> Any:
    """Return a decimal; MySQL gives four places more than the argument has."""
    if not _is_exact(kinds[0]):
        return None
    scale = (getattr(kinds[0], "scale", None) or 0) + 4
    return sqltypes.Numeric(38, scale if origin == "mysql" else None)


def _rounded(clause: Any, kinds: list[Any], origin: str) -> Any:
    arguments = list(clause.clauses)
    inner = infer_type(arguments[0], origin) or kinds[0]
    places = getattr(arguments[1], "value", None) if len(arguments) > 1 else 0
    return sqltypes.Numeric(38, places) if _is_exact(inner) and isinstance(places, int) else None


_RULES: dict[str, Callable[[Any, list[Any], str], Any]] = {
    **dict.fromkeys(_FIRST, _first),
    **dict.fromkeys(_TRUTHS, _truth),
    "date_trunc": _truncated,
    "avg": _average,
    "round": _rounded,
}
