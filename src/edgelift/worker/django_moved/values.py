"""Values of Django's fields and of raw parameters as the move writes them, in Django's style.

The style of moments is that of Django on SQLite (`timestamps = "django"`): no fraction where it is
zero. All other forms are those of moved/stored_values.py.
"""

from __future__ import annotations

import datetime as dt
import ipaddress
import json
from collections.abc import Callable
from decimal import Decimal
from typing import Any
from uuid import UUID

from edgelift.worker.django_moved.ranges import Range, write_range
from edgelift.worker.moved.stored_values import write_array, write_decimal, write_jsonb

_MICROSECOND = dt.timedelta(microseconds=1)
_ADDRESSES = (
    ipaddress.IPv4Address | ipaddress.IPv6Address | ipaddress.IPv4Network | ipaddress.IPv6Network
)


class Jsonb:
    """A document as a raw parameter, as psycopg's wrappers of that name are."""

    def __init__(self, obj: Any, dumps: Any = None) -> None:
        self.obj = self.adapted = obj
        self.dumps = dumps or json.dumps


def write_moment(value: dt.datetime) -> str:
    """Return a moment in UTC, or a naive one as it is."""
    if value.tzinfo is not None:
        value = value.astimezone(dt.UTC).replace(tzinfo=None)
    return str(value)


def write_uuid(value: UUID, form: str) -> Any:
    """Return a UUID in the form of the move: `text`, `hex` or `blob`."""
    if form == "text":
        return str(value)
    return value.hex if form == "hex" else value.bytes


def write_parameter(value: Any, uuid_form: str = "text") -> Any:
    """Return what stands for a parameter in the moved database."""
    if isinstance(value, int) and not -(2**63) <= value < 2**63:
        return float(value)  # equal to none in a column
    if value is None or isinstance(value, str | int | float | bytes):
        return value
    if isinstance(value, UUID):
        return write_uuid(value, uuid_form)
    for kind, write in _WRITERS:
        if isinstance(value, kind):
            return write(value)
    return _write_collected(value)


def _write_collected(value: Any) -> Any:
    if isinstance(value, list | tuple):
        return write_array(list(value))
    if isinstance(value, dict):
        return write_jsonb(value)
    if isinstance(value, Range):
        return write_range(value, "")
    if isinstance(value, memoryview | bytearray):
        return bytes(value)
    if isinstance(value, Jsonb) or type(value).__name__ in {"Json", "Jsonb"}:
        return write_jsonb(getattr(value, "obj", None) or value.adapted)
    return str(value) if isinstance(value, _ADDRESSES) else value


_WRITERS: tuple[tuple[type, Callable[[Any], Any]], ...] = (
    (Decimal, write_decimal),
    (dt.datetime, write_moment),
    (dt.date, str),
    (dt.time, str),
    (dt.timedelta, lambda value: value // _MICROSECOND),
)
