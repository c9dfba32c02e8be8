"""What data left of a database: the record that verify, build and report read as `data:<db>`."""

from __future__ import annotations

import msgspec


class TableRecord(msgspec.Struct, frozen=True, kw_only=True):
    """A lifted table: rows and the order-independent hash of their canonical bytes (32 digits)."""

    rows: int
    hash: str


class DataDocument(msgspec.Struct, frozen=True, kw_only=True):
    """A lifted database: its tables, the hash over them all, and the file as it was left.

    `position` is where a server stood when its snapshot was taken: following goes on from there.
    """

    tables: dict[str, TableRecord]
    root: str
    size_bytes: int
    modified_ns: int
    position: str = ""

    @property
    def rows(self) -> int:
        """Return the rows of all tables."""
        return sum(table.rows for table in self.tables.values())
