"""Arithmetic as the server does it: decimals are divided as such, however they are stored."""

from __future__ import annotations

from typing import Any

from django.db import models
from django.db.models.expressions import Value

from edgelift.worker.django_moved.decimals import is_decimal

_RANDOM = "((RANDOM() + 9223372036854775808.0) / 18446744073709551616.0)"
_MATH = "django.db.models.functions.math."


def _combine(node: Any, compiler: Any, connection: Any) -> Any:
    """Return a quotient, rest or power of decimals; all else is Django's own."""
    if node.connector not in {"/", "%%", "^"}:
        return None
    left, left_params = compiler.compile(node.lhs)
    right, right_params = compiler.compile(node.rhs)
    if node.connector == "^":
        return f"POW({left}, {right})", (*left_params, *right_params)
    if not (is_decimal(node.lhs) or is_decimal(node.rhs) or _divides_exactly(node, connection)):
        return None
    if node.connector == "/":
        return f"(CAST({left} AS REAL) / {right})", (*left_params, *right_params)
    sql = f"({left} - ({right}) * CAST(CAST({left} AS REAL) / ({right}) AS INTEGER))"
    return sql, (*left_params, *right_params, *left_params, *right_params)


def _divides_exactly(node: Any, connection: Any) -> bool:
    """Return whether integers have a quotient with places, as in MySQL."""
    return bool(connection.origin == "mysql" and node.connector == "/")


def _random(node: Any, compiler: Any, connection: Any) -> Any:
    return _RANDOM, ()


def round_to_even(sql: str) -> str:
    """Return the whole number next to a float; halves go to the even one, as in C's rint."""
    rounded = f"CAST(ROUND({sql}) AS INTEGER)"
    half = f"ABS({sql} - CAST({sql} AS INTEGER)) = 0.5 AND {rounded} %% 2 <> 0"
    return f"({rounded} - CASE WHEN {half} THEN SIGN({rounded}) ELSE 0 END)"


def _round(node: Any, compiler: Any, connection: Any) -> Any:
    """Return ROUND to places before the point, which SQLite does not know, or MySQL's of floats."""
    value, precision = node.get_source_expressions()
    if connection.origin == "mysql" and isinstance(value.output_field, models.FloatField):
        if isinstance(precision, Value) and precision.value == 0:
            sql, params = compiler.compile(value)
            made = round_to_even(sql)
            return made, tuple(params) * made.count(sql)
        return None
    if not (isinstance(precision, Value) and precision.value < 0):
        return None
    sql, params = compiler.compile(value)
    factor = 10**-precision.value
    return f"(ROUND({sql} / {factor}.0) * {factor})", params


def _rename(name: str) -> Any:
    def rule(node: Any, compiler: Any, connection: Any) -> Any:
        return node.as_sql(compiler, connection, function=name)

    return rule


def _extreme(name: str) -> Any:
    """Return GREATEST or LEAST: PostgreSQL leaves NULLs out, MySQL does not."""

    def rule(node: Any, compiler: Any, connection: Any) -> Any:
        if connection.origin != "postgresql":
            return None
        compiled = [compiler.compile(source) for source in node.get_source_expressions()]
        parts, params = [], []
        for index in range(len(compiled)):
            turned = compiled[index:] + compiled[:index]
            parts.append(f"COALESCE({', '.join(sql for sql, _ in turned)})")
            params += [param for _, listed in turned for param in listed]
        return f"{name}({', '.join(parts)})", tuple(params)

    return rule


RULES = {
    "django.db.models.expressions.CombinedExpression": _combine,
    f"{_MATH}Random": _random,
    f"{_MATH}Round": _round,
    f"{_MATH}Power": _rename("POW"),
    f"{_MATH}Ceil": _rename("CEIL"),
    "django.db.models.functions.comparison.Greatest": _extreme("MAX"),
    "django.db.models.functions.comparison.Least": _extreme("MIN"),
}
