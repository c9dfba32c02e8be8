"""Functions of texts and moments, and casts, with the results of the server."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.exceptions import FieldError
from django.db import models

from edgelift.worker.django_moved.decimals import find_scales
from edgelift.worker.django_moved.rules.numbers import round_to_even
from edgelift.worker.moved.letters import write_lower, write_upper

_NOW = "(STRFTIME('%%Y-%%m-%%d %%H:%%M:%%f', 'NOW') || '000')"
# No subquery, which would be computed once for all rows.
_UUID = (
    "LOWER(HEX(RANDOMBLOB(4)) || '-' || HEX(RANDOMBLOB(2)) || '-4' || "
    "SUBSTR(HEX(RANDOMBLOB(2)), 2) || '-' || SUBSTR('89ab', 1 + (RANDOM() & 3), 1) || "
    "SUBSTR(HEX(RANDOMBLOB(2)), 2) || '-' || HEX(RANDOMBLOB(6)))"
)
_TEXT = "django.db.models.functions.text."


def _now(node: Any, compiler: Any, connection: Any) -> Any:
    return _NOW, ()


def _transaction_now(node: Any, compiler: Any, connection: Any) -> Any:
    began = connection.began if connection.in_atomic_block else None
    return (_NOW, ()) if began is None else ("%s", (began,))


def _new_uuid(node: Any, compiler: Any, connection: Any) -> Any:
    return _UUID, ()


def is_definition(compiler: Any) -> bool:
    """Return whether SQL of a table, an index or a check is written, which holds no subquery."""
    return getattr(compiler.query, "alias_cols", True) is False


def _change_case(write: Any, name: str) -> Any:
    def rule(node: Any, compiler: Any, connection: Any) -> Any:
        if node.function != name or is_definition(compiler):
            return None
        sql, params = compiler.compile(node.get_source_expressions()[0])
        return write(sql), params

    return rule


def _cast(node: Any, compiler: Any, connection: Any) -> Any:
    """Return a cast whose result is the server's; None where SQLite's is the same."""
    source = node.get_source_expressions()[0]
    rule = _find_cast(node.output_field)
    if rule is None:
        return None
    sql, params = compiler.compile(source)
    if isinstance(node.output_field, models.DateField | models.TimeField):
        return _cast_moment(node, (sql, params), connection)
    made: str | None = rule(sql, source, node.output_field)
    return None if made is None else (made, tuple(params) * made.count(sql) if sql else params)


def _find_cast(target: Any) -> Any:
    for kind, rule in _CASTS:
        if isinstance(target, kind):
            return rule
    return None


def _field_of(source: Any) -> Any:
    try:
        return source.output_field
    except (AttributeError, FieldError):
        return None


def _to_text(sql: str, source: Any, target: Any) -> str | None:
    field, text = _field_of(source), None
    if isinstance(field, models.BooleanField):
        text = f"CASE WHEN {sql} THEN 'true' WHEN NOT {sql} THEN 'false' END"
    elif isinstance(field, models.DecimalField):
        places = find_scales(source).places
        text = f"PRINTF('%%.{places}f', {sql})" if places is not None else None
    elif isinstance(field, models.FloatField):
        whole = f"{sql} = CAST({sql} AS INTEGER) AND ABS({sql}) < 1e15"
        digits = f"CAST(CAST({sql} AS INTEGER) AS TEXT)"
        text = f"CASE WHEN {whole} THEN {digits} ELSE CAST({sql} AS TEXT) END"
    elif isinstance(field, models.DateTimeField):
        text = f"{sql} || '+00'"
    if text is None:
        text = f"CAST({sql} AS TEXT)"
    length = getattr(target, "max_length", None)
    cut = length and not isinstance(target, models.TextField)
    return f"SUBSTR({text}, 1, {length})" if cut else f"({text})"


def _to_integer(sql: str, source: Any, target: Any) -> str | None:
    field, rounded = _field_of(source), f"CAST(ROUND({sql}) AS INTEGER)"
    if isinstance(field, models.DecimalField):
        return rounded
    if isinstance(field, models.FloatField):
        return round_to_even(sql)
    return f"CAST({sql} AS INTEGER)"


def _to_decimal(sql: str, source: Any, target: Any) -> str | None:
    if target.decimal_places is None:
        return f"CAST({sql} AS REAL)"
    return f"ROUND(CAST({sql} AS REAL), {target.decimal_places})"


def _to_boolean(sql: str, source: Any, target: Any) -> str | None:
    return f"({sql} <> 0)" if isinstance(_field_of(source), models.IntegerField) else None


def _cast_moment(node: Any, operand: Any, connection: Any) -> Any:
    """Return a cast to a date, a time or a moment: those with a zone are the session's."""
    (sql, params), ops = operand, connection.ops
    source, target = _field_of(node.get_source_expressions()[0]), node.output_field
    zoned = connection.origin == "postgresql"
    if isinstance(target, models.DateTimeField):
        if isinstance(source, models.DateField) and not isinstance(source, models.DateTimeField):
            sql = f"({sql} || ' 00:00:00')"
            return ops.to_utc(sql, params) if zoned else (sql, params)
        return (sql, params) if isinstance(source, models.DateTimeField) else None
    if isinstance(source, models.DateTimeField) and zoned and not settings.USE_TZ:
        day = isinstance(target, models.DateField)
        cast = ops.datetime_cast_date_sql if day else ops.datetime_cast_time_sql
        return cast(sql, params, None)
    if isinstance(target, models.DateField):
        return f"SUBSTR({sql}, 1, 10)", params
    return (f"SUBSTR({sql}, 12)", params) if isinstance(source, models.DateTimeField) else None


def _truncate(node: Any, compiler: Any, connection: Any) -> Any:
    """Return the date or time of a truncated moment in local time, where USE_TZ is off."""
    field, target = _field_of(node.lhs), node.output_field
    if (
        settings.USE_TZ
        or connection.origin != "postgresql"
        or not isinstance(field, models.DateTimeField)
        or isinstance(target, models.DateTimeField)
    ):
        return None
    sql, params = compiler.compile(node.lhs)
    day = isinstance(target, models.DateField)
    cut = connection.ops.date_trunc_sql if day else connection.ops.time_trunc_sql
    return cut(node.kind, sql, tuple(params), settings.TIME_ZONE)


_CASTS: tuple[tuple[Any, Any], ...] = (
    ((models.CharField, models.TextField), _to_text),
    (models.DecimalField, _to_decimal),
    (models.IntegerField, _to_integer),
    (models.BooleanField, _to_boolean),
    ((models.DateField, models.TimeField), _cast_moment),
)
RULES = {
    "django.db.models.functions.datetime.Now": _now,
    "django.db.models.functions.datetime.TruncBase": _truncate,
    "django.db.models.functions.comparison.Cast": _cast,
    f"{_TEXT}Upper": _change_case(write_upper, "UPPER"),
    f"{_TEXT}Lower": _change_case(write_lower, "LOWER"),
    "django.contrib.postgres.functions.TransactionNow": _transaction_now,
    "django.contrib.postgres.functions.RandomUUID": _new_uuid,
}
