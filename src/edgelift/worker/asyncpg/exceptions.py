"""asyncpg.exceptions: a class for each SQLSTATE, and the errors of the client's own side."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from edgelift.worker.postgres.report import decode_utf8
from edgelift.worker.postgres.results import Report
from edgelift.worker.postgres.sqlstates import SQLSTATES, camel_case

_FIELDS = {
    "S": "severity", "V": "severity_en", "C": "sqlstate", "M": "message", "D": "detail",
    "H": "hint", "P": "position", "p": "internal_position", "q": "internal_query",
    "W": "context", "s": "schema_name", "t": "table_name", "c": "column_name",
    "d": "data_type_name", "n": "constraint_name", "F": "server_source_filename",
    "L": "server_source_line", "R": "server_source_function",
}  # fmt: skip


class PostgresMessage:
    """What the server said: the fields of its message as attributes."""

    __module__ = "asyncpg.exceptions._base"

    sqlstate: ClassVar[str | None] = None
    query: str | None = None
    message: str | None = None
    detail: str | None = None
    hint: str | None = None
    severity: str | None = None
    severity_en: str | None = None
    position: str | None = None
    internal_position: str | None = None
    internal_query: str | None = None
    context: str | None = None
    schema_name: str | None = None
    table_name: str | None = None
    column_name: str | None = None
    data_type_name: str | None = None
    constraint_name: str | None = None
    server_source_filename: str | None = None
    server_source_line: str | None = None
    server_source_function: str | None = None

    def as_dict(self) -> dict[str, Any]:
        """Return the fields that the server sent."""
        found = {name: self.__dict__.get(name) for name in _FIELDS.values()}
        found["sqlstate"] = self.__dict__.get("sqlstate")
        return {name: value for name, value in found.items() if value is not None}

    def __str__(self) -> str:
        text = Exception.__str__(self)  # type: ignore[arg-type]
        if self.detail:
            text += f"\nDETAIL:  {self.detail}"
        if self.hint:
            text += f"\nHINT:  {self.hint}"
        return text

    @classmethod
    def new(cls, fields: Mapping[str, bytes], query: str | None = None) -> Any:
        """Return the error or warning for what a server said about a query."""
        values = {
            name: decode_utf8(fields[code]) for code, name in _FIELDS.items() if code in fields
        }
        kind = _find_class(values)
        text = _STALE_TEXT if kind is InvalidCachedStatementError else values.get("message", "")
        made = kind(text)
        made.__dict__.update(values)
        made.query = query
        return made


class PostgresError(PostgresMessage, Exception):
    """Base of the server's errors."""

    __module__ = "asyncpg.exceptions._base"


class FatalPostgresError(PostgresError):
    """An error after which the server has closed the connection."""

    __module__ = "asyncpg.exceptions._base"


class UnknownPostgresError(FatalPostgresError):
    """An error of a code that is in no table."""

    __module__ = "asyncpg.exceptions._base"


class InterfaceMessage:
    """What the client's side says, with a detail and a hint."""

    __module__ = "asyncpg.exceptions._base"

    args: tuple[Any, ...]

    def __init__(self, *, detail: str | None = None, hint: str | None = None) -> None:
        self.detail, self.hint = detail, hint

    def __str__(self) -> str:
        text = str(self.args[0]) if self.args else ""
        if self.detail:
            text += f"\nDETAIL:  {self.detail}"
        if self.hint:
            text += f"\nHINT:  {self.hint}"
        return text


class InterfaceError(InterfaceMessage, Exception):
    """An error caused by improper use of the API."""

    __module__ = "asyncpg.exceptions._base"

    def __init__(self, msg: str, *, detail: str | None = None, hint: str | None = None) -> None:
        InterfaceMessage.__init__(self, detail=detail, hint=hint)
        Exception.__init__(self, msg)

    def with_msg(self, msg: str) -> InterfaceError:
        """Return the same error with another text."""
        made = type(self)(msg, detail=self.detail, hint=self.hint)
        return made.with_traceback(self.__traceback__)


class ClientConfigurationError(InterfaceError, ValueError):
    """An error caused by improper configuration."""

    __module__ = "asyncpg.exceptions._base"


class UnsupportedClientFeatureError(InterfaceError):
    """Something that this client does not do."""

    __module__ = "asyncpg.exceptions._base"


class UnsupportedServerFeatureError(InterfaceError):
    """Something that the server does not do."""

    __module__ = "asyncpg.exceptions._base"


class InterfaceWarning(InterfaceMessage, UserWarning):
    """A warning caused by an improper use of the API."""

    __module__ = "asyncpg.exceptions._base"

    def __init__(self, msg: str, *, detail: str | None = None, hint: str | None = None) -> None:
        InterfaceMessage.__init__(self, detail=detail, hint=hint)
        UserWarning.__init__(self, msg)


class InternalClientError(Exception):
    """All unexpected errors not classified otherwise."""

    __module__ = "asyncpg.exceptions._base"


class ProtocolError(InternalClientError):
    """Unexpected condition in the handling of the protocol."""

    __module__ = "asyncpg.exceptions._base"


