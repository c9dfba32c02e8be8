"""The cursors: PyMySQL's way to read results, with mysqlclient's binding, rows and errors."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import pymysql.cursors
from MySQLdb import _exceptions as errors
from MySQLdb.columns import describe, read_flags

_Cursor: Any = pymysql.cursors.Cursor
_DictCursor: Any = pymysql.cursors.DictCursor
_SSCursor: Any = pymysql.cursors.SSCursor
_SSDictCursor: Any = pymysql.cursors.SSDictCursor
_UNKNOWN_COUNT = 2**64 - 1


class BaseCursor:
    """What all cursors share."""

    max_stmt_length = 64 * 1024
    MySQLError = errors.MySQLError
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

    connection: Any
    lastrowid: int | None = None
    rowcount: int
    _result: Any
    _rows: Any

    def __init__(self, connection: Any) -> None:
        super().__init__(connection)  # type: ignore[call-arg]
        self.rowcount = 0

    @property
    def description_flags(self) -> tuple[int, ...] | None:
        """The flags of each column (constants.FLAG)."""
        return read_flags(self._result)

    def execute(self, query: Any, args: Any = None) -> Any:
        """Run a statement, given as text or bytes."""
        while self.nextset():
            pass
        self._executed = self._mogrify(query, args)
        return self._query(self._executed)  # type: ignore[attr-defined]

    def executemany(self, query: Any, args: Any) -> Any:
        """Run a statement for each of the arguments, an INSERT with VALUES for many at once."""
        if isinstance(query, bytes):
            query = query.decode(self._get_db().encoding)
        return super().executemany(query, args)  # type: ignore[misc]

    def mogrify(self, query: Any, args: Any = None) -> str:
        """Return the statement with its arguments as literals."""
        return self._mogrify(query, args).decode(self._get_db().encoding)

    def _mogrify(self, query: Any, args: Any) -> bytes:
        literal, encoding = self._get_db().literal, self._get_db().encoding
        if isinstance(query, str):
            query = query.encode(encoding)
        assert isinstance(query, bytes | bytearray)
        if args is None:
            return bytes(query)
        bound: Any
        if isinstance(args, Mapping):
            bound = {_to_bytes(key, encoding): literal(value) for key, value in args.items()}
        else:
            bound = tuple(map(literal, args))
        try:
            return bytes(query % bound)
        except TypeError as error:
            raise errors.ProgrammingError(str(error)) from error

    def _do_execute_many(
        self, prefix: str, values: str, postfix: str, args: Any, limit: int, encoding: str
    ) -> int:
        head, tail = prefix.encode(encoding), postfix.encode(encoding)
        count, sql = 0, bytearray(head)
        for row in args:
            part = self._mogrify(values, row)
            if len(sql) > len(head) and len(sql) + len(part) + len(tail) + 1 > limit:
                count += self.execute(sql + tail)
                sql = bytearray(head)
            sql += b"," + part if len(sql) > len(head) else part
        self.rowcount = count + self.execute(sql + tail)
        return self.rowcount

    def _get_db(self) -> Any:
        if self.connection is None:
            raise errors.ProgrammingError("cursor closed")
        return self.connection

    def _do_get_result(self) -> None:
        super()._do_get_result()  # type: ignore[misc]
        self.description = describe(self._result)
        self.lastrowid = self.connection.insert_id()
        if self.rowcount == _UNKNOWN_COUNT:
            self.rowcount = -1

    def nextset(self) -> int | None:
        """Go to the statement's next result: 1, or None behind the last."""
        return 1 if super().nextset() else None  # type: ignore[misc]

    def fetchmany(self, size: int | None = None) -> tuple[Any, ...]:
        """Return the next rows, `arraysize` by default."""
        return tuple(super().fetchmany(size))  # type: ignore[misc]

    def fetchall(self) -> tuple[Any, ...]:
        """Return all rows that are left."""
        return tuple(super().fetchall())  # type: ignore[misc]

    def scroll(self, value: int, mode: str = "relative") -> None:
        """Go to another row, counted from this one or, with mode "absolute", from the first."""
        if mode not in {"relative", "absolute"}:
            raise errors.ProgrammingError(f"unknown scroll mode {mode!r}")
        super().scroll(value, mode)  # type: ignore[misc]


def _to_bytes(key: Any, encoding: str) -> Any:
    return key.encode(encoding) if isinstance(key, str) else key


class CursorStoreResultMixIn(BaseCursor):
    """Rows are read at once."""

    rownumber: int

    def __iter__(self) -> Iterator[Any]:
        # From the first row again when all were read, as in mysqlclient.
        return iter((self._rows or ())[self.rownumber :] or self._rows or ())


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
