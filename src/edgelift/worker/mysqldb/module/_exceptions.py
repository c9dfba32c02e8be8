"""The exceptions: PyMySQL's own, under the name that mysqlclient gives them."""

from __future__ import annotations

from pymysql.err import (
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

ALL = (
    MySQLError, Warning, Error, InterfaceError, DatabaseError, DataError, OperationalError,
    IntegrityError, InternalError, ProgrammingError, NotSupportedError,
)  # fmt: skip
for _kind in ALL:
    _kind.__module__ = "MySQLdb"  # ORMs and error reports show it
