"""Adapters and converters between Python's types and SQLite's, with CPython's defaults."""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import Callable
from typing import Any

from edgelift.worker.sqlite3.real import real

Date = dt.date
Time = dt.time
Timestamp = dt.datetime
Binary = memoryview


class _OwnProtocol:
    """PEP 246 style protocol that `__conform__` is asked for."""


PrepareProtocol: type = real.PrepareProtocol if real else _OwnProtocol

# By (type, protocol) and by upper-case type name, as the module attributes of CPython's sqlite3.
adapters: dict[tuple[type, type], Callable[[Any], Any]] = {}
converters: dict[str, Callable[[bytes], Any]] = {}


def register_adapter(type: type, adapter: Callable[[Any], Any], /) -> None:
    """Bind values of exactly this type through `adapter`, here and in the local sqlite3."""
    adapters[type, PrepareProtocol] = adapter
    if real:
        real.register_adapter(type, adapter)


def register_converter(typename: str, converter: Callable[[bytes], Any], /) -> None:
    """Read columns of a declared type through `converter`, which gets bytes."""
    converters[typename.upper()] = converter
    if real:
        real.register_converter(typename, converter)


def adapt(value: Any, protocol: type = PrepareProtocol, *default: Any) -> Any:
    """Return the value that stands for `value` in SQLite, as sqlite3.adapt does.

    Raises ProgrammingError ("can't adapt") when nothing is known and no default is given.
    """
    adapter = adapters.get((type(value), protocol))
    if adapter is not None:
        return adapter(value)
    for hook, argument in (("__adapt__", value), ("__conform__", protocol)):
        owner = protocol if hook == "__adapt__" else value
        method = getattr(owner, hook, None)
        if method is None:
            continue
        adapted = method(argument)
        if adapted is not None:
            return adapted
    if default:
        return default[0]
    from edgelift.worker.sqlite3.errors import ProgrammingError

    raise ProgrammingError("can't adapt")


def convert_date(value: bytes) -> dt.date:
    """Return the date of "2024-05-31"."""
    return dt.date(*map(int, value.split(b"-")))


def convert_timestamp(value: bytes) -> dt.datetime:
    """Return the time of "2024-05-31 12:00:00.25" as CPython reads it."""
    day, clock = value.split(b" ")
    year, month, date = map(int, day.split(b"-"))
    parts = clock.split(b".")
    hours, minutes, seconds = map(int, parts[0].split(b":"))
    microseconds = int(f"{parts[1].decode():0<6.6}") if len(parts) == 2 else 0
    return dt.datetime(year, month, date, hours, minutes, seconds, microseconds)  # noqa: DTZ001


def DateFromTicks(ticks: float) -> dt.date:
    """Return the local date of seconds since the epoch."""
    return Date(*time.localtime(ticks)[:3])


def TimeFromTicks(ticks: float) -> dt.time:
    """Return the local time of day of seconds since the epoch."""
    return Time(*time.localtime(ticks)[3:6])


def TimestampFromTicks(ticks: float) -> dt.datetime:
    """Return the local time of seconds since the epoch."""
    return Timestamp(*time.localtime(ticks)[:6])


def _format_timestamp(value: dt.datetime) -> str:
    return value.isoformat(" ")


adapters[dt.date, PrepareProtocol] = dt.date.isoformat
adapters[dt.datetime, PrepareProtocol] = _format_timestamp
converters["DATE"] = convert_date
converters["TIMESTAMP"] = convert_timestamp
