"""Keeps the books of a connection's transaction: open or not, its savepoints, SQLite's own errors.

`Transaction` is that of a database in D1, which commits every statement at once: BEGIN, COMMIT and
SAVEPOINT change nothing there. What must never happen silently is a ROLLBACK that does not bring
the old rows back: after a write it raises LostRollbackError and says so in the log.
"""

from __future__ import annotations

import logging
from abc import ABC, abstractmethod

from edgelift.worker.sqlite3.errors import LostRollbackError, make_error
from edgelift.worker.sqlite3.statement import Statement
from edgelift.worker.sqlite3.tokens import unquote

log = logging.getLogger("edgelift.sqlite3")

CONTROL = frozenset({"BEGIN", "COMMIT", "END", "ROLLBACK", "SAVEPOINT", "RELEASE"})


class Books(ABC):
    """A transaction as SQL text drives it; subclasses say what comes of it in the database."""

    def __init__(self) -> None:
        self.open = False
        self.writes = 0
        self._savepoints: list[str] = []
        self._begun_by_savepoint = False

    def begin(self, mode: str = "") -> None:
        """Open it; nothing happens when it is open. `mode` is what may follow BEGIN."""
        self.open = True

    @abstractmethod
    def commit(self) -> None:
        """Commit and close it, if it is open."""

    @abstractmethod
    def roll_back(self) -> None:
        """Undo and close it, if it is open."""

    @abstractmethod
    def discard(self) -> None:
        """Close it as the end of a connection does: what it wrote is not wanted."""

    @abstractmethod
    def cancel(self) -> None:
        """Close what was opened for a statement that SQLite refused before it ran."""

    @abstractmethod
    def refresh(self) -> None:
        """Learn whether the transaction that another request has left is still there."""

    def note_write(self) -> None:
        """Count a write; outside a transaction nobody wants it back."""
        if self.open:
            self.writes += 1

    def close_books(self) -> None:
        """Forget the transaction."""
        self.open = self._begun_by_savepoint = False
        self.writes = 0
        self._savepoints.clear()

    def run(self, statement: Statement) -> None:
        """Do what a statement of `CONTROL` says, with SQLite's errors."""
        words = [token.upper for token in statement.tokens]
        if words[0] == "BEGIN":
            if self.open:
                raise _refuse("cannot start a transaction within a transaction")
            self.begin(words[1] if len(words) > 1 else "")
        elif words[0] in {"SAVEPOINT", "RELEASE"} or "TO" in words:
            self._run_savepoint(words, unquote(statement.tokens[-1]))
        elif not self.open:
            verb = "rollback" if words[0] == "ROLLBACK" else "commit"
            raise _refuse(f"cannot {verb} - no transaction is active")
        elif words[0] == "ROLLBACK":
            self.roll_back()
        else:
            self.commit()

    def _run_savepoint(self, words: list[str], name: str) -> None:
        if words[0] == "SAVEPOINT":
            if not self.open:
                self.begin()
                self._begun_by_savepoint = True
            self._savepoints.append(name)
            self._save()
            return
        index = self._find(name)
        if words[0] == "RELEASE":
            if index == 0 and self._begun_by_savepoint:
                self.commit()
                return
            del self._savepoints[index:]
            self._release(index)
            return
        del self._savepoints[index + 1 :]
        self._undo(index)

    @abstractmethod
    def _save(self) -> None:
        """Note the newest savepoint."""

    @abstractmethod
    def _release(self, index: int) -> None:
        """Keep what was written since savepoint `index`, which is closed."""

    @abstractmethod
    def _undo(self, index: int) -> None:
        """Take back what was written since savepoint `index`, which stays open."""

    def _find(self, name: str) -> int:
        for index in range(len(self._savepoints) - 1, -1, -1):
            if self._savepoints[index].lower() == name.lower():
                return index
        raise _refuse(f"no such savepoint: {name}")


class Transaction(Books):
    """A transaction of D1: counts the writes that a rollback would have to bring back."""

    def __init__(self, binding: str) -> None:
        super().__init__()
        self.binding = binding
        self._before: list[int] = []

    def commit(self) -> None:
        """Close it: its writes are, as far as this connection is concerned, wanted."""
        self.close_books()

    cancel = commit

    def refresh(self) -> None:
        """Do nothing: the books are all there is."""

    def roll_back(self) -> None:
        """Close it; raises LostRollbackError when writes would have had to be undone."""
        lost = self.writes
        self.close_books()
        if lost:
            raise self._lost(lost, "ROLLBACK")

    def discard(self) -> None:
        """Close it; writes that were not committed stay in D1, which the log says."""
        if self.writes:
            log.error(
                "edgelift: LOST ROLLBACK: a connection to D1 (%s) was closed with %d uncommitted "
                "write(s); the rows stay",
                self.binding,
                self.writes,
            )
        self.close_books()

    def close_books(self) -> None:
        """Forget the transaction."""
        super().close_books()
        self._before.clear()

    def _save(self) -> None:
        self._before.append(self.writes)

    def _release(self, index: int) -> None:
        del self._before[index:]

    def _undo(self, index: int) -> None:
        del self._before[index + 1 :]
        lost = self.writes - self._before[index]
        self.writes -= lost
        if lost:
            raise self._lost(lost, f"ROLLBACK TO {self._savepoints[index]}")

    def _lost(self, writes: int, what: str) -> LostRollbackError:
        text = (
            f"{what} cannot undo {writes} write{'s' if writes > 1 else ''}: D1 ({self.binding}) "
            "has committed each statement when it ran. The rows stay. Code that relies on rollback "
            "needs the `object` strategy."
        )
        log.error("edgelift: LOST ROLLBACK: %s", text)
        return make_error(text, "SQLITE_ERROR", LostRollbackError)  # type: ignore[return-value]


def _refuse(text: str) -> Exception:
    return make_error(text, "SQLITE_ERROR")
