"""Column types of the moved dialects: what models declare, over the forms that the mover wrote."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from sqlalchemy import types as sqltypes
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.dialects.sqlite.json import JSONPathType

from edgelift.worker.sqlalchemy_moved import values

Process = Callable[[Any], Any]

# SQLAlchemy 1.4 has no generic classes, and no Uuid of its own.
if TYPE_CHECKING:
    TypeEngine = sqltypes.TypeEngine[Any]
    Numeric = sqltypes.Numeric[Any]
    Uuid = sqltypes.Uuid[Any]
    Array = sqltypes.ARRAY[Any]
else:
    TypeEngine, Numeric, Array = sqltypes.TypeEngine, sqltypes.Numeric, sqltypes.ARRAY
    Uuid = getattr(sqltypes, "Uuid", postgresql.UUID)


class MovedInteger(sqltypes.Integer):
    """INTEGER of any size; numbers beyond 64 bits are equal to none in a column."""

    def bind_processor(self, dialect: Any) -> Process:
        """Write integers."""
        return values.write_integer


class MovedDateTime(sqltypes.DateTime):
    """TIMESTAMP and DATETIME; with `timezone` aware values in UTC, where the server gives such."""

    def bind_processor(self, dialect: Any) -> Process:
        """Write moments in UTC."""
        return values.write_moment

    def result_processor(self, dialect: Any, coltype: Any) -> Process:
        """Read moments."""
        aware = bool(self.timezone) and dialect.name == "postgresql"
        return lambda value: values.read_moment(value, aware=aware)

    def literal_processor(self, dialect: Any) -> Process:
        """Write moments into SQL text."""
        return lambda value: f"'{values.write_moment(value)}'"


class MovedDate(sqltypes.Date):
    """DATE."""

    def bind_processor(self, dialect: Any) -> Process:
        """Write dates."""
        return values.write_day

    def result_processor(self, dialect: Any, coltype: Any) -> Process:
        """Read dates."""
        return values.read_day

    def literal_processor(self, dialect: Any) -> Process:
        """Write dates into SQL text."""
        return lambda value: f"'{values.write_day(value)}'"


class MovedTime(sqltypes.Time):
    """TIME."""

    def bind_processor(self, dialect: Any) -> Process:
        """Write times of day."""
        return values.write_time

    def result_processor(self, dialect: Any, coltype: Any) -> Process:
        """Read times of day."""
        return values.read_time

    def literal_processor(self, dialect: Any) -> Process:
        """Write times of day into SQL text."""
        return lambda value: f"'{values.write_time(value)}'"


class MovedInterval(TypeEngine):
    """INTERVAL."""

    __visit_name__ = "moved_interval"

    def __init__(self, *_arguments: Any, **_options: Any) -> None:
        """Take what every type of intervals takes."""

    def bind_processor(self, dialect: Any) -> Process:
        """Write spans of time."""
        return values.write_span

    def result_processor(self, dialect: Any, coltype: Any) -> Process:
        """Read spans of time."""
        return values.read_span


class MovedNumeric(Numeric):
    """NUMERIC and DECIMAL: exact to 15 digits, as the move has proven of all that it moved."""

    def bind_processor(self, dialect: Any) -> Process:
        """Write decimals."""
        return values.write_decimal

    def result_processor(self, dialect: Any, coltype: Any) -> Process | None:
        """Read decimals with the column's places, or floats where the model asks for those."""
        if not self.asdecimal:
            return lambda value: None if value is None else float(value)
        return lambda value: values.read_decimal(value, self.scale)

    def literal_processor(self, dialect: Any) -> Process:
        """Write decimals into SQL text."""
        return str


class MovedUuid(Uuid):
    """UUID: 36 characters, which text compares with as the server's UUIDs do."""

    def bind_processor(self, dialect: Any) -> Process:
        """Write UUIDs."""
        return values.write_uuid

    def result_processor(self, dialect: Any, coltype: Any) -> Process:
        """Read UUIDs, or texts where the model asks for those."""
        return lambda value: values.read_uuid(value, as_uuid=self.as_uuid)

    def literal_processor(self, dialect: Any) -> Process:
        """Write UUIDs into SQL text."""
        return lambda value: f"'{values.write_uuid(value)}'"


