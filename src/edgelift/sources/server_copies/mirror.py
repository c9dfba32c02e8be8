"""Writes a server's tables into a SQLite file, value by value, for comparisons and samples.

Integers and floats stay numbers, bytes stay bytes, everything else is the server's own text of it.
"""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from edgelift.sources.sqlite import quote_identifier

_BATCH = 1000


@dataclass(frozen=True)
class MirrorTable:
    """A table as it is mirrored: `columns` maps each name to INTEGER, REAL, BLOB or TEXT."""

    name: str
    columns: dict[str, str]
    key: tuple[str, ...] = ()

    @property
    def definition(self) -> str:
        """Return its CREATE TABLE."""
        parts = [f"{quote_identifier(n)} {kind}" for n, kind in self.columns.items()]
        if self.key:
            parts.append(f"PRIMARY KEY ({', '.join(map(quote_identifier, self.key))})")
        return f"CREATE TABLE {quote_identifier(self.name)} ({', '.join(parts)})"


@contextlib.contextmanager
def write_mirror(file: Path) -> Iterator[sqlite3.Connection]:
    """Give a connection to a new file, which replaces an old one when the block ends well."""
    part = file.with_name(f"{file.name}.part")
    part.parent.mkdir(parents=True, exist_ok=True)
    part.unlink(missing_ok=True)
    with contextlib.closing(sqlite3.connect(part)) as db:
        db.execute("PRAGMA synchronous=OFF")
        yield db
        db.commit()
    part.replace(file)


def fill_table(
    db: sqlite3.Connection, table: MirrorTable, rows: Iterable[Sequence[object]]
) -> None:
    """Create a table and put rows into it."""
    db.execute(table.definition)
    marks = ", ".join("?" * len(table.columns))
    statement = f"INSERT INTO {quote_identifier(table.name)} VALUES ({marks})"
    batch: list[Sequence[object]] = []
    for row in rows:
        batch.append(row)
        if len(batch) == _BATCH:
            db.executemany(statement, batch)
            batch.clear()
    db.executemany(statement, batch)
