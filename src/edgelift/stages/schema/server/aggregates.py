"""Aggregates that join texts, as SQLite writes them: no separator of its own beside DISTINCT."""

from __future__ import annotations

from typing import Any

from sqlglot import exp

from edgelift.stages.schema.server.literals import write_text
from edgelift.stages.schema.server.scope import Scope

# ASCII's unit separator stands in for commas inside the texts; texts do not hold it.
_STAND_IN = exp.Anonymous(this="char", expressions=[exp.Literal.number(31)])
_COMMA = ","


def join_texts(node: Any, _scope: Scope) -> Any:
    """Return a GROUP_CONCAT that SQLite takes.

    `DISTINCT` with a separator other than a comma joins by commas, with those of the texts
    themselves out of the way, and puts the separator in afterwards.
    """
    inner, separator = node.this, node.args.get("separator")
    distinct = inner.this if isinstance(inner, exp.Order) else inner
    if not isinstance(distinct, exp.Distinct):
        return node
    node.set("separator", None)
    if separator is None or (separator.is_string and separator.this == _COMMA):
        return node
    (value,) = distinct.expressions
    value.replace(_replace(value.copy(), write_text(_COMMA), _STAND_IN.copy()))
    joined = _replace(node.copy(), write_text(_COMMA), separator.copy())
    return _replace(joined, _STAND_IN.copy(), write_text(_COMMA))


def _replace(text: Any, old: Any, new: Any) -> Any:
    return exp.Anonymous(this="replace", expressions=[text, old, new])
