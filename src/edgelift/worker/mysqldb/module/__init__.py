"""MySQLdb as mysqlclient has it, over PyMySQL."""

from __future__ import annotations

from typing import Any

from MySQLdb import _mysql as _mysql
from MySQLdb._exceptions import (
    DatabaseError,
    DataError,
    Error,
    IntegrityError,
    InterfaceError,
    InternalError,
    MySQLError,
    NotSupportedError,
    OperationalError,
    ProgrammingError,
    Warning,  # noqa: A004 - the name that PEP 249 gives it
)
from MySQLdb._mysql import get_client_info, string_literal
from MySQLdb.constants import FIELD_TYPE
from MySQLdb.release import version_info
from MySQLdb.times import (
    Date,
    DateFromTicks,
    Time,
    TimeFromTicks,
    Timestamp,
    TimestampFromTicks,
)

threadsafety = 1
apilevel = "2.0"
paramstyle = "format"


class DBAPISet(frozenset):
    """A set of field types, equal to each of them."""

    def __eq__(self, other: object) -> bool:
        return not self.difference(other) if isinstance(other, DBAPISet) else other in self

    __hash__ = frozenset.__hash__


STRING = DBAPISet([FIELD_TYPE.ENUM, FIELD_TYPE.STRING, FIELD_TYPE.VAR_STRING])
BINARY = DBAPISet(
    [FIELD_TYPE.BLOB, FIELD_TYPE.LONG_BLOB, FIELD_TYPE.MEDIUM_BLOB, FIELD_TYPE.TINY_BLOB]
)
NUMBER = DBAPISet(
    [FIELD_TYPE.DECIMAL, FIELD_TYPE.DOUBLE, FIELD_TYPE.FLOAT, FIELD_TYPE.INT24, FIELD_TYPE.LONG,
     FIELD_TYPE.LONGLONG, FIELD_TYPE.TINY, FIELD_TYPE.YEAR, FIELD_TYPE.NEWDECIMAL]
)  # fmt: skip
DATE = DBAPISet([FIELD_TYPE.DATE])
TIME = DBAPISet([FIELD_TYPE.TIME])
TIMESTAMP = DBAPISet([FIELD_TYPE.TIMESTAMP, FIELD_TYPE.DATETIME])
DATETIME = TIMESTAMP
ROWID = DBAPISet()


def Binary(x: Any) -> bytes:
    """Return a value for a binary column."""
    return bytes(x)


def Connect(*args: Any, **kwargs: Any) -> Any:
    """Open a connection; the parameters are those of connections.Connection."""
    from MySQLdb.connections import Connection

    return Connection(*args, **kwargs)


connect = Connection = Connect


def debug(_options: str) -> None:
    """Do nothing: there is no client library whose steps could be traced."""


__all__ = [
    "BINARY", "DATE", "FIELD_TYPE", "NUMBER", "ROWID", "STRING", "TIME", "TIMESTAMP", "Binary",
    "Connect", "Connection", "DBAPISet", "DataError", "DatabaseError", "Date", "DateFromTicks",
    "Error", "IntegrityError", "InterfaceError", "InternalError", "MySQLError",
    "NotSupportedError", "OperationalError", "ProgrammingError", "Time", "TimeFromTicks",
    "Timestamp", "TimestampFromTicks", "Warning", "apilevel", "connect", "connections",
    "constants", "converters", "cursors", "debug", "get_client_info", "paramstyle",
    "string_literal", "threadsafety", "version_info",
]  # fmt: skip
