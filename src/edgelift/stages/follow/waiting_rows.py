"""Rows of a large transaction that do not fit yet: what they conflict with goes or moves later.

They wait in temporary tables, so that memory stays bounded however many they are, and are written
when the transaction is complete.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import apsw

from edgelift.sources.change_feed import Key, Shape
from edgelift.sources.sqlite_catalogue import quote_identifier

_PREFIX = "_edgelift_waiting_"


class WaitingRows:
    """The waiting rows of one connection; all calls go inside its open transaction."""

    def __init__(self, db: apsw.Connection) -> None:
        self._db = db
        self._tables: dict[str, tuple[str, Shape]] = {}

    def add(self, shape: Shape, row: Sequence[object]) -> None:
        """Let a row wait, given in the order of the shape's columns."""
        if shape.table not in self._tables:
            self._make(shape)
        name, _ = self._tables[shape.table]
        marks = ", ".join("?" * len(shape.columns))
        self._db.execute(f"INSERT INTO {name} VALUES ({marks})", tuple(row))

    def _make(self, shape: Shape) -> None:
        own = quote_identifier(f"{_PREFIX}{shape.table}")
        columns = ", ".join(map(quote_identifier, shape.columns))
        self._db.execute(
            f"CREATE TEMP TABLE IF NOT EXISTS {own} AS "
            f"SELECT {columns} FROM main.{quote_identifier(shape.table)} WHERE 0"
        )
        if shape.key:
            index = quote_identifier(f"{_PREFIX}{shape.table} key")
            key = ", ".join(map(quote_identifier, shape.key))
            self._db.execute(f"CREATE INDEX IF NOT EXISTS temp.{index} ON {own} ({key})")
        self._tables[shape.table] = (f"temp.{own}", shape)

    def find(self, shape: Shape, key: Key) -> Key | None:
        """Return the waiting row of a key."""
        if shape.table not in self._tables:
            return None
        name, _ = self._tables[shape.table]
        columns = ", ".join(map(quote_identifier, shape.columns))
        query = f"SELECT {columns} FROM {name} WHERE {write_condition(shape.key)}"
        return self._db.execute(query, key).fetchone()

    def remove(self, shape: Shape, keys: Iterable[Key]) -> None:
        """Forget the waiting rows of keys."""
        if shape.table in self._tables:
            name, _ = self._tables[shape.table]
            self._db.executemany(
                f"DELETE FROM {name} WHERE {write_condition(shape.key)}", list(keys)
            )

    def remove_alike(self, shape: Shape, values: Key, count: int) -> int:
        """Forget so many waiting rows of exactly these values and return how many there were."""
        if shape.table not in self._tables or not count:
            return 0
        return delete_alike(self._db, self._tables[shape.table][0], shape, values, count)

    def empty(self, shape: Shape) -> None:
        """Forget all waiting rows of a table."""
        if shape.table in self._tables:
            self._db.execute(f"DELETE FROM {self._tables[shape.table][0]}")

    def settle(self) -> None:
        """Write all rows; apsw.ConstraintError when one still does not fit."""
        for name, shape in self._tables.values():
            columns = ", ".join(map(quote_identifier, shape.columns))
            self._db.execute(
                f"INSERT INTO main.{quote_identifier(shape.table)} ({columns}) SELECT * FROM {name}"
            )
            self._db.execute(f"DELETE FROM {name}")

    def forget(self) -> None:
        """Begin anew after the transaction was rolled back, which removed the tables too."""
        self._tables.clear()


def delete_alike(db: apsw.Connection, table: str, shape: Shape, values: Key, count: int) -> int:
    """Delete at most so many rows of exactly these values and return how many went."""
    where = " AND ".join(f"{quote_identifier(name)} IS ? COLLATE BINARY" for name in shape.columns)
    db.execute(
        f"DELETE FROM {table} WHERE rowid IN (SELECT rowid FROM {table} WHERE {where} LIMIT ?)",
        (*values, count),
    )
    return db.changes()


def write_condition(key: Iterable[str]) -> str:
    """Return the condition that finds a row by its key."""
    return " AND ".join(f"{quote_identifier(name)} IS ?" for name in key)
