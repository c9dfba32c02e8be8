"""The DB-API error tree of sqlite3, and the way from D1's messages to it."""

from __future__ import annotations

import re

from edgelift.worker.sqlite3.real import real

if real is None:

    class Warning(Exception):
        """DB-API: important warnings."""

    class Error(Exception):
        """DB-API: base of all errors; its attributes tell SQLite's code."""

        sqlite_errorcode: int
        sqlite_errorname: str

    class InterfaceError(Error):
        """DB-API: misuse of the interface."""

    class DatabaseError(Error):
        """DB-API: errors of the database."""

    class DataError(DatabaseError):
        """DB-API: a value that the database cannot take."""

    class OperationalError(DatabaseError):
        """DB-API: errors of the database's operation."""

    class IntegrityError(DatabaseError):
        """DB-API: a violated constraint."""

    class InternalError(DatabaseError):
        """DB-API: an internal error of the database."""

    class ProgrammingError(DatabaseError):
        """DB-API: wrong SQL or wrong use."""

    class NotSupportedError(DatabaseError):
        """DB-API: something that this database does not have."""

else:
    # The same classes, so that one `except` serves a D1 database and a local one.
    Warning = real.Warning  # type: ignore[misc]
    Error = real.Error  # type: ignore[misc]
    InterfaceError = real.InterfaceError  # type: ignore[misc]
    DatabaseError = real.DatabaseError  # type: ignore[misc]
    DataError = real.DataError  # type: ignore[misc]
    OperationalError = real.OperationalError  # type: ignore[misc]
    IntegrityError = real.IntegrityError  # type: ignore[misc]
    InternalError = real.InternalError  # type: ignore[misc]
    ProgrammingError = real.ProgrammingError  # type: ignore[misc]
    NotSupportedError = real.NotSupportedError  # type: ignore[misc]


class LostRollbackError(OperationalError):
    """A rollback was asked for, but its writes are already in D1, where nothing undoes them."""


# Result codes: sqlite.org/rescode.html.
PRIMARY_CODES = {
    "SQLITE_ERROR": 1, "SQLITE_INTERNAL": 2, "SQLITE_PERM": 3, "SQLITE_ABORT": 4, "SQLITE_BUSY": 5,
    "SQLITE_LOCKED": 6, "SQLITE_NOMEM": 7, "SQLITE_READONLY": 8, "SQLITE_INTERRUPT": 9,
    "SQLITE_IOERR": 10, "SQLITE_CORRUPT": 11, "SQLITE_NOTFOUND": 12, "SQLITE_FULL": 13,
    "SQLITE_CANTOPEN": 14, "SQLITE_PROTOCOL": 15, "SQLITE_EMPTY": 16, "SQLITE_SCHEMA": 17,
    "SQLITE_TOOBIG": 18, "SQLITE_CONSTRAINT": 19, "SQLITE_MISMATCH": 20, "SQLITE_MISUSE": 21,
    "SQLITE_NOLFS": 22, "SQLITE_AUTH": 23, "SQLITE_FORMAT": 24, "SQLITE_RANGE": 25,
    "SQLITE_NOTADB": 26,
}  # fmt: skip
_CONSTRAINTS = {
    "CHECK": 1, "COMMITHOOK": 2, "FOREIGNKEY": 3, "FUNCTION": 4, "NOTNULL": 5, "PRIMARYKEY": 6,
    "TRIGGER": 7, "UNIQUE": 8, "VTAB": 9, "ROWID": 10, "PINNED": 11, "DATATYPE": 12,
}  # fmt: skip
EXTENDED_CODES = {
    f"SQLITE_CONSTRAINT_{name}": 19 | number << 8 for name, number in _CONSTRAINTS.items()
}

# What a constraint's message begins with, when D1 does not tell the extended code.
_CONSTRAINT_TEXTS = (
    ("UNIQUE constraint", "SQLITE_CONSTRAINT_UNIQUE"),
    ("NOT NULL constraint", "SQLITE_CONSTRAINT_NOTNULL"),
    ("CHECK constraint", "SQLITE_CONSTRAINT_CHECK"),
    ("FOREIGN KEY constraint", "SQLITE_CONSTRAINT_FOREIGNKEY"),
    ("cannot store", "SQLITE_CONSTRAINT_DATATYPE"),
)

# CPython, Modules/_sqlite/util.c: get_exception_class; everything else is a DatabaseError.
_CLASSES: dict[str, type[Exception]] = {
    **dict.fromkeys(("SQLITE_INTERNAL", "SQLITE_NOTFOUND"), InternalError),
    **dict.fromkeys(
        (
            "SQLITE_ERROR", "SQLITE_PERM", "SQLITE_ABORT", "SQLITE_BUSY", "SQLITE_LOCKED",
            "SQLITE_READONLY", "SQLITE_INTERRUPT", "SQLITE_IOERR", "SQLITE_FULL", "SQLITE_CANTOPEN",
            "SQLITE_PROTOCOL", "SQLITE_EMPTY", "SQLITE_SCHEMA",
        ),
        OperationalError,
    ),
    "SQLITE_TOOBIG": DataError,
    **dict.fromkeys(("SQLITE_CONSTRAINT", "SQLITE_MISMATCH"), IntegrityError),
    **dict.fromkeys(("SQLITE_MISUSE", "SQLITE_RANGE"), InterfaceError),
}  # fmt: skip

_MESSAGE = re.compile(
    r"(?P<text>.*?)(?: at offset \d+)?: (?P<code>SQLITE_[A-Z]+)[A-Z_]*"
    r"(?: \(extended: (?P<extended>SQLITE_[A-Z_]+)\))?\s*",
    re.DOTALL,
)
_REFUSED_FUNCTION = re.compile(r"not authorized to use function: (\w+)")


def make_error(text: str, name: str, kind: type[Exception] | None = None) -> Exception:
    """Return the error of SQLite's code `name` with CPython's attributes."""
    primary = "_".join(name.split("_")[:2])
    error = (kind or _CLASSES.get(primary, DatabaseError))(text)
    code = EXTENDED_CODES.get(name, PRIMARY_CODES.get(primary))
    if isinstance(error, Error) and code is not None:
        error.sqlite_errorcode = code
        error.sqlite_errorname = name if name in EXTENDED_CODES else primary
    return error


def read_d1_error(message: str) -> Exception:
    """Return the DB-API error for what D1 answered, with SQLite's own text where there is one."""
    message = message.removeprefix("D1_ERROR: ")
    match = _MESSAGE.fullmatch(message)
    if match is None:
        return OperationalError(f"D1: {message}")
    text, name = match["text"], match["extended"] or match["code"]
    refused = _REFUSED_FUNCTION.fullmatch(text)
    if refused:
        return make_error(f"no such function: {refused[1]} (D1 does not offer it)", "SQLITE_ERROR")
    if name == "SQLITE_CONSTRAINT":
        name = next((code for start, code in _CONSTRAINT_TEXTS if text.startswith(start)), name)
    return make_error(text, name)
