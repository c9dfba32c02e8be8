"""Aggregates of contrib.postgres: arrays and documents as JSON text, texts joined in order."""

from __future__ import annotations

from typing import Any

from django.db import models
from django.db.models.expressions import Value
from django.db.models.fields.json import KeyTransform

from edgelift.worker.django_moved.rules.arrays import refuse
from edgelift.worker.django_moved.rules.documents import as_json

_AGGREGATES = "django.contrib.postgres.aggregates.general."


def _split(node: Any) -> tuple[Any, Any, Any]:
    """Return what is aggregated, the filter and the order of an ordered aggregate."""
    *sources, condition, order = node.get_source_expressions()
    return sources, condition, order


def _collect(node: Any, compiler: Any, expression: str, params: Any) -> Any:
    """Return a JSON array of all values; None where there was no row."""
    _, condition, order = _split(node)
    sql = f"JSON_GROUP_ARRAY({'DISTINCT ' if node.distinct else ''}{expression}"
    values = list(params)
    if order is None and node.distinct:  # PostgreSQL sorts to find the equal ones
        sql += f" ORDER BY {expression} NULLS LAST"
        values += params
    sql, values = _close(sql, values, compiler, order, condition)
    return f"NULLIF({sql}, '[]')", tuple(values)


def _close(sql: str, values: list[Any], compiler: Any, order: Any, condition: Any) -> Any:
    """Return a call of an aggregate, begun and with its arguments, to its end."""
    if order is not None:
        ordered, more = compiler.compile(order)
        sql, values = f"{sql} {ordered}", [*values, *more]
    if condition is None:
        return f"{sql})", values
    where, more = compiler.compile(condition)
    return f"{sql}) FILTER (WHERE {where})", [*values, *more]


def _array(node: Any, compiler: Any, connection: Any) -> Any:
    sql, params = compiler.compile(_split(node)[0][0])
    return _collect(node, compiler, sql, params)


def _document(node: Any, compiler: Any, connection: Any) -> Any:
    source = _split(node)[0][0]
    if isinstance(source, KeyTransform):
        sql, params = as_json(source, compiler)
        return _collect(node, compiler, f"JSON({sql})", params)
    sql, params = compiler.compile(source)
    if isinstance(source.output_field, models.BooleanField):
        text = f"JSON(CASE WHEN {sql} THEN 'true' WHEN NOT {sql} THEN 'false' ELSE 'null' END)"
        return _collect(node, compiler, text, (*params, *params))
    if isinstance(source.output_field, models.JSONField):
        sql = f"JSON({sql})"
    return _collect(node, compiler, sql, params)


def _text(node: Any, compiler: Any, connection: Any) -> Any:
    """Return the texts joined; DISTINCT takes a single argument, so the others come after."""
    (source, delimiter), condition, order = _split(node)
    sql, params = compiler.compile(source)
    if node.distinct and isinstance(delimiter, Value):
        array, values = _collect(node, compiler, sql, params)
        inner = "SELECT GROUP_CONCAT(value, %s) FROM JSON_EACH(j)"
        return f"(SELECT ({inner}) FROM (SELECT {array} AS j))", (delimiter.value, *values)
    joined, more = compiler.compile(delimiter)
    begun = f"GROUP_CONCAT({sql}, {joined}"
    made, values = _close(begun, [*params, *more], compiler, order, condition)
    return made, tuple(values)


def _extreme(name: str) -> Any:
    def rule(node: Any, compiler: Any, connection: Any) -> Any:
        return node.as_sql(compiler, connection, function=name)

    return rule


RULES = {
    f"{_AGGREGATES}ArrayAgg": _array,
    f"{_AGGREGATES}JSONBAgg": _document,
    f"{_AGGREGATES}StringAgg": _text,
    f"{_AGGREGATES}BoolAnd": _extreme("MIN"),
    f"{_AGGREGATES}BoolOr": _extreme("MAX"),
    f"{_AGGREGATES}BitAnd": refuse,
    f"{_AGGREGATES}BitOr": refuse,
    f"{_AGGREGATES}BitXor": refuse,
}
