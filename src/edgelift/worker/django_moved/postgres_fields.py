"""Fields of contrib.postgres over text: arrays and hstore as JSON, ranges as printed.

`patch` is called by the finder with each module of these fields after its load. Connections to a
server that was not moved keep Django's own way.
"""

from __future__ import annotations

import datetime as dt
import json
import uuid
from decimal import ROUND_HALF_UP, Decimal
from types import ModuleType
from typing import Any

from django.db import models
from django.utils import timezone
from django.utils.dateparse import parse_date, parse_datetime, parse_duration, parse_time

from edgelift.worker.django_moved.ranges import Range, read_range, write_range
from edgelift.worker.moved.stored_values import write_array


def patch(module: ModuleType) -> None:
    """Make the fields of a module read and write what the move wrote."""
    for name, change in (
        ("ArrayField", _patch_array), ("HStoreField", _patch_hstore), ("RangeField", _patch_range),
    ):  # fmt: skip
        kind = vars(module).get(name)
        if kind is not None and kind.__module__ == module.__name__:
            change(kind)


def is_moved(connection: Any) -> bool:
    """Return whether a connection leads to a moved database."""
    return hasattr(connection, "uuid_form")


def _patch_types(kind: Any, type_name: str) -> None:
    for method in ("db_type", "cast_db_type"):
        _wrap_type(kind, method, type_name)
    if hasattr(kind, "get_placeholder"):
        own = kind.get_placeholder

        def get_placeholder(self: Any, value: Any, compiler: Any, connection: Any) -> str:
            if is_moved(connection):
                return "%s"
            text: str = own(self, value, compiler, connection)
            return text

        kind.get_placeholder = get_placeholder


def _wrap_type(kind: Any, method: str, type_name: str) -> None:
    own = getattr(kind, method)

    def read_type(self: Any, connection: Any) -> Any:
        return type_name if is_moved(connection) else own(self, connection)

    setattr(kind, method, read_type)


def _patch_array(kind: Any) -> None:
    own_write, own_read = kind.get_db_prep_value, kind._from_db_value

    def get_db_prep_value(self: Any, value: Any, connection: Any, prepared: bool = False) -> Any:
        if not is_moved(connection):
            return own_write(self, value, connection, prepared)
        if isinstance(value, list | tuple):
            return write_items(self, list(value), connection)
        return value

    def from_db_value(self: Any, value: Any, expression: Any, connection: Any) -> Any:
        if isinstance(value, str):
            return read_items(self, json.loads(value, parse_float=Decimal), connection)
        return own_read(self, value, expression, connection) if _has_own(self) else value

    kind.get_db_prep_value = get_db_prep_value
    kind.from_db_value = kind._from_db_value = from_db_value
    _patch_types(kind, "text")


def _has_own(field: Any) -> bool:
    return hasattr(field.base_field, "from_db_value")


def write_items(field: Any, values: list[Any], connection: Any, *, prepared: bool = False) -> Any:
    """Return the JSON text of an array's values, as PostgreSQL's to_json writes them.

    `prepared` tells that the elements' field has seen them.
    """
    return write_array(_prepare(field.base_field, values, connection, prepared=prepared))


def _prepare(base: Any, values: Any, connection: Any, *, prepared: bool) -> list[Any]:
    nested = hasattr(base, "base_field") and hasattr(base, "size")
    made: list[Any] = []
    for value in values:
        if value is None:
            made.append(None)
        elif nested:
            made.append(_prepare(base.base_field, value, connection, prepared=prepared))
        else:
            seen = value if prepared else base.get_prep_value(value)
            made.append(_prepare_item(base, seen, connection))
    return made


def _prepare_item(base: Any, value: Any, connection: Any) -> Any:
    if isinstance(value, dt.datetime):
        moment = value if value.tzinfo else value.replace(tzinfo=connection.session_zone)
        return moment.astimezone(dt.UTC)
    if isinstance(value, dt.timedelta):
        return _write_interval(value)
    if isinstance(value, bytes | memoryview):
        return f"\\x{bytes(value).hex()}"
    if isinstance(base, models.DecimalField) and base.decimal_places is not None:
        places = Decimal(1).scaleb(-base.decimal_places)
        return Decimal(str(value)).quantize(places, ROUND_HALF_UP)
    return value


