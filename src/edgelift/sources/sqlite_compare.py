"""Compare two SQLite databases row by row and name each difference; used by data and verify.

Both sides are read independently: one scan each gives a table's count and hash. Only where those
differ does the search begin: rows are dealt into buckets by the hash of their key, so that order,
collation, NULL in keys and missing keys need no special care; buckets whose sums differ are read
again in groups of bounded size and their rows compared cell by cell.
"""

from __future__ import annotations

import contextlib
import hashlib
import sqlite3
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from edgelift.errors import OriginError, TargetError
from edgelift.model.catalogue import Catalogue, Table
from edgelift.model.comparison import CellDifference, TableComparison
from edgelift.sources.sqlite import SqliteSource
from edgelift.sources.sqlite_catalogue import read_catalogue
from edgelift.sources.sqlite_rows import (
    MODULUS,
    Row,
    TableShape,
    hash_bytes,
    hash_rows,
    read_batches,
    to_canonical,
    to_hex,
    to_shape,
)
from edgelift.sources.sqlite_values import is_same, name_difference, show_pair, show_value

__all__ = ["CellDifference", "TableComparison", "compare_databases", "compare_tables"]

Progress = Callable[[str, int], None]
_GROUP_ROWS = 5000  # rows of one side held in memory while buckets are compared
_OWN_PREFIXES = ("_cf_", "_edgelift_", "sqlite_")


@dataclass(frozen=True)
class Tolerance:
    """What a comparison forgives: columns as (table, column), and an absolute float difference."""

    ignore: frozenset[tuple[str, str]] = frozenset()
    floats: float = 0.0


def compare_databases(  # noqa: PLR0913 - all but three are optional keywords
    origin: Path,
    target: Path,
    catalogue: Catalogue,
    *,
    ignore: frozenset[tuple[str, str]] = frozenset(),
    tolerance: float = 0.0,
    limit: int = 20,
    by_rowid: bool = False,
    progress: Progress = lambda _table, _rows: None,
) -> list[TableComparison]:
    """Compare every table of the origin's catalogue, and name tables that only the target has.

    `ignore` holds (table, column) pairs, with column `*` for a whole table; `tolerance` is an
    absolute difference allowed between two floats; `limit` bounds the differences named per table.
    `by_rowid` says that both sides keep the rowids of tables without a primary key, which are then
    compared too. Tables of the
    runtime (`_cf_*`) and virtual tables whose rows cannot be read are left out. `progress` is told
    (table, rows read). Raises OriginError or TargetError when a side cannot be read.
    """
    with _open_both(origin, target) as (origin_db, target_db):
        target_catalogue = read_catalogue(target_db)
        forgive = Tolerance(ignore, tolerance)
        found = [
            compare_tables(
                Side(origin_db, table),
                Side(target_db, target_catalogue.read_table(table.name)),
                forgive,
                limit=limit,
                by_rowid=by_rowid,
                progress=progress,
            )
            for table in catalogue.tables
            if table.columns and (table.name, "*") not in ignore
        ]
        known = {table.name for table in catalogue.tables}
        found += [
            _report_extra(table)
            for table in target_catalogue.tables
            if table.name not in known
            and not table.name.lower().startswith(_OWN_PREFIXES)
            and (table.name, "*") not in ignore
        ]
    return found


@contextlib.contextmanager
def _open_both(
    origin: Path, target: Path
) -> Iterator[tuple[sqlite3.Connection, sqlite3.Connection]]:
    with contextlib.ExitStack() as stack:
        origin_db = stack.enter_context(SqliteSource(origin).open())
        try:
            target_db = stack.enter_context(SqliteSource(target).open())
        except OriginError as error:
            raise TargetError(error.what, why=error.why, tip=error.tip) from error
        yield origin_db, target_db


@dataclass(frozen=True)
class Side:
    """One side of a comparison: an open database and its idea of the table (None: it has none)."""

    db: sqlite3.Connection
    table: Table | None


