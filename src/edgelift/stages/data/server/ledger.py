"""The ledger of chunks inside the unfinished file: what is planned, what is done, with which hash.

It lies beside the rows so that a chunk and its entry are one transaction: after a kill at any
moment the ledger says exactly which rows are there.
"""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import apsw

from edgelift.rows.engine import ChunkResult
from edgelift.sources.origin_database import Chunk

TABLE = "_edgelift_chunks"
_CREATE = f"""
CREATE TABLE IF NOT EXISTS {TABLE} (
  target TEXT NOT NULL, number INTEGER NOT NULL, condition TEXT NOT NULL, estimate INTEGER NOT NULL,
  low INTEGER, high INTEGER, rows INTEGER, hash TEXT, first INTEGER, last INTEGER,
  PRIMARY KEY (target, number))
"""
_COLUMNS = "number, condition, estimate, low, high, rows, hash, first, last"


@dataclass(frozen=True)
class Entry:
    """A chunk in the ledger: `result` is None until it was copied; `first` < rowid <= `last`."""

    chunk: Chunk
    result: ChunkResult | None = None
    first: int = 0
    last: int = 0


def is_begun(db: apsw.Connection) -> bool:
    """Return whether the file has a ledger."""
    query = "SELECT 1 FROM sqlite_schema WHERE name = ?"
    return db.execute(query, (TABLE,)).fetchone() is not None


def has_ledger(path: Path) -> bool:
    """Return whether an unfinished file is there with its ledger: only such a one goes on."""
    if not path.is_file():
        return False
    try:
        db = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READWRITE)
        try:
            return is_begun(db)
        finally:
            db.close()
    except apsw.Error:
        return False


def count_done(path: Path) -> int | None:
    """Return the chunks that an unfinished file holds, None without a file or sound ledger."""
    if not has_ledger(path):
        return None
    query = f"SELECT count(*) FROM {TABLE} WHERE hash IS NOT NULL"
    try:
        with contextlib.closing(apsw.Connection(str(path))) as db:
            row = db.execute(query).fetchone()
    except apsw.Error:
        return None
    return int(row[0]) if row else None


def begin(db: apsw.Connection) -> None:
    """Make the ledger."""
    db.execute(_CREATE)


def read_entries(db: apsw.Connection, target: str) -> list[Entry]:
    """Return the chunks of a table in order; empty before they were planned."""
    query = f"SELECT {_COLUMNS} FROM {TABLE} WHERE target = ? ORDER BY number"
    return [_to_entry(row) for row in db.execute(query, (target,))]


def _to_entry(row: tuple[object, ...]) -> Entry:
    number, condition, estimate, low, high, rows, digest, first, last = row
    chunk = Chunk(
        index=_int(number),
        where=str(condition),
        estimate=_int(estimate),
        low=None if low is None else _int(low),
        high=None if high is None else _int(high),
    )
    if digest is None:
        return Entry(chunk)
    result = ChunkResult(rows=_int(rows), hash=int(str(digest), 16), bytes_in=0)
    return Entry(chunk, result, _int(first), _int(last))


def _int(value: object) -> int:
    assert isinstance(value, int)
    return value


def plan_entries(db: apsw.Connection, target: str, chunks: Sequence[Chunk]) -> None:
    """Write the chunks of a table, all at once."""
    db.execute("BEGIN IMMEDIATE")
    db.executemany(
        f"INSERT INTO {TABLE} (target, number, condition, estimate, low, high) "
        "VALUES (?,?,?,?,?,?)",
        [(target, c.index, c.where, c.estimate, c.low, c.high) for c in chunks],
    )
    db.execute("COMMIT")


def write_result(
    db: apsw.Connection, target: str, chunk: Chunk, result: ChunkResult, span: tuple[int, int]
) -> None:
    """Record a copied chunk, inside the transaction that wrote its rows."""
    db.execute(
        f"UPDATE {TABLE} SET rows=?, hash=?, first=?, last=? WHERE target=? AND number=?",
        (result.rows, format(result.hash, "016x"), *span, target, chunk.index),
    )


def forget_result(db: apsw.Connection, target: str, chunk: Chunk) -> None:
    """Record that a chunk has to be copied again."""
    db.execute(
        f"UPDATE {TABLE} SET rows=NULL, hash=NULL WHERE target=? AND number=?",
        (target, chunk.index),
    )


def end(db: apsw.Connection) -> None:
    """Remove the ledger from the finished file."""
    db.execute(f"DROP TABLE {TABLE}")
