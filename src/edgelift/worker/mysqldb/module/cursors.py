"""The cursors: PyMySQL's, whose code is mysqlclient's, with what mysqlclient has besides."""

from __future__ import annotations

from typing import Any

import pymysql.cursors
from MySQLdb import _exceptions as errors

_Cursor: Any = pymysql.cursors.Cursor
_DictCursor: Any = pymysql.cursors.DictCursor
_SSCursor: Any = pymysql.cursors.SSCursor
_SSDictCursor: Any = pymysql.cursors.SSDictCursor


class BaseCursor:
    """What all cursors share."""

    max_stmt_length = 64 * 1024
    Warning = errors.Warning
    Error = errors.Error
    InterfaceError = errors.InterfaceError
    DatabaseError = errors.DatabaseError
    DataError = errors.DataError
    OperationalError = errors.OperationalError
    IntegrityError = errors.IntegrityError
    InternalError = errors.InternalError
    ProgrammingError = errors.ProgrammingError
    NotSupportedError = errors.NotSupportedError

    _result: Any

    @property
    def description_flags(self) -> tuple[int, ...] | None:
        """The flags of each column (constants.FLAG)."""
        fields = getattr(self._result, "fields", None)
        return tuple(field.flags for field in fields) if fields else None

    @property
    def messages(self) -> list[Any]:
        """Always empty, as in mysqlclient."""
        return []

    def execute(self, query: Any, args: Any = None) -> Any:
        """Run a statement, given as text or bytes."""
        if isinstance(query, bytes | bytearray):
            query = bytes(query).decode(self._charset())
        return super().execute(query, args)  # type: ignore[misc]

    def _charset(self) -> str:
        connection: Any = getattr(self, "connection", None)
        return connection.encoding if connection is not None else "utf-8"


class CursorStoreResultMixIn(BaseCursor):
    """Rows are read at once."""


class CursorUseResultMixIn(BaseCursor):
    """Rows are read one after the other."""


class CursorTupleRowsMixIn:
    """Rows are tuples."""


class CursorDictRowsMixIn:
    """Rows are dictionaries."""


class Cursor(CursorStoreResultMixIn, CursorTupleRowsMixIn, _Cursor):  # type: ignore[misc]
    """The default: all rows at once, as tuples."""


class DictCursor(CursorStoreResultMixIn, CursorDictRowsMixIn, _DictCursor):  # type: ignore[misc]
    """All rows at once, as dictionaries."""


class SSCursor(CursorUseResultMixIn, CursorTupleRowsMixIn, _SSCursor):  # type: ignore[misc]
    """Row by row, as tuples."""


class SSDictCursor(CursorUseResultMixIn, CursorDictRowsMixIn, _SSDictCursor):  # type: ignore[misc]
    """Row by row, as dictionaries."""
