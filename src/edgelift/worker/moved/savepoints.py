"""Savepoints of a session, as few of SQLite's as there must be.

One of SQLite's is set before a statement that writes, for all that the app has set since the last
such statement: between them nothing has changed. Drivers leave savepoints behind that were rolled
back to, and SQL objects nest them only so deep.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field


@dataclass
class Group:
    """Savepoints of the app at one state; `number` names SQLite's, 0 while there is none."""

    names: list[str] = field(default_factory=list)
    number: int = 0

    @property
    def quoted(self) -> str:
        """Return the name in SQLite."""
        return f"edgelift_{self.number}"


class Savepoints:
    """The savepoints of one transaction; methods return what SQLite is to run."""

    def __init__(self) -> None:
        self._groups: list[Group] = []
        self._numbers = itertools.count(1)

    def clear(self) -> None:
        """Forget all: the transaction is over."""
        self._groups.clear()

    def has(self, name: str) -> bool:
        """Return whether a savepoint is set."""
        return any(name in group.names for group in self._groups)

    def save(self, name: str) -> None:
        """Set a savepoint."""
        if not self._groups or self._groups[-1].number:
            self._groups.append(Group())
        self._groups[-1].names.append(name)

    def begin(self) -> list[str]:
        """Return what makes the savepoints real before something is written."""
        group = self._groups[-1] if self._groups else None
        if group is None or group.number:
            return []
        group.number = next(self._numbers)
        return [f"SAVEPOINT {group.quoted}"]

    def _cut(self, name: str) -> tuple[Group, list[Group]]:
        """Return the last group with a name, and those after it, which are dropped."""
        for index in range(len(self._groups) - 1, -1, -1):
            if name in self._groups[index].names:
                after = self._groups[index + 1 :]
                del self._groups[index + 1 :]
                return self._groups[index], after
        raise LookupError(name)

    def release(self, name: str) -> list[str]:
        """Forget a savepoint and those after it, and keep what was written."""
        group, after = self._cut(name)
        statements = [f"RELEASE {later.quoted}" for later in after[:1] if later.number]
        place = len(group.names) - 1 - group.names[::-1].index(name)
        del group.names[place:]
        if not group.names:
            self._groups.remove(group)
            if group.number:
                statements = [f"RELEASE {group.quoted}"]
        return statements

    def undo(self, name: str) -> list[str]:
        """Undo what was written since a savepoint, which stays set."""
        group, _after = self._cut(name)
        place = len(group.names) - 1 - group.names[::-1].index(name)
        del group.names[place + 1 :]
        if not group.number:
            return []
        quoted, group.number = group.quoted, 0
        self._merge()
        return [f"ROLLBACK TO {quoted}", f"RELEASE {quoted}"]

    def _merge(self) -> None:
        """Make one group of the last two where neither has one of SQLite's."""
        if len(self._groups) > 1 and not self._groups[-2].number:
            last = self._groups.pop()
            self._groups[-1].names += last.names
