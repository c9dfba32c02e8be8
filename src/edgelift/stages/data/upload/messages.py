"""Cuts a lifted database into numbered messages for a SQL object, always the same ones.

A message is applied as a whole and stays far below what a request, or a value, may hold. Tables
come with parents first; rows of tables that refer to each other in a circle, or to themselves, are
kept aside there until all have come.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass, field

import msgspec

from edgelift.sources.sqlite_rows import read_batches
from edgelift.targets.door.cells import Cell, Sum, encode_cell
from edgelift.targets.door.loads import Load

# Well below 32 MiB, which one call of a Durable Object may carry; a row has at most 2 MB, a third
# more as base64. https://developers.cloudflare.com/durable-objects/platform/limits/
MESSAGE_BYTES = 1_000_000
MESSAGE_ROWS = 4_000  # a fraction of a second of the object's time
_encode = msgspec.json.Encoder().encode


@dataclass
class Messages:
    """The messages of a database, as JSON; `sums` are complete when all were taken."""

    db: sqlite3.Connection
    loads: list[Load]
    identity: str
    sums: dict[str, Sum] = field(default_factory=dict)
    _parts: list[bytes] = field(default_factory=list)
    _bytes: int = 0
    _rows: int = 0
    _number: int = 0

    def __iter__(self) -> Iterator[tuple[int, int, bytes]]:
        """Yield number, rows and text of each message."""
        for load in self.loads:
            yield from self._cut(load)
        if self._parts:
            yield self._close()

    def _cut(self, load: Load) -> Iterator[tuple[int, int, bytes]]:
        total = self.sums[load.table] = Sum()
        part = _Part(load)
        for batch in read_batches(self.db, load.select):
            for row in batch:
                total.add(row)
                kinds, text = encode_row(row)
                full = self._bytes + part.bytes + len(text) > MESSAGE_BYTES
                if (self._rows + len(part.rows)) and (full or self._count(part) >= MESSAGE_ROWS):
                    self._add(part)
                    yield self._close()
                if not part.takes(kinds):
                    self._add(part)
                part.add(kinds, text)
        self._add(part)

    def _count(self, part: _Part) -> int:
        return self._rows + len(part.rows)

    def _add(self, part: _Part) -> None:
        """Put the rows of a part into the message, and empty it."""
        if part.rows:
            text = part.close()
            self._rows += len(part.rows)
            self._bytes += len(text)
            self._parts.append(text)
            part.clear()

    def _close(self) -> tuple[int, int, bytes]:
        self._number += 1
        head = _encode({"identity": self.identity, "number": self._number})
        text = head[:-1] + b',"parts":[' + b",".join(self._parts) + b"]}"
        made = self._number, self._rows, text
        self._parts, self._bytes, self._rows = [], 0, 0
        return made


def encode_row(row: tuple[Cell, ...]) -> tuple[list[str], bytes]:
    """Return the kinds of a row's cells, "" for NULL which is of any, and the row as JSON."""
    cells = [encode_cell(value) for value in row]
    return [kind for kind, _ in cells], _encode([value for _, value in cells])


class _Part:
    """Rows of one table whose cells are of the same kinds."""

    def __init__(self, load: Load) -> None:
        self.load = load
        self.clear()

    def clear(self) -> None:
        """Forget the rows; those that follow may be of any kinds."""
        self.rows: list[bytes] = []
        self.bytes = 0
        self.kinds = [""] * len(self.load.columns)

    def takes(self, kinds: list[str]) -> bool:
        """Return whether a row of these kinds may join."""
        return all(not k or not own or k == own for k, own in zip(kinds, self.kinds, strict=True))

    def add(self, kinds: list[str], text: bytes) -> None:
        """Take a row."""
        self.kinds = [own or kind for own, kind in zip(self.kinds, kinds, strict=True)]
        self.rows.append(text)
        self.bytes += len(text) + 1

    def close(self) -> bytes:
        """Return the part as JSON."""
        told: dict[str, object] = {
            "table": self.load.table,
            "columns": self.load.columns,
            "kinds": "".join(kind or "-" for kind in self.kinds),
        }
        if self.load.stage is not None:
            told["stage"] = self.load.stage
        return _encode(told)[:-1] + b',"rows":[' + b",".join(self.rows) + b"]}"
