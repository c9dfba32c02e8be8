"""The rows that work has changed, cut out of large databases so that only they are compared.

A row that equals the snapshot's on every side cannot differ between sides, and SQLite finds the
others in one join per side. What is left is a small database per side, with the same tables, that
the row comparison reads as it reads the large ones.
"""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from edgelift.model.catalogue import Catalogue, Table
from edgelift.sources.sqlite import quote_identifier

BEFORE = "before"


@dataclass(frozen=True)
class Changes:
    """Databases to compare by side, full row counts by side and table, changed tables by side."""

    files: dict[str, Path]
    rows: dict[str, dict[str, int]]
    changed: dict[str, list[str]]


def cut_changes(
    before: Path, sides: Mapping[str, Path], catalogue: Catalogue, folder: Path
) -> Changes | None:
    """Write one small database per side into a folder: the rows that any side changed.

    Tables without a primary key are taken whole, as nothing tells their rows apart; tables that
    only a side has are taken empty. Returns None when the sides' schemas do not allow it: the
    whole databases must be compared then.
    """
    files = {side: folder / f"{side}-changes.sqlite" for side in sides}
    changes = Changes(files, {side: {} for side in sides}, {side: [] for side in sides})
    try:
        for side, file in files.items():
            _create_tables(sides[side], file)
        with contextlib.closing(sqlite3.connect(":memory:", isolation_level=None, uri=True)) as db:
            db.execute("PRAGMA ignore_check_constraints=ON")
            # The snapshot must not change, nor get companions: it is opened as a file at rest.
            db.execute(f"ATTACH ? AS {BEFORE}", (f"{before.absolute().as_uri()}?immutable=1",))
            for side, file in files.items():
                db.execute(f"ATTACH ? AS {side}", (str(sides[side]),))
                db.execute(f"ATTACH ? AS small_{side}", (str(file),))
            db.execute("BEGIN")
            for table in catalogue.tables:
                _cut_table(db, table, changes)
            db.execute("COMMIT")
    except sqlite3.Error:
        return None
    return changes


def _create_tables(source: Path, file: Path) -> None:
    """Make an empty database with the tables of another, without indexes, views and triggers."""
    file.unlink(missing_ok=True)
    query = (
        "SELECT sql FROM sqlite_master WHERE type='table' AND sql IS NOT NULL "
        "AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' AND name NOT LIKE '\\_cf\\_%' ESCAPE '\\'"
    )
    with (
        contextlib.closing(sqlite3.connect(source)) as origin,
        contextlib.closing(sqlite3.connect(file, isolation_level=None)) as small,
    ):
        small.execute("PRAGMA synchronous=OFF")
        for (sql,) in origin.execute(query).fetchall():
            if sql.upper().startswith("CREATE VIRTUAL"):
                raise sqlite3.NotSupportedError("virtual tables are compared as a whole")
            small.execute(sql)


def _cut_table(db: sqlite3.Connection, table: Table, changes: Changes) -> None:
    name = quote_identifier(table.name)
    keys = [quote_identifier(key) for key in table.primary_key]
    db.execute("DROP TABLE IF EXISTS temp.changed")
    if keys:
        listed = ", ".join(keys)
        db.execute(f"CREATE TEMP TABLE changed AS SELECT {listed} FROM {BEFORE}.{name} LIMIT 0")
    for side in changes.files:
        count = f"SELECT count(*) FROM {side}.{name}"
        changes.rows[side][table.name] = db.execute(count).fetchone()[0]
        if _find_changed(db, table, side) if keys else _differs(db, table, side):
            changes.changed[side].append(table.name)
    cells = _list(table, "s")
    same = " AND ".join(f"s.{key} IS c.{key}" for key in keys)
    for side in changes.files:
        source = f"{side}.{name} s"
        if keys:
            source = f"(SELECT DISTINCT * FROM temp.changed) c JOIN {source} ON {same}"
        db.execute(f"INSERT INTO small_{side}.{name}({_list(table)}) SELECT {cells} FROM {source}")


def _list(table: Table, prefix: str = "") -> str:
    """Return the columns that can be written, as a list for SQL."""
    dot = f"{prefix}." if prefix else ""
    return ", ".join(f"{dot}{quote_identifier(c.name)}" for c in table.columns if not c.generated)


def _find_changed(db: sqlite3.Connection, table: Table, side: str) -> bool:
    """Note the keys of the rows that a side has changed, added or removed; returns whether any."""
    name = quote_identifier(table.name)
    keys = [quote_identifier(key) for key in table.primary_key]
    same = " AND ".join(f"s.{key} IS b.{key}" for key in keys)
    columns = [quote_identifier(column.name) for column in table.columns]
    equal = " AND ".join(
        f"s.{c} IS b.{c} COLLATE BINARY AND typeof(s.{c}) = typeof(b.{c})" for c in columns
    )
    listed = ", ".join(keys)
    added = (
        f"SELECT {listed} FROM {side}.{name} s WHERE NOT EXISTS "
        f"(SELECT 1 FROM {BEFORE}.{name} b WHERE {same} AND {equal})"
    )
    gone = (
        f"SELECT {listed} FROM {BEFORE}.{name} b WHERE NOT EXISTS "
        f"(SELECT 1 FROM {side}.{name} s WHERE {same})"
    )
    found = [db.execute(f"INSERT INTO temp.changed {query}").rowcount for query in (added, gone)]
    return any(found)


def _differs(db: sqlite3.Connection, table: Table, side: str) -> bool:
    """Return whether a table without a key differs from the snapshot's, by rows as a bag."""
    name = quote_identifier(table.name)
    cells = ", ".join(f"quote({quote_identifier(column.name)})" for column in table.columns)
    bags = [
        f"SELECT {cells}, count(*) FROM {where}.{name} GROUP BY {cells}" for where in (side, BEFORE)
    ]
    query = f"SELECT EXISTS({bags[0]} EXCEPT {bags[1]}) OR EXISTS({bags[1]} EXCEPT {bags[0]})"
    return bool(db.execute(query).fetchone()[0])
