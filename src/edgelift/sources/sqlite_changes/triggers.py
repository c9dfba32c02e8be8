"""The log of changes inside a SQLite origin: a table and triggers, made and removed as one.

Every writer of the file runs the triggers, whatever its process or language. They log which rows
were touched, not their values: the feed reads a row as it is, so that applying twice does no harm.
Names begin with `_edgelift_`; nothing else of the origin is changed.
"""

from __future__ import annotations

import sqlite3
import time
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from edgelift.model.catalogue import Catalogue, Table
from edgelift.sources.sqlite_catalogue import quote_identifier as quote
from edgelift.sources.sqlite_rows import find_rowid

PREFIX = "_edgelift_"
_GAP_S = 0.0002  # between two tries to write
LOG = f"{PREFIX}changes"
_NUMBERED = f"{PREFIX}numbers"  # its only row has a number that VACUUM does not keep
_OURS = "substr(name, 1, 10) = '_edgelift_'"


@dataclass(frozen=True)
class LoggedTable:
    """A table with the columns that name its rows: its primary key, else the rowid."""

    table: Table
    key: tuple[str, ...]
    by_rowid: bool = False

    @property
    def columns(self) -> tuple[str, ...]:
        """Return what is read of a row: rowid first where that is the key; nothing generated."""
        plain = tuple(c.name for c in self.table.columns if not c.generated_kind)
        return (*self.key, *plain) if self.by_rowid else plain


def choose_tables(catalogue: Catalogue) -> list[LoggedTable]:
    """Return the tables that can be logged, each with its key."""
    found = []
    for table in catalogue.tables:
        if table.virtual:
            continue
        key = tuple(table.primary_key)
        rowid = find_rowid(table)
        if key:
            found.append(LoggedTable(table, key))
        elif rowid:
            found.append(LoggedTable(table, (rowid,), by_rowid=True))
    return found


def build_objects(db: sqlite3.Connection, tables: Sequence[LoggedTable]) -> dict[str, str]:
    """Return the statements of the log by the name of what they make."""
    width = max((len(table.key) for table in tables), default=1)
    columns = ", ".join(f"k{number}" for number in range(width))
    objects = {
        LOG: f"CREATE TABLE {LOG} (n INTEGER PRIMARY KEY, tbl TEXT NOT NULL, {columns})",
        _NUMBERED: f"CREATE TABLE {_NUMBERED} (x)",
    }
    for table in tables:
        for event, body in _write_bodies(db, table):
            name = f"{PREFIX}{event.replace(' ', '_').lower()}_{table.table.name}"
            objects[name] = (
                f"CREATE TRIGGER {quote(name)} {event} ON {quote(table.table.name)} "
                f"BEGIN {body} END"
            )
    return objects


def _write_bodies(db: sqlite3.Connection, table: LoggedTable) -> Iterator[tuple[str, str]]:
    new, old = _log(table, "NEW"), _log(table, "OLD")
    yield "AFTER INSERT", new
    yield "AFTER UPDATE", old + new
    yield "AFTER DELETE", old
    # What REPLACE removes for a unique value fires no trigger: it is logged before it happens.
    replaced = _write_replaced(db, table)
    if replaced:
        itself = " AND ".join(f"{quote(name)} IS OLD.{quote(name)}" for name in table.key)
        yield "BEFORE INSERT", "".join(f"{select}; " for select in replaced)
        yield "BEFORE UPDATE", "".join(f"{select} AND NOT ({itself}); " for select in replaced)


def _head(table: LoggedTable) -> str:
    columns = ", ".join(f"k{number}" for number in range(len(table.key)))
    return f"INSERT INTO {LOG} (tbl, {columns})"


def _log(table: LoggedTable, row: str) -> str:
    values = ", ".join(f"{row}.{quote(name)}" for name in table.key)
    return f"{_head(table)} VALUES ({_text(table.table.name)}, {values}); "


def _write_replaced(db: sqlite3.Connection, table: LoggedTable) -> list[str]:
    keys = ", ".join(quote(name) for name in table.key)
    head = f"{_head(table)} SELECT {_text(table.table.name)}, {keys} FROM {quote(table.table.name)}"
    found = []
    for columns in list_unique(db, table):
        conditions = " AND ".join(
            f"{quote(name)} = NEW.{quote(name)} COLLATE {collation}" for name, collation in columns
        )
        found.append(f"{head} WHERE ({conditions})")
    return found


def list_unique(db: sqlite3.Connection, table: LoggedTable) -> list[list[tuple[str, str]]]:
    """Return (column, collation) of each unique index beside the key; an expression has no name."""
    found = []
    listed = db.execute(
        'SELECT name FROM pragma_index_list(?) WHERE "unique"', (table.table.name,)
    ).fetchall()
    for (index,) in listed:
        columns = [
            (str(name or ""), str(collation))
            for name, collation in db.execute(
                "SELECT name, coll FROM pragma_index_xinfo(?) WHERE key ORDER BY seqno", (index,)
            )
        ]
        if tuple(name for name, _ in columns) != table.key:
            found.append(columns)
    return found


