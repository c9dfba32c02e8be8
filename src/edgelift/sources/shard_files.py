"""The files that a moved database became: one, or its shards, wherever a stage asks for them.

`merge_members` puts shards together again, so that what they hold is compared as one database.
"""

from __future__ import annotations

import contextlib
import shutil
import sqlite3
from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

import msgspec

from edgelift.journal import Journal
from edgelift.model.move_plan import STAYS
from edgelift.model.mover_settings import DataSection
from edgelift.model.plan import DatabasePlan, Plan
from edgelift.model.shard_map import Member, ShardMap, counters_name, list_members
from edgelift.project import Settings
from edgelift.sources.sqlite_catalogue import quote_identifier
from edgelift.sources.sqlite_newer import read_past_newer
from edgelift.worker import shard_map as routing

PLACED = "placed"  # the document of a map whose shards lie in place


class Placed(Protocol):
    """What is asked of a database's plan (model/plan.py)."""

    @property
    def name(self) -> str:
        """Return the database's name."""

    @property
    def binding(self) -> str:
        """Return its binding."""

    @property
    def strategy(self) -> str:
        """Return its strategy."""


def list_placed(settings: Settings, journal: Journal) -> list[DatabasePlan]:
    """Return the databases that move, as the plan says; where there is none, D1 is meant."""
    plan = journal.read_document("plan", Plan)
    if plan is not None:
        return [database for database in plan.databases if not database.in_place]
    return [
        DatabasePlan(
            name=section.name,
            url=section.url,
            binding=section.binding,
            strategy="d1" if section.strategy == "auto" else section.strategy,
            reason="edgelift.toml",
        )
        for section in settings.databases
        if section.strategy != STAYS
    ]


def read_map(data: DataSection, journal: Journal, name: str) -> ShardMap | None:
    """Return the map of the proven shards of a database, None for others and before there are any.

    What `shards:<db>` has is planned, perhaps by a run that did not come to its end.
    """
    if data.shards is None or data.shards.database not in {"", name}:
        return None
    return journal.read_document(f"{PLACED}:{name}", ShardMap)


def find_members(data: DataSection, journal: Journal, database: Placed) -> list[Member]:
    """Return the files of a database and how the Worker reaches each."""
    found = read_map(data, journal, database.name)
    return list_members(database.name, database.binding, database.strategy, found)


def merge_members(files: Mapping[str, Path], found: ShardMap, target: Path) -> None:
    """Write the rows of all shards into one new file; `files` has that of each member.

    What no whole database could look like shows as a difference to it: a row in the shard of
    another key is left out, one whose key another shard holds too replaces that one, and of a
    replicated table only the rows that all shards hold are kept.
    """
    names = [shard.name for shard in found.shards]
    part = target.with_name(f"{target.name}.part")
    part.parent.mkdir(parents=True, exist_ok=True)
    for ending in ("", "-wal", "-shm"):
        part.with_name(part.name + ending).unlink(missing_ok=True)
    shutil.copyfile(files[names[0]], part)
    _copy_log(files[names[0]], part)
    with contextlib.closing(sqlite3.connect(part, isolation_level=None)) as db:
        read_past_newer(db, part)
        db.execute("PRAGMA foreign_keys=OFF")
        db.execute("PRAGMA ignore_check_constraints=ON")
        _drop_triggers(db)
        columns = {table.table: _read_columns(db, table.table) for table in found.tables}
        db.execute("BEGIN")
        _drop_misplaced(db, found, names[0])
        db.execute("COMMIT")
        for name in names[1:]:
            _add_shard(db, found, columns, name, files[name])
        if found.counters:
            _take_counters(db, found, files[counters_name(found.database)])
    part.replace(target)


def _copy_log(source: Path, target: Path) -> None:
    """Copy what a stopped server has left beside its file."""
    log = source.with_name(f"{source.name}-wal")
    if log.exists():
        shutil.copyfile(log, target.with_name(f"{target.name}-wal"))


def _drop_triggers(db: sqlite3.Connection) -> None:
    """Take the triggers out: rows are put together as they are."""
    found = db.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall()
    for (name,) in found:
        db.execute(f"DROP TRIGGER {quote_identifier(name)}")


def _read_columns(db: sqlite3.Connection, table: str) -> str:
    """Return the columns that hold a table's rows, quoted and listed."""
    found = db.execute(f"PRAGMA table_xinfo({quote_identifier(table)})").fetchall()
    return ", ".join(quote_identifier(row[1]) for row in found if row[6] == 0)


def _add_shard(
    db: sqlite3.Connection,
    found: ShardMap,
    columns: Mapping[str, str],
    name: str,
    file: Path,
) -> None:
    copy = file.with_name(f"{file.name}.merged")
    shutil.copyfile(file, copy)
    _copy_log(file, copy)
    db.execute("ATTACH ? AS shard", (str(copy),))
    db.execute("BEGIN")
    _drop_misplaced(db, found, name, "shard")
    for table in found.tables:
        own, listed = quote_identifier(table.table), columns[table.table]
        if table.table in found.split:
            db.execute(
                f"INSERT OR REPLACE INTO main.{own} ({listed}) SELECT {listed} FROM shard.{own}"
            )
        else:
            same = f"SELECT {listed} FROM main.{own} INTERSECT SELECT {listed} FROM shard.{own}"
            db.execute(f"CREATE TEMP TABLE common AS {same}")
            db.execute(f"DELETE FROM main.{own}")
            db.execute(f"INSERT INTO main.{own} ({listed}) SELECT {listed} FROM common")
            db.execute("DROP TABLE common")
    db.execute("COMMIT")
    db.execute("DETACH shard")
    for ending in ("", "-wal", "-shm"):
        copy.with_name(copy.name + ending).unlink(missing_ok=True)


def _drop_misplaced(
    db: sqlite3.Connection, found: ShardMap, name: str, schema: str = "main"
) -> None:
    """Delete the rows of a shard whose key belongs to another one, as far as keys can be read."""
    if not found.form:
        return
    reader = routing.ShardMap(msgspec.to_builtins(found))
    for table in found.tables:
        place, key = f"{schema}.{quote_identifier(table.table)}", quote_identifier(table.detail)
        if table.way != "column" or key not in _read_columns(db, table.table).split(", "):
            continue
        for (value,) in db.execute(f"SELECT DISTINCT {key} FROM {place}").fetchall():
            if not _belongs(reader, value, name):
                db.execute(f"DELETE FROM {place} WHERE {key} IS ?", (value,))


def _belongs(reader: routing.ShardMap, value: object, name: str) -> bool:
    try:
        return reader.find(value, spread=True) == name
    except KeyError:
        return False


def _take_counters(db: sqlite3.Connection, found: ShardMap, file: Path) -> None:
    """Let the counters of the merged file stand where those of all shards do."""
    with contextlib.closing(sqlite3.connect(file)) as counters:
        read_past_newer(counters, file)
        rows = counters.execute("SELECT name, seq FROM sqlite_sequence").fetchall()
    for name, last in rows:
        if name in found.counters:
            db.execute("DELETE FROM sqlite_sequence WHERE name = ?", (name,))
            db.execute("INSERT INTO sqlite_sequence VALUES (?, ?)", (name, last))
