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
    """The statements that copy one table; `{source}` stands for the origin's schema name.

    `select` ends in `LIMIT ?` and begins behind the last row that the target has, so that the
    target's own content is the checkpoint. Without `resumable` it has no limit: the table is
    copied in one transaction, because nothing orders its rows.
    """

    table: str
    insert: str
    select: str
    last: str
    width: int
    resumable: bool


def plan_copy(table: Table) -> TableCopy:
    """Return how to copy a table, keeping rowids where it has them.

    A rowid table goes by rowid, a WITHOUT ROWID table by primary key under BINARY, which tells
    apart all keys that any collation tells apart.
    """
    columns = [quote_identifier(c.name) for c in table.columns if not c.generated_kind]
    name = quote_identifier(table.name)
    rowid = find_rowid(table)
    if table.virtual.startswith("rtree"):  # its id is a column already and has no order
        return _whole(table.name, name, columns)
    if rowid:
        order, columns = [rowid], [rowid, *columns]
    elif table.without_rowid:
        order = [f"{quote_identifier(key)} COLLATE BINARY" for key in table.primary_key]
    else:
        return _whole(table.name, name, columns)
    keys = [rowid] if rowid else [quote_identifier(key) for key in table.primary_key]
    marks = ", ".join("?" * len(keys))
    binary = ", ".join(f"t.{part}" for part in order)
    listed = ", ".join(f"t.{column}" for column in columns)
    newest = ", ".join(f"{part} DESC" for part in order)
    return TableCopy(
        table=table.name,
        insert=f"INSERT INTO main.{name} ({', '.join(columns)})",
        select=f"SELECT {listed} FROM {{source}}.{name} AS t WHERE ({binary}) > ({marks}) "
        f"ORDER BY {binary} LIMIT ?",
        last=f"SELECT {', '.join(keys)} FROM main.{name} ORDER BY {newest} LIMIT 1",
        width=len(columns),
        resumable=True,
    )


def _whole(table: str, name: str, columns: list[str]) -> TableCopy:
    listed = ", ".join(columns)
    return TableCopy(
        table=table,
        insert=f"INSERT INTO main.{name} ({listed})",
        select=f"SELECT {listed} FROM {{source}}.{name}",
        last=f"SELECT 1 FROM main.{name} LIMIT 1",
        width=len(columns),
        resumable=False,
    )


def choose_chunk_rows(catalogue: Catalogue, size_bytes: int) -> int:
    """Return how many rows a chunk takes, from the average size of the database's rows."""
    rows = max(1, sum(table.rows for table in catalogue.tables))
    least, most = CHUNK_ROWS
    return max(least, min(most, CHUNK_BYTES * rows // max(1, size_bytes)))
