"""A session of a moved database of MySQL: autocommit, transactions that errors do not end, counts.

Rows that an UPDATE leaves as they are do not count and are not touched, as on the server.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from edgelift.worker.moved import mysql_errors
from edgelift.worker.moved.constants import Values
from edgelift.worker.moved.failures import ServerError
from edgelift.worker.moved.kinds import INT8, TEXT, Kind
from edgelift.worker.moved.lexing import (
    LexError,
    Token,
    make_shape,
    read_written,
    split_statements,
)
from edgelift.worker.moved.queries import AS_WRITTEN
from edgelift.worker.moved.reports import Violation
from edgelift.worker.moved.scopes import Columns
from edgelift.worker.moved.session import Session
from edgelift.worker.moved.translation import Translation
from edgelift.worker.sqlite3 import faults

VERSION = "10.11.0-MariaDB-edgelift"
_VARIABLES = {
    "version": VERSION, "autocommit": "1", "sql_mode": "STRICT_TRANS_TABLES",
    "tx_isolation": "REPEATABLE-READ", "transaction_isolation": "REPEATABLE-READ",
    "time_zone": "+00:00", "character_set_client": "utf8mb4", "max_allowed_packet": "16777216",
    "lower_case_table_names": "0", "wait_timeout": "28800", "version_comment": "edgelift",
    "collation_connection": "utf8mb4_general_ci", "innodb_lock_wait_timeout": "20",
}  # fmt: skip


@dataclass
class Answer:
    """What a statement gave; `affected` and `last_id` are those of MySQL's OK."""

    columns: Columns | None = None
    rows: Sequence[Any] = ()
    affected: int = 0
    last_id: int = 0


