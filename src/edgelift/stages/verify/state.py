"""End states: what a flow or a job left in the databases of both sides."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec

from edgelift.model.catalogue import Catalogue
from edgelift.model.comparison import CellDifference, TableComparison
from edgelift.sources.sqlite_compare import compare_databases

NAMED = 300  # differences named per table while noise is learned
MOST_ROUNDS = 4
Column = tuple[str, str]


class StateOutcome(msgspec.Struct, frozen=True, kw_only=True):
    """The end states of one database after a flow or a job; `noisy` are the columns left out.

    `changed` names the tables that differ from the snapshot, so that an idle proof is seen.
    """

    database: str
    tables: int
    origin_rows: int
    target_rows: int
    changed: tuple[str, ...] = ()
    noisy: tuple[str, ...] = ()
    differences: tuple[CellDifference, ...] = ()


@dataclass(frozen=True)
class EndStates:
    """The database files of one name after the same work: origin, the origin once more, target."""

    origin: Path
    again: Path
    target: Path


def compare_states(
    database: str,
    catalogue: Catalogue,
    states: EndStates,
    before: Mapping[str, str],
    tolerance: float = 0.0,
) -> StateOutcome:
    """Compare the origin's and the target's end state.

    Columns that two runs of the origin disagree on are left out. `before` holds the hash of each
    table in the snapshot.
    """
    found = compare_databases(states.origin, states.target, catalogue, tolerance=tolerance)
    changed = tuple(t.table for t in found if before.get(t.table) not in {None, t.origin_hash})
    different = {table.table for table in found if not table.equal}
    noise: frozenset[Column] = frozenset()
    if different:
        # Only tables that differ are read again: two runs of the origin say what means nothing.
        part = _select(catalogue, different)
        noise = find_noisy(states.origin, states.again, part)
        if noise:
            again = compare_databases(
                states.origin, states.target, part, ignore=noise, tolerance=tolerance
            )
            known = {table.name for table in catalogue.tables}
            extra = [t for t in found if t.table not in known]
            found = [t for t in found if t.equal] + [t for t in again if t.table in known] + extra
    return StateOutcome(
        database=database,
        tables=len(found),
        origin_rows=sum(table.origin_rows for table in found),
        target_rows=sum(table.target_rows for table in found),
        changed=changed,
        noisy=tuple(sorted(f"{table}.{column}" for table, column in noise)),
        differences=tuple(d for table in found for d in table.differences),
    )


def _select(catalogue: Catalogue, names: set[str]) -> Catalogue:
    tables = tuple(table for table in catalogue.tables if table.name in names)
    return msgspec.structs.replace(catalogue, tables=tables)


def find_noisy(first: Path, second: Path, catalogue: Catalogue) -> frozenset[Column]:
    """Return the columns that differ between two runs of the origin.

    Rows that only one run has, with equal counts, mean that the key is made anew each time: the key
    is left out and the rest of the row still compared. A table whose row count differs is left out
    (column `*`).
    """
    noise: frozenset[Column] = frozenset()
    for _ in range(MOST_ROUNDS):
        found = compare_databases(first, second, catalogue, ignore=noise, limit=NAMED)
        known = {table.name for table in catalogue.tables}
        more = {c for t in found if t.table in known for c in _read_noise(t, catalogue, noise)}
        if more <= noise:
            return noise
        noise |= more
    return noise | {(t.table, "*") for t in found if not t.equal}


def _read_noise(
    comparison: TableComparison, catalogue: Catalogue, known: frozenset[Column]
) -> set[Column]:
    name = comparison.table
    if comparison.equal:
        return set()
    if comparison.origin_rows != comparison.target_rows:
        return {(name, "*")}
    columns = {(name, d.column) for d in comparison.differences if d.column}
    if any(not d.column for d in comparison.differences):
        key: Sequence[str] = next(t.primary_key for t in catalogue.tables if t.name == name)
        keyed = {(name, column) for column in key}
        # With the key already left out, rows that match in nothing are beyond comparison.
        columns |= {(name, "*")} if keyed <= known else keyed
    return columns
