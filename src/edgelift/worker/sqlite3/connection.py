"""The Connection of the driver: sqlite3.Connection over D1 or a SQL object."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from types import TracebackType
from typing import Any, Literal, Self

from edgelift.worker.sqlite3 import errors, faults, registry
from edgelift.worker.sqlite3.cursor import Cursor
from edgelift.worker.sqlite3.errors import NotSupportedError, ProgrammingError, make_error
from edgelift.worker.sqlite3.execution import (
    Outcome,
    Plan,
    add_outcome,
    read_plan,
    run_many,
    run_other,
    run_query,
    run_script,
    run_write,
    sum_up_partial,
)  # fmt: skip
from edgelift.worker.sqlite3.expansion import expand_calls
from edgelift.worker.sqlite3.expressions import REFUSAL
from edgelift.worker.sqlite3.features import Features
from edgelift.worker.sqlite3.foreign_keys import defer_checks, defers_checks, run_rename
from edgelift.worker.sqlite3.local_copy import run_locally
from edgelift.worker.sqlite3.local_cursor import LocalConnection
from edgelift.worker.sqlite3.local_writes import run_write_locally
from edgelift.worker.sqlite3.object_transaction import ObjectTransaction
from edgelift.worker.sqlite3.options import LEGACY_TRANSACTION_CONTROL, read_options
from edgelift.worker.sqlite3.pragmas import run_pragma
from edgelift.worker.sqlite3.real import real
from edgelift.worker.sqlite3.statement import QUERIES, WRITES, Statement, parse
from edgelift.worker.sqlite3.transactions import CONTROL
from edgelift.worker.sqlite3.values import Value

# What D1 refuses and the interpreter's own SQLite has or allows (D1 limits page: patterns of 50
# bytes, 100 columns, 5 terms of a compound, 100 parameters, 100,000 bytes).
_MISSING = re.compile(r"no such function: (\w+)( \(D1 does not offer it\)|)")
_REFUSED = re.compile(
    r"pattern too complex|too many terms in compound|too many columns in result set"
    r"|Expression tree is too large|too many SQL variables|query string is too large"
    r"|too many arguments on function|statement too long"
)
_COMMITS = frozenset({"COMMIT", "END"})
_ISOLATION_LEVELS = frozenset({"", "DEFERRED", "IMMEDIATE", "EXCLUSIVE"})


class _ConnectionType(type):
    """Makes connections of the local sqlite3 instances of Connection too."""

    def __call__(cls, database: Any, /, *arguments: Any, **named: Any) -> Any:
        uri = read_options(arguments, named).uri if cls is Connection else False
        is_local = cls is Connection and registry.find_database(database, uri=uri) is None
        if is_local and real is not None:
            return LocalConnection(database, *arguments, **named)
        return super().__call__(database, *arguments, **named)

    def __instancecheck__(cls, instance: object) -> bool:
        return super().__instancecheck__(instance) or (
            cls is Connection and real is not None and isinstance(instance, real.Connection)
        )


class Connection(Features, metaclass=_ConnectionType):
    """A connection to a database of the Worker.

    In D1 every statement is committed at once; a SQL object has real transactions.
    """

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
        shared, self.path, self._read_only = found
        self.database, self._transaction = shared.connect(int(options.timeout * 1000))
        self.detect_types = options.detect_types
        self.row_factory: Callable[..., Any] | None = None
        self.text_factory: Any = str
        self.total_changes = 0
        self.last_rowid = 0
        self.pragma_values: dict[str, object] = {"busy_timeout": int(options.timeout * 1000)}
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
            return self.run_write(plan, lambda: self.write(plan, bind()))
        values = bind()
        if not source.first:
            return Outcome()
        if source.first in CONTROL:
            if source.first in _COMMITS:
                faults.meet(faults.COMMIT)
            self._transaction.run(source)
            return Outcome()
        if source.is_query:
            return self._read(plan, values)
        return self._run_pragma(source) or self._define(plan, values)

    def _define(self, plan: Plan, values: Sequence[Value]) -> Outcome:
        """Run what is no query and no write; definitions have no calls of Python in them.

        Those of Django (DEFAULT, CHECK, generated columns) are kept as plain SQL.
        """
        kept = self._expand(plan, values) if plan.source.first == "CREATE" else None
        if kept is None or kept is plan or "VIEW" in {t.upper for t in plan.source.tokens[:3]}:
            self.check_schema(plan)
            return self._run_schema(plan, values)
        try:
            return self._run_schema(kept, values)
        except errors.OperationalError:
            self.check_schema(plan)  # names the function that has no such form
            raise

    def _read(self, plan: Plan, values: Sequence[Value]) -> Outcome:
        """Run a query, on a copy of its tables where D1 cannot."""
        sent = self._expand(plan, values)
        if sent is None:
            return run_locally(self.database, self.callbacks, plan.source, values)
        try:
            return run_query(self.database, sent, values).named_by(plan)
        except errors.DatabaseError as error:
            if not self._may_copy(error, expanded=sent is not plan):
                raise
            return self._read_copy(plan, values, error)

    def _expand(self, plan: Plan, values: Sequence[Value]) -> Plan | None:
        """Return the plan without calls of Python, None where these have no expression."""
        if not self.callbacks.names_in(plan.source):
            return plan
        expanded = expand_calls(plan.source, values, self.callbacks)
        return None if expanded is None else read_plan(expanded.sql)

    def _read_copy(
        self, plan: Plan, values: Sequence[Value], refusal: errors.DatabaseError
    ) -> Outcome:
        try:
            return run_locally(self.database, self.callbacks, plan.source, values)
        except errors.DatabaseError as error:
            if self.callbacks.names_in(plan.source):
                raise
            raise refusal from error

    def _may_copy(self, error: Exception, *, expanded: bool) -> bool:
        """Return whether D1 refused what the interpreter's own SQLite may well do."""
        if expanded and str(error).startswith(REFUSAL):
            return True
        missing = _MISSING.match(str(error))
        if missing:
            return missing[1].lower() in self.callbacks.functions or missing[2] != ""
        return bool(_REFUSED.search(str(error)))

    def write(self, plan: Plan, values: Sequence[Value]) -> Outcome:
        """Run a write, with what it computes read from a copy where D1 cannot."""
        sent = self._expand(plan, values)
        if sent is None:
            return run_write_locally(self.database, self.callbacks, plan, values)
        try:
            return run_write(self.database, sent, values).named_by(plan)
        except errors.DatabaseError as refusal:
            if not self._may_copy(refusal, expanded=sent is not plan):
                raise
            if sent is not plan:
                return run_write_locally(self.database, self.callbacks, plan, values)
            try:
                return run_write_locally(self.database, self.callbacks, plan, values)
            except errors.DatabaseError as error:
                raise refusal from error

    def write_many(self, plan: Plan, rows: Iterable[Sequence[Value]]) -> Outcome:
        """Run a write for each list of values."""
        if not self.callbacks.names_in(plan.source):
            return run_many(self.database, plan, list(rows))
        total = Outcome(changes=0)
        for values in rows:
            add_outcome(total, self.write(plan, values))
        return total

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
            # CPython checks none unless it was told to: schema editors drop what others refer to.
            if self._defers_checks(unless_asked=True) and run_rename(self.database, plan.source):
                self._transaction.note_write()
                return Outcome()
        outcome = run_other(self.database, plan, values)
        if changes_schema:
            self._transaction.note_write()
        return outcome

    def _defers_checks(self, *, unless_asked: bool = False) -> bool:
        """Return whether foreign keys wait for the end of the transaction, and make it so.

        They do after PRAGMA foreign_keys=OFF; with `unless_asked` also where none was given.
        """
        transaction = self._transaction
        if (
            self.pragma_values.get("foreign_keys", not unless_asked) != 0
            or not transaction.open
            or not isinstance(transaction, ObjectTransaction)
        ):
            return False
        if not transaction.defers:
            defer_checks(self.database)
            transaction.defers = True
        return True

    def run_write(self, plan: Plan, work: Callable[[], Outcome]) -> Outcome:
        """Run a write in the transaction CPython would open for it, and count what it did."""
        self._check_writable()
        implicit = (
            plan.source.is_write
            and not self._transaction.open
            and self._autocommit == LEGACY_TRANSACTION_CONTROL
            and self._isolation_level is not None
        )
        if plan.source.is_write:
            faults.meet(faults.WRITE)
        if implicit:
            self._transaction.begin(self._isolation_level or "")
        try:
            self._defers_checks()
            outcome = work()
        except errors.OperationalError:
            if implicit and not self._transaction.writes:
                self._transaction.cancel()  # CPython refuses such a statement before it begins
            raise
        except errors.Error:
            self._note_changes(plan, sum_up_partial(self.database))
            if plan.rolls_back:
                self._transaction.roll_back()
            raise
        self._note_changes(plan, outcome)
        if plan.source.is_write:
            faults.meet(faults.WRITTEN)
        return outcome

    def _note_changes(self, plan: Plan, outcome: Outcome) -> None:
        if outcome.total_changes:  # triggers included
            self.total_changes += outcome.total_changes
            self._transaction.note_write()
        if outcome.changes and plan.source.verb in {"INSERT", "REPLACE"}:
            self.last_rowid = outcome.last_rowid or 0

    def run_script(self, statements: Sequence[str]) -> None:
        """Commit, then run statements, those between PRAGMAs and BEGINs in one message.

        PRAGMA defer_foreign_keys goes with them: a batch of D1 is the transaction that it is for.
        """
        self._transaction.commit()
        pending: list[str] = []
        for sql in statements:
            plan = read_plan(sql)
            if pending and plan.source.first in _COMMITS and self._commits_with_statements():
                faults.meet(faults.COMMIT)
                self._run_batch(pending, commits=True)
                pending = []
            elif plan.source.first in CONTROL or (
                plan.source.first in {"PRAGMA", "VACUUM"} and not defers_checks(plan.source)
            ):
                self._run_batch(pending)
                pending = []
                self.run(plan, list)
            else:
                self._check_script(plan)
                pending.append(sql)
        self._run_batch(pending)
        if self._autocommit is False:
            self._transaction.begin()

    def _check_script(self, plan: Plan) -> None:
        self.check_schema(plan)
        names = self.callbacks.names_in(plan.source)
        if plan.source.first != "CREATE" and names:
            raise NotSupportedError(
                f"{names[0]} is registered in Python, which D1 cannot call: no script may use it"
            )

    def _commits_with_statements(self) -> bool:
        return isinstance(self._transaction, ObjectTransaction) and self._transaction.open

    def _run_batch(self, statements: Sequence[str], *, commits: bool = False) -> None:
        if not statements:
            return
        verbs = {parse(sql).verb for sql in statements}
        if verbs - QUERIES:
            self._check_writable()
        outcome = run_script(self.database, statements, commits=commits)
        self.total_changes += outcome.total_changes
        if verbs & {"INSERT", "REPLACE"} and outcome.total_changes:
            self.last_rowid = outcome.last_rowid or 0
        self._transaction.note_write()

    def check_open(self) -> None:
        """Raise ProgrammingError when the connection is closed."""
        if self._closed:
            raise ProgrammingError("Cannot operate on a closed database.")
        self._transaction.refresh()
        if self._autocommit is False:
            self._transaction.begin()  # one that a request has taken with it, or another shard's

    def _check_writable(self) -> None:
        if self._read_only or self.pragma_values.get("query_only"):
            raise make_error("attempt to write a readonly database", "SQLITE_READONLY")

    # Transactions

    def read_committed(self) -> None:
        """Let reads inside a transaction see what others commit, until its first write.

        That is the READ COMMITTED of servers: the first write then never fails for having read.
        """
        if isinstance(self._transaction, ObjectTransaction):
            self._transaction.watches = False

    def lock(self) -> None:
        """Take the database for the open transaction before its next statement, a read too."""
        if isinstance(self._transaction, ObjectTransaction):
            self._transaction.lock()

    @property
    def in_transaction(self) -> bool:
        """Whether a transaction would be open in SQLite."""
        self._transaction.refresh()
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
            self._transaction.commit()
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
            self._transaction.commit()
        elif value is False:
            self._transaction.begin()
        self._autocommit = value

    def commit(self) -> None:
        """End the transaction; in D1 its statements have been committed one by one."""
        self.check_open()
        if self._autocommit is not True:
            if self._transaction.open:
                faults.meet(faults.COMMIT)
            self._transaction.commit()
            self._reopen()

    def rollback(self) -> None:
        """Undo the transaction; with D1 raises LostRollbackError when it wrote."""
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
        """Close the connection, with a transaction that is still open."""
        self._transaction.discard()
        self._closed = True

    def __del__(self) -> None:
        transaction = getattr(self, "_transaction", None)
        if isinstance(transaction, ObjectTransaction) and transaction.started:
            transaction.abandon()

    def __enter__(self) -> Self:
        self.check_open()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> Literal[False]:
        if kind is not None:
            self.rollback()
            return False
        try:
            self.commit()
        except errors.Error:
            self.rollback()  # as CPython does, so that others get at the database
            raise
        return False

    def __call__(self, sql: str, /) -> Any:
        """Refuse to hand out a bare statement object, which nothing but CPython's tests uses."""
        raise NotSupportedError("statement objects do not exist here; use execute()")
