"""Cut a PostgreSQL table into chunks: by its key, by physical place, or not at all.

Boundaries are values that lie in the table (or pages), never arithmetic on the largest id: gaps do
not matter. Small tables are cut exactly, large ones by a sample of their pages, so that planning
stays cheap however large the table is.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from edgelift.model.row_spec import RowSpec
from edgelift.sources.origin_database import Chunk
from edgelift.sources.postgres.connection import Connection
from edgelift.sources.postgres.names import quote_table

_EXACT_PAGES = 12_800  # 100 MB: one pass over the key's index takes well under a second
_SAMPLED_PAGES_A_CHUNK = 30  # a chunk's size is then off by about a fifth
_INTEGERS = frozenset({"smallint", "integer", "bigint"})
_TID_RANGES_SINCE = 140000  # Tid Range Scan came with 14; before, each chunk would scan all pages

_SIZE = """
SELECT c.relkind, coalesce(sum(greatest(l.reltuples, 0)), 0)::float8,
       coalesce(sum(l.relpages), 0)::bigint,
       coalesce(sum(pg_relation_size(l.oid)) / 8192, 0)::bigint,
       coalesce(max(pg_relation_size(l.oid)) / 8192, 0)::bigint
FROM pg_catalog.pg_class c
LEFT JOIN LATERAL (
  SELECT k.oid, k.reltuples, k.relpages FROM pg_catalog.pg_class k
  WHERE k.oid IN (SELECT c.oid UNION SELECT relid FROM pg_partition_tree(c.oid) WHERE isleaf)
    AND k.relkind IN ('r', 'm') AND (c.relkind = 'p' OR k.oid = c.oid)) l ON true
WHERE c.oid = %s::regclass GROUP BY c.relkind
"""


@dataclass(frozen=True)
class Extent:
    """How large a relation is: pages of all its partitions and of the largest one."""

    kind: str
    rows: float
    known_pages: int
    pages: int
    largest_pages: int

    @property
    def source(self) -> str:
        """Return what stands before the table's name: children of inheritance stay out."""
        return "" if self.kind in {"p", "v", "f"} else "ONLY "

    @property
    def estimate(self) -> int:
        """Return rows by the density of the last ANALYZE, else by a guess of 50 rows a page."""
        known = self.rows > 0 and self.known_pages > 0
        return int(self.pages * (self.rows / self.known_pages if known else 50)) or int(self.rows)


def read_extent(connection: Connection, spec: RowSpec) -> Extent:
    """Return a relation's size; raises psycopg errors."""
    row = connection.execute(_SIZE, (quote_table(spec.schema, spec.table),)).fetchone()
    assert row is not None
    return Extent(*row)


def plan_chunks(connection: Connection, spec: RowSpec, extent: Extent, rows: int) -> list[Chunk]:
    """Return chunks of about `rows` rows each that together cover every row once."""
    if spec.key:
        bounds = _read_bounds(connection, spec, extent, rows)
        return _cut_by_key(spec, bounds, rows, extent)
    if extent.kind in {"r", "m", "p"} and connection.info.server_version >= _TID_RANGES_SINCE:
        return _cut_by_page(extent, rows)
    return [Chunk(index=0, estimate=extent.estimate)]


def _from(spec: RowSpec, extent: Extent, sample: str = "") -> str:
    where = f" WHERE {spec.where}" if spec.where else ""
    return f"{extent.source}{quote_table(spec.schema, spec.table)}{sample}{where}"


def _read_bounds(
    connection: Connection, spec: RowSpec, extent: Extent, rows: int
) -> list[tuple[Any, ...]]:
    """Return the first keys of all chunks but the first, each value as (literal, type)."""
    key = ", ".join(spec.key)
    literals = ", ".join(
        f"quote_literal({name}::text) || '::' || pg_typeof({name})::text" for name in spec.key
    )
    if extent.kind == "f":
        return []
    if extent.pages <= _EXACT_PAGES or extent.kind == "v":
        query = f"""
            SELECT {literals} FROM (
              SELECT {key}, row_number() OVER (ORDER BY {key}) AS edgelift_n
              FROM {_from(spec, extent)}) s
            WHERE edgelift_n > 1 AND (edgelift_n - 1) % {rows} = 0 ORDER BY edgelift_n"""
        return connection.execute(query.encode()).fetchall()
    chunks = max(1, round(extent.estimate / rows))
    percent = min(100.0, 100.0 * chunks * _SAMPLED_PAGES_A_CHUNK / extent.pages)
    sample = f" TABLESAMPLE SYSTEM ({percent:.6f}) REPEATABLE (0)"
    query = f"""
        SELECT {literals} FROM (
          SELECT DISTINCT ON (edgelift_n) * FROM (
            SELECT {key}, ntile({chunks}) OVER (ORDER BY {key}) AS edgelift_n
            FROM {_from(spec, extent, sample)}) t
          ORDER BY edgelift_n, {key}) s
        WHERE edgelift_n > 1 ORDER BY edgelift_n"""
    return connection.execute(query.encode()).fetchall()


def _cut_by_key(
    spec: RowSpec, bounds: list[tuple[Any, ...]], rows: int, extent: Extent
) -> list[Chunk]:
    integer = len(spec.key) == 1 and all(_is_integer(bound[0]) for bound in bounds)
    left = spec.key[0] if len(spec.key) == 1 else f"({', '.join(spec.key)})"
    chunks = []
    ends = [None, *bounds, None]
    for index, (low, high) in enumerate(pairwise(ends)):
        parts = []
        if low is not None:
            parts.append(f"{left} >= {_write_bound(low)}")
        if high is not None:
            parts.append(f"{left} < {_write_bound(high)}")
        estimate = min(rows, extent.estimate) if high is None else rows
        chunks.append(
            Chunk(
                index=index,
                where=" AND ".join(parts),
                estimate=estimate,
                low=_read_integer(low) if integer else None,
                high=_read_integer(high) if integer else None,
            )
        )
    return chunks


def _write_bound(bound: tuple[Any, ...]) -> str:
    return str(bound[0]) if len(bound) == 1 else f"({', '.join(bound)})"


def _is_integer(literal: str) -> bool:
    return literal.rpartition("::")[2] in _INTEGERS


def _read_integer(bound: tuple[Any, ...] | None) -> int | None:
    return None if bound is None else int(bound[0].rpartition("::")[0].strip("'"))


def _cut_by_page(extent: Extent, rows: int) -> list[Chunk]:
    estimate = max(extent.estimate, 1)
    step = max(1, round(extent.largest_pages * rows / estimate))
    starts = list(range(step, extent.largest_pages, step))
    ends = [None, *starts, None]
    chunks = []
    for index, (low, high) in enumerate(pairwise(ends)):
        parts = [f"ctid >= '({low},0)'::tid"] if low is not None else []
        parts += [f"ctid < '({high},0)'::tid"] if high is not None else []
        chunks.append(
            Chunk(index=index, where=" AND ".join(parts), estimate=estimate // (len(starts) + 1))
        )
    return chunks
