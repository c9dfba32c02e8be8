"""Connections and cursors of local databases: the interpreter's own, which also take our classes.

An application's subclass of `sqlite3.Cursor` is one of ours, whatever the database is that it is
used with (Django's SQLiteCursorWrapper with ":memory:"); the interpreter's module would refuse it.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from edgelift.worker.sqlite3.real import real

if TYPE_CHECKING:
    import sqlite3

    RealConnection = sqlite3.Connection
else:
    RealConnection = real.Connection if real else object


class LocalConnection(RealConnection):
    """The interpreter's own connection."""

    __module__ = "sqlite3"

    def cursor(self, factory: Callable[[Any], Any] | None = None) -> Any:
        """Return a new cursor, made by `factory` when given."""
        from edgelift.worker.sqlite3.cursor import Cursor

        if factory is None or factory is Cursor:
            return super().cursor()
        made = factory(self)
        if not isinstance(made, Cursor):
            raise TypeError(f"factory must return a cursor, not {type(made).__name__}")
        if self.row_factory is not None:
            made.row_factory = self.row_factory
        return made


LocalConnection.__name__ = LocalConnection.__qualname__ = "Connection"


class LocalMethods:
    """What a cursor of ours does by one of the interpreter's."""

    def __init__(self, connection: Any, /) -> None:
        self.local = RealConnection.cursor(connection)

    def execute(self, sql: str, parameters: Any = (), /) -> Any:
        """Run one statement."""
        self.local.execute(sql, parameters)
        return self

    def executemany(self, sql: str, seq_of_parameters: Iterable[Any], /) -> Any:
        """Run a write once for each parameters of the iterable."""
        self.local.executemany(sql, seq_of_parameters)
        return self

    def executescript(self, sql_script: str, /) -> Any:
        """Run the statements of a script."""
        self.local.executescript(sql_script)
        return self

    def fetchone(self) -> Any:
        """Return the next row, None after the last."""
        return self.local.fetchone()

    def fetchmany(self, size: int | None = None) -> list[Any]:
        """Return up to `size` rows, `arraysize` by default."""
        return self.local.fetchmany(self.local.arraysize if size is None else size)

    def fetchall(self) -> list[Any]:
        """Return all rows that are left."""
        return self.local.fetchall()

    def close(self) -> None:
        """Close the cursor."""
        self.local.close()

    def __next__(self) -> Any:
        return next(self.local)


def _forward(name: str) -> property:
    return property(
        lambda cursor: getattr(cursor.local, name),
        lambda cursor, value: setattr(cursor.local, name, value),
    )


for _name in ("arraysize", "connection", "description", "lastrowid", "row_factory", "rowcount"):
    setattr(LocalMethods, _name, _forward(_name))


@functools.cache
def make_local(kind: type) -> type:
    """Return the class of cursors `kind` for a local database: its own methods, then ours above."""
    from edgelift.worker.sqlite3.cursor import Cursor

    ours = type("LocalCursor", (LocalMethods, Cursor), {"__module__": "sqlite3"})
    return ours if kind is Cursor else type(kind.__name__, (kind, ours), {})
