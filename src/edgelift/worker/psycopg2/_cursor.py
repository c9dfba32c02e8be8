"""The cursor of psycopg2: statements with client-side binding, named cursors, COPY."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Generator, Iterable, Iterator
from types import TracebackType
from typing import Any, Self

from edgelift.worker.postgres.results import Result, read_size

from ._adapting import quote_text
from ._casting import STRING, Type, find_reader
from ._copying import FileCopy
from ._errors import (
    InterfaceError,
    NotSupportedError,
    ProgrammingError,
)
from ._formatting import merge, read_statement
from ._objects import Column, read_column

Steps = Generator[Any, None, Any]
_END = object()


class cursor:
    """A cursor; results are whole on this side unless it has a name."""

    __module__ = "psycopg2.extensions"

    # What a cursor has whose class did not call this constructor.
    connection: Any = None
    name: str | None = None
    _closed = False

    def __init__(
        self, conn: Any, name: Any = None, scrollable: Any = None, withhold: Any = False
    ) -> None:
        if isinstance(name, bytes):
            name = name.decode()
        if name is not None and not isinstance(name, str):
            kind = type(name).__name__
            raise TypeError(f"Expected bytes or unicode string, got {kind} instead")
        self.connection = conn
        self.name = name
        self.arraysize = 1
        self.itersize = 2000
        self.description: tuple[Column, ...] | None = None
        self.rowcount = -1
        self.lastrowid = 0
        self.query: bytes | None = None
        self.statusmessage: str | None = None
        self.row_factory: Callable[[Any], Any] | None = None
        self.tzinfo_factory: Any = dt.timezone
        self.typecaster: Any = None
        self.string_types: dict[int, Type] = {}
        self._closed = False
        self._withhold = bool(withhold)
        self._scrollable: bool | None = None
        self.scrollable = scrollable
        self._rows: list[bytes] | None = None
        self._casts: list[Any] = []
        # The codec and, by column, what reads its bytes at once (if anything) and its function.
        self._reading: tuple[str, list[tuple[Any, Any]]] | None = None
        self._position = 0
        self._mark = -1
        self._declared = False

    # State

    @property
    def closed(self) -> bool:
        """Whether the cursor or its connection is closed."""
        return self._closed or bool(self.connection.closed)

    @property
    def rownumber(self) -> int:
        """The index of the next row."""
        return self._position

    @property
    def binary_types(self) -> None:
        """The typecasters for binary values, which there are none of."""
        return

    @property
    def pgresult_ptr(self) -> None:
        """Nothing: there is no libpq."""
        return

    @property
    def scrollable(self) -> bool | None:
        """Whether a named cursor can go back, None for the server's choice."""
        return self._scrollable

    @scrollable.setter
    def scrollable(self, value: Any) -> None:
        if value is not None and self.name is None:
            raise ProgrammingError("trying to set .scrollable on unnamed cursor")
        self._scrollable = None if value is None else bool(value)

    @property
    def withhold(self) -> bool:
        """Whether a named cursor outlives its transaction."""
        return self._withhold

    @withhold.setter
    def withhold(self, value: Any) -> None:
        if self.name is None:
            raise ProgrammingError("trying to set .withhold on unnamed cursor")
        self._withhold = bool(value)

    def _own_types(self) -> dict[int, Type]:
        return self.string_types

    def _check(self) -> None:
        if self.connection is None:
            raise InterfaceError("the cursor has no connection")
        if self.closed:
            raise InterfaceError("cursor already closed")

    def _check_unnamed(self, method: str) -> None:
        if self.name is not None:
            raise ProgrammingError(f"can't call .{method}() on named cursors")

    # Statements

    def mogrify(self, query: Any, vars: Any = None) -> bytes:
        """Return the statement as it would be sent."""
        return self._merge(query, vars)

    def _merge(self, query: Any, arguments: Any) -> bytes:
        return merge(read_statement(query, self.connection), arguments, self.connection)

    def execute(self, query: Any, vars: Any = None) -> None:
        """Run a statement; several, separated by ";", leave the last one's result."""
        self._check()
        self.connection._run_steps(self._execute(query, vars), "execute")

    def _execute(self, query: Any, arguments: Any = None) -> Steps:
        """Run a statement in steps; shared with the asynchronous driver."""
        self._check()
        connection = self.connection
        connection._refuse_prepared("execute")
        if self.name is not None:
            connection._refuse_async("named cursors")
            if self._declared:
                raise ProgrammingError("can't call .execute() on named cursors more than once")
            in_transaction = connection._session.transaction != b"I"
            if connection.autocommit and not self._withhold and not in_transaction:
                raise ProgrammingError("can't use a named cursor outside of transactions")
        sql = self._merge(query, arguments)
        self._forget()
        yield from connection._begin()
        if self.name is not None:
            sql = self._declaration() + sql
            self._declared = True
            self._mark = connection._mark
        yield from self._run(sql)

    def _declaration(self) -> bytes:
        scroll = {None: "", True: "SCROLL ", False: "NO SCROLL "}[self._scrollable]
        hold = "WITH" if self._withhold else "WITHOUT"
        text = f"DECLARE {self._quoted_name()} {scroll}CURSOR {hold} HOLD FOR "
        return text.encode(self.connection._codec)

    def _quoted_name(self) -> str:
        return '"' + str(self.name).replace('"', '""') + '"'

    def _forget(self) -> None:
        self._rows = None
        self.description = None
        self.rowcount = -1
        self.statusmessage = ""
        self._position = 0

    def _run(self, sql: bytes) -> Steps:
        """Send a statement and keep its result."""
        self.query = sql
        try:
            result = yield from self.connection._talk(sql, self)
        finally:
            self.connection._take_notifications()
        self._take(result)

    def _take(self, result: Result | None) -> None:
        if result is None:
            return
        if result.status.value == "empty":
            self.statusmessage = ""
            raise ProgrammingError("can't execute an empty query")
        self._position = 0
        self.statusmessage = result.tag.decode()
        self.rowcount = result.row_count
        self.lastrowid = 0
        words = result.tag.split()
        if len(words) == 3 and words[0] == b"INSERT":
            self.lastrowid = int(words[1])
        if result.fields is None:
            self._rows = None
            self.description = None
            return
        codec = self.connection._codec
        self.description = tuple(read_column(field, codec) for field in result.fields)
        self._casts = [self._find_function(column.type_code) for column in self.description]
        self._reading = None
        self._rows = result.rows
        self.rowcount = len(result.rows)

    def _find_cast(self, oid: int) -> Any:
        found = self.string_types.get(oid) or self.connection._find_type(oid)
        return found if found is not None else STRING

    def _find_function(self, oid: int) -> Any:
        found = self._find_cast(oid)
        return found.function if type(found) is Type else found

    def executemany(self, query: Any, vars_list: Iterable[Any]) -> None:
        """Run a statement for each of the arguments; results are not kept."""
        self._check()
        self.connection._refuse_async("executemany")
        self._check_unnamed("executemany")
        self.connection._drive(self._executemany(query, vars_list))

    def _executemany(self, query: Any, arguments: Iterable[Any]) -> Steps:
        total = 0
        self._forget()
        for values in arguments:
            yield from self._execute(query, values)
            total += max(self.rowcount, 0)
            if self.rowcount == -1:
                total = -1
        self._rows = None
        self.rowcount = total

    def callproc(self, procname: str, parameters: Any = None) -> Any:
        """Call a function and return the parameters; its result is fetched as rows."""
        self._check()
        self._check_unnamed("callproc")
        self.execute(*build_call(procname, parameters))
        return None if hasattr(parameters, "keys") else parameters

    # Rows

    def _build(self, body: bytes) -> Any:
        """Return a row from its message."""
        return self._build_all((body,))[0]

    def _build_all(self, bodies: Iterable[bytes]) -> list[Any]:
        """Return rows from their messages."""
        codec = self.connection._codec
        if self._reading is None or self._reading[0] != codec:
            readers = [(find_reader(function, codec), function) for function in self._casts]
            self._reading = codec, readers
        else:
            readers = self._reading[1]
        found = [self._read_cells(body, readers, codec) for body in bodies]
        if self.row_factory is None:
            return list(map(tuple, found))
        return [self._make_row(values) for values in found]

    def _read_cells(self, body: bytes, readers: list[tuple[Any, Any]], codec: str) -> list[Any]:
        """Return the values of a DataRow (`split_row`) through the typecasters."""
        values: list[Any] = []
        position = 2
        for direct, function in readers:
            (size,) = read_size(body, position)
            position += 4
            if size < 0:
                values.append(None if direct is not None else function(None, self))
                continue
            raw = body[position : position + size]
            position += size
            if direct is not None:
                values.append(direct(raw))
            else:
                values.append(function(raw.decode(codec), self))
        return values

    def _make_row(self, values: list[Any]) -> Any:
        assert self.row_factory is not None
        row = self.row_factory(self)
        for index, item in enumerate(values):
            row[index] = item
        return row

    def _check_rows(self) -> list[bytes]:
        self._check()
        self.connection._refuse_prepared("fetch")
        self.connection._refuse_executing("fetch")
        if self._rows is None:
            raise ProgrammingError("no results to fetch")
        return self._rows

    def _check_named(self) -> None:
        self._check()
        # A cursor that was declared otherwise, by its name, can be fetched from too.
        stale = self._declared and self._mark != self.connection._mark
        if stale and not self._withhold:
            raise ProgrammingError("named cursor isn't valid anymore")

    def _fetch_named(self, count: str) -> Steps:
        self._check_named()
        if not self._withhold:
            yield from self.connection._begin()
        sql = f"FETCH FORWARD {count} FROM {self._quoted_name()}"
        yield from self._run(sql.encode(self.connection._codec))

    def fetchone(self) -> Any:
        """Return the next row, None after the last."""
        if self.name is not None:
            rows = self._fetch_many(1)
            return rows[0] if rows else None
        rows = self._check_rows()
        if self._position >= len(rows):
            return None
        self._position += 1
        return self._build(rows[self._position - 1])

    def fetchmany(self, size: int | None = None) -> list[Any]:
        """Return up to `size` rows."""
        return self._fetch_many(self.arraysize if size is None else size)

    def _fetch_many(self, size: int) -> list[Any]:
        if self.name is not None:
            self.connection._drive(self._fetch_named(str(size)))
            found = self._rows or []
            self._position += len(found)
            return self._build_all(found)
        rows = self._check_rows()
        found = rows[self._position : self._position + size]
        self._position += len(found)
        return self._build_all(found)

    def fetchall(self) -> list[Any]:
        """Return all rows that are left."""
        if self.name is not None:
            self.connection._drive(self._fetch_named("ALL"))
            found = self._rows or []
        else:
            found = self._check_rows()[self._position :]
        self._position += len(found)
        return self._build_all(found)

    def __iter__(self) -> Iterator[Any]:
        if self.name is None:
            return self
        return self._iterate_named()

    def _iterate_named(self) -> Iterator[Any]:
        while True:
            self.connection._drive(self._fetch_named(str(self.itersize)))
            bodies = self._rows or []
            for body in bodies:
                self._position += 1
                yield self._build(body)
            if len(bodies) < self.itersize:
                return

    def __next__(self) -> Any:
        row = self.fetchone()
        if row is None:
            raise StopIteration
        return row

    def scroll(self, value: int, mode: str = "relative") -> None:
        """Move in the result; out of it is an error for a cursor without name."""
        self._check()
        if mode not in {"relative", "absolute"}:
            raise ProgrammingError("scroll mode must be 'relative' or 'absolute'")
        if self.name is not None:
            self._check_named()
            if self._scrollable is False and mode == "relative" and value < 0:
                pass  # the server says that it does not go back
            self.connection._drive(self._move(value, mode))
            return
        rows = self._check_rows()
        position = self._position + value if mode == "relative" else value
        if not 0 <= position < len(rows):
            raise ProgrammingError("scroll destination out of bounds")
        self._position = position

    def _move(self, value: int, mode: str) -> Steps:
        word = "ABSOLUTE" if mode == "absolute" else "FORWARD"
        sql = f"MOVE {word} {value} FROM {self._quoted_name()}"
        if not self._withhold:
            yield from self.connection._begin()
        yield from self._run(sql.encode(self.connection._codec))
        self._position = value if mode == "absolute" else self._position + value

    def nextset(self) -> None:
        """Refuse: only the last result of several statements is kept."""
        raise NotSupportedError("not supported by PostgreSQL")

    def setinputsizes(self, sizes: Any) -> None:
        """Do nothing, as the DB-API allows."""
        self._check()

    def setoutputsize(self, size: Any, column: Any = None) -> None:
        """Do nothing, as the DB-API allows."""
        self._check()

    def cast(self, oid: int, s: Any) -> Any:
        """Return a value from its text by the typecaster of an OID."""
        found = self._find_cast(oid)
        return found(s, self)

    # COPY

    def copy_expert(self, sql: Any, file: Any, size: int = 8192) -> None:
        """Run a COPY statement from or to a file-like object."""
        self._check()
        self.connection._refuse_async("copy_expert")
        self._check_unnamed("copy_expert")
        if not hasattr(file, "read") and not hasattr(file, "write"):
            raise TypeError(
                "file must be a readable file-like object for COPY FROM; "
                "a writable file-like object for COPY TO."
            )
        statement = read_statement(sql, self.connection)
        self.connection._drive(self._copy(statement, file, size))

    def _copy(self, sql: bytes, file: Any, size: int) -> Steps:
        connection = self.connection
        self._forget()
        yield from connection._begin()
        connection._copy = copy = FileCopy(file, size, connection._codec)
        try:
            yield from self._run(sql)
        except connection.DatabaseError:
            if copy.failure is not None and not isinstance(copy.failure, Exception):
                raise copy.failure from None
            raise
        finally:
            connection._copy = None
        self.statusmessage = ""
        if copy.failure is not None:
            raise copy.failure

    def copy_from(
        self,
        file: Any,
        table: str,
        sep: str = "\t",
        null: str = "\\N",
        size: int = 8192,
        columns: Iterable[str] | None = None,
    ) -> None:
        """Load a table from a file-like object in COPY's text format."""
        if not hasattr(file, "read"):
            raise TypeError("argument 1 must have a .read() method")
        self.copy_expert(self._copy_statement(table, "FROM stdin", sep, null, columns), file, size)

    def copy_to(
        self,
        file: Any,
        table: str,
        sep: str = "\t",
        null: str = "\\N",
        columns: Iterable[str] | None = None,
    ) -> None:
        """Write a table to a file-like object in COPY's text format."""
        if not hasattr(file, "write"):
            raise TypeError("argument 1 must have a .write() method")
        self.copy_expert(self._copy_statement(table, "TO stdout", sep, null, columns), file)

    def _copy_statement(
        self, table: str, direction: str, sep: str, null: str, columns: Iterable[str] | None
    ) -> str:
        self._check()
        names = ""
        if columns is not None:
            names = "(" + ",".join('"' + c.replace('"', '""') + '"' for c in columns) + ") "
        quoted = '"' + table.replace('"', '""') + '"'
        texts = [quote_text(text, self.connection) for text in (sep, null)]
        return f"COPY {quoted} {names}{direction} WITH DELIMITER AS {texts[0]} NULL AS {texts[1]}"

    # End

    def close(self) -> None:
        """Close the cursor, on the server too when it has a name there."""
        if self._closed:
            return
        connection = self.connection
        if self.name is not None and not connection.closed and self._is_alive():
            exists = f"SELECT 1 FROM pg_catalog.pg_cursors WHERE name = {self._literal_name()}"
            query = exists.encode(connection._codec)
            found = connection._drive(connection._talk(query)) if not self._declared else None
            if found is not None and not found.rows:
                self._closed = True
                return
            sql = f"CLOSE {self._quoted_name()}"
            connection._drive(connection._talk(sql.encode(connection._codec), self))
        self._closed = True

    def _literal_name(self) -> str:
        return quote_text(str(self.name), self.connection)

    def _is_alive(self) -> bool:
        state = self.connection._session.transaction
        if state == b"E":
            return False
        in_transaction = state == b"T" and (
            not self._declared or self._mark == self.connection._mark
        )
        return self._withhold or in_transaction

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        name = f" {self.name!r}" if self.name else ""
        return f"<cursor object at {id(self):#x}{name}; closed: {int(self.closed)}>"


def build_call(name: str, parameters: Any) -> tuple[str, Any]:
    """Return the statement that calls a function, and its arguments."""
    if not parameters:
        return f"SELECT * FROM {name}()", None
    if hasattr(parameters, "keys"):
        keys = list(parameters)
        if not all(isinstance(key, str) for key in keys):
            raise TypeError("argument 1 must be a string")
        quoted = ['"' + key.replace('"', '""') + '"' for key in keys]
        text = ",".join(f"{key}:=%s" for key in quoted)
        return f"SELECT * FROM {name}({text})", [parameters[key] for key in keys]
    text = ",".join(["%s"] * len(parameters))
    return f"SELECT * FROM {name}({text})", parameters
