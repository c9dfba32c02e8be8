"""The Cursor of the driver: executes statements and hands their rows out."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any

from edgelift.worker.sqlite3.adapting import converters
from edgelift.worker.sqlite3.decltypes import read_types
from edgelift.worker.sqlite3.errors import ProgrammingError
from edgelift.worker.sqlite3.execution import Outcome, Plan, read_plan
from edgelift.worker.sqlite3.local_cursor import LocalConnection, make_local
from edgelift.worker.sqlite3.real import real
from edgelift.worker.sqlite3.tokens import split_statements
from edgelift.worker.sqlite3.values import bind_values

if TYPE_CHECKING:
    from edgelift.worker.sqlite3.connection import Connection

PARSE_DECLTYPES, PARSE_COLNAMES = 1, 2
Converter = Callable[[bytes], Any]


class _CursorType(type):
    """Makes cursors of the local sqlite3 instances of Cursor too, and cursors for it."""

    def __call__(cls, connection: Any, /, *arguments: Any, **named: Any) -> Any:
        kind = make_local(cls) if isinstance(connection, LocalConnection) else cls
        return type.__call__(kind, connection, *arguments, **named)

    def __instancecheck__(cls, instance: object) -> bool:
        return super().__instancecheck__(instance) or (
            cls is Cursor and real is not None and isinstance(instance, real.Cursor)
        )


class Cursor(metaclass=_CursorType):
    """Executes SQL on D1; the whole result is there after `execute`."""

    __module__ = "sqlite3"

    def __init__(self, connection: Connection, /) -> None:
        self.connection = connection
        self.row_factory: Callable[..., Any] | None = None
        self.arraysize = 1
        self.description: tuple[tuple[Any, ...], ...] | None = None
        self.rowcount = -1
        self.lastrowid: int | None = None
        self._rows: list[tuple[Any, ...]] = []
        self._next = 0
        self._converters: list[Converter | None] | None = None
        self._changes: int | None = None
        self._closed = False

    def execute(self, sql: str, parameters: Any = (), /) -> Cursor:
        """Run one statement; raises the errors of CPython's sqlite3."""
        plan = self._start(sql, "execute")
        connection = self.connection
        outcome = connection.run(plan, lambda: bind_values(plan.source, parameters))
        if plan.source.first:
            self._take(plan, outcome)
            self.lastrowid = connection.last_rowid
        return self

    def executemany(self, sql: str, seq_of_parameters: Iterable[Any], /) -> Cursor:
        """Run a write once for each parameters of the iterable, as atomic batches."""
        plan = self._start(sql, "executemany")
        if not plan.source.is_write:
            raise ProgrammingError("executemany() can only execute DML statements.")
        rows = (bind_values(plan.source, parameters) for parameters in seq_of_parameters)
        outcome = self.connection.run_write(plan, lambda: self.connection.write_many(plan, rows))
        self.rowcount = outcome.changes or 0
        return self

    def executescript(self, sql_script: str, /) -> Cursor:
        """Run the statements of a script; an open transaction is committed before."""
        self._check()
        if not isinstance(sql_script, str):
            name = type(sql_script).__name__
            raise TypeError(f"executescript() argument must be str, not {name}")
        if "\0" in sql_script:
            raise ValueError("embedded null character")
        self.connection.run_script(list(split_statements(sql_script)))
        return self

    def _start(self, sql: str, method: str) -> Plan:
        if not isinstance(sql, str):
            name = type(sql).__name__
            raise TypeError(f"{method}() argument 1 must be str, not {name}")
        self._check()
        self._rows, self._next, self._changes = [], 0, None
        self.description, self.rowcount = None, -1
        if "\0" in sql:
            raise ProgrammingError("the query contains a null character")
        sql.encode()
        plan = read_plan(sql)
        if plan.source.multiple:
            raise ProgrammingError("You can only execute one statement at a time.")
        if self.connection.trace:
            self.connection.trace(plan.source.sql)
        return plan

    def _take(self, plan: Plan, outcome: Outcome) -> None:
        if plan.source.is_write:
            self.rowcount = outcome.changes or 0
            if outcome.rows:
                # CPython counts the changes when the last row was read.
                self.rowcount, self._changes = 0, outcome.changes
        if outcome.names is None:
            return
        detect = self.connection.detect_types
        self._converters = self._find_converters(plan, outcome.names) if detect else None
        names = outcome.names
        if detect & PARSE_COLNAMES:
            names = [_cut_name(name) for name in names]
        self.description = tuple((name, None, None, None, None, None, None) for name in names)
        self._rows = outcome.rows

    def _find_converters(self, plan: Plan, names: list[str]) -> list[Converter | None]:
        found: list[Converter | None] = [None] * len(names)
        detect = self.connection.detect_types
        if detect & PARSE_DECLTYPES and plan.source.columns:
            types = read_types(plan.source, self.connection.database)
            if len(types) == len(names):
                keys = [declared.partition("(")[0].partition(" ")[0] for declared in types]
                found = [converters.get(key.upper()) for key in keys]
        if detect & PARSE_COLNAMES:
            for index, name in enumerate(names):
                key = name.partition("[")[2].partition("]")[0]
                found[index] = converters.get(key.upper()) or found[index]
        return found

    def _check(self) -> None:
        if self._closed:
            raise ProgrammingError("Cannot operate on a closed cursor.")
        self.connection.check_open()

    def _read_row(self) -> Any:
        """Return the next row, through converters and factories; there must be one."""
        row = self._rows[self._next]
        self._next += 1
        if self._next == len(self._rows) and self._changes is not None:
            self.rowcount = self._changes
        text_factory = self.connection.text_factory
        if self._converters is not None or text_factory is not str:
            row = tuple(
                _convert(cell, index, self._converters, text_factory)
                for index, cell in enumerate(row)
            )
        return row if self.row_factory is None else self.row_factory(self, row)

    def _read_rows(self, count: int) -> list[Any]:
        """Return the next rows, at once where nothing looks at each of them."""
        plain = self._converters is None and self.connection.text_factory is str
        if self.row_factory is not None or not plain:
            return [self._read_row() for _ in range(count)]
        start = self._next
        self._next += count
        if count and self._next == len(self._rows) and self._changes is not None:
            self.rowcount = self._changes
        return self._rows[start : self._next]

    def fetchone(self) -> Any:
        """Return the next row, None after the last."""
        self._check()
        return self._read_row() if self._next < len(self._rows) else None

    def fetchmany(self, size: int | None = None) -> list[Any]:
        """Return up to `size` rows (`arraysize` by default); a negative or zero size is all."""
        self._check()
        wanted = self.arraysize if size is None else size
        left = len(self._rows) - self._next
        return self._read_rows(min(wanted, left) if wanted > 0 else left)

    def fetchall(self) -> list[Any]:
        """Return all rows that are left."""
        self._check()
        return self._read_rows(len(self._rows) - self._next)

    def close(self) -> None:
        """Close the cursor; it cannot be used again."""
        self.connection.check_open()
        self._closed = True
        self._rows = []

    def setinputsizes(self, sizes: Any, /) -> None:
        """Do nothing, as DB-API allows."""

    def setoutputsize(self, size: Any, column: Any = None, /) -> None:
        """Do nothing, as DB-API allows."""

    def __iter__(self) -> Iterator[Any]:
        return self

    def __next__(self) -> Any:
        self._check()
        if self._next >= len(self._rows):
            raise StopIteration
        return self._read_row()


def _cut_name(name: str) -> str:
    """Return "x" of the column name "x [type]"."""
    head, bracket, _ = name.partition("[")
    return head.removesuffix(" ") if bracket else name


def _convert(
    cell: Any, index: int, converters: list[Converter | None] | None, text_factory: Any
) -> Any:
    converter = converters[index] if converters else None
    if cell is None:
        return None
    if converter is not None:
        return converter(_to_bytes(cell))
    if isinstance(cell, str) and text_factory is not str:
        content = cell.encode()
        return bytearray(content) if text_factory is bytearray else text_factory(content)
    return cell


def _to_bytes(cell: Any) -> bytes:
    """Return the text of a cell as SQLite's sqlite3_column_blob gives it."""
    if isinstance(cell, bytes):
        return cell
    if isinstance(cell, float):
        text = format(cell, ".15g")
        return (text if any(c in text for c in ".en") else f"{text}.0").encode()
    return str(cell).encode()
