"""What Django takes of its PostgreSQL drivers, without one: ranges, wrappers, levels, errors."""

from __future__ import annotations

import importlib.util
import ipaddress
import sqlite3
from enum import IntEnum
from types import SimpleNamespace
from typing import Any

from edgelift.worker.django_moved.ranges import (
    DateRange,
    DateTimeRange,
    DateTimeTZRange,
    NumericRange,
    Range,
)
from edgelift.worker.django_moved.values import Jsonb

__all__ = [
    "RANGE_TYPES",
    "DateRange",
    "DateTimeRange",
    "DateTimeTZRange",
    "Inet",
    "IsolationLevel",
    "Jsonb",
    "NumericRange",
    "Range",
    "errors",
    "is_psycopg3",
    "mogrify",
]

Inet = ipaddress.ip_address
RANGE_TYPES = (Range,)
# As Django itself decides: psycopg 3 is taken where it is installed.
is_psycopg3 = importlib.util.find_spec("psycopg") is not None
errors = SimpleNamespace(
    Error=sqlite3.Error,
    DataError=sqlite3.DataError,
    IntegrityError=sqlite3.IntegrityError,
    OperationalError=sqlite3.OperationalError,
    UniqueViolation=sqlite3.IntegrityError,
    ForeignKeyViolation=sqlite3.IntegrityError,
    CheckViolation=sqlite3.IntegrityError,
    NotNullViolation=sqlite3.IntegrityError,
)


class IsolationLevel(IntEnum):
    """Levels of isolation, by psycopg's numbers."""

    READ_UNCOMMITTED = 1
    READ_COMMITTED = 2
    REPEATABLE_READ = 3
    SERIALIZABLE = 4


def mogrify(sql: Any, params: Any, connection: Any) -> str:
    """Return a statement with its parameters written into it."""
    text: str = connection.ops.last_executed_query(None, sql, params)
    return text
