"""What is wrong with the rows of a SQLite origin already: no fault of the copy, as it moves so.

The schema stage has told it, and the user has accepted it; a server keeps its own rules.
"""

from __future__ import annotations

import contextlib
import re
from pathlib import Path

import apsw

from edgelift.model.move_plan import MovePlan
from edgelift.sources.sqlite_catalogue import describe_orphan
from edgelift.sources.sqlite_origin.connection import open_snapshot, reading

# How quick_check names a table and its column.
_PLACE = re.compile(r"(?P<head>.* in )(?P<table>.+?)(?:\.(?P<column>[^.]+))?")


def list_references(db: apsw.Connection) -> list[tuple[str, object, str]]:
    """Return (table, row number, parent) of every row whose parent is missing."""
    with contextlib.suppress(apsw.SQLError):  # a key whose parent has no such columns
        rows = db.execute("PRAGMA foreign_key_check").fetchall()
        return [(str(table), rowid, str(parent)) for table, rowid, parent, _ in rows]
    return []


def read_known_faults(
    plan: MovePlan, snapshot: Path, violations: tuple[str, ...]
) -> frozenset[str]:
    """Return the origin's faults in the words of the target's checks, under the target's names.

    `violations` are quick_check's lines of the time when the snapshot was taken: on a connection
    that only reads SQLite does not look at checks.
    """
    moves = {move.spec.table: move.spec for move in plan.tables}
    names = {table: spec.target for table, spec in moves.items()}
    with reading(snapshot), contextlib.closing(open_snapshot(snapshot)) as db:
        found = {
            describe_orphan(names.get(table, table), rowid, names.get(parent, parent))
            for table, rowid, parent in list_references(db)
        }
    for line in violations:
        place = _PLACE.fullmatch(line)
        spec = moves.get(place["table"]) if place else None
        if place is None or spec is None:
            continue
        columns = {field.origin: field.column for field in spec.fields}
        column = columns.get(place["column"] or "", place["column"])
        end = f".{column}" if column else ""
        found.add(f"quick_check: {place['head']}{spec.target}{end}")
    return frozenset(found)
