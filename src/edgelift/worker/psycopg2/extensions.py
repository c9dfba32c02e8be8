"""psycopg2.extensions: the classes and functions below the DB-API's surface."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from typing import Any

from edgelift.worker.postgres import conninfo
from edgelift.worker.postgres.encodings import CODECS
from edgelift.worker.postgres.scram import build_verifier

from ._adapting import (
    SQL_IN,
    AsIs,
    Binary,
    Boolean,
    Float,
    Int,
    ISQLQuote,
    NoneAdapter,
    QuotedString,
    adapt,
    adapters,
    pydatetime,
    register_adapter,
)
from ._casting import (
    BINARYARRAY,
    BOOLEAN,
    BOOLEANARRAY,
    BYTES,
    BYTESARRAY,
    DATE,
    DATEARRAY,
    DATETIMEARRAY,
    DATETIMETZARRAY,
    DECIMAL,
    DECIMALARRAY,
    FLOAT,
    FLOATARRAY,
    INTEGER,
    INTEGERARRAY,
    INTERVAL,
    INTERVALARRAY,
    LONGINTEGER,
    LONGINTEGERARRAY,
    PYDATE,
    PYDATEARRAY,
    PYDATETIME,
    PYDATETIMEARRAY,
    PYDATETIMETZ,
    PYDATETIMETZARRAY,
    PYINTERVAL,
    PYINTERVALARRAY,
    PYTIME,
    PYTIMEARRAY,
    ROWIDARRAY,
    STRINGARRAY,
    TIME,
    TIMEARRAY,
    UNICODE,
    UNICODEARRAY,
    binary_types,
    new_array_type,
    new_type,
    register_type,
    string_types,
)
from ._connection import connection
from ._cursor import cursor
from ._errors import (
    Diagnostics,
    NotSupportedError,
    ProgrammingError,
    QueryCanceledError,
    TransactionRollbackError,
)
from ._lobject import lobject
from ._objects import Column, ConnectionInfo, Notify, Xid

__all__ = [
    "BINARYARRAY",
    "BOOLEAN",
    "BOOLEANARRAY",
    "BYTES",
    "BYTESARRAY",
    "CODECS",
    "DATE",
    "DATEARRAY",
    "DATETIMEARRAY",
    "DATETIMETZARRAY",
    "DECIMAL",
    "DECIMALARRAY",
    "FLOAT",
    "FLOATARRAY",
    "INTEGER",
    "INTEGERARRAY",
    "INTERVAL",
    "INTERVALARRAY",
    "ISOLATION_LEVEL_AUTOCOMMIT",
    "ISOLATION_LEVEL_DEFAULT",
    "ISOLATION_LEVEL_READ_COMMITTED",
    "ISOLATION_LEVEL_READ_UNCOMMITTED",
    "ISOLATION_LEVEL_REPEATABLE_READ",
    "ISOLATION_LEVEL_SERIALIZABLE",
    "LONGINTEGER",
    "LONGINTEGERARRAY",
    "POLL_ERROR",
    "POLL_OK",
    "POLL_READ",
    "POLL_WRITE",
    "PYDATE",
    "PYDATEARRAY",
    "PYDATETIME",
    "PYDATETIMEARRAY",
    "PYDATETIMETZ",
    "PYDATETIMETZARRAY",
    "PYINTERVAL",
    "PYINTERVALARRAY",
    "PYTIME",
    "PYTIMEARRAY",
    "ROWIDARRAY",
    "SQL_IN",
    "STATUS_ASYNC",
    "STATUS_BEGIN",
    "STATUS_IN_TRANSACTION",
    "STATUS_PREPARED",
    "STATUS_READY",
    "STATUS_SETUP",
    "STATUS_SYNC",
    "STRINGARRAY",
    "TIME",
    "TIMEARRAY",
    "TRANSACTION_STATUS_ACTIVE",
    "TRANSACTION_STATUS_IDLE",
    "TRANSACTION_STATUS_INERROR",
    "TRANSACTION_STATUS_INTRANS",
    "TRANSACTION_STATUS_UNKNOWN",
    "UNICODE",
    "UNICODEARRAY",
    "AsIs",
    "Binary",
    "Boolean",
    "Column",
    "ConnectionInfo",
    "DateFromPy",
    "Diagnostics",
    "Float",
    "ISQLQuote",
    "Int",
    "IntervalFromPy",
    "NoneAdapter",
    "Notify",
    "ProgrammingError",
    "QueryCanceledError",
    "QuotedString",
    "TimeFromPy",
    "TimestampFromPy",
    "TransactionRollbackError",
    "Xid",
    "adapt",
    "adapters",
    "binary_types",
    "build_verifier",
    "connection",
    "conninfo",
    "cursor",
    "encodings",
    "encrypt_password",
    "get_wait_callback",
    "hashlib",
    "libpq_version",
    "lobject",
    "make_dsn",
    "new_array_type",
    "new_type",
    "os",
    "parse_dsn",
    "pydatetime",
    "quote_ident",
    "register_adapter",
    "register_type",
    "set_wait_callback",
    "string_types",
]

ISOLATION_LEVEL_AUTOCOMMIT = 0
ISOLATION_LEVEL_READ_UNCOMMITTED = 4
ISOLATION_LEVEL_READ_COMMITTED = 1
ISOLATION_LEVEL_REPEATABLE_READ = 2
ISOLATION_LEVEL_SERIALIZABLE = 3
ISOLATION_LEVEL_DEFAULT = None

STATUS_SETUP = 0
STATUS_READY = 1
STATUS_BEGIN = 2
STATUS_SYNC = 3
STATUS_ASYNC = 4
STATUS_PREPARED = 5
STATUS_IN_TRANSACTION = STATUS_BEGIN

POLL_OK = 0
POLL_READ = 1
POLL_WRITE = 2
POLL_ERROR = 3

TRANSACTION_STATUS_IDLE = 0
TRANSACTION_STATUS_ACTIVE = 1
TRANSACTION_STATUS_INTRANS = 2
TRANSACTION_STATUS_INERROR = 3
TRANSACTION_STATUS_UNKNOWN = 4

encodings = dict(CODECS)
DateFromPy = TimeFromPy = TimestampFromPy = IntervalFromPy = pydatetime


def make_dsn(dsn: str | None = None, **kwargs: Any) -> str:
    """Return a connection string from another one and keywords; raises ProgrammingError."""
    if dsn is None and not kwargs:
        return ""
    if dsn is not None:
        parse_dsn(dsn)
    if "database" in kwargs:
        if "dbname" in kwargs:
            raise TypeError("you can't specify both 'database' and 'dbname' arguments")
        kwargs["dbname"] = kwargs.pop("database")
    given = {key: value for key, value in kwargs.items() if value is not None}
    if dsn is not None and not given:
        return dsn
    if dsn is not None:
        given = {**parse_dsn(dsn), **given}
    made = " ".join(f"{key}={_escape(str(value))}" for key, value in given.items())
    parse_dsn(made)
    return made


def _escape(text: str) -> str:
    if not text:
        return "''"
    escaped = text.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'" if any(c.isspace() for c in text) else escaped


def parse_dsn(dsn: Any) -> dict[str, str]:
    """Return the parameters of a connection string; raises ProgrammingError."""
    if isinstance(dsn, bytes):
        dsn = dsn.decode()
    if not isinstance(dsn, str):
        raise TypeError(f"argument 1 must be a string: got {type(dsn).__name__} instead")
    try:
        return conninfo.parse_conninfo(dsn)
    except conninfo.ConninfoError as error:
        raise ProgrammingError(f"invalid dsn: {error}\n") from None


def quote_ident(ident: str, scope: Any) -> str:
    """Return an identifier in double quotes."""
    if not isinstance(scope, connection | cursor):
        raise TypeError("argument 2 must be a connection or a cursor")
    return '"' + ident.replace('"', '""') + '"'


def encrypt_password(
    password: str, user: str, scope: Any = None, algorithm: str | None = None
) -> str:
    """Return a password in the form that ALTER ROLE takes, so that it is not sent plain."""
    if algorithm is None and scope is not None:
        owner = getattr(scope, "connection", scope)
        run = owner.cursor()
        run.execute("SHOW password_encryption")
        algorithm = run.fetchone()[0]
    algorithm = {"on": "md5", "off": "md5", None: "md5"}.get(algorithm, algorithm)
    if algorithm == "md5":
        digest = hashlib.md5((password + user).encode(), usedforsecurity=False).hexdigest()
        return f"md5{digest}"
    if algorithm == "scram-sha-256":
        if scope is None:
            raise ProgrammingError(
                "password encryption (other than 'md5' algorithm) requires a connection or cursor"
            )
        return build_verifier(password, os.urandom(16))
    raise ProgrammingError(f'unrecognized password encryption algorithm "{algorithm}"')


def libpq_version() -> int:
    """Return the version of libpq whose behaviour this module has."""
    return 150000


def set_wait_callback(f: Callable[[Any], Any] | None) -> None:
    """Refuse a callback: waiting is the socket's, which other requests run beside."""
    if f is not None:
        raise NotSupportedError("wait callbacks are not supported")


def get_wait_callback() -> None:
    """Return the wait callback, which there is none of."""
    return
