"""What mysqlclient's C part offers besides the connection: escaping, versions, plain results."""

from __future__ import annotations

from typing import Any

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
from MySQLdb.columns import describe, read_flags
from MySQLdb.release import __version__, version_info
from pymysql.converters import escape_string as _escape_text

NULL = "NULL"

__all__ = [
    "NULL", "DataError", "DatabaseError", "Error", "IntegrityError", "InterfaceError",
    "InternalError", "MySQLError", "NotSupportedError", "OperationalError", "ProgrammingError",
    "Result", "Warning", "__version__", "connect", "escape", "escape_string", "get_client_info",
    "string_literal", "version_info",
]  # fmt: skip


def get_client_info() -> str:
    """Return the version of the client library that this speaks like."""
    return "10.11.6"


def connect(*args: Any, **kwargs: Any) -> Any:
    """Open a connection."""
    from MySQLdb.connections import Connection

    return Connection(*args, **kwargs)


def escape_string(text: str | bytes) -> bytes:
    """Return text with special characters escaped, without quotes."""
    content = text.encode("utf-8", "surrogateescape") if isinstance(text, str) else bytes(text)
    # Only ASCII characters are escaped, so bytes can pass as Latin-1.
    return _escape_text(content.decode("latin-1")).encode("latin-1")


def string_literal(value: object) -> bytes:
    """Return a value's text as a quoted literal; bytes as they are."""
    shown = value if isinstance(value, str | bytes) else str(value)
    return b"'" + escape_string(shown) + b"'"


def escape(value: Any, encoders: Any = None) -> bytes:
    """Return a value as a literal by the conversions given, its text as a string without one."""
    encoder = (encoders or {}).get(type(value))
    if encoder is None:
        return string_literal(value)
    literal = encoder(value, encoders)
    return literal if isinstance(literal, bytes) else literal.encode("utf-8", "surrogateescape")


class Result:
    """The rows of a statement sent with Connection.query()."""

    def __init__(self, result: Any) -> None:
        self._rows: list[tuple[Any, ...]] = list(result.rows or ())
        self._result = result
        self._place = 0

    def fetch_row(self, maxrows: int = 1, how: int = 0) -> tuple[Any, ...]:
        """Return up to `maxrows` rows (0: all); how = 1 gives dictionaries, 2 with table names."""
        end = len(self._rows) if maxrows == 0 else self._place + maxrows
        taken, self._place = self._rows[self._place : end], min(end, len(self._rows))
        if how == 0:
            return tuple(tuple(row) for row in taken)
        names = self._names(qualified=how == 2)
        return tuple(dict(zip(names, row, strict=True)) for row in taken)

    def _names(self, *, qualified: bool) -> list[str]:
        names = [column[0] for column in self._result.description or ()]
        if not qualified:
            return names
        tables = [field.table_name for field in self._result.fields]
        return [f"{t}.{n}" if t else n for t, n in zip(tables, names, strict=True)]

    def describe(self) -> tuple[Any, ...]:
        """Return the columns as PEP 249 describes them."""
        return describe(self._result) or ()

    def num_rows(self) -> int:
        """Return the number of rows."""
        return len(self._rows)

    def num_fields(self) -> int:
        """Return the number of columns."""
        return len(self._result.description or ())

    def field_flags(self) -> tuple[int, ...]:
        """Return the flags of each column (constants.FLAG)."""
        return read_flags(self._result) or ()

    def data_seek(self, n: int) -> None:
        """Go to a row."""
        self._place = n
