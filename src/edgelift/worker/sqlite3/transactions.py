"""Keeps the books of transactions for a database that commits every statement at once.

BEGIN, COMMIT and SAVEPOINT change nothing in D1. What must never happen silently is a ROLLBACK that
does not bring the old rows back: after a write it raises LostRollbackError and says so in the log.
"""

from __future__ import annotations

import logging

from edgelift.worker.sqlite3.errors import LostRollbackError, make_error
from edgelift.worker.sqlite3.statement import Statement
from edgelift.worker.sqlite3.tokens import unquote

log = logging.getLogger("edgelift.sqlite3")

CONTROL = frozenset({"BEGIN", "COMMIT", "END", "ROLLBACK", "SAVEPOINT", "RELEASE"})


class Transaction:
    """One connection's transaction: open or not, savepoints, writes since its begin."""

    def __init__(self, binding: str) -> None:
        self.binding = binding
        self.open = False
        self.writes = 0
        self._savepoints: list[tuple[str, int]] = []
        self._begun_by_savepoint = False

    def note_write(self) -> None:
        """Count a write that D1 has committed; outside a transaction nobody wants it back."""
        if self.open:
            self.writes += 1

    def begin(self) -> None:
        """Open it; nothing happens when it is open."""
        self.open = True

    def end(self) -> None:
        """Close it: its writes are, as far as this connection is concerned, wanted."""
        self.open = self._begun_by_savepoint = False
        self.writes = 0
        self._savepoints.clear()

    def roll_back(self) -> None:
        """Close it; raises LostRollbackError when writes would have had to be undone."""
        lost = self.writes
        self.end()
        if lost:
            raise self._lost(lost, "ROLLBACK")

    def run(self, statement: Statement) -> None:
        """Do what a statement of `CONTROL` says, with SQLite's errors."""
        words = [token.upper for token in statement.tokens]
        if words[0] == "BEGIN":
            if self.open:
                raise _refuse("cannot start a transaction within a transaction")
            self.open = True
        elif words[0] in {"SAVEPOINT", "RELEASE"} or "TO" in words:
            self._run_savepoint(words, unquote(statement.tokens[-1]))
        elif not self.open:
            verb = "rollback" if words[0] == "ROLLBACK" else "commit"
            raise _refuse(f"cannot {verb} - no transaction is active")
        elif words[0] == "ROLLBACK":
            self.roll_back()
        else:
            self.end()

    def _run_savepoint(self, words: list[str], name: str) -> None:
        if words[0] == "SAVEPOINT":
            if not self.open:
                self.open = self._begun_by_savepoint = True
            self._savepoints.append((name, self.writes))
            return
        index = self._find(name)
        if words[0] == "RELEASE":
            del self._savepoints[index:]
            if not self._savepoints and self._begun_by_savepoint:
                self.end()
            return
        del self._savepoints[index + 1 :]
        lost = self.writes - self._savepoints[index][1]
        self.writes -= lost
        if lost:
            raise self._lost(lost, f"ROLLBACK TO {name}")

    def _find(self, name: str) -> int:
        for index in range(len(self._savepoints) - 1, -1, -1):
            if self._savepoints[index][0].lower() == name.lower():
                return index
        raise _refuse(f"no such savepoint: {name}")

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