def compare_tables(
    origin: Side,
    target: Side,
    forgive: Tolerance,
    *,
    limit: int = 20,
    by_rowid: bool = False,
    progress: Progress = lambda _table, _rows: None,
) -> TableComparison:
    """Compare one table of the origin with the target's table of the same name."""
    assert origin.table is not None
    name = origin.table.name
    if target.table is None:
        rows, total = hash_rows(origin.db, to_shape(origin.table))
        gone = _difference(name, kind="missing table")
        return TableComparison(
            table=name, origin_rows=rows, target_rows=0, origin_hash=to_hex(total),
            target_hash="", differences=(gone,), differing_rows=rows,
        )  # fmt: skip
    drift = _compare_columns(origin.table, target.table, forgive)
    left_out = {column for table, column in forgive.ignore if table == name}
    left_out |= {difference.column for difference in drift}
    shape = to_shape(origin.table, ignore=left_out, by_rowid=by_rowid)
    counts = [
        hash_rows(side.db, shape, lambda rows: progress(name, rows)) for side in (origin, target)
    ]
    search = Search(shape, forgive.floats, limit)
    if counts[0] != counts[1]:
        search.run(origin.db, target.db, max(counts[0][0], counts[1][0]))
    return TableComparison(
        table=name,
        origin_rows=counts[0][0],
        target_rows=counts[1][0],
        origin_hash=to_hex(counts[0][1]),
        target_hash=to_hex(counts[1][1]),
        differences=(*drift, *search.differences()),
        differing_rows=search.differing_rows,
        complete=search.complete,
        columns=shape.columns,
    )


def _compare_columns(
    origin: Table, target: Table, forgive: Tolerance
) -> tuple[CellDifference, ...]:
    here = [column.name for column in origin.columns]
    there = [column.name for column in target.columns]
    return tuple(
        _difference(origin.name, column=column, kind=kind)
        for kind, names, others in (
            ("missing column", here, there),
            ("extra column", there, here),
        )
        for column in names
        if column not in others and (origin.name, column) not in forgive.ignore
    )


def _report_extra(table: Table) -> TableComparison:
    return TableComparison(
        table=table.name, origin_rows=0, target_rows=table.rows, origin_hash="", target_hash="",
        differences=(_difference(table.name, kind="extra table"),), differing_rows=table.rows,
    )  # fmt: skip


def _difference(
    table: str, *, kind: str, key: str = "", column: str = "", values: tuple[str, str] = ("", "")
) -> CellDifference:
    return CellDifference(
        table=table, key=key, column=column, origin=values[0], target=values[1], kind=kind
    )


Bucket = dict[bytes, list[Row]]


