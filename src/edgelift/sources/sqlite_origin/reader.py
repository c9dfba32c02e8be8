"""Stream the rows of a snapshot as the wire `sqlite`, and count what limits are judged on.

Rows are packed inside SQLite by the native engine's extension, or here from the bytes of each value
where it cannot be had; both give the same stream.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from edgelift.model.row_spec import FieldSpec, RowSpec
from edgelift.rows.engine import choose_engine
from edgelift.rows.native_engine import load_into
from edgelift.rows.wires import SQLITE_END, write_sqlite_row
from edgelift.sources.origin_database import Chunk, ColumnFacts, TableFacts
from edgelift.sources.sqlite_changes.feed import read_start
from edgelift.sources.sqlite_origin.chunks import plan_chunks, write_source
from edgelift.sources.sqlite_origin.connection import open_snapshot, reading

_BATCH = 256 * 1024  # bytes of rows that are handed on at once
_MOST_ARGUMENTS = 100  # columns that one call packs, as every SQLite takes
_HASH_BYTES = 64


class SqliteReader:
    """A snapshot file, read by a connection of its own; any number may read it at once."""

    ticket = "file"

    def __init__(self, path: Path) -> None:
        """Open the file; raises OriginError."""
        self._path = path
        with reading(path):
            self._db = open_snapshot(path)
            self.position = read_start(path)
        self._packs = choose_engine() == "native"
        if self._packs:
            load_into(self._db)

    def plan_chunks(self, spec: RowSpec, rows_per_chunk: int) -> list[Chunk]:
        """Cut a table by its rowid or key, or not at all."""
        with reading(self._path):
            return plan_chunks(self._db, spec, max(1, rows_per_chunk))

    def stream_chunk(self, spec: RowSpec, chunk: Chunk) -> Iterator[bytes]:
        """Yield the rows of a chunk, in the order of the key."""
        native = self._packs and len(spec.fields) <= _MOST_ARGUMENTS
        rows = self._pack(spec, chunk) if native else self._pack_here(spec, chunk)
        parts, size = [], 0
        with reading(self._path):
            for row in rows:
                parts.append(row)
                size += len(row)
                if size >= _BATCH:
                    yield b"".join(parts)
                    parts, size = [], 0
        yield b"".join([*parts, SQLITE_END])

    def _pack(self, spec: RowSpec, chunk: Chunk) -> Iterator[bytes]:
        columns = ", ".join(field.read for field in spec.fields)
        for (row,) in self._db.execute(f"SELECT edgelift_pack({columns}) {_from(spec, chunk)}"):
            assert isinstance(row, bytes)
            yield row

    def _pack_here(self, spec: RowSpec, chunk: Chunk) -> Iterator[bytes]:
        columns = ", ".join(field.read for field in spec.fields)
        for row in self._db.execute(f"SELECT {columns} {_from(spec, chunk)}"):
            yield write_sqlite_row(row)

    def read_facts(self, spec: RowSpec) -> TableFacts:
        """Measure a table in one scan."""
        sizes = [_write_size(field) for field in spec.fields]
        largest = ", ".join(f"max({size})" for size in sizes)
        row = " + ".join(sizes)
        query = (
            f"SELECT count(*), coalesce(max({row}), 0), coalesce(sum({row}), 0), {largest} "
            f"{_from(spec, Chunk(index=0), ordered=False)}"
        )
        with reading(self._path):
            found = self._db.execute(query).fetchone()
        assert found is not None
        rows, most, total, *columns = (int(str(value or 0)) for value in found)
        return TableFacts(
            rows=rows,
            row_bytes=most,
            total_bytes=total,
            columns={
                field.column: ColumnFacts(max_bytes=size)
                for field, size in zip(spec.fields, columns, strict=True)
            },
        )

    def read_groups(self, spec: RowSpec, group: str) -> dict[str | None, tuple[int, int]]:
        """Count rows and bytes by the value of an expression, in one scan."""
        size = " + ".join(map(_write_size, spec.fields))
        source = _from(spec, Chunk(index=0), ordered=False)
        query = f"SELECT {group}, count(*), sum({size}) {source} GROUP BY 1"
        with reading(self._path):
            return {
                None if value is None else str(value): (int(str(rows)), int(str(total or 0)))
                for value, rows, total in self._db.execute(query)
            }

    def read_lines(self, spec: RowSpec, query: str) -> list[tuple[str | None, ...]]:
        """Return the rows of a small query, its values as text."""
        del spec
        with reading(self._path):
            return [
                tuple(None if value is None else str(value) for value in row)
                for row in self._db.execute(query)
            ]

    def close(self) -> None:
        """Close the connection; the file stays."""
        self._db.close()


def _from(spec: RowSpec, chunk: Chunk, *, ordered: bool = True) -> str:
    parts = [f"({part})" for part in (spec.where, chunk.where) if part]
    where = f" WHERE {' AND '.join(parts)}" if parts else ""
    order = f" ORDER BY {', '.join(spec.key)}" if spec.key and ordered else ""
    # The table itself is read: an index may cover the columns, and be damaged where it is not.
    how = " NOT INDEXED" if spec.key else ""
    return f"FROM {write_source(spec)}{how}{where}{order}"


def _write_size(field: FieldSpec) -> str:
    """Return the SQL of the bytes of a value; hashes are not made only to be measured."""
    if field.read.startswith("edgelift_sha256("):
        return str(_HASH_BYTES)
    read = field.read
    return (
        f"CASE typeof({read}) WHEN 'text' THEN length(CAST({read} AS BLOB)) WHEN 'blob' THEN "
        f"length({read}) WHEN 'null' THEN 0 ELSE 8 END"
    )
