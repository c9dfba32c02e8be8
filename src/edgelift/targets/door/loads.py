"""Which tables and columns of a lifted database travel through the door, and in which order."""

from __future__ import annotations

from dataclasses import dataclass

from edgelift.model.catalogue import Catalogue, Table
from edgelift.sources.sqlite_catalogue import quote_identifier
from edgelift.sources.sqlite_ddl import read_fts_content
from edgelift.sources.sqlite_rows import find_rowid
from edgelift.sources.table_order import is_circular, sort_by_references
from edgelift.targets.d1_dialect import MAX_COLUMNS


@dataclass(frozen=True)
class Load:
    """How a table's rows travel: `columns` with the rowid where there is one.

    `key` are those by whose order they are read in pages, none where only a place in the table can
    be. Rows with a `stage` are kept aside until all have come.
    """

    table: str
    columns: tuple[str, ...]
    key: tuple[str, ...] = ()
    stage: int | None = None

    @property
    def select(self) -> str:
        """Return the query of all its rows."""
        listed = ", ".join(map(quote_identifier, self.columns))
        return f"SELECT {listed} FROM main.{quote_identifier(self.table)}"


def list_loads(catalogue: Catalogue) -> list[Load]:
    """Return the tables that have rows of their own, parents before children."""
    loads: list[Load] = []
    for circle in sort_by_references(catalogue):
        staged = is_circular(circle)
        for table in circle:
            if table.virtual == "fts5vocab" or read_content(table) is not None:
                continue
            stage = len(loads) + 1 if staged else None
            columns = list_columns(table)
            loads.append(Load(table.name, columns, _find_key(table, columns), stage))
    return loads


def read_content(table: Table) -> str | None:
    """Return the table whose rows a full-text index shows, None for other tables."""
    return read_fts_content(table.sql) if table.virtual == "fts5" else None


def list_columns(table: Table) -> tuple[str, ...]:
    """Return the columns to load, not computed ones, with the rowid where there is room for it."""
    columns = [column.name for column in table.columns if not column.generated_kind]
    rowid = "" if _is_named(table) else find_rowid(table)
    if rowid and not table.virtual.startswith("rtree") and len(columns) < MAX_COLUMNS:
        columns.insert(0, rowid)
    return tuple(columns)


def _find_key(table: Table, columns: tuple[str, ...]) -> tuple[str, ...]:
    """Return the columns that name a row in an order that SQLite has at hand."""
    if table.without_rowid or _is_named(table):
        return table.primary_key
    rowid = find_rowid(table)
    return (rowid,) if rowid and rowid == columns[0] else ()


def _is_named(table: Table) -> bool:
    """Return whether a column is the rowid; INTEGER PRIMARY KEY DESC is none (SQLite's docs)."""
    keyed = [column for column in table.columns if column.primary_key]
    return (
        len(keyed) == 1
        and keyed[0].declared.upper() == "INTEGER"
        and "DESC" not in (table.sql.upper())
    )
