"""Name what differs in a chunk whose hashes differ: table, key, column, both values.

Both sides are read twice: first for the hashes of their rows, then for those rows alone whose hash
the other side lacks, so that memory stays small whatever the chunk.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import apsw

from edgelift.model.comparison import CellDifference
from edgelift.model.move_plan import TableMove
from edgelift.model.row_spec import RowSpec
from edgelift.rows.engine import read_rows
from edgelift.rows.hashing import hash_row
from edgelift.sources.origin_database import Chunk, RowReader
from edgelift.sources.sqlite_catalogue import quote_identifier
from edgelift.sources.sqlite_compare import Search
from edgelift.sources.sqlite_rows import Row, TableShape

_MOST_BYTES = 16 * 1024 * 1024  # of differing rows of one side that are held in memory
Reader = Callable[[], Iterable[Row]]


def find_differences(
    move: TableMove,
    spec: RowSpec,
    read_origin: Reader,
    read_target: Reader,
    limit: int,
) -> tuple[list[CellDifference], int]:
    """Return the named differences and how many rows differ at least.

    Works without a key: rows are then paired by their likeness.
    """
    surplus = Counter(hash_row(row) for row in read_origin())
    surplus.subtract(hash_row(row) for row in read_target())
    missing = {digest: n for digest, n in surplus.items() if n > 0}
    extra = {digest: -n for digest, n in surplus.items() if n < 0}
    columns = tuple(field.column for field in spec.fields)
    key = tuple(columns.index(name) for name in move.key) if set(move.key) <= set(columns) else ()
    search = Search(TableShape(spec.target, columns, key), 0.0, limit)
    search.compare_buckets(
        _collect(read_origin(), missing, search), _collect(read_target(), extra, search)
    )
    return search.differences(), max(sum(missing.values()), sum(extra.values()))


def _collect(rows: Iterable[Row], wanted: dict[int, int], search: Search) -> dict[bytes, list[Row]]:
    left = dict(wanted)
    found: dict[bytes, list[Row]] = defaultdict(list)
    held = 0
    for row in rows:
        digest = hash_row(row)
        if left.get(digest, 0) > 0 and held < _MOST_BYTES:
            left[digest] -= 1
            held += 100 + sum(len(v) for v in row if isinstance(v, str | bytes))
            found[search.read_key(row)].append(row)
    return found


def origin_reader(reader: RowReader, spec: RowSpec, chunk: Chunk) -> Reader:
    """Return what reads a chunk's rows at the origin, decoded in Python, as often as called."""
    return lambda: read_rows(spec, reader.stream_chunk(spec, chunk))


def target_reader(db: apsw.Connection, spec: RowSpec, place: str) -> Reader:
    """Return what reads rows of the target, as often as called."""
    columns = ", ".join(quote_identifier(field.column) for field in spec.fields)
    where = f" WHERE {place}" if place else ""
    query = f"SELECT {columns} FROM main.{quote_identifier(spec.target)}{where}"

    def read() -> Iterator[tuple[Any, ...]]:
        yield from db.execute(query)

    return read
