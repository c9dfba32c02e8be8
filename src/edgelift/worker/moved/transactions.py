"""A session's transactions as PostgreSQL has them, over a connection to SQLite.

SQLite's transaction begins with the first statement that writes or locks: what was read before saw
what others had committed, as READ COMMITTED says, and holds nobody up. From REPEATABLE READ on it
begins at once, and a writer who read what has changed since fails (40001).
"""

from __future__ import annotations

import datetime as dt
from typing import Any

from edgelift.worker.moved import counters
from edgelift.worker.moved.failures import ServerError
from edgelift.worker.moved.savepoints import Savepoints
from edgelift.worker.sqlite3 import faults

IDLE, OPEN, FAILED = "I", "T", "E"
READ_COMMITTED = "read committed"
LEVELS = ("read uncommitted", READ_COMMITTED, "repeatable read", "serializable")


def read_clock() -> dt.datetime:
    """Return now in UTC, without a zone."""
    return dt.datetime.now(dt.UTC).replace(tzinfo=None)


class Transactions:
    """The transaction of one session; `status` is what the server would say of it."""

    def __init__(self, db: Any) -> None:
        self.db = db
        self.status = IDLE
        self.implicit = False
        self.level = READ_COMMITTED
        self.default_level = READ_COMMITTED
        self.default_readonly = False
        self.readonly = False
        self.now = read_clock()
        self._begun = False
        self._savepoints = Savepoints()
        # Whether numbers of counters may have been used up, which a rollback must not give back.
        self._counts = False

    # Statements

    def enter(self) -> None:
        """Begin a statement; outside a transaction it has a time of its own."""
        if self.status == IDLE:
            self.now = read_clock()

    def check(self) -> None:
        """Raise ServerError when an error has ended the transaction's work."""
        if self.status == FAILED:
            raise ServerError(
                "25P02",
                "current transaction is aborted, commands ignored until end of transaction block",
            )

    def prepare(self, *, writes: bool, locks: bool, counts: bool, verb: str) -> None:
        """Make the database ready for a statement of the open transaction, if there is one."""
        self._check_readonly(verb, writes=writes)
        if self.status == OPEN and (writes or locks):
            self._begin("IMMEDIATE")
        elif self.status == OPEN and self.level not in LEVELS[:2]:
            self._begin("")
        self._counts = self._counts or counts

    def _check_readonly(self, verb: str, *, writes: bool) -> None:
        readonly = self.readonly if self.status != IDLE else self.default_readonly
        if writes and readonly:
            raise ServerError("25006", f"cannot execute {verb} in a read-only transaction")

    def _begin(self, mode: str) -> None:
        if not self._begun:
            self.db.execute(f"BEGIN {mode}".rstrip())
            self._begun = True
        elif not self.db.in_transaction:  # the object has ended it, see sql-strategies.md
            self.status = FAILED
            raise ServerError("25P03", "terminating connection due to idle-in-transaction timeout")
        for sql in self._savepoints.begin():
            self.db.execute(sql)

    def fail(self) -> None:
        """Note that a statement failed: inside a transaction nothing else runs until its end."""
        if self.status == OPEN:
            if self.implicit:
                self.roll_back()
            else:
                self.status = FAILED

    # Control

    def begin(self, *, implicit: bool = False) -> bool:
        """Open a transaction; returns False when one was open."""
        if self.status != IDLE:
            was_implicit, self.implicit = self.implicit, False
            return was_implicit
        self.status, self.implicit = OPEN, implicit
        self.level, self.readonly = self.default_level, self.default_readonly
        self.now = read_clock()
        return True

    def set_modes(self, level: str | None, readonly: bool | None) -> None:
        """Set what the open transaction is."""
        if level is not None:
            self.level = level
        if readonly is not None:
            self.readonly = readonly

    def commit(self) -> str:
        """Commit and return the command tag; a failed transaction is rolled back."""
        if self.status == FAILED:
            self.roll_back()
            return "ROLLBACK"
        try:
            self._commit()
        except self.db.Error:
            self.roll_back()
            raise
        self._forget()
        return "COMMIT"

    def _commit(self) -> None:
        if not self._begun:
            if not self.implicit:
                faults.meet(faults.COMMIT)
            return
        if counters.has_lost(self.db):
            counters.raise_counters(self.db, counters.read_used(self.db))
        self.db.execute("COMMIT")

    def roll_back(self) -> None:
        """Roll back all but the counters."""
        if self._begun:
            used = counters.read_used(self.db) if self._counts else {}
            if self.db.in_transaction:
                self.db.execute("ROLLBACK")
            self._begun = False
            if used:
                counters.raise_counters(self.db, used)
        elif counters.has_lost(self.db):
            self.settle_counters()
        self._forget()

    def settle_counters(self) -> None:
        """Let counters go on behind numbers that refused rows outside a transaction used."""
        counters.raise_counters(self.db, counters.read_used(self.db))

    def _forget(self) -> None:
        self.status, self.implicit, self._begun, self._counts = IDLE, False, False, False
        self._savepoints.clear()

    # Savepoints

    def save(self, name: str) -> None:
        """Set a savepoint; `name` is the app's."""
        self._require("SAVEPOINT")
        self.check()
        self._savepoints.save(name)

    def release(self, name: str) -> None:
        """Forget a savepoint and those after it."""
        self._require("RELEASE SAVEPOINT")
        self.check()
        self._find(name)
        for sql in self._savepoints.release(name):
            self.db.execute(sql)

    def roll_back_to(self, name: str) -> None:
        """Undo all since a savepoint, all but the counters; a failed transaction goes on."""
        self._require("ROLLBACK TO SAVEPOINT")
        self._find(name)
        statements = self._savepoints.undo(name)
        if statements:
            used = counters.read_used(self.db) if self._counts else {}
            for sql in statements:
                self.db.execute(sql)
            if used:
                counters.raise_counters(self.db, used)
        self.status = OPEN

    def _require(self, words: str) -> None:
        if self.status == IDLE or self.implicit:
            raise ServerError("25P01", f"{words} can only be used in transaction blocks")

    def _find(self, name: str) -> None:
        if not self._savepoints.has(name):
            if self.status == OPEN:
                self.status = FAILED
            raise ServerError("3B001", f'savepoint "{name}" does not exist')