class OutdatedSchemaCacheError(InternalClientError):
    """A value decoding error caused by a schema change before row fetching."""

    __module__ = "asyncpg.exceptions._base"

    def __init__(
        self,
        msg: str,
        *,
        schema: str | None = None,
        data_type: str | None = None,
        position: str | None = None,
    ) -> None:
        super().__init__(msg)
        self.schema_name, self.data_type_name, self.position = schema, data_type, position


class TargetServerAttributeNotMatched(InternalClientError):
    """No host has what target_session_attrs wants."""

    __module__ = "asyncpg.exceptions._base"


class PostgresLogMessage(PostgresMessage):
    """A notice of the server."""

    __module__ = "asyncpg.exceptions._base"

    def __init__(self, message: str = "") -> None:
        self.message = message

    def __str__(self) -> str:
        return f"{type(self).__name__}: {self.message}"


class PostgresWarning(PostgresLogMessage, Warning):
    """A warning of the server."""

    sqlstate = "01000"

    def __init__(self, message: str = "") -> None:
        PostgresLogMessage.__init__(self, message)
        Warning.__init__(self, message)


# Where the name is not the condition's with "Error" at its end.
_NAMES = {
    "P0004": "AssertError", "08001": "ClientCannotConnectError",
    "08004": "ConnectionRejectionError",
    "22000": "DataError", "01P01": "DeprecatedFeature", "0Z000": "DiagnosticsError",
    "0100C": "DynamicResultSetsReturned", "38000": "ExternalRoutineError",
    "39000": "ExternalRoutineInvocationError", "01008": "ImplicitZeroBitPadding",
    "XX000": "InternalServerError", "39001": "InvalidSqlstateReturnedError",
    "0F000": "LocatorError", "38002": "ModifyingExternalRoutineSQLDataNotPermittedError",
    "02001": "NoAdditionalDynamicResultSetsReturned", "02000": "NoData",
    "01003": "NullValueEliminatedInSetFunction",
    "39004": "NullValueInExternalRoutineNotAllowedError", "P0000": "PLPGSQLError",
    "08000": "PostgresConnectionError", "22P01": "PostgresFloatingPointError",
    "58030": "PostgresIOError", "42601": "PostgresSyntaxError", "58000": "PostgresSystemError",
    "01007": "PrivilegeNotGranted", "01006": "PrivilegeNotRevoked",
    "38003": "ProhibitedExternalRoutineSQLStatementAttemptedError", "P0001": "RaiseError",
    "38004": "ReadingExternalRoutineSQLDataNotPermittedError", "2F000": "SQLRoutineError",
    "3B000": "SavepointError", "40001": "SerializationError",
    "01004": "StringDataRightTruncation", "42000": "SyntaxOrAccessError",
    "09000": "TriggeredActionError",
}  # fmt: skip
_STALE_TEXT = "cached statement plan is invalid due to a database schema or configuration change"
_NO_CLASS = {"00000", "22020"}


def _name_of(code: str) -> str:
    if code in _NAMES:
        return _NAMES[code]
    title = camel_case(SQLSTATES[code]).replace("Sql", "SQL").replace("Fdw", "FDW")
    return title if title.endswith("Error") else f"{title}Error"


def _make_classes() -> dict[str, type]:
    found: dict[str, type] = {"01000": PostgresWarning}
    for code in sorted(SQLSTATES, key=lambda code: (code[2:] != "000", code)):
        if code in _NO_CLASS or code in found:
            continue
        top: type = PostgresWarning if code[:2] in {"01", "02"} else PostgresError
        base = found.get(f"{code[:2]}000", top)
        parts = {"sqlstate": code, "__module__": __name__, "__doc__": f"SQLSTATE {code}."}
        found[code] = type(_name_of(code), (base,), parts)
    return found


_CLASSES = _make_classes()
for _class in _CLASSES.values():
    globals()[_class.__name__] = _class
DataError: Any = _CLASSES["22000"]
FeatureNotSupportedError: Any = _CLASSES["0A000"]
NoActiveSQLTransactionError: Any = _CLASSES["25P01"]
ConnectionDoesNotExistError: Any = _CLASSES["08003"]


class InvalidCachedStatementError(FeatureNotSupportedError):  # type: ignore[misc]
    """A prepared statement whose result would have changed."""


def _find_class(values: Mapping[str, str]) -> Any:
    code = values.get("sqlstate", "")
    severity = values.get("severity_en") or values.get("severity", "")
    if severity not in {"ERROR", "FATAL", "PANIC"}:
        return PostgresWarning if severity == "WARNING" else PostgresLogMessage
    if code == "0A000" and values.get("server_source_function") == "RevalidateCachedQuery":
        return InvalidCachedStatementError
    return _CLASSES.get(code) or _CLASSES.get(f"{code[:2]}000") or UnknownPostgresError


def make_error(report: Report, query: str | None = None) -> Any:
    """Return the error for what a server said about a query."""
    return PostgresMessage.new(report, query)


def __getattr__(name: str) -> Any:
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
