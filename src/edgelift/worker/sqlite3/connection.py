"""The Connection of the driver: sqlite3.Connection over a D1 database."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Sequence
from types import TracebackType
from typing import Any, Literal, Self

from edgelift.worker.sqlite3 import errors, registry
from edgelift.worker.sqlite3.cursor import Cursor
from edgelift.worker.sqlite3.errors import NotSupportedError, ProgrammingError, make_error
from edgelift.worker.sqlite3.execution import (
    Outcome,
    Plan,
    read_plan,
    run_other,
    run_query,
    run_script,
    run_write,
)  # fmt: skip
from edgelift.worker.sqlite3.features import Features
from edgelift.worker.sqlite3.options import LEGACY_TRANSACTION_CONTROL, read_options
from edgelift.worker.sqlite3.pragmas import run_pragma
from edgelift.worker.sqlite3.real import real
from edgelift.worker.sqlite3.statement import QUERIES, WRITES, Statement, parse
from edgelift.worker.sqlite3.transactions import CONTROL, Transaction
from edgelift.worker.sqlite3.values import Value

log = logging.getLogger("edgelift.sqlite3")

_ISOLATION_LEVELS = frozenset({"", "DEFERRED", "IMMEDIATE", "EXCLUSIVE"})


class _ConnectionType(type):
    """Makes connections of the local sqlite3 instances of Connection too."""

    def __call__(cls, database: Any, /, *arguments: Any, **named: Any) -> Any:
        uri = read_options(arguments, named).uri if cls is Connection else False
        is_local = cls is Connection and registry.find_database(database, uri=uri) is None
        if is_local and real is not None:
            return real.Connection(database, *arguments, **named)
        return super().__call__(database, *arguments, **named)

    def __instancecheck__(cls, instance: object) -> bool:
        return super().__instancecheck__(instance) or (
            cls is Connection and real is not None and isinstance(instance, real.Connection)
        )


class Connection(Features, metaclass=_ConnectionType):
    """A connection to a database in D1, where every statement is committed at once."""

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

    def __init__(self, database: Any, /, *arguments: Any, **named: Any) -> None:
        super().__init__()
        options = read_options(arguments, named)
        found = registry.find_database(database, uri=options.uri)
        if found is None:
            raise NotSupportedError(f"{database!r} is no database of this Worker")
        self.database, self.path, self._read_only = found
        self.detect_types = options.detect_types
        self.row_factory: Callable[..., Any] | None = None
        self.text_factory: Any = str
        self.total_changes = 0
        self.last_rowid = 0
        self.pragma_values: dict[str, object] = {"busy_timeout": int(options.timeout * 1000)}
        self._transaction = Transaction(self.database.binding)
        self._closed = False
        self._autocommit: bool | int = LEGACY_TRANSACTION_CONTROL
        self._isolation_level: str | None = ""
        self.isolation_level = options.isolation_level
        self.autocommit = options.autocommit

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
        if source.verb in WRITES and source.first != "EXPLAIN":
            return self.run_write(plan, lambda: run_write(self.database, plan, bind()))
        values = bind()
        if not source.first:
            return Outcome()
        if source.first in CONTROL:
            self._transaction.run(source)
            return Outcome()
        self.check_functions(plan)
        if source.is_query:
            return run_query(self.database, plan, values)
        return self._run_pragma(source) or self._run_schema(plan, values)

    def _run_pragma(self, source: Statement) -> Outcome | None:
        """Return the outcome of what is answered without D1, None for everything else."""
        if source.first == "VACUUM" and len(source.tokens) == 1:
            return Outcome()  # D1 looks after its files itself
        answered = run_pragma(self, source) if source.first == "PRAGMA" else None
        return Outcome(answered[0] or None, answered[1]) if answered is not None else None

    def _run_schema(self, plan: Plan, values: Sequence[Value]) -> Outcome:
        changes_schema = plan.source.first not in {"EXPLAIN", "PRAGMA"}
        if changes_schema:
            self._check_writable()
        outcome = run_other(self.database, plan, values)
        if changes_schema:
            self._transaction.note_write()
        return outcome

    def run_write(self, plan: Plan, work: Callable[[], Outcome]) -> Outcome:
        """Run a write in the transaction CPython would open for it, and count what it did."""
        self.check_functions(plan)
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
        """Commit, then run statements, those between PRAGMAs and BEGINs as one atomic batch."""
        self._transaction.end()
        pending: list[str] = []
        for sql in statements:
            plan = read_plan(sql)
            if plan.source.first in CONTROL or plan.source.first in {"PRAGMA", "VACUUM"}:
                self._run_batch(pending)
                pending = []
                self.run(plan, list)
            else:
                self.check_functions(plan)
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
                "edgelift: LOST ROLLBACK: a connection to D1 (%s) was closed with %d uncommitted "
                "write(s); the rows stay",
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
