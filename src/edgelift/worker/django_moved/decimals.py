"""Decimals as the server gives them: SQLite keeps numbers, the places come from what made them."""

from __future__ import annotations

import decimal
from collections.abc import Callable
from decimal import Decimal
from typing import Any, NamedTuple

from django.core.exceptions import FieldError
from django.db import models
from django.db.models.expressions import (
    Case,
    Col,
    CombinedExpression,
    ExpressionWrapper,
    Subquery,
    Value,
    When,
    Window,
)

_EXACT = decimal.Context(prec=15)  # every decimal of so many digits survives a double
_WIDE = decimal.Context(prec=1000)
_SAME = frozenset(
    {"Sum", "Min", "Max", "Abs", "FirstValue", "LastValue", "NthValue", "Lag", "Lead", "NullIf",
     "Greatest", "Least", "Collate", "Ref", "OuterRef", "ResolvedOuterRef", "Neg"}
)  # fmt: skip


class Scales(NamedTuple):
    """Places of a result, None when unknown, and literals that keep their own when they win."""

    places: int | None
    literals: tuple[Decimal, ...] = ()


def make_converter(expression: Any, connection: Any) -> Callable[[Any, Any, Any], Any]:
    """Return a converter of a decimal result."""
    scales = find_scales(expression)
    keeps = connection.origin == "postgresql"  # where each value has places of its own

    def convert(value: Any, _expression: Any, _connection: Any) -> Any:
        if value is None:
            return None
        if isinstance(value, float):
            value = _EXACT.create_decimal_from_float(value)
        elif not isinstance(value, Decimal):
            value = Decimal(str(value))
        for literal in scales.literals:
            if keeps and value == literal:
                return literal
        if scales.places is None or not value.is_finite():
            return value
        return value.quantize(Decimal(1).scaleb(-scales.places), context=_WIDE)

    return convert


def find_scales(expression: Any) -> Scales:
    """Return how many places the server's result of an expression has."""
    for kinds, rule in _KINDS:
        if isinstance(expression, kinds):
            return rule(expression)
    return _of_function(expression)


def _of_function(expression: Any) -> Scales:
    name = type(expression).__name__
    if name == "Coalesce":
        return _of_choice(expression)
    sources: list[Any] = getattr(expression, "get_source_expressions", list)()
    if name in _SAME and sources:
        return Scales(find_scales(sources[0]).places)
    if name == "Round" and len(sources) > 1 and isinstance(sources[1], Value):
        return Scales(max(sources[1].value, 0))
    if name in {"Ceil", "Floor"}:
        return Scales(0)
    return Scales(_places_of(expression.output_field)) if name == "Cast" else Scales(None)


def _of_inner(expression: Any) -> Scales:
    return find_scales(expression.get_source_expressions()[0])


def _places_of(field: Any) -> int | None:
    if isinstance(field, models.ForeignObject):
        field = field.target_field
    if type(field).__name__ == "GeneratedField":
        field = field.output_field
    if isinstance(field, models.DecimalField):
        places: int | None = field.decimal_places
        return places
    return 0 if isinstance(field, models.IntegerField) else None


def _of_value(value: Any) -> Scales:
    if isinstance(value, Decimal) and value.is_finite():
        exponent = value.as_tuple().exponent
        return Scales(max(-int(exponent), 0))
    return Scales(0) if isinstance(value, int) else Scales(None)


def _combine(expression: Any) -> Scales:
    left, right = (find_scales(side).places for side in (expression.lhs, expression.rhs))
    if left is None or right is None:
        return Scales(None)
    if expression.connector == "*":
        return Scales(left + right)
    return Scales(max(left, right)) if expression.connector in {"+", "-", "%%"} else Scales(None)


def _of_subquery(expression: Any) -> Scales:
    query = expression.query
    selected = [*query.select, *query.annotation_select.values()]
    return find_scales(selected[0]) if len(selected) == 1 else Scales(None)


def _of_choice(expression: Any) -> Scales:
    parts = expression.get_source_expressions()
    results = [p.result if isinstance(p, When) else p for p in parts]
    literals = [r.value for r in results if isinstance(r, Value) and r.value is not None]
    others = [find_scales(r) for r in results if not isinstance(r, Value)]
    own = tuple(Decimal(x) for x in literals if isinstance(x, Decimal | int))
    places = [scale.places for scale in others]
    known = [place for place in places if place is not None]
    return Scales(max(known) if known and len(known) == len(places) else None, own)


def is_decimal(expression: Any) -> bool:
    """Return whether an expression's result is a decimal."""
    try:
        return isinstance(expression.output_field, models.DecimalField)
    except (AttributeError, FieldError):
        return False


_KINDS: tuple[tuple[Any, Callable[[Any], Scales]], ...] = (
    (Col, lambda expression: Scales(_places_of(expression.target))),
    (Value, lambda expression: _of_value(expression.value)),
    (CombinedExpression, _combine),
    ((ExpressionWrapper, Window), _of_inner),
    (Subquery, _of_subquery),
    (Case, _of_choice),
)