class MysqlSession(Session):
    """One connection's server side; `counts_found` as the driver asked at the connect."""

    autocommit = True
    counts_found = False
    last_id = 0
    found_rows = 0
    sql = ""

    @property
    def database(self) -> str:
        """Return the name of the database as the server had it."""
        return self.catalogue.schemas[0]

    def split(self, sql: str) -> list[list[Token]]:
        """Return the statements of a text; raises ServerError."""
        self.sql = sql
        try:
            return split_statements(sql, "mysql")
        except LexError as error:
            raise self._syntax(str(error)) from None

    @staticmethod
    def _syntax(text: str) -> ServerError:
        return mysql_errors.make(
            1064,
            "You have an error in your SQL syntax; check the manual that corresponds to your "
            f"MariaDB server version for the right syntax to use near '{text}' at line 1",
        )

    def fail(self) -> None:
        """Do nothing: an error takes back its statement alone."""

    def run_tokens(self, tokens: list[Token]) -> Answer:
        """Run a statement; raises ServerError in MySQL's words."""
        found = COMMANDS.get(tokens[0].upper)
        answer = found(self, tokens) if found is not None else None
        if answer is not None:
            return answer
        if not self.autocommit and self.transactions.status == "I":
            self.transactions.begin()
        self.transactions.enter()
        shape = make_shape(tokens)
        try:
            made = self.translations.find(shape, (), self._tell_session())
        except ServerError as error:
            if error.sqlstate == "42601" and not error.number:
                raise self._syntax(error.message.partition(" near ")[2].strip('"')) from None
            raise mysql_errors.reword(error, self.database) from None
        answer = self._run_made(made, Values(shape.literals, (), (), self.transactions.now))
        if answer.columns is not None:
            answer.columns = self._name(answer.columns, tokens)
        return answer

    def _name(self, columns: Columns, tokens: list[Token]) -> Columns:
        """Return columns with the names of expressions: their texts."""
        if not any(name == AS_WRITTEN for name, _kind in columns):
            return columns
        written = read_written(self.sql, tokens) if tokens[0].upper == "SELECT" else []
        if len(written) != len(columns):
            written = [f"col{number}" for number in range(len(columns))]
        return tuple(
            (text if name == AS_WRITTEN else name, kind)
            for (name, kind), text in zip(columns, written, strict=True)
        )

    def _tell_session(self) -> dict[str, str]:
        told = {**_VARIABLES, **self.settings, "version": VERSION, "schema": self.database}
        return {**told, "last_id": str(self.last_id), "found_rows": str(self.found_rows),
                "user": f"{self.settings['session_authorization']}@%"}  # fmt: skip

    def _run_made(self, made: Translation, values: Values) -> Answer:
        given, failure = self._read_values(made, values)
        write = made.write
        if failure is not None:
            if write is None or write.probe is None or self._has_rows(write.probe, given):
                raise failure
            return Answer()
        row = {} if write is None else {
            name: given[f"b{place}"] for name, place in write.values.items()
        }  # fmt: skip
        table = None if write is None else write.table
        listed = frozenset() if write is None else write.listed
        about = Violation(made.verb, table, row, listed)
        return self._guarded(lambda: self._run_on_database(made, given), about)

    def _read_values(
        self, made: Translation, values: Values
    ) -> tuple[dict[str, Any], ServerError | None]:
        """Return the values for SQLite, and the first error that reading them met."""
        given: dict[str, Any] = {}
        failure: ServerError | None = None
        table = "" if made.write is None else f"`{self.database}`.`{made.write.table.origin}`"
        for number, binding in enumerate(made.bindings):
            given[f"b{number}"] = None
            try:
                given[f"b{number}"] = binding.read(values)
            except ServerError as error:
                failure = failure or mysql_errors.reword(
                    error, table, binding.column, binding.kind.name
                )
        return given, failure

    def _guarded(self, work: Callable[[], Answer], about: Violation) -> Answer:
        try:
            return work()
        except self.db.Error as error:
            if isinstance(error, self.db.IntegrityError) and _USES_NUMBERS.match(str(error)):
                self._lose_numbers(about)
                if self.transactions.status != "I":
                    self.transactions.settle_counters()
            raise mysql_errors.explain(
                error, self.catalogue, about, self.db, self.database
            ) from error

    def meet_fault(self, verb: str) -> None:
        """Let a statement that writes fail where verify says so; raises ServerError."""
        if verb in {"INSERT", "UPDATE", "DELETE", "REPLACE"}:
            self._guarded(_meet_write, Violation(verb, None, {}))

    def _run_on_database(self, made: Translation, given: dict[str, Any]) -> Answer:
        write = made.write
        counted = write.table.name if write is not None and write.counted else ""
        self.transactions.prepare(
            writes=write is not None, locks=made.locks, counts=bool(counted), verb=made.verb
        )
        if write is None:
            rows = self.db.execute(made.sql, given).fetchall()
            self.found_rows = len(rows)
            return Answer(made.columns, rows, len(rows))
        before = self._count(write.table.name) if write.upsert else 0
        with faults.aside():
            cursor = self.db.execute(made.sql, given)
            rows = cursor.fetchall() if cursor.description is not None else []
        faults.meet(faults.WRITTEN)
        affected = len(rows) if cursor.description is not None else max(cursor.rowcount, 0)
        last_id = 0
        if write.upsert:
            inserted = self._count(write.table.name) - before
            affected = inserted + 2 * (affected - inserted)
            if cursor.description is not None and made.columns is None:
                last_id = self.last_id = int(rows[-1][0]) if rows else 0
                return Answer(None, (), affected, last_id)
        if made.verb == "INSERT" and write.table.counter and affected:
            last_id = self._find_last_id(write, cursor.lastrowid or 0)
        return Answer(made.columns, rows, affected, last_id)

    def _has_rows(self, probe: Any, given: dict[str, Any]) -> bool:
        """Return whether an UPDATE whose values are wrong has a row to put them into."""
        sql = probe.sql(dialect="sqlite", comments=False)
        return self.db.execute(sql, given).fetchone() is not None

    def _count(self, table: str) -> int:
        name = table.replace('"', '""')
        return int(self.db.execute(f'SELECT count(*) FROM "{name}"').fetchone()[0])

    def _find_last_id(self, write: Any, last: int) -> int:
        """Return the first number of the inserted rows, which is what MySQL tells."""
        if not write.counted:
            return last
        self.last_id = last - max(write.counted, 1) + 1
        return self.last_id

    # Commands

    def commit_now(self) -> Answer:
        """Commit; raises ServerError."""
        self._guarded(self._commit_transaction, Violation("", None, {}))
        return Answer()

    def _commit_transaction(self) -> Answer:
        self.transactions.commit()
        return Answer()


def _meet_write() -> Answer:
    faults.meet(faults.WRITE)
    return Answer()


Tokens = list[Token]
# What the server finds when the row has its number already.
_USES_NUMBERS = re.compile(r"UNIQUE|FOREIGN KEY")


