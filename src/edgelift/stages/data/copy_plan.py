"""How each table's rows are copied: in which order, by which statement, in chunks of which size."""

from __future__ import annotations

from dataclasses import dataclass

from edgelift.model.catalogue import Catalogue, Table
from edgelift.sources.sqlite_catalogue import quote_identifier
from edgelift.sources.sqlite_rows import find_rowid

CHUNK_BYTES = 32 * 1024 * 1024  # what one transaction writes at most, roughly
CHUNK_ROWS = (200, 20_000)  # bounds of a chunk whatever the size of a row


@dataclass(frozen=True)
class TableCopy:
    """How one table is copied: `columns` are quoted, `keys` what orders its rows (empty: nothing).

    With keys each chunk begins behind the last row that the target has, so that the target's own
    content is the checkpoint; without them the table is copied in one transaction. `by_rowid` says
    that the key is a number, whose order does not depend on the text encoding.
    """

    table: str
    columns: tuple[str, ...]
    keys: tuple[str, ...] = ()
    by_rowid: bool = False

    @property
    def insert(self) -> str:
        """Return the head of the INSERT into the target."""
        return f"INSERT INTO main.{quote_identifier(self.table)} ({', '.join(self.columns)})"

    @property
    def last(self) -> str:
        """Return the query for the key of the target's last row, or whether it has any row."""
        name = f"main.{quote_identifier(self.table)}"
        if not self.keys:
            return f"SELECT 1 FROM {name} LIMIT 1"
        newest = ", ".join(f"{part} DESC" for part in self._order)
        return f"SELECT {', '.join(self.keys)} FROM {name} ORDER BY {newest} LIMIT 1"

    @property
    def _order(self) -> list[str]:
        return [key if self.by_rowid else f"{key} COLLATE BINARY" for key in self.keys]

    def select(self, source: str, *, behind: bool = False) -> str:
        """Return the query for rows of the attached database `source`; `behind` a key given.

        Parameters: the key's values with `behind`, then the number of rows where there are keys.
        """
        query = f"SELECT {', '.join(self.columns)} FROM {source}.{quote_identifier(self.table)}"
        if not self.keys:
            return query
        query += " NOT INDEXED"  # the table itself: an index may be damaged where it is not
        order = ", ".join(self._order)
        if behind:
            query += f" WHERE ({order}) > ({', '.join('?' * len(self.keys))})"
        return f"{query} ORDER BY {order} LIMIT ?"


def plan_copy(table: Table) -> TableCopy:
    """Return how to copy a table, keeping rowids where it has them.

    A rowid table goes by rowid, a WITHOUT ROWID table by primary key under BINARY, which tells
    apart all keys that any collation tells apart. An rtree has no order that an index serves.
    """
    columns = tuple(quote_identifier(c.name) for c in table.columns if not c.generated_kind)
    rowid = find_rowid(table)
    if table.virtual.startswith("rtree"):
        return TableCopy(table.name, columns)
    if rowid:
        return TableCopy(table.name, (rowid, *columns), (rowid,), by_rowid=True)
    if table.without_rowid:
        return TableCopy(table.name, columns, tuple(map(quote_identifier, table.primary_key)))
    return TableCopy(table.name, columns)


def choose_chunk_rows(catalogue: Catalogue, size_bytes: int) -> int:
    """Return how many rows a chunk takes, from the average size of the database's rows."""
    rows = max(1, sum(table.rows for table in catalogue.tables))
    least, most = CHUNK_ROWS
    return max(least, min(most, CHUNK_BYTES * rows // max(1, size_bytes)))
