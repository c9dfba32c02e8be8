"""Rows of a SQLite table as canonical bytes and hashes: how data and verify compare.

A row's canonical form is the MessagePack array of its values, made from what SQLite stores and not
from what a column declares: integer (exact int64, shortest form), float (IEEE 754 double, so -0.0
and infinities are kept apart), str (the stored UTF-8 bytes, valid or not), bin, nil. The type tags
keep NULL from '', 1 from 1.0 and from '1', text from a blob. A row's hash is the first 16 bytes of
BLAKE2b over that, a table's hash the sum of its rows' hashes modulo 2^128: it does not depend on
the order of rows, adds up over chunks, and counts duplicates.
"""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import msgspec

from edgelift.model.catalogue import Table
from edgelift.sources.sqlite_catalogue import quote_identifier

Row = tuple[Any, ...]
HASH_BYTES = 16
MODULUS = 1 << (8 * HASH_BYTES)
_BATCH = 2000

_encode = msgspec.msgpack.Encoder().encode


@dataclass(frozen=True)
class TableShape:
    """How a table is read: `columns` to compare, `key` their positions that name a row.

    `rowid` is the alias by which SQLite's rowid can be read (empty for none). With `by_rowid` it
    stands as an extra last value that names the row and is part of its hash. `plain` says that it
    is read itself: an index may cover the columns, and be damaged where the table is not.
    """

    table: str
    columns: tuple[str, ...]
    key: tuple[int, ...]
    rowid: str = ""
    by_rowid: bool = False
    plain: bool = False

    @property
    def select(self) -> str:
        """Return the SELECT of all rows, in no particular order."""
        names = [f"t.{quote_identifier(name)}" for name in self.columns]
        if self.by_rowid:
            names.append(f"t.{self.rowid}")
        how = " NOT INDEXED" if self.plain else ""
        return f"SELECT {', '.join(names)} FROM main.{quote_identifier(self.table)} AS t{how}"


def find_rowid(table: Table) -> str:
    """Return a name by which the rowid of a table can be read, or an empty string.

    All three aliases may be taken by ordinary columns, and a WITHOUT ROWID table has none.
    """
    taken = {column.name.lower() for column in table.columns}
    if table.without_rowid:
        return ""
    return next((alias for alias in ("rowid", "_rowid_", "oid") if alias not in taken), "")


def to_shape(table: Table, *, ignore: Iterable[str] = (), by_rowid: bool = False) -> TableShape:
    """Return how to read a table without the columns of `ignore`.

    Rows are named by the primary key if all of it is read, else by rowid where `by_rowid` allows
    (both sides keep their rowids), else not at all: such tables are compared as multisets.
    """
    left_out = set(ignore)
    columns = tuple(column.name for column in table.columns if column.name not in left_out)
    primary_key = table.primary_key
    rowid = find_rowid(table)
    if primary_key and not left_out.intersection(primary_key):
        return TableShape(
            table.name,
            columns,
            tuple(columns.index(name) for name in primary_key),
            rowid,
            plain=not table.virtual,
        )
    return TableShape(
        table.name,
        columns,
        (),
        rowid,
        by_rowid=by_rowid and bool(rowid) and table.virtual in {"", "fts5"},
        plain=not table.virtual,
    )


def _escape(raw: bytes) -> str:
    return raw.decode("utf-8", "surrogateescape")


def to_canonical(row: Row) -> bytes:
    """Return the canonical bytes of a row; text that is not UTF-8 comes with surrogate escapes."""
    try:
        return _encode(row)
    except UnicodeEncodeError:
        return _encode(tuple(map(_to_raw, row)))


def _to_raw(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    raw = value.encode("utf-8", "surrogateescape")
    size = len(raw)
    if size < 32:
        head = bytes([0xA0 | size])
    elif size < 1 << 8:
        head = b"\xd9" + size.to_bytes(1, "big")
    elif size < 1 << 16:
        head = b"\xda" + size.to_bytes(2, "big")
    else:
        head = b"\xdb" + size.to_bytes(4, "big")
    return msgspec.Raw(head + raw)


def hash_bytes(data: bytes) -> int:
    """Return the 128-bit hash of canonical bytes as an integer."""
    return int.from_bytes(hashlib.blake2b(data, digest_size=HASH_BYTES).digest(), "big")


def to_hex(total: int) -> str:
    """Return a table's hash, a sum of row hashes, as 32 hexadecimal digits."""
    return format(total % MODULUS, "032x")


def read_batches(
    db: sqlite3.Connection, sql: str, parameters: Iterable[object] = ()
) -> Iterator[list[Row]]:
    """Yield rows in lists of bounded length, text as str with surrogate escapes where not UTF-8."""
    db.text_factory = _escape
    cursor = db.execute(sql, tuple(parameters))
    while batch := cursor.fetchmany(_BATCH):
        yield batch


def hash_rows(
    db: sqlite3.Connection, shape: TableShape, progress: Callable[[int], None] | None = None
) -> tuple[int, int]:
    """Return (number of rows, sum of row hashes) of a whole table in one scan.

    `progress` is told the rows done so far. Reads text with C's decoder first, and starts again
    with escapes when some text is not UTF-8.
    """
    try:
        db.text_factory = str
        return _fold(db, shape, progress)
    except sqlite3.OperationalError as error:
        if "decode" not in str(error).lower():
            raise
        db.text_factory = _escape
        return _fold(db, shape, progress)


def _fold(
    db: sqlite3.Connection, shape: TableShape, progress: Callable[[int], None] | None
) -> tuple[int, int]:
    count = total = 0
    digest, from_bytes, encode = hashlib.blake2b, int.from_bytes, to_canonical
    cursor = db.execute(shape.select)
    while batch := cursor.fetchmany(_BATCH):
        total += sum(
            from_bytes(digest(encode(row), digest_size=HASH_BYTES).digest(), "big") for row in batch
        )
        count += len(batch)
        if progress is not None:
            progress(count)
    return count, total % MODULUS
