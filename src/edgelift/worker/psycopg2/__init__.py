"""A psycopg2 in Python on the wire-protocol core, for applications that import psycopg2.

`edgelift.worker.postgres.install` makes it importable under that name.
"""

from __future__ import annotations

import datetime as dt
import time as _time
from typing import Any

from . import _json, errors, extensions, extras, sql
from ._adapting import Binary
from ._casting import BINARY, DATETIME, NUMBER, ROWID, STRING
from ._connection import connection as _connection_class
from ._errors import (
    DatabaseError,
    DataError,
    Error,
    IntegrityError,
    InterfaceError,
    InternalError,
    NotSupportedError,
    OperationalError,
    ProgrammingError,
    Warning,  # noqa: A004
)

__all__ = [
    "BINARY",
    "DATETIME",
    "NUMBER",
    "ROWID",
    "STRING",
    "Binary",
    "DataError",
    "DatabaseError",
    "Date",
    "DateFromTicks",
    "Error",
    "IntegrityError",
    "InterfaceError",
    "InternalError",
    "NotSupportedError",
    "OperationalError",
    "ProgrammingError",
    "Time",
    "TimeFromTicks",
    "Timestamp",
    "TimestampFromTicks",
    "Warning",
    "apilevel",
    "connect",
    "errors",
    "extensions",
    "extras",
    "paramstyle",
    "sql",
    "threadsafety",
]

__version__ = "2.9.10 (dt dec pq3 ext lo64)"
__libpq_version__ = 150000
apilevel = "2.0"
threadsafety = 2
paramstyle = "pyformat"


def connect(
    dsn: Any = None, connection_factory: Any = None, cursor_factory: Any = None, **kwargs: Any
) -> Any:
    """Return a new connection; the parameters are libpq's, as a string or as keywords."""
    options = {name: kwargs.pop(name) for name in ("async", "async_") if name in kwargs}
    full = extensions.make_dsn(dsn, **kwargs)
    made = _connect(full, connection_factory=connection_factory, **options)
    if cursor_factory is not None:
        made.cursor_factory = cursor_factory
    return made


def _connect(dsn: str, connection_factory: Any = None, **options: Any) -> Any:
    """Return a connection; what wraps psycopg2 replaces this function."""
    factory = connection_factory or _connection_class
    if any(options.values()):
        return factory(dsn, async_=True)
    return factory(dsn)


def Date(year: int, month: int, day: int) -> Any:
    """Return an adapter of a date."""
    return extensions.DateFromPy(dt.date(year, month, day))


def Time(hour: int, minute: int, second: float, tzinfo: Any = None) -> Any:
    """Return an adapter of a time; the second may have a fraction."""
    whole, micro = _split_second(second)
    return extensions.TimeFromPy(dt.time(hour, minute, whole, micro, tzinfo))


def Timestamp(  # noqa: PLR0917 - the DB-API's signature
    year: int,
    month: int,
    day: int,
    hour: int = 0,
    minute: int = 0,
    second: float = 0.0,
    tzinfo: Any = None,
) -> Any:
    """Return an adapter of a timestamp; the second may have a fraction."""
    whole, micro = _split_second(second)
    made = dt.datetime(year, month, day, hour, minute, whole, micro, tzinfo)
    return extensions.TimestampFromPy(made)


def _split_second(second: float) -> tuple[int, int]:
    whole = int(second)
    return whole, round((second - whole) * 1_000_000)


def DateFromTicks(ticks: float) -> Any:
    """Return an adapter of the local date of a Unix time."""
    return Date(*_time.localtime(ticks)[:3])


def TimeFromTicks(ticks: float) -> Any:
    """Return an adapter of the local time of a Unix time."""
    hour, minute, second = _time.localtime(ticks)[3:6]
    return Time(hour, minute, second + ticks % 1)


def TimestampFromTicks(ticks: float) -> Any:
    """Return an adapter of the local timestamp of a Unix time."""
    local = dt.datetime.fromtimestamp(ticks).astimezone()
    return extensions.TimestampFromPy(local)


_json.register_default_json()
_json.register_default_jsonb()