def read_objects(db: sqlite3.Connection) -> dict[str, str]:
    """Return what is there of the log."""
    return dict(db.execute(f"SELECT name, sql FROM sqlite_schema WHERE {_OURS}").fetchall())


def install(db: sqlite3.Connection, tables: Sequence[LoggedTable]) -> bool:
    """Make table and triggers in one transaction, unless they are there; returns whether it did.

    A log made before the schema was last touched is made anew. sqlite3.Error goes through; nothing
    is left behind then.
    """
    wanted, head = build_objects(db, tables), read_head(db)
    version = db.execute("PRAGMA schema_version").fetchone()[0]
    if read_objects(db) == wanted and head is not None and head.schema_version == version:
        return False
    _begin_writing(db)
    try:
        _remove(db)
        for statement in wanted.values():
            db.execute(statement)
        version = db.execute("PRAGMA schema_version").fetchone()[0]
        db.execute(f"INSERT INTO {LOG} (n, tbl, k0) VALUES (0, ?, ?)", (uuid.uuid4().hex, version))
        db.execute(f"INSERT INTO {_NUMBERED} (rowid, x) VALUES (2, 0)")
        db.execute("COMMIT")
    finally:
        if db.in_transaction:
            db.execute("ROLLBACK")
    return True


def remove(db: sqlite3.Connection) -> bool:
    """Remove table and triggers in one transaction; returns whether there were any."""
    if not read_objects(db):
        return False
    _begin_writing(db)
    try:
        _remove(db)
        db.execute("COMMIT")
    finally:
        if db.in_transaction:
            db.execute("ROLLBACK")
    return True


def _begin_writing(db: sqlite3.Connection) -> None:
    """Begin a transaction that writes, in the gaps of a busy writer too.

    SQLite's own wait sleeps up to 100 ms between two tries, and a writer without a pause is seldom
    away just then. Raises sqlite3.OperationalError when there was no gap in the connection's time.
    """
    wait_ms = int(db.execute("PRAGMA busy_timeout").fetchone()[0])
    deadline = time.monotonic() + wait_ms / 1000
    db.execute("PRAGMA busy_timeout = 0")
    try:
        while not db.in_transaction:
            try:
                db.execute("BEGIN IMMEDIATE")
            except sqlite3.OperationalError as error:
                busy = error.sqlite_errorcode & 0xFF == sqlite3.SQLITE_BUSY
                if not busy or time.monotonic() > deadline:
                    raise
                time.sleep(_GAP_S)
    finally:
        db.execute(f"PRAGMA busy_timeout = {wait_ms}")


def _remove(db: sqlite3.Connection) -> None:
    listed = db.execute(
        f"SELECT type, name FROM sqlite_schema WHERE {_OURS} AND type IN ('trigger', 'table') "
        "ORDER BY type DESC"
    ).fetchall()
    for kind, name in listed:
        db.execute(f"DROP {kind} {quote(name)}")


@dataclass(frozen=True)
class Head:
    """The log's first row: which log it is, and the file's schema version when it was made."""

    token: str
    schema_version: int


def read_head(db: sqlite3.Connection) -> Head | None:
    """Return which log a file has, None without one."""
    try:
        row = db.execute(f"SELECT tbl, k0 FROM {LOG} WHERE n = 0").fetchone()
    except sqlite3.OperationalError:
        return None
    return None if row is None else Head(str(row[0]), int(row[1]))


def read_last(db: sqlite3.Connection) -> int:
    """Return the number of the log's last entry, 0 without any."""
    return int(db.execute(f"SELECT max(n) FROM {LOG}").fetchone()[0] or 0)


def keeps_numbers(db: sqlite3.Connection) -> bool:
    """Return whether rows without a primary key have the numbers they had: no VACUUM was run.

    SQLite numbers the rows of a table without index and key anew then, from 1 on.
    """
    return db.execute(f"SELECT 1 FROM {_NUMBERED} WHERE rowid = 2").fetchone() is not None


def read_shape(db: sqlite3.Connection) -> dict[str, str]:
    """Return the schema that rows depend on: names and statements but for the log's own.

    An index that is not unique changes no row.
    """
    query = (
        f"SELECT type || ' ' || name, coalesce(sql, '') FROM sqlite_schema WHERE NOT {_OURS} "
        "AND name NOT LIKE 'sqlite_%' AND NOT (type = 'index' AND sql NOT LIKE 'CREATE UNIQUE%')"
    )
    return dict(db.execute(query).fetchall())


def _text(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"
