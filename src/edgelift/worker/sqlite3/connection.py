"""The Connection of the driver: sqlite3.Connection over a D1 database."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from types import TracebackType
from typing import Any, Literal, Self

from edgelift.worker.sqlite3 import errors, registry
from edgelift.worker.sqlite3.cursor import Cursor
from edgelift.worker.sqlite3.errors import NotSupportedError, ProgrammingError, make_error
from edgelift.worker.sqlite3.execution import (
    Outcome, Plan, read_plan, run_other, run_query, run_script, run_write,
)  # fmt: skip
from edgelift.worker.sqlite3.pragmas import run_pragma
from edgelift.worker.sqlite3.real import dump, real
from edgelift.worker.sqlite3.statement import QUERIES, WRITES, parse
from edgelift.worker.sqlite3.transactions import CONTROL, Transaction
from edgelift.worker.sqlite3.values import Value

log = logging.getLogger("edgelift.sqlite3")

LEGACY_TRANSACTION_CONTROL = -1
_ISOLATION_LEVELS = frozenset({"", "DEFERRED", "IMMEDIATE", "EXCLUSIVE"})
# Functions that applications register because an old SQLite lacks them, and that D1 has with the same meaning.
_BUILT_IN = frozenset(
    {
        "acos", "asin", "atan", "atan2", "ceil", "cos", "degrees", "exp", "floor", "ln", "log", "log2",
        "mod", "pi", "pow", "radians", "sign", "sin", "sqrt", "tan", "trunc",
    }
)  # fmt: skip


class _ConnectionType(type):
    """Makes connections of the local sqlite3 instances of Connection too."""

    def __call__(cls, database: Any, *arguments: Any, **named: Any) -> Any:
        if cls is Connection and real is not None and "uri" not in named:
            if registry.find_database(database) is None:
                return real.Connection(database, *arguments, **named)
        return super().__call__(database, *arguments, **named)

    def __instancecheck__(cls, instance: object) -> bool:
        return super().__instancecheck__(instance) or (
            cls is Connection and real is not None and isinstance(instance, real.Connection)
        )


class Connection(metaclass=_ConnectionType):
    """A connection to a configured database, which lives in D1; every statement is committed at once."""

    __module__ = "sqlite3"

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

    def __init__(
        self,
        database: Any,
        timeout: float = 5.0,
        detect_types: int = 0,
        isolation_level: str | None = "",
        check_same_thread: bool = True,
        factory: Any = None,
        cached_statements: int = 128,
        uri: bool = False,
        *,
        autocommit: bool | int = LEGACY_TRANSACTION_CONTROL,
    ) -> None:
        found = registry.find_database(database, uri=uri)
        if found is None:
            raise NotSupportedError(f"{database!r} is no database of this Worker")
        self.database, self.path, self._read_only = found
        self.detect_types = detect_types
        self.row_factory: Callable[..., Any] | None = None
        self.text_factory: Any = str
        self.total_changes = 0
        self.last_rowid = 0
        self.trace: Callable[[str], object] | None = None
        self.pragma_values: dict[str, object] = {"busy_timeout": int(timeout * 1000)}
        self._functions: set[str] = set()
        self._collations: set[str] = set()
        self._transaction = Transaction(self.database.binding)
        self._closed = False
        self._autocommit: bool | int = LEGACY_TRANSACTION_CONTROL
        self._isolation_level: str | None = ""
        self.isolation_level = isolation_level
        self.autocommit = autocommit

    # Statements

    def cursor(self, factory: Callable[[Any], Any] | None = None) -> Any:
        """Return a new cursor, made by `factory` when given."""
        self.check_open()
        made = (factory or Cursor)(self)
        if not isinstance(made, Cursor):
            raise TypeError(f"factory must return a cursor, not {type(made).__name__}")
        if self.row_factory is not None:
            made.row_factory = self.row_factory
        return made

    def execute(self, sql: str, parameters: Any = (), /) -> Any:
        """Run one statement on a new cursor and return the cursor."""
        return self.cursor().execute(sql, parameters)

    def executemany(self, sql: str, parameters: Iterable[Any], /) -> Any:
        """Run a write for each parameters on a new cursor and return the cursor."""
        return self.cursor().executemany(sql, parameters)

    def executescript(self, sql_script: str, /) -> Any:
        """Run a script on a new cursor and return the cursor."""
        return self.cursor().executescript(sql_script)

    def run(self, plan: Plan, bind: Callable[[], Sequence[Value]]) -> Outcome:
        """Run a plan with the values that `bind` returns; the cursor's way to the database."""
        source = plan.source
        if not source.first:
            bind()
            return Outcome()
        if source.first in CONTROL:
            bind()
            self._transaction.run(source)
            return Outcome()
        if source.verb in WRITES and source.first != "EXPLAIN":
            return self.run_write(plan, lambda: run_write(self.database, plan, bind()))
        values = bind()
        self._check_functions(plan)
        if source.is_query:
            return run_query(self.database, plan, values)
        if source.first == "PRAGMA":
            answered = run_pragma(self, source)
            if answered is not None:
                return Outcome(answered[0] or None, answered[1])
        elif source.first == "VACUUM" and len(source.tokens) == 1:
            return Outcome()  # D1 looks after its files itself
        return self._run_schema(plan, values)

    def _run_schema(self, plan: Plan, values: Sequence[Value]) -> Outcome:
        changes_schema = plan.source.first not in {"EXPLAIN", "PRAGMA"}
        if changes_schema:
            self._check_writable()
        outcome = run_other(self.database, plan, values)
        if changes_schema:
            self._transaction.note_write()
        return outcome

    def run_write(self, plan: Plan, work: Callable[[], Outcome]) -> Outcome:
        """Run a write inside the transaction CPython would have opened for it, and count what it did."""
        self._check_functions(plan)
        self._check_writable()
        implicit = (
            plan.source.is_write
            and not self._transaction.open
            and self._autocommit == LEGACY_TRANSACTION_CONTROL
            and self._isolation_level is not None
        )
        if implicit:
            self._transaction.begin()
        try:
            outcome = work()
        except errors.OperationalError:
            if implicit and not self._transaction.writes:
                self._transaction.end()  # CPython refuses such a statement before it begins
            raise
        if outcome.total_changes:  # triggers included
            self.total_changes += outcome.total_changes
            self._transaction.note_write()
        if outcome.changes and plan.source.verb in {"INSERT", "REPLACE"}:
            self.last_rowid = outcome.last_rowid or 0
        return outcome

    def run_script(self, statements: Sequence[str]) -> None:
        """Commit, then run statements; those between PRAGMAs and transaction statements are one atomic batch."""
        self._transaction.end()
        pending: list[str] = []
        for sql in statements:
            plan = read_plan(sql)
            if plan.source.first in CONTROL or plan.source.first in {"PRAGMA", "VACUUM"}:
                self._run_batch(pending)
                pending = []
                self.run(plan, list)
            else:
                self._check_functions(plan)
                pending.append(sql)
        self._run_batch(pending)
        if self._autocommit is False:
            self._transaction.begin()

    def _run_batch(self, statements: Sequence[str]) -> None:
        if not statements:
            return
        verbs = {parse(sql).verb for sql in statements}
        if verbs - QUERIES:
            self._check_writable()
        outcome = run_script(self.database, statements)
        self.total_changes += outcome.total_changes
        if verbs & {"INSERT", "REPLACE"} and outcome.total_changes:
            self.last_rowid = outcome.last_rowid or 0
        self._transaction.note_write()

    def check_open(self) -> None:
        """Raise ProgrammingError when the connection is closed."""
        if self._closed:
            raise ProgrammingError("Cannot operate on a closed database.")

    def _check_writable(self) -> None:
        if self._read_only or self.pragma_values.get("query_only"):
            raise make_error("attempt to write a readonly database", "SQLITE_READONLY")

    def _check_functions(self, plan: Plan) -> None:
        """Raise OperationalError when the SQL needs what was registered in Python: D1 runs no Python."""
        for name in plan.source.functions & self._functions:
            raise make_error(
                f"no such function: {name} (the application registered it in Python, which D1 cannot call)",
                "SQLITE_ERROR",
            )
        for name in plan.source.collations & self._collations:
            raise make_error(
                f"no such collation sequence: {name} (registered in Python, which D1 cannot call)",
                "SQLITE_ERROR",
            )

    # Transactions

    @property
    def in_transaction(self) -> bool:
        """Whether a transaction would be open in SQLite."""
        return self._transaction.open

    @property
    def isolation_level(self) -> str | None:
        """How transactions begin by themselves; None: not at all."""
        return self._isolation_level

    @isolation_level.setter
    def isolation_level(self, level: str | None) -> None:
        if level is not None and not isinstance(level, str):
            raise TypeError("isolation_level must be str or None")
        if level is not None and level.upper() not in _ISOLATION_LEVELS:
            allowed = "'', 'DEFERRED', 'IMMEDIATE', or 'EXCLUSIVE'"
            raise ValueError(f"isolation_level string must be one of {allowed}")
        if level is None:
            self._transaction.end()
        self._isolation_level = level

    @property
    def autocommit(self) -> bool | int:
        """True, False or LEGACY_TRANSACTION_CONTROL (-1), as since Python 3.12."""
        return self._autocommit

    @autocommit.setter
    def autocommit(self, value: bool | int) -> None:
        if value is not True and value is not False and value != LEGACY_TRANSACTION_CONTROL:
            raise ValueError(
                "autocommit must be True, False, or sqlite3.LEGACY_TRANSACTION_CONTROL"
            )
        if value is True:
            self._transaction.end()
        elif value is False:
            self._transaction.begin()
        self._autocommit = value

    def commit(self) -> None:
        """End the transaction; its statements have been committed one by one."""
        self.check_open()
        if self._autocommit is not True:
            self._transaction.end()
            self._reopen()

    def rollback(self) -> None:
        """End the transaction; raises LostRollbackError when it wrote, for D1 cannot undo that."""
        self.check_open()
        if self._autocommit is True:
            return
        try:
            self._transaction.roll_back()
        finally:
            self._reopen()

    def _reopen(self) -> None:
        if self._autocommit is False:
            self._transaction.begin()

    def close(self) -> None:
        """Close the connection; writes that were not committed stay in D1, which the log says."""
        if not self._closed and self._transaction.writes:
            log.error(
                "edgelift: LOST ROLLBACK: a connection to D1 (%s) was closed with %d uncommitted write(s); the rows stay",
                self.database.binding,
                self._transaction.writes,
            )
        self._transaction.end()
        self._closed = True

    def __enter__(self) -> Self:
        self.check_open()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> Literal[False]:
        if kind is None:
            self.commit()
        else:
            self.rollback()
        return False

    def __call__(self, sql: str, /) -> Any:
        """Refuse to hand out a bare statement object, which nothing but CPython's tests uses."""
        raise NotSupportedError("statement objects do not exist for D1; use execute()")

    # What needs Python inside the database

    def create_function(
        self, name: str, narg: int, func: Callable[..., Any] | None, *, deterministic: bool = False
    ) -> None:
        """Record the function; a statement that calls it fails with OperationalError."""
        self._record(name, func, self._functions)

    def create_aggregate(self, name: str, n_arg: int, aggregate_class: Any) -> None:
        """Record the aggregate; a statement that calls it fails with OperationalError."""
        self._record(name, aggregate_class, self._functions)

    def create_window_function(self, name: str, num_params: int, aggregate_class: Any, /) -> None:
        """Record the window function; a statement that calls it fails with OperationalError."""
        self._record(name, aggregate_class, self._functions)

    def create_collation(self, name: str, callback: Callable[[str, str], int] | None, /) -> None:
        """Record the collation; a statement that names it fails with OperationalError."""
        self._record(name, callback, self._collations)

    def _record(self, name: str, made: object, registered: set[str]) -> None:
        self.check_open()
        if made is None:
            registered.discard(name.lower())
        elif name.lower() not in _BUILT_IN:
            registered.add(name.lower())

    def set_trace_callback(self, trace_callback: Callable[[str], object] | None) -> None:
        """Call back with the text of each statement before it runs (parameters are not filled in)."""
        self.check_open()
        self.trace = trace_callback

    def set_authorizer(self, authorizer_callback: Any) -> None:
        """Accept an authorizer, which D1 will not ask; the log says so."""
        self._warn_unused("set_authorizer", authorizer_callback)

    def set_progress_handler(self, progress_handler: Any, n: int) -> None:
        """Accept a progress handler, which D1 will not call; the log says so."""
        self._warn_unused("set_progress_handler", progress_handler)

    def _warn_unused(self, method: str, callback: object) -> None:
        self.check_open()
        if callback is not None:
            log.warning("edgelift: %s has no effect on D1 (%s)", method, self.database.binding)

    def interrupt(self) -> None:
        """Do nothing: no statement of this connection runs while its Python does."""
        self.check_open()

    # Copies

    def iterdump(self, *, filter: str | None = None) -> Iterator[str]:
        """Yield the SQL text that rebuilds the database."""
        self.check_open()
        if dump is None:
            raise NotSupportedError("iterdump() needs the interpreter's sqlite3, which is missing")
        named = {"filter": filter} if filter is not None else {}
        return dump(self, **named)

    def backup(
        self,
        target: Any,
        *,
        pages: int = -1,
        progress: Callable[[int, int, int], object] | None = None,
        name: str = "main",
        sleep: float = 0.25,
    ) -> None:
        """Copy all tables, rows and indexes into another connection, as SQL."""
        self.check_open()
        if not isinstance(target, Connection):
            raise TypeError("backup() argument 1 must be sqlite3.Connection")
        target.executescript("\n".join(self.iterdump()))
        if progress is not None:
            progress(0, 0, 0)

    def _refuse(self, *_arguments: Any, **_named: Any) -> Any:
        raise NotSupportedError("D1 does not give access to the database file")

    blobopen = serialize = deserialize = load_extension = _refuse

    def enable_load_extension(self, enable: bool, /) -> None:
        """Allow nothing: D1 loads no extensions; load_extension raises NotSupportedError."""
        self.check_open()

    def getlimit(self, category: int, /) -> int:
        """Return SQLite's default limit of a category; raises ProgrammingError for an unknown one."""
        self.check_open()
        if category not in _LIMITS:
            raise ProgrammingError("'category' is out of bounds")
        return _LIMITS[category]

    def setlimit(self, category: int, limit: int, /) -> int:
        """Return the limit, which D1 does not let an application change."""
        return self.getlimit(category)


# By SQLITE_LIMIT_*; D1 limits page where D1 has its own.
_LIMITS = {
    0: 2_000_000, 1: 100_000, 2: 100, 3: 100, 4: 5, 5: 25_000, 6: 32, 7: 0, 8: 50, 9: 32_766, 10: 10, 11: 0,
}  # fmt: skip
