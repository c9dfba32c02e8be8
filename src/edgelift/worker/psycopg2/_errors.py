"""The error classes of psycopg2, one for each SQLSTATE, made from what a server says."""

from __future__ import annotations

from typing import Any

from edgelift.worker.postgres.report import decode_utf8, format_report
from edgelift.worker.postgres.results import Report
from edgelift.worker.postgres.sqlstates import SQLSTATES, camel_case, kind_of

_FIELDS = {
    "column_name": "c", "constraint_name": "n", "context": "W", "datatype_name": "d",
    "internal_position": "p", "internal_query": "q", "message_detail": "D", "message_hint": "H",
    "message_primary": "M", "schema_name": "s", "severity": "S", "severity_nonlocalized": "V",
    "source_file": "F", "source_function": "R", "source_line": "L", "sqlstate": "C",
    "statement_position": "P", "table_name": "t",
}  # fmt: skip


class Diagnostics:
    """The fields of a server's error, None for those it did not send."""

    __module__ = "psycopg2.extensions"

    column_name: str | None
    constraint_name: str | None
    message_detail: str | None
    message_primary: str | None
    sqlstate: str | None

    def __init__(self, error: Error) -> None:
        report = getattr(error, "_report", {})
        for name, code in _FIELDS.items():
            value = report.get(code)
            setattr(self, name, None if value is None else decode_utf8(value))


class Warning(Exception):
    """Exception raised for important warnings."""

    __module__ = "psycopg2"


class Error(Exception):
    """Base of all errors; `pgcode` is the SQLSTATE, `pgerror` the server's whole text."""

    __module__ = "psycopg2"

    pgcode: str | None = None
    pgerror: str | None = None
    cursor: Any = None
    _report: Report = {}  # noqa: RUF012 - never changed, only replaced

    @property
    def diag(self) -> Diagnostics:
        """The single fields of what the server said."""
        return Diagnostics(self)

    def __reduce__(self) -> tuple[Any, ...]:
        state = {
            key: value for key, value in self.__dict__.items() if key not in {"cursor", "_report"}
        }
        return type(self), self.args, state

    def __setstate__(self, state: Any) -> None:
        self.__dict__.update(state)


class InterfaceError(Error):
    """Error related to the database interface."""

    __module__ = "psycopg2"


class DatabaseError(Error):
    """Error related to the database engine."""

    __module__ = "psycopg2"


class DataError(DatabaseError):
    """Error related to problems with the processed data."""

    __module__ = "psycopg2"


class OperationalError(DatabaseError):
    """Error related to database operation (disconnect, memory allocation etc)."""

    __module__ = "psycopg2"


class IntegrityError(DatabaseError):
    """Error related to database integrity."""

    __module__ = "psycopg2"


class InternalError(DatabaseError):
    """The database encountered an internal error."""

    __module__ = "psycopg2"


class ProgrammingError(DatabaseError):
    """Error related to database programming (SQL error, table not found etc)."""

    __module__ = "psycopg2"


class NotSupportedError(DatabaseError):
    """A method or database API was used which is not supported by the database."""

    __module__ = "psycopg2"


class QueryCanceledError(OperationalError):
    """Error related to SQL query cancellation."""

    __module__ = "psycopg2.extensions"


class TransactionRollbackError(OperationalError):
    """Error causing transaction rollback (deadlocks, serialization failures, etc)."""

    __module__ = "psycopg2.extensions"


_BASES: dict[str, type[Error]] = {
    kind.__name__: kind
    for kind in (
        DatabaseError,
        DataError,
        OperationalError,
        IntegrityError,
        InternalError,
        ProgrammingError,
        NotSupportedError,
    )
}
# Codes of warnings and of success have no class of their own.
_NO_CLASS = frozenset(
    {"00000", "01000", "01003", "01004", "01006", "01007", "01008", "0100C", "01P01", "22020"}
)
# Two classes of errors use the same names (Appendix A): psycopg2 tells the second apart like this.
_NAMES = {
    "38002": "ModifyingSqlDataNotPermittedExt",
    "38003": "ProhibitedSqlStatementAttemptedExt",
    "38004": "ReadingSqlDataNotPermittedExt",
    "39004": "NullValueNotAllowedExt",
    "XX000": "InternalError_",
}


def _base_of(code: str) -> type[Error]:
    if code == "57014":
        return QueryCanceledError
    if code.startswith("40"):
        return TransactionRollbackError
    return _BASES[kind_of(code)]


def _make_classes() -> dict[str, type[Error]]:
    found = {}
    for code, name in SQLSTATES.items():
        if code not in _NO_CLASS:
            title = _NAMES.get(code) or camel_case(name)
            parts = {"__module__": "psycopg2.errors", "__doc__": f"SQLSTATE {code}."}
            found[code] = type(title, (_base_of(code),), parts)
    return found


sqlstate_errors = _make_classes()


def make_error(report: Report, query: str | None = None, cursor: Any = None) -> Error:
    """Return the error for what a server said about a query."""
    code = report.get("C", b"").decode()
    text = format_report(report, query)
    head, separator, rest = text.partition(":  ")
    message = rest if separator and head in {"ERROR", "FATAL", "PANIC"} else text
    error = (sqlstate_errors.get(code) or _base_of(code))(message)
    error.pgcode, error.pgerror, error.cursor = code or None, text, cursor
    error._report = report
    return error
