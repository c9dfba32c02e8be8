"""The names of the sqlite3 module, as `import sqlite3` gives them to an application."""

from __future__ import annotations

import logging
from typing import Any

from edgelift.worker.sqlite3 import registry
from edgelift.worker.sqlite3.adapting import (
    Binary,
    Date,
    DateFromTicks,
    PrepareProtocol,
    Time,
    TimeFromTicks,
    Timestamp,
    TimestampFromTicks,
    adapt,
    adapters,
    converters,
    register_adapter,
    register_converter,
)  # fmt: skip
from edgelift.worker.sqlite3.connection import Connection
from edgelift.worker.sqlite3.cursor import PARSE_COLNAMES, PARSE_DECLTYPES, Cursor
from edgelift.worker.sqlite3.errors import (
    EXTENDED_CODES,
    PRIMARY_CODES,
    DatabaseError,
    DataError,
    Error,
    IntegrityError,
    InterfaceError,
    InternalError,
    LostRollbackError,
    NotSupportedError,
    OperationalError,
    ProgrammingError,
    Warning,  # noqa: A004 - the module's own name
)  # fmt: skip
from edgelift.worker.sqlite3.local_cursor import LocalConnection
from edgelift.worker.sqlite3.options import LEGACY_TRANSACTION_CONTROL, read_options
from edgelift.worker.sqlite3.real import real
from edgelift.worker.sqlite3.rewrite import SQLITE_VERSION
from edgelift.worker.sqlite3.rows import Row
from edgelift.worker.sqlite3.tokens import complete_statement as read_completeness

log = logging.getLogger("edgelift.sqlite3")

apilevel = "2.0"
paramstyle = "qmark"
threadsafety = 3
sqlite_version = SQLITE_VERSION
sqlite_version_info = tuple(int(part) for part in SQLITE_VERSION.split("."))
version = "2.6.0"
version_info = (2, 6, 0)
SQLITE_OK, SQLITE_DENY, SQLITE_IGNORE = 0, 1, 2

complete_statement = real.complete_statement if real else read_completeness
_told: set[str] = set()


def connect(database: Any, *arguments: Any, **named: Any) -> Any:
    """Open a database: a configured path in D1, everything else with the interpreter's own sqlite3.

    Takes what sqlite3.connect takes (timeout, detect_types, isolation_level, check_same_thread,
    factory, cached_statements, uri, autocommit). Raises NotSupportedError when there is no sqlite3
    for a local file, or `factory` is made for D1.
    """
    options = read_options(arguments, named)
    factory = options.factory or Connection
    if registry.find_database(database, uri=options.uri) is not None:
        return factory(database, *arguments, **named)
    if real is None:
        raise NotSupportedError(
            f"{database!r} is no database of this Worker, and sqlite3 is missing"
        )
    if isinstance(factory, type) and issubclass(factory, Connection):
        if factory is not Connection:
            raise NotSupportedError(
                f"{factory.__name__} cannot open {database!r}, which is not in D1"
            )
        factory = LocalConnection
    _warn_of_file(str(database))
    given = dict(zip(options._fields, arguments, strict=False))
    return real.connect(database, **{**given, **named, "factory": factory})


def _warn_of_file(path: str) -> None:
    if path not in {":memory:", ""} and "mode=memory" not in path and path not in _told:
        _told.add(path)
        log.warning(
            "edgelift: %s is no database of the plan: it lives and dies with this isolate", path
        )


def enable_callback_tracebacks(enable: bool, /) -> None:
    """Do nothing: D1 calls back into no Python."""


# Constants (SQLITE_LIMIT_*, SQLITE_DBCONFIG_*, ...) are those of the interpreter's own module.
_codes = {**PRIMARY_CODES, **EXTENDED_CODES}
globals().update(_codes)
if real is not None:
    for _name in dir(real):
        if _name.startswith("SQLITE_"):
            globals()[_name] = getattr(real, _name)

__all__ = [
    "LEGACY_TRANSACTION_CONTROL", "PARSE_COLNAMES", "PARSE_DECLTYPES", "SQLITE_DENY",
    "SQLITE_IGNORE", "SQLITE_OK", "Binary", "Connection", "Cursor", "DataError", "DatabaseError",
    "Date", "DateFromTicks", "Error", "IntegrityError", "InterfaceError", "InternalError",
    "LostRollbackError", "NotSupportedError", "OperationalError", "PrepareProtocol",
    "ProgrammingError", "Row", "Time", "TimeFromTicks", "Timestamp", "TimestampFromTicks",
    "Warning", "adapt", "adapters", "apilevel", "complete_statement", "connect", "converters",
    "enable_callback_tracebacks", "paramstyle", "register_adapter", "register_converter",
    "sqlite_version", "sqlite_version_info", "threadsafety", "version", "version_info",
]  # fmt: skip
__all__ += [name for name in globals() if name.startswith("SQLITE_") and name not in __all__]
