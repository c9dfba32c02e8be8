"""What the server does to a value that is put into a column: it rounds, cuts or refuses it.

The rules are those of PostgreSQL's assignment casts and of MySQL's strict mode, by the types that
Django declares for its fields.
"""

from __future__ import annotations

from decimal import ROUND_HALF_UP, Context, Decimal, InvalidOperation
from typing import Any

from django.core.exceptions import FieldError, ValidationError
from django.db import DataError, models
from django.db.backends.base.operations import BaseDatabaseOperations

_WIDE = Context(prec=2000)
_TEXTS = models.CharField | models.TextField | models.FilePathField | models.FileField


def assign(field: Any, value: Any, connection: Any) -> Any:
    """Return the value that a column keeps of what it is given; raises DataError."""
    while isinstance(field, models.ForeignKey):
        field = field.target_field
    if isinstance(value, models.Expression | models.F):
        rounded = isinstance(field, models.DecimalField | models.IntegerField)
        return Assigned(value, target=field) if rounded else value
    if value is None or hasattr(value, "resolve_expression"):
        return value
    if isinstance(field, models.DecimalField):
        return _assign_decimal(field, value, connection)
    if isinstance(field, models.IntegerField):
        return _assign_integer(field, value, connection)
    return _assign_text(field, value, connection) if isinstance(field, _TEXTS) else value


class Assigned(models.Func):
    """An expression whose result a column rounds."""

    def __init__(self, *expressions: Any, target: Any = None) -> None:
        super().__init__(*expressions, output_field=target)
        self.target = target

    def __repr__(self) -> str:
        return repr(self.get_source_expressions()[0])

    def __str__(self) -> str:
        return str(self.get_source_expressions()[0])

    def as_sql(self, compiler: Any, connection: Any, **_options: Any) -> Any:
        """Write it, rounded where its result may have more places than the column."""
        source = self.get_source_expressions()[0]
        sql, params = compiler.compile(source)
        places = getattr(self.target, "decimal_places", None)
        if isinstance(self.target, models.DecimalField):
            return (sql, params) if places is None else (f"ROUND({sql}, {places})", params)
        try:
            field = source.output_field
        except (AttributeError, FieldError):
            field = None  # nobody can tell
        exact = not isinstance(field, models.FloatField | models.DecimalField)
        exact = exact and not (connection.origin == "mysql" and _divides(source))
        return (sql, params) if exact else (f"CAST(ROUND({sql}) AS INTEGER)", params)

    as_sqlite = as_sql


def _divides(source: Any) -> bool:
    """Return whether an expression has a quotient, which has places in MySQL."""
    parts = source.flatten() if hasattr(source, "flatten") else ()
    return any(getattr(part, "connector", "") == "/" for part in parts)


def _assign_integer(field: Any, value: Any, connection: Any) -> Any:
    if not isinstance(value, int):
        return value
    kind = field.get_internal_type().replace("AutoField", "IntegerField")
    if kind not in BaseDatabaseOperations.integer_field_ranges:
        return value
    low, high = connection.ops.integer_field_range(kind)
    high = min(high, 2**63 - 1)  # what the move takes of BIGINT UNSIGNED too
    if kind.startswith("Positive") and connection.origin == "postgresql":
        low = -high - 1  # a check of the table, not the type, keeps it positive
    if not low <= value <= high:
        raise connection.refuse(DataError(f"{_name(kind)} out of range"))
    return value


def _name(kind: str) -> str:
    if "Small" in kind:
        return "smallint"
    return "bigint" if "Big" in kind else "integer"


def _assign_decimal(field: Any, value: Any, connection: Any) -> Any:
    try:
        found = field.to_python(value)
        if not isinstance(found, Decimal) or not found.is_finite():
            return value
        if field.decimal_places is None:
            return found
        rounded = found.quantize(
            Decimal(1).scaleb(-field.decimal_places), ROUND_HALF_UP, context=_WIDE
        )
    except InvalidOperation as error:
        raise connection.refuse(DataError("numeric field overflow")) from error
    except ValidationError:
        return value  # the field itself refuses it
    whole = field.max_digits - field.decimal_places if field.max_digits else None
    if whole is not None and abs(rounded) >= Decimal(10) ** whole:
        raise connection.refuse(DataError("numeric field overflow"))
    return rounded


def _assign_text(field: Any, value: Any, connection: Any) -> Any:
    if not isinstance(value, str):
        return value
    if "\0" in value and connection.origin == "postgresql":
        error, message = connection.features.prohibits_null_characters_in_text_exception
        raise connection.refuse(error(message))
    length = field.max_length
    if length is None or isinstance(field, models.TextField) or len(value) <= length:
        return value
    if value[length:].strip(" "):
        message = f"value too long for type character varying({length})\n"
        if connection.origin == "mysql":
            message = f"Data too long for column '{field.column}'"
        raise connection.refuse(DataError(message))
    return value[:length]
