"""End states: what a flow or a job left in the databases of both sides."""

from __future__ import annotations

import contextlib
import sqlite3
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import msgspec

from edgelift.model.catalogue import Catalogue
from edgelift.model.comparison import CellDifference, TableComparison
from edgelift.sources.sqlite import quote_identifier
from edgelift.sources.sqlite_compare import compare_databases
from edgelift.sources.sqlite_newer import read_past_newer
from edgelift.stages.verify.changes import cut_changes

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
    """The database files of one name after the same work, and `before`, which all began with."""

    before: Path
    origin: Path
    again: Path
    target: Path


def compare_states(
    database: str, catalogue: Catalogue, states: EndStates, tolerance: float = 0.0
) -> StateOutcome:
    """Compare the origin's and the target's end state.

    Columns that two runs of the origin disagree on are left out.
    """
    sides = {"origin": states.origin, "again": states.again, "target": states.target}
    with tempfile.TemporaryDirectory(dir=states.origin.parent, prefix="changes-") as folder:
        changes = cut_changes(states.before, sides, catalogue, Path(folder))
        files = changes.files if changes else sides
        found, noise = _compare(files, catalogue, tolerance)
    rows = changes.rows if changes else None
    return StateOutcome(
        database=database,
        tables=len(found),
        origin_rows=sum(rows["origin"].values() if rows else (t.origin_rows for t in found)),
        target_rows=sum(rows["target"].values() if rows else (t.target_rows for t in found)),
        changed=tuple(changes.changed["origin"]) if changes else (),
        noisy=tuple(sorted(f"{table}.{column}" for table, column in noise)),
        differences=tuple(d for table in found for d in table.differences),
    )


def _compare(
    files: Mapping[str, Path], catalogue: Catalogue, tolerance: float
) -> tuple[list[TableComparison], frozenset[Column]]:
    origin, again, target = files["origin"], files["again"], files["target"]
    found = compare_databases(origin, target, catalogue, tolerance=tolerance)
    equal = frozenset((table.table, "*") for table in found if table.equal)
    if len(equal) == len(found):
        return found, frozenset()
    # Only tables that differ are read again: two runs of the origin say what means nothing.
    noise = find_noisy(origin, again, catalogue, equal)
    if noise:
        ignore = equal | _ignore(noise, catalogue)
        less = compare_databases(origin, target, catalogue, ignore=ignore, tolerance=tolerance)
        seen = {table.table for table in less}
        found = less + [_keep_count(t, noise) for t in found if t.table not in seen]
    return found, noise


def _ignore(noise: frozenset[Column], catalogue: Catalogue) -> frozenset[Column]:
    """Return the columns to leave out; a table of which no column is left is left out whole."""
    whole = {
        (table.name, "*")
        for table in catalogue.tables
        if all((table.name, column.name) in noise for column in table.columns)
    }
    return noise | whole


def _keep_count(table: TableComparison, noise: frozenset[Column]) -> TableComparison:
    """Return the comparison of a table whose cells are all left out: its row count still counts."""
    if table.origin_rows == table.target_rows or (table.table, "*") in noise:
        return msgspec.structs.replace(table, differences=())
    difference = CellDifference(
        table=table.table,
        key="",
        column="count(*)",
        origin=str(table.origin_rows),
        target=str(table.target_rows),
        kind="value",
    )
    return msgspec.structs.replace(table, differences=(difference,))


def find_noisy(
    first: Path, second: Path, catalogue: Catalogue, ignore: frozenset[Column]
) -> frozenset[Column]:
    """Return the columns that differ between two runs of the origin, `ignore` aside.

    Rows that only one run has, with equal counts, mean that keys are made anew each time: a
    column is noise when its values, whatever their rows, differ. A table whose row count differs is
    left out (column `*`).
    """
    noise: frozenset[Column] = frozenset()
    for _ in range(MOST_ROUNDS):
        left_out = ignore | _ignore(noise, catalogue)
        found = compare_databases(first, second, catalogue, ignore=left_out, limit=NAMED)
        more: set[Column] = set()
        for table in found:
            if table.equal:
                continue
            if table.origin_rows != table.target_rows:
                more.add((table.table, "*"))
            elif all(difference.column for difference in table.differences):
                more |= {(table.table, difference.column) for difference in table.differences}
            else:
                more |= {(table.table, c) for c in find_changing(first, second, table)}
        if more <= noise:
            break
        noise |= more
    return noise


def find_changing(first: Path, second: Path, table: TableComparison) -> list[str]:
    """Return the columns of a table whose values, as a bag without rows, differ."""
    place = quote_identifier(table.table)
    changing = []
    with contextlib.closing(sqlite3.connect(first)) as db:
        read_past_newer(db, first)
        db.execute("ATTACH ? AS other", (str(second),))
        for column in table.columns:
            name = quote_identifier(column)
            bag = f"SELECT typeof({name}), {name}, count(*) FROM %s.{place} GROUP BY 1, 2"
            sql = f"SELECT EXISTS({bag % 'main'} EXCEPT {bag % 'other'})"
            if db.execute(sql).fetchone()[0]:
                changing.append(column)
    return changing
