"""A session of a moved database: statements in the server's SQL, run on SQLite.

It stands where the server's backend process would be; backend.py speaks the protocol for it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from edgelift.worker.moved import counters
from edgelift.worker.moved.catalogue import Catalogue
from edgelift.worker.moved.constants import Parameter, Values
from edgelift.worker.moved.failures import ServerError, syntax_error
from edgelift.worker.moved.kinds import Kind, from_oid
from edgelift.worker.moved.lexing import LexError, Shape, Token, make_shape, split_statements
from edgelift.worker.moved.reports import Violation, explain
from edgelift.worker.moved.scopes import Columns
from edgelift.worker.moved.transactions import Transactions
from edgelift.worker.moved.translation import Translation, Translations, declare
from edgelift.worker.sqlite3 import faults

SERVER_VERSION = "15.10"
_DEFAULTS = {
    "application_name": "", "client_encoding": "UTF8", "datestyle": "ISO, MDY",
    "default_transaction_read_only": "off", "in_hot_standby": "off", "integer_datetimes": "on",
    "intervalstyle": "postgres", "is_superuser": "off", "server_encoding": "UTF8",
    "server_version": SERVER_VERSION, "session_authorization": "edgelift",
    "standard_conforming_strings": "on", "timezone": "UTC", "server_version_num": "150010",
    "search_path": '"$user", public', "statement_timeout": "0", "lock_timeout": "0",
    "transaction_isolation": "read committed", "max_identifier_length": "63",
    "extra_float_digits": "1", "work_mem": "4MB",
}  # fmt: skip
_FIXED = {
    "client_encoding": ({"utf8", "utf-8", "unicode"}, "UTF8"),
    "timezone": ({"utc", "gmt", "etc/utc", "+00:00", "0", "z"}, "UTC"),
    "datestyle": ({"iso", "iso, mdy", "iso, dmy", "iso, ymd"}, "ISO, MDY"),
    "intervalstyle": ({"postgres"}, "postgres"),
    "standard_conforming_strings": ({"on", "true", "1"}, "on"),
}


_WRITES = frozenset({"INSERT", "UPDATE", "DELETE", "REPLACE"})


@dataclass
class Outcome:
    """What a statement gave: columns and stored rows, or none, and the command tag."""

    columns: Columns | None
    rows: Sequence[Any]
    tag: str
    copy: Any = None


class Command:
    """A statement about the session; `ends` one that a failed transaction still takes."""

    parameter_kinds: tuple[Kind, ...] = ()

    def __init__(
        self,
        work: Callable[[Session], Outcome],
        *,
        ends: bool = False,
        columns: Columns | None = None,
        cursor: str = "",
    ) -> None:
        self.work, self.ends, self.columns, self.cursor = work, ends, columns, cursor


class Statement:
    """A statement about rows, translated; its literals are those of this text."""

    ends = False

    def __init__(self, translation: Translation, shape: Shape) -> None:
        self.translation, self.shape = translation, shape
        self.parameter_kinds = translation.parameter_kinds
        self.verb = translation.verb
        self.columns = translation.columns


@dataclass
class Cursor:
    """A server-side cursor: its rows are read when it is declared."""

    columns: Columns
    rows: Sequence[Any]
    holds: bool
    position: int = 0


@dataclass
class Session:
    """One connection's server side; `db` is a connection to SQLite that commits by itself."""

    db: Any
    catalogue: Catalogue
    translations: Translations
    settings: dict[str, str] = field(default_factory=dict)
    notices: list[tuple[str, str, str]] = field(default_factory=list)
    cursors: dict[str, Cursor] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.transactions = Transactions(self.db)
        self._given = {**_DEFAULTS, **self.settings}
        self._local: dict[str, str] = {}
        self.settings = dict(self._given)

    def close(self) -> None:
        """End the session; what is open is rolled back."""
        if self.transactions.status != "I":
            self.transactions.roll_back()
        counters.forget(self.db)
        self.db.close()

    # Statements

    def split(self, sql: str) -> list[list[Token]]:
        """Return the statements of a text; raises ServerError."""
        try:
            return split_statements(sql)
        except LexError as error:
            raise syntax_error(str(error)) from None

    def prepare(self, tokens: list[Token], oids: Sequence[int]) -> Command | Statement:
        """Return a statement ready to run; raises ServerError."""
        from edgelift.worker.moved.commands import read_command

        command = read_command(tokens)
        if command is not None:
            if not command.ends:
                self.transactions.check()
            if command.cursor and command.cursor in self.cursors:
                command.columns = self.cursors[command.cursor].columns
            return command
        self.transactions.check()
        shape = make_shape(tokens)
        declared = declare(tuple(from_oid(oid) for oid in oids))
        return Statement(self.translations.find(shape, declared, self._tell_session()), shape)

    def _tell_session(self) -> dict[str, str]:
        return {
            **self.settings,
            "version": f"PostgreSQL {SERVER_VERSION}, its rows in SQLite",
            "database": self.settings.get("database", ""),
            "schema": "public",
            "user": self.settings["session_authorization"],
        }

    def run(
        self,
        statement: Any,
        parameters: Sequence[Parameter],
        *,
        alone: bool,
        pipelined: bool = False,
    ) -> Outcome:
        """Run a statement; raises ServerError. One not `alone` shares a transaction with others."""
        del pipelined
        transactions = self.transactions
        if isinstance(statement, Command):
            if not statement.ends:
                transactions.check()
            return self._guard(lambda: statement.work(self), Violation("", None, {}))
        transactions.check()
        if not alone and transactions.status == "I":
            transactions.begin(implicit=True)
        transactions.enter()
        return self._run(statement, parameters)

    def _run(self, statement: Statement, parameters: Sequence[Parameter]) -> Outcome:
        made = statement.translation
        values = Values(
            statement.shape.literals, parameters, made.parameter_kinds, self.transactions.now
        )
        given = {f"b{n}": binding.read(values) for n, binding in enumerate(made.bindings)}
        write = made.write
        row = {} if write is None else {
            column: given[f"b{place}"] for column, place in write.values.items()
        }  # fmt: skip
        table = None if write is None else write.table
        return self._guard(lambda: self._execute(made, given), Violation(made.verb, table, row))

    def _guard(self, work: Callable[[], Outcome], about: Violation) -> Outcome:
        """Run something on SQLite and raise what it refuses as the server's error."""
        try:
            return work()
        except self.db.Error as error:
            if isinstance(error, self.db.IntegrityError):
                self._lose_numbers(about)
            raise explain(error, self.catalogue, about, self.db) from error

    def _lose_numbers(self, about: Violation) -> None:
        """Use up the number that a refused row took, as a sequence does."""
        table = about.table
        if (
            about.verb == "INSERT"
            and table is not None
            and table.counter
            and (table.counter not in about.row)
        ):
            counters.lose(self.db, table.name, 1)
            if self.transactions.status == "I":
                self.transactions.settle_counters()

    def _execute(self, made: Translation, given: dict[str, Any]) -> Outcome:
        write = made.write
        counted = "" if write is None or not write.counted else write.table.name
        self.transactions.prepare(
            writes=write is not None, locks=made.locks, counts=bool(counted), verb=made.verb
        )
        before = None
        if write is not None and counted and write.upsert and write.counted > 0:
            before = counters.read_counters(self.db, counted).get(counted, 0)
        with faults.aside():  # met where the server would take the statement, see `meet_fault`
            cursor = self.db.execute(made.sql, given)
            rows = cursor.fetchall() if made.columns is not None else []
        if write is not None:
            faults.meet(faults.WRITTEN)
        changed = len(rows) if made.columns is not None else max(cursor.rowcount, 0)
        if before is not None and write is not None:
            counters.raise_counters(self.db, {counted: before + write.counted})
        tag = f"INSERT 0 {changed}" if made.verb == "INSERT" else f"{made.verb} {changed}"
        return Outcome(made.columns, rows, tag)

    def meet_fault(self, verb: str) -> None:
        """Let a statement that writes fail where verify says so; raises ServerError."""
        if verb in _WRITES and self.transactions.status != "E":
            self._guard(_meet_write, Violation(verb, None, {}))

    def fail(self) -> None:
        """Note that a statement failed."""
        self.transactions.fail()
        if self.transactions.status == "I":
            self._local.clear()

    def commit(self) -> str:
        """Commit; returns the command tag. Raises ServerError."""
        try:
            return self.transactions.commit()
        except self.db.Error as error:
            raise explain(error, self.catalogue, Violation("", None, {}), self.db) from error
        finally:
            if self.transactions.status == "I":
                self.drop_cursors(only_open=True)
                self._end_local()

    def end_pipeline(self) -> None:
        """End the transaction that statements shared without asking for one."""
        if self.transactions.implicit and self.transactions.status != "I":
            self.commit()

    # Settings

    def read_setting(self, name: str) -> str:
        """Return a setting; raises ServerError for one that is not known."""
        if name == "transaction_isolation":
            transactions = self.transactions
            return transactions.level if transactions.status != "I" else transactions.default_level
        found = self.settings.get(name.lower())
        if found is None:
            raise ServerError("42704", f'unrecognized configuration parameter "{name}"')
        return found

    def change_setting(self, name: str, value: str | None, *, is_local: bool = False) -> None:
        """Set a setting, None for its default; raises ServerError for what cannot be kept."""
        if value is None:
            value = self._given.get(name, "")
        if name in _FIXED:
            allowed, shown = _FIXED[name]
            if value.lower() not in allowed:
                raise ServerError(
                    "22023", f'invalid value for parameter "{name}": "{value}"',
                    H=f"The moved database knows {shown} alone.",
                )  # fmt: skip
            value = shown
        if name == "default_transaction_read_only":
            self.transactions.default_readonly = value.lower() in {"on", "true", "1", "yes"}
        if name == "default_transaction_isolation":
            self.transactions.default_level = value.lower() or "read committed"
        if is_local and self.transactions.status != "I":
            self._local.setdefault(name, self.settings.get(name, ""))
        self.settings[name] = value

    def reset_settings(self) -> None:
        """Return to what the connection began with."""
        self.settings.clear()
        self.settings.update(self._given)
        self.transactions.default_level, self.transactions.default_readonly = (
            "read committed",
            False,
        )

    def _end_local(self) -> None:
        self.settings.update(self._local)
        self._local.clear()

    def warn(self, sqlstate: str, message: str) -> None:
        """Tell the client a warning."""
        self.notices.append(("WARNING", sqlstate, message))

    def notice(self, sqlstate: str, message: str) -> None:
        """Tell the client a notice."""
        self.notices.append(("NOTICE", sqlstate, message))

    # Cursors

    def declare(self, name: str, tokens: list[Token], *, holds: bool) -> None:
        """Run a query and keep its rows under a name."""
        if name in self.cursors:
            raise ServerError("42P03", f'cursor "{name}" already exists')
        outcome = self.run(self.prepare(tokens, ()), [], alone=True)
        self.cursors[name] = Cursor(outcome.columns or (), outcome.rows, holds)

    def find_cursor(self, name: str) -> Cursor:
        """Return a cursor; raises ServerError."""
        if name not in self.cursors:
            raise ServerError("34000", f'cursor "{name}" does not exist')
        return self.cursors[name]

    def fetch(self, name: str, words: Sequence[str]) -> tuple[Columns, Sequence[Any]]:
        """Return the next rows of a cursor by the words of FETCH or MOVE."""
        cursor = self.find_cursor(name)
        start, end = read_range(cursor, [word for word in words if word])
        rows = cursor.rows[start:end]
        return cursor.columns, rows

    def close_cursor(self, name: str) -> None:
        """Forget a cursor; raises ServerError."""
        self.find_cursor(name)
        del self.cursors[name]

    def drop_cursors(self, *, only_open: bool = False) -> None:
        """Forget all cursors, or those that end with their transaction."""
        kept = {n: c for n, c in self.cursors.items() if only_open and c.holds}
        self.cursors = kept


def _meet_write() -> Outcome:
    faults.meet(faults.WRITE)
    return Outcome(None, [], "")


def read_range(cursor: Cursor, words: list[str]) -> tuple[int, int]:
    """Return the rows that FETCH means and move the cursor behind them; raises ServerError."""
    count = len(cursor.rows)
    position = cursor.position
    if words[:1] == ["ABSOLUTE"]:
        place = int("".join(words[1:]))
        place = count + 1 + place if place < 0 else place
        cursor.position = min(max(place, 0), count + 1)
        return (place - 1, place) if 1 <= place <= count else (0, 0)
    if words[:1] in (["BACKWARD"], ["PRIOR"], ["LAST"], ["FIRST"], ["RELATIVE"]):
        raise ServerError("55000", "cursor can only scan forward", H="Declare it with SCROLL.")
    rest = [word for word in words if word not in {"FORWARD", "NEXT"}]
    number = "".join(rest)
    wanted = count if number == "ALL" else int(number) if number.lstrip("-").isdigit() else 1
    if wanted < 0:
        raise ServerError("55000", "cursor can only scan forward", H="Declare it with SCROLL.")
    end = min(position + wanted, count)
    cursor.position = end
    return position, end
