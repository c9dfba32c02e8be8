"""The engine in Python: it runs everywhere, and it is what the native engine is compared with."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import apsw
import xxhash

from edgelift.errors import OriginError, UsageError
from edgelift.rows.conversions import Value
from edgelift.rows.hashing import MODULUS, hash_rows, write_canonical
from edgelift.rows.plan import RowPlan, convert_row
from edgelift.rows.wires import Buffer, WireError, split


@dataclass(frozen=True)
class ChunkResult:
    """What a chunk held: rows, the sum of their hashes modulo 2^64, bytes read from the wire."""

    rows: int
    hash: int
    bytes_in: int


def explain_wire(plan: RowPlan, why: str) -> OriginError:
    """Return the error of a stream that cannot be read."""
    return OriginError(
        f"{plan.place}: the rows the server sent cannot be read",
        why=why,
        tip="run again: finished chunks are kept",
    )


def decode(plan: RowPlan, buffer: Buffer) -> Iterator[tuple[Value, ...]]:
    """Yield the target's values of each row; OriginError for what cannot be read or carried."""
    ordinal = 0
    try:
        for row in split(plan.spec.wire, buffer, len(plan.fields)):
            ordinal += 1
            values = convert_row(plan, row, ordinal)
            del row  # a big row is held once, not twice, while its values are used
            yield values
            del values
    except WireError as error:
        raise explain_wire(plan, str(error)) from None


def hash_stream(plan: RowPlan, stream: Iterable[bytes]) -> ChunkResult:
    """Return count and hash of the rows; nothing is written."""
    buffer = Buffer(stream)
    rows, total = hash_rows(decode(plan, buffer))
    return ChunkResult(rows, total, buffer.bytes_in)


def write_insert(plan: RowPlan) -> str:
    """Return the head of the INSERT into the target: table and columns."""
    columns = ", ".join(quote(field.spec.column) for field in plan.fields)
    return f"INSERT OR FAIL INTO main.{quote(plan.spec.target)} ({columns})"


def quote(name: str) -> str:
    """Return a name quoted for SQLite; UsageError for one it cannot have."""
    if "\0" in name:
        raise UsageError(f"{name!r} is no name for SQLite", why="it has a NUL", tip="rename it")
    return '"' + name.replace('"', '""') + '"'


def load_chunk(db: apsw.Connection, plan: RowPlan, stream: Iterable[bytes]) -> ChunkResult:
    """Insert the rows and return their count and hash; the caller holds the transaction."""
    buffer = Buffer(stream)
    rows = total = 0

    def hashed() -> Iterator[tuple[Value, ...]]:
        nonlocal rows, total
        for row in decode(plan, buffer):
            rows += 1
            total += xxhash.xxh3_64_intdigest(write_canonical(row))
            yield row

    marks = ", ".join("?" * len(plan.fields))
    db.executemany(f"{write_insert(plan)} VALUES ({marks})", hashed())
    return ChunkResult(rows, total % MODULUS, buffer.bytes_in)


def hash_target(db: apsw.Connection, select: str) -> ChunkResult:
    """Return count and hash of the rows that a SELECT of the target yields."""
    rows, total = hash_rows(db.execute(select))
    return ChunkResult(rows, total, 0)