class MovedJson(sqlite.JSON):
    """JSON: the text that the app's serializer made, as PostgreSQL's json and MariaDB keep it."""


class MovedJsonb(sqlite.JSON):
    """JSONB: the text that PostgreSQL would print."""

    def __init__(self, none_as_null: bool = False, astext_type: Any = None) -> None:
        super().__init__(none_as_null=none_as_null)

    def bind_processor(self, dialect: Any) -> Process:
        """Write documents; the app's own serializer has its say first."""
        inner: Any = super().bind_processor(dialect)

        def process(value: Any) -> Any:
            text = inner(value)
            return text if text is None else values.write_jsonb(json.loads(text))

        return process


class MovedPath(JSONPathType):
    """The steps of a path into a document: JSON text, a list."""

    def _format_value(self, value: Any) -> str:
        if isinstance(value, str):  # as PostgreSQL writes it: {a,b,0}
            value = [step.strip() for step in value.strip("{}").split(",")]
        return json.dumps(list(value), ensure_ascii=False)


class MovedArray(Array):
    """ARRAY: JSON text, lists in Python."""

    def bind_processor(self, dialect: Any) -> Process:
        """Write lists; elements whose type has a form of its own go through it."""
        inner = self.item_type.dialect_impl(dialect).bind_processor(dialect)
        plain = isinstance(self.item_type, sqltypes.Numeric | sqltypes.DateTime | sqltypes.Date)
        if inner is None or plain:
            return values.write_array
        return lambda value: values.write_array(_through(value, inner))

    def result_processor(self, dialect: Any, coltype: Any) -> Process:
        """Read lists; tuples where the model asks for those."""
        inner = self.item_type.dialect_impl(dialect).result_processor(dialect, None)

        def process(value: Any) -> Any:
            found = values.read_array(value, inner)
            return tuple(found) if self.as_tuple and found is not None else found

        return process


def _through(value: Any, inner: Process) -> Any:
    if isinstance(value, list | tuple):
        return [_through(item, inner) for item in value]
    return None if value is None else inner(value)


COLSPECS: dict[Any, Any] = {
    sqltypes.Integer: MovedInteger,
    sqltypes.DateTime: MovedDateTime,
    sqltypes.Date: MovedDate,
    sqltypes.Time: MovedTime,
    sqltypes.Interval: MovedInterval,
    postgresql.INTERVAL: MovedInterval,
    sqltypes.Numeric: MovedNumeric,
    Uuid: MovedUuid,
    sqltypes.JSON: MovedJson,
    postgresql.JSONB: MovedJsonb,
    sqltypes.JSON.JSONPathType: MovedPath,
    sqltypes.ARRAY: MovedArray,
}


def adapt_type(kind: Any) -> Any:
    """Return the moved type behind a declared one, None for those that stay as they are."""
    if isinstance(kind, sqltypes.Float):
        return None
    for base in type(kind).__mro__:
        own = COLSPECS.get(base)
        if own is not None:
            return kind if isinstance(kind, own) else _adapt(kind, own)
    return None


def _adapt(kind: Any, own: Any) -> Any:
    if own is MovedInterval:
        return MovedInterval()
    if own is MovedArray:
        return MovedArray(
            kind.item_type,
            as_tuple=kind.as_tuple,
            dimensions=kind.dimensions,
            zero_indexes=kind.zero_indexes,
        )
    if own is MovedUuid:
        options: dict[str, Any] = {"as_uuid": getattr(kind, "as_uuid", True)}
        return MovedUuid(**options)
    if own is MovedJsonb:
        return MovedJsonb(none_as_null=kind.none_as_null)
    return own() if own in {MovedInteger, MovedPath} else kind.adapt(own)


def make_type(kind: str) -> Any:
    """Return the type of a result column of the app's SQL text, by its kind."""
    name, _, scale = kind.partition(":")
    if name == "numeric":
        return MovedNumeric(38, int(scale) if scale else None)
    made: dict[str, Any] = {
        "boolean": sqltypes.Boolean(),
        "timestamp": MovedDateTime(),
        "timestamptz": MovedDateTime(timezone=True),
        "date": MovedDate(),
        "time": MovedTime(),
        "interval": MovedInterval(),
        "jsonb": MovedJson(),
        "array": MovedArray(sqltypes.NullType()),
    }
    return made.get(name, sqltypes.NULLTYPE)