def _write_interval(value: dt.timedelta) -> str:
    """Return an interval as PostgreSQL prints it by default."""
    days, seconds = (value.days, value.seconds)
    hours, rest = divmod(seconds, 3600)
    minutes, seconds = divmod(rest, 60)
    text = f"{hours:02d}:{minutes:02d}:{seconds:02d}"
    text += f".{value.microseconds:06d}".rstrip("0") if value.microseconds else ""
    named = f"{days} day{'' if abs(days) == 1 else 's'}"
    return text if not days else named if text == "00:00:00" else f"{named} {text}"


def read_items(field: Any, values: Any, connection: Any) -> Any:
    """Return an array's values as the server's driver gives them."""
    return [_read_item(field.base_field, value, connection) for value in values]


def _read_item(base: Any, value: Any, connection: Any) -> Any:
    if value is None:
        return None
    if isinstance(value, list) and hasattr(base, "base_field"):
        return read_items(base, value, connection)
    if isinstance(base, models.JSONField):
        return json.loads(json.dumps(value, default=float))
    reader = _READERS.get(base.get_internal_type())
    found = reader(value, base) if reader else value
    if isinstance(found, dt.datetime):
        return connection.read_zoned(found)
    own = getattr(base, "from_db_value", None)
    return own(found, None, connection) if own else found


def _read_decimal(value: Any, base: Any) -> Decimal:
    found = value if isinstance(value, Decimal) else Decimal(str(value))
    places = base.decimal_places
    return found if places is None else found.quantize(Decimal(1).scaleb(-places))


def _read_moment(value: Any, base: Any) -> Any:
    moment = parse_datetime(value)
    return moment.replace(tzinfo=dt.UTC) if moment and timezone.is_naive(moment) else moment


def _read_span(value: Any, base: Any) -> Any:
    return dt.timedelta(microseconds=value) if isinstance(value, int) else parse_duration(value)


_READERS: dict[str, Any] = {
    "DecimalField": _read_decimal,
    "FloatField": lambda value, _base: float(value),
    "BooleanField": lambda value, _base: bool(value),
    "DateTimeField": _read_moment,
    "DateField": lambda value, _base: parse_date(value),
    "TimeField": lambda value, _base: parse_time(value),
    "DurationField": _read_span,
    "UUIDField": lambda value, _base: uuid.UUID(value),
    "BinaryField": lambda value, _base: bytes.fromhex(value[2:]),
}


def _patch_hstore(kind: Any) -> None:
    def from_db_value(self: Any, value: Any, expression: Any, connection: Any) -> Any:
        return json.loads(value) if isinstance(value, str) else value

    kind.from_db_value = from_db_value
    _wrap_type(kind, "db_type", "text")


def _patch_range(kind: Any) -> None:
    def get_db_prep_value(self: Any, value: Any, connection: Any, prepared: bool = False) -> Any:
        value = value if prepared else self.get_prep_value(value)
        if isinstance(value, Range) and is_moved(connection):
            placed = _place_ends(value, connection)
            return write_range(placed, self.db_type(connection) or "")
        return value

    def from_db_value(self: Any, value: Any, expression: Any, connection: Any) -> Any:
        if not isinstance(value, str):
            return value
        found = read_range(value, self.range_type, lambda end: _read_end(self.base_field, end))
        return _change_ends(found, connection.read_zoned) if is_moved(connection) else found

    kind.get_db_prep_value = get_db_prep_value
    kind.from_db_value = from_db_value
    _patch_types(kind, "text")


def _place_ends(value: Range, connection: Any) -> Range:
    def place(end: dt.datetime) -> dt.datetime:
        placed: dt.datetime = end if end.tzinfo else connection.place_naive(end)
        return placed

    return _change_ends(value, place)


def _change_ends(value: Range, change: Any) -> Range:
    """Return a range whose moments are changed; other ends stay as they are."""
    if value.isempty:
        return value
    lower, upper = (
        change(end) if isinstance(end, dt.datetime) else end for end in (value.lower, value.upper)
    )
    return type(value)(lower, upper, value._bounds)


def _read_end(base: Any, text: str) -> Any:
    if base.get_internal_type() == "DateTimeField":
        return _read_moment(text.replace("+00", "+00:00") if text.endswith("+00") else text, base)
    return base.to_python(text)
