"""What an application registered in Python: functions, aggregates and collations of a connection.

D1 calls no Python: local_copy.py runs a statement that needs one of these beside the data.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from edgelift.worker.sqlite3.statement import Statement

FUNCTION, AGGREGATE, WINDOW, COLLATION = "function", "aggregate", "window function", "collation"


@dataclass(frozen=True)
class Callback:
    """One registration, as it was made."""

    kind: str
    name: str
    arguments: int
    work: Any
    deterministic: bool = False

    def register(self, connection: Any) -> None:
        """Register it on a connection of the interpreter's own sqlite3."""
        if self.kind == FUNCTION:
            connection.create_function(
                self.name, self.arguments, self.work, deterministic=self.deterministic
            )
        elif self.kind == AGGREGATE:
            connection.create_aggregate(self.name, self.arguments, self.work)
        elif self.kind == WINDOW:
            connection.create_window_function(self.name, self.arguments, self.work)
        else:
            connection.create_collation(self.name, self.work)


@dataclass
class Callbacks:
    """The registrations of a connection, by lower-case name and number of arguments."""

    functions: dict[str, dict[int, Callback]] = field(default_factory=dict)
    collations: dict[str, Callback] = field(default_factory=dict)

    def keep(self, made: Callback) -> None:
        """Keep a registration; one without a callable takes it back."""
        name = made.name.lower()
        if made.kind == COLLATION:
            if made.work is None:
                self.collations.pop(name, None)
            else:
                self.collations[name] = made
            return
        known = self.functions.setdefault(name, {})
        if made.work is None:
            known.pop(made.arguments, None)
        else:
            known[made.arguments] = made
        if not known:
            del self.functions[name]

    def names_in(self, statement: Statement) -> list[str]:
        """Return the names a statement needs, functions before collations."""
        called = statement.functions & self.functions.keys()
        return sorted(called) + sorted(statement.collations & self.collations.keys())

    def register(self, connection: Any, words: Iterable[str]) -> None:
        """Register those that the lower-case words may mean on a local connection."""
        for word in words:
            for made in self.functions.get(word, {}).values():
                made.register(connection)
            if word in self.collations:
                self.collations[word].register(connection)