@dataclass
class Search:
    """The search for differing rows of one table; `run` fills it, `differences` names them.

    `compare_buckets` takes rows that were found in another way.
    """

    shape: TableShape
    tolerance: float
    limit: int
    differing_rows: int = 0
    complete: bool = True
    changed: list[tuple[Row, Row]] = field(default_factory=list)
    missing: list[Row] = field(default_factory=list)
    extra: list[Row] = field(default_factory=list)

    def run(self, origin: sqlite3.Connection, target: sqlite3.Connection, rows: int) -> None:
        """Find differing rows; stops after the group in which the limit is reached."""
        bits = max(4, min(16, (rows // 32).bit_length()))
        mask = (1 << bits) - 1
        sums = [self._sum_buckets(db, mask) for db in (origin, target)]
        wrong = [i for i in range(mask + 1) if sums[0][i] != sums[1][i]]
        size = max(1, _GROUP_ROWS * (mask + 1) // max(rows, 1))
        for start in range(0, len(wrong), size):
            if self._found() >= self.limit:
                self.complete = False
                return
            group = frozenset(wrong[start : start + size])
            self.compare_buckets(
                self._read_buckets(origin, mask, group), self._read_buckets(target, mask, group)
            )

    def _found(self) -> int:
        return len(self.changed) + len(self.missing) + len(self.extra)

    def read_key(self, row: Row) -> bytes:
        """Return the bytes by which a row is paired with the other side's."""
        if self.shape.by_rowid:
            return to_canonical(row[-1:])
        if self.shape.key:
            return to_canonical(tuple(row[i] for i in self.shape.key))
        if self.tolerance:
            row = tuple(None if isinstance(value, float) else value for value in row)
        return to_canonical(row)

    def _rows(self, db: sqlite3.Connection, mask: int) -> Iterator[tuple[int, bytes, Row]]:
        for batch in read_batches(db, self.shape.select):
            for row in batch:
                key = self.read_key(row)
                digest = hashlib.blake2b(key, digest_size=8).digest()
                yield int.from_bytes(digest, "big") & mask, key, row

    def _sum_buckets(self, db: sqlite3.Connection, mask: int) -> list[int]:
        sums = [0] * (mask + 1)
        for bucket, _key, row in self._rows(db, mask):
            row_hash = hash_bytes(to_canonical(row))
            sums[bucket] = (sums[bucket] + row_hash) % MODULUS
        return sums

    def _read_buckets(self, db: sqlite3.Connection, mask: int, group: frozenset[int]) -> Bucket:
        rows: Bucket = defaultdict(list)
        for bucket, key, row in self._rows(db, mask):
            if bucket in group:
                rows[key].append(row)
        return rows

    def compare_buckets(self, origin: Bucket, target: Bucket) -> None:
        """Pair the rows of both sides, given by the bytes of their keys, and keep what differs."""
        for key in origin.keys() | target.keys():
            here, there = list(origin.get(key, ())), list(target.get(key, ()))
            for row in tuple(here):
                twin = next((other for other in there if self._is_same_row(row, other)), None)
                if twin is not None:
                    here.remove(row)
                    there.remove(twin)
            pairs = list(zip(here, there, strict=False))
            self.differing_rows += max(len(here), len(there))
            self.changed += pairs
            self.missing += here[len(pairs) :]
            self.extra += there[len(pairs) :]

    def _is_same_row(self, row: Row, other: Row) -> bool:
        return all(is_same(a, b, self.tolerance) for a, b in zip(row, other, strict=True))

    def differences(self) -> list[CellDifference]:
        """Return the differences by name: changed cells first, then missing and extra rows."""
        missing, extra = list(self.missing), list(self.extra)
        changed = list(self.changed)
        for row in tuple(missing[: self.limit]):
            twin = max(
                extra[: self.limit], key=lambda other: self._likeness(row, other), default=None
            )
            if twin is not None and self._likeness(row, twin) >= 0.5:
                missing.remove(row)
                extra.remove(twin)
                changed.append((row, twin))
        found = [cell for row, other in changed for cell in self._name_cells(row, other)]
        for kind, rows in (("missing row", missing), ("extra row", extra)):
            for row in rows:
                shown = self._show_row(row)
                values = (shown, "") if kind == "missing row" else ("", shown)
                found.append(
                    _difference(self.shape.table, key=self._show_key(row), kind=kind, values=values)
                )
        return found[: self.limit]

    def _likeness(self, row: Row, other: Row) -> float:
        """Return how alike two unmatched rows are: by their key's looks, else by equal cells."""
        if self.shape.by_rowid:
            return 0.0
        if self.shape.key:
            return float(all(_looks_alike(row[i], other[i]) for i in self.shape.key))
        return sum(map(is_same, row, other)) / max(1, len(row))

    def _name_cells(self, row: Row, other: Row) -> list[CellDifference]:
        wrong = [
            (column, a, b)
            for column, a, b in zip(self.shape.columns, row, other, strict=False)
            if not is_same(a, b, self.tolerance)
        ]
        swapped = (
            len(wrong) == 2
            and is_same(wrong[0][1], wrong[1][2])
            and is_same(wrong[0][2], wrong[1][1])
        )
        return [
            _difference(
                self.shape.table,
                key=self._show_key(row),
                column=column,
                kind="swapped columns" if swapped else name_difference(a, b),
                values=show_pair(a, b),
            )
            for column, a, b in wrong
        ]

    def _show_key(self, row: Row) -> str:
        if self.shape.by_rowid:
            return f"rowid={row[-1]}"
        places = self.shape.key or range(min(3, len(self.shape.columns)))
        return ", ".join(f"{self.shape.columns[i]}={show_value(row[i])}" for i in places)

    def _show_row(self, row: Row) -> str:
        cells = [
            f"{column}={show_value(value)}"
            for column, value in zip(self.shape.columns[:8], row, strict=False)
        ]
        more = len(self.shape.columns) - len(cells)
        return ", ".join(cells) + (f", and {more} more columns" if more else "")


def _looks_alike(value: object, other: object) -> bool:
    if value is None or other is None:
        return value is other
    return _plain(value) == _plain(other)


def _plain(value: object) -> str:
    text = value.decode("latin-1") if isinstance(value, bytes) else str(value)
    text = text.strip().casefold()
    with contextlib.suppress(ValueError, OverflowError):
        number = float(text)
        return repr(number) if abs(number) < 2**53 else text
    return text
