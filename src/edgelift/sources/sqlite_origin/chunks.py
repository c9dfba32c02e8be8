"""Cut a table of a SQLite file into chunks: by its rowid or primary key, or not at all."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

import apsw

from edgelift.model.row_spec import RowSpec
from edgelift.sources.origin_database import Chunk
from edgelift.sources.sqlite_catalogue import quote_identifier

_SPARSE = 4  # numbers for each row, up to which the ends of chunks are reckoned, not looked up
Bound = tuple[object, ...]


def write_source(spec: RowSpec) -> str:
    """Return the table of a spec, as a query names it."""
    return f"main.{quote_identifier(spec.table)}"


def plan_chunks(db: apsw.Connection, spec: RowSpec, rows: int) -> list[Chunk]:
    """Return chunks of at most `rows` rows that together cover every row once."""
    where = f" WHERE {spec.where}" if spec.where else ""
    count = _read_number(db, f"SELECT count(*) FROM {write_source(spec)}{where}") or 0
    if not spec.key or count <= rows:
        return [Chunk(index=0, estimate=count)]
    bounds = _reckon(db, spec, rows, count) or list(_look_up(db, spec, rows))
    return _cut(spec, bounds, min(rows, count))


def _read_number(db: apsw.Connection, query: str) -> int | None:
    found = db.execute(query).fetchone()
    return found[0] if found and isinstance(found[0], int) else None


def _reckon(db: apsw.Connection, spec: RowSpec, rows: int, count: int) -> list[Bound]:
    """Return ends of equal spans of an integer key that has few gaps, else nothing.

    A span of so many integers holds no more rows, whatever its gaps.
    """
    if len(spec.key) != 1:
        return []
    source = f"FROM {write_source(spec)}"
    kinds = db.execute(f"SELECT typeof(min({spec.key[0]})), typeof(max({spec.key[0]})) {source}")
    if kinds.fetchone() != ("integer", "integer"):
        return []
    low = _read_number(db, f"SELECT min({spec.key[0]}) {source}")
    high = _read_number(db, f"SELECT max({spec.key[0]}) {source}")
    if low is None or high is None or high - low >= _SPARSE * count:
        return []
    return [(bound,) for bound in range(low + rows, high + 1, rows)]


def _look_up(db: apsw.Connection, spec: RowSpec, rows: int) -> Iterator[Bound]:
    """Yield the first key of every chunk but the first, in the order of the key."""
    key = ", ".join(spec.key)
    last: Bound | None = None
    while True:
        parts = [f"({part})" for part in (spec.where, _compare(spec, ">=", last)) if part]
        where = f" WHERE {' AND '.join(parts)}" if parts else ""
        query = (
            f"SELECT {key} FROM {write_source(spec)}{where} ORDER BY {key} LIMIT 1 OFFSET {rows}"
        )
        last = db.execute(query).fetchone()
        if last is None:
            return
        yield last


def _compare(spec: RowSpec, sign: str, bound: Bound | None) -> str:
    if bound is None:
        return ""
    written = [write_literal(value) for value in bound]
    if len(spec.key) == 1:
        return f"{spec.key[0]} {sign} {written[0]}"
    return f"({', '.join(spec.key)}) {sign} ({', '.join(written)})"


def write_literal(value: object) -> str:
    """Return a value of a key in SQL, exactly; texts through their bytes, whatever they hold."""
    if isinstance(value, float):
        mantissa, exponent = value.as_integer_ratio() if abs(value) < float("inf") else (0, 0)
        if not exponent:
            return "9e999" if value > 0 else "-9e999"
        exact = exponent == 1 and abs(mantissa) < 2**53
        return f"{mantissa}.0" if exact else repr(value)
    if isinstance(value, str):
        return f"CAST(x'{value.encode().hex()}' AS TEXT)"
    return f"x'{value.hex()}'" if isinstance(value, bytes) else str(value)


def _cut(spec: RowSpec, bounds: list[Bound], estimate: int) -> list[Chunk]:
    numbers = len(spec.key) == 1 and all(isinstance(bound[0], int) for bound in bounds)
    chunks = []
    ends: list[Bound | None] = [None, *bounds, None]
    for index, (low, high) in enumerate(pairwise(ends)):
        parts = [_compare(spec, ">=", low), _compare(spec, "<", high)]
        chunks.append(
            Chunk(
                index=index,
                where=" AND ".join(part for part in parts if part),
                estimate=estimate,
                low=_to_number(low) if numbers else None,
                high=_to_number(high) if numbers else None,
            )
        )
    return chunks


def _to_number(bound: Bound | None) -> int | None:
    return bound[0] if bound is not None and isinstance(bound[0], int) else None