def _begin(session: MysqlSession, tokens: Tokens) -> Answer:
    words = [token.upper for token in tokens]
    session.commit_now()
    session.transactions.begin()
    if "READ" in words and "ONLY" in words:
        session.transactions.set_modes(None, True)
    return Answer()


def _commit(session: MysqlSession, _tokens: Tokens) -> Answer:
    return session.commit_now()


def _rollback(session: MysqlSession, tokens: Tokens) -> Answer:
    words = [token.upper for token in tokens]
    if "TO" not in words:
        session.transactions.roll_back()
        return Answer()
    _on_savepoint(session.transactions.roll_back_to, tokens[-1])
    return Answer()


def _name(token: Token) -> str:
    return token.value or token.text


def _on_savepoint(work: Callable[[str], None], token: Token) -> None:
    try:
        work(_name(token))
    except ServerError:
        raise mysql_errors.make(1305, f"SAVEPOINT {_name(token)} does not exist") from None


def _savepoint(session: MysqlSession, tokens: Tokens) -> Answer:
    transactions = session.transactions
    if transactions.status == "I":
        if session.autocommit:
            return Answer()
        transactions.begin()
    if tokens[0].upper == "RELEASE":
        _on_savepoint(transactions.release, tokens[-1])
    else:
        transactions.save(_name(tokens[-1]))
    return Answer()


def _set(session: MysqlSession, tokens: Tokens) -> Answer:
    """Take settings; autocommit alone changes anything here."""
    words = [token.upper.removeprefix("@@") for token in tokens]
    if "AUTOCOMMIT" in words:
        value = words[-1] in {"1", "ON", "TRUE"}
        if value:
            session.commit_now()
        session.autocommit = value
    if "TIME_ZONE" in words and tokens[-1].value not in {"+00:00", "UTC", "SYSTEM"}:
        raise mysql_errors.make(1235, "the moved database keeps moments in UTC alone")
    return Answer()


def _show(session: MysqlSession, tokens: Tokens) -> Answer:
    words = [token.upper for token in tokens]
    if words[1:2] in (["WARNINGS"], ["ERRORS"]):
        return Answer((("Level", TEXT), ("Code", INT8), ("Message", TEXT)), [])
    if "VARIABLES" in words or "STATUS" in words:
        wanted = tokens[-1].value.lower() if tokens[-1].kind == "text" else ""
        found = [(n, v) for n, v in _VARIABLES.items() if wanted.strip("%") in n]
        return Answer((("Variable_name", Kind("varchar")), ("Value", Kind("varchar"))), found)
    if words[1:2] == ["TABLES"]:
        names = sorted(table.origin for table in session.catalogue.tables.values())
        return Answer(((f"Tables_in_{session.database}", Kind("varchar")),), [(n,) for n in names])
    raise mysql_errors.make(1235, f"SHOW {' '.join(words[1:3])}: the moved database does not tell")


def _create(session: MysqlSession, tokens: Tokens) -> Answer:
    words = [token.upper for token in tokens]
    if words[1:2] == ["TABLE"] and "EXISTS" in words:
        name = _name(tokens[words.index("EXISTS") + 1])
        if session.catalogue.find("", name) is not None:
            return Answer()
    raise mysql_errors.make(1235, f"CREATE {words[1]}: the schema is that of the migrations")


def _nothing(_session: MysqlSession, _tokens: Tokens) -> Answer:
    return Answer()


def _refuse(_session: MysqlSession, tokens: Tokens) -> Answer:
    word = tokens[0].upper
    raise mysql_errors.make(1235, f"{word}: the moved database has no form for it")


COMMANDS: dict[str, Callable[[MysqlSession, Tokens], Answer | None]] = {
    **dict.fromkeys(("BEGIN", "START"), _begin),
    "COMMIT": _commit,
    "ROLLBACK": _rollback,
    **dict.fromkeys(("SAVEPOINT", "RELEASE"), _savepoint),
    "SET": _set,
    "SHOW": _show,
    "CREATE": _create,
    **dict.fromkeys(("USE", "ANALYZE", "OPTIMIZE", "FLUSH"), _nothing),
    **dict.fromkeys(
        ("ALTER", "DROP", "CALL", "LOAD", "LOCK", "UNLOCK", "GRANT", "REVOKE", "DESCRIBE", "DESC",
         "EXPLAIN", "TRUNCATE", "HANDLER", "KILL", "RENAME", "PREPARE", "EXECUTE"),
        _refuse,
    ),
}  # fmt: skip
