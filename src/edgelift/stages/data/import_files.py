"""Write a lifted database as SQL files for D1's import, each within D1's limits.

Statements stay below 100 KB; a row that would not fit is put together from parts in a side table.
There is no BEGIN or COMMIT, which D1 refuses; each file defers foreign keys to its own end, and
parents come before children, so that references across files hold.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TextIO

from edgelift.errors import TargetError, UsageError
from edgelift.model.catalogue import Catalogue, Table
from edgelift.model.move_plan import STAYS
from edgelift.model.plan import Plan
from edgelift.model.shard_map import list_members
from edgelift.model.target_schema import TargetSchema
from edgelift.run import Run
from edgelift.sources.shard_files import read_map
from edgelift.sources.sqlite import SqliteSource
from edgelift.sources.sqlite_catalogue import quote_identifier
from edgelift.sources.sqlite_ddl import read_fts_content
from edgelift.sources.sqlite_rows import Row, find_rowid, read_batches
from edgelift.sources.table_order import is_circular, sort_by_references
from edgelift.stages.data.literals import to_blob_literal, to_bytes, to_literal
from edgelift.targets.d1_dialect import MAX_COLUMNS, MAX_STATEMENT_BYTES
from edgelift.targets.migrations import read_migrations

FILE_BYTES = 64 * 1024 * 1024  # far below the import limit of 5 GiB (d1.import_bytes)
STATEMENT_BYTES = MAX_STATEMENT_BYTES - 2_000  # some room below the limit
_PART_BYTES = 40_000  # of a large value per statement; two hexadecimal digits a byte
PARTS = "_edgelift_parts"
MIGRATIONS = (
    "CREATE TABLE IF NOT EXISTS d1_migrations(id INTEGER PRIMARY KEY AUTOINCREMENT, "
    "name TEXT UNIQUE, applied_at TIMESTAMP DEFAULT CURRENT_TIMESTAMP NOT NULL)"
)


@dataclass
class _Files:
    """A sequence of numbered files; a new one is begun before a statement that would not fit."""

    folder: Path
    limit: int
    paths: list[Path] = field(default_factory=list)
    handle: TextIO | None = None
    size: int = 0

    def add(self, statement: str, *, together: bool) -> None:
        """Write a statement; `together` keeps it in the file of the one before."""
        line = f"{statement};\n"
        size = len(line.encode("utf-8"))
        if self.handle is not None and self.size + size > self.limit and not together:
            self.close()
        if self.handle is None:
            path = self.folder / f"{len(self.paths) + 1:04d}.sql"
            self.paths.append(path)
            part = path.with_name(f"{path.name}.part")
            self.handle = part.open("w", encoding="utf-8", newline="\n")
            self.handle.write("PRAGMA defer_foreign_keys=TRUE;\n")
        self.handle.write(line)
        self.size += size

    def close(self) -> None:
        """Give the file its name."""
        if self.handle is not None:
            self.handle.close()
            path = self.paths[-1]
            path.with_name(f"{path.name}.part").replace(path)
        self.handle, self.size = None, 0


def write_import_files(
    database: Path,
    schema: TargetSchema,
    catalogue: Catalogue,
    folder: Path,
    *,
    file_bytes: int = FILE_BYTES,
    applied: Sequence[str] = (),
) -> list[Path]:
    """Write the database file as numbered SQL files and return their paths in order of import.

    `applied` are file names of migrations that wrangler need not apply afterwards: the files make
    all that these make. Old files of the folder are removed first. A file grows beyond `file_bytes`
    only where rows refer to each other in a circle (a table to itself), since D1 checks at the end
    of each file.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.glob("[0-9][0-9][0-9][0-9].sql*"):
        old.unlink()
    files = _Files(folder, file_bytes)
    with SqliteSource(database).open() as db:
        for statement, together in _write(db, schema, catalogue):
            files.add(statement, together=together)
    for statement in mark_applied(applied):
        files.add(statement, together=False)
    files.close()
    return files.paths


def mark_applied(names: Sequence[str]) -> Iterator[str]:
    """Yield what wrangler itself would note (d1/migrations of workers-sdk: helpers.ts)."""
    if names:
        yield MIGRATIONS
    for name in names:
        yield f"INSERT INTO d1_migrations (name) VALUES ({to_literal(name)})"


def write_all_import_files(run: Run, folder: Path) -> None:
    """Write every moved database of a project into a folder of its name below `folder`.

    Raises UsageError for a database that was not moved, TargetError when the disk refuses.
    """
    plan = run.journal.read_document("plan", Plan)
    listed = plan.databases if plan is not None else run.project.settings.databases
    for database in listed:
        if database.strategy == STAYS:
            continue
        schema = run.journal.read_document(f"schema:{database.name}", TargetSchema)
        for name in _list_files(run, database.name):
            applied = _list_migrations(run, database.name) if plan is not None else []
            _write_one(run, name, schema, folder / name, applied)


def _list_files(run: Run, name: str) -> list[str]:
    """Return the names of what a database became: itself, or its shards and their counters."""
    found = read_map(run.project.settings.data, run.journal, name)
    return [member.name for member in list_members(name, "", "", found)]


def _list_migrations(run: Run, database: str) -> list[str]:
    """Return the files of migrations that build puts into the app's project for a database."""
    try:
        made = read_migrations(run.project.state / "schema", database)
    except OSError:  # what is missing is told where the database is read
        return []
    return [f"{name}.sql" for name, _ in made]


def _write_one(
    run: Run, name: str, schema: TargetSchema | None, folder: Path, applied: Sequence[str]
) -> None:
    catalogue = run.journal.read_document(f"catalogue:{name}", Catalogue)
    target = run.project.state / "data" / "target" / f"{name}.sqlite"
    if schema is None or catalogue is None or not target.is_file():
        raise UsageError(
            f"The database {name} was not moved yet",
            why=f"{target} is not there",
            tip=f"run: {run.command('data')}",
        )
    run.note(f"writing the import files of {name}")
    try:
        paths = write_import_files(target, schema, catalogue, folder, applied=applied)
    except OSError as error:
        raise TargetError(
            f"The import files of {name} cannot be written",
            why=str(error),
            tip="give another folder, or free space there",
        ) from error
    run.note(f"{len(paths)} files in {folder}, to be imported in order")


def _write(
    db: sqlite3.Connection, schema: TargetSchema, catalogue: Catalogue
) -> Iterator[tuple[str, bool]]:
    for created in schema.tables:
        yield created.sql, False
    yield f"CREATE TABLE {PARTS} (row INTEGER, place INTEGER, part BLOB)", False
    for circle in sort_by_references(catalogue):
        together = False
        for table in circle:
            content = read_fts_content(table.sql) if table.virtual == "fts5" else None
            if content is None and table.virtual != "fts5vocab":
                for statement in _write_rows(db, table):
                    yield statement, together
                    together = is_circular(circle)
    yield f"DROP TABLE {PARTS}", False
    for created in schema.after:
        yield created.sql, False
    for statement in write_state(catalogue):
        yield statement, False


def write_state(catalogue: Catalogue) -> Iterator[str]:
    """Yield what makes counters, full-text indexes and statistics behind all rows."""
    if any(table.autoincrement for table in catalogue.tables):
        yield "DELETE FROM sqlite_sequence"
        for name, value in sorted(catalogue.sequences.items()):
            yield f"INSERT INTO sqlite_sequence (name, seq) VALUES ({to_literal(name)}, {value})"
    for table in catalogue.tables:
        if table.virtual == "fts5" and read_fts_content(table.sql):
            name = quote_identifier(table.name)
            yield f"INSERT INTO {name} ({name}) VALUES ('rebuild')"
    if catalogue.statistics:
        yield "ANALYZE"


def _write_rows(db: sqlite3.Connection, table: Table) -> Iterator[str]:
    columns = [quote_identifier(c.name) for c in table.columns if not c.generated_kind]
    rowid = find_rowid(table)
    if rowid and not table.virtual.startswith("rtree") and len(columns) < MAX_COLUMNS:
        columns.insert(0, rowid)
    listed = ", ".join(columns)
    head = f"INSERT INTO {quote_identifier(table.name)} ({listed}) VALUES "
    query = f"SELECT {listed} FROM main.{quote_identifier(table.name)}"
    room = STATEMENT_BYTES - len(head.encode("utf-8"))
    pending: list[str] = []
    size = 0
    for batch in read_batches(db, query):
        for row in batch:
            values = f"({','.join(map(to_literal, row))})"
            length = len(values.encode("utf-8")) + 1
            if pending and size + length > room:
                yield head + ",".join(pending)
                pending, size = [], 0
            if length > room:
                yield from _write_large(head, row)
                continue
            pending.append(values)
            size += length
    if pending:
        yield head + ",".join(pending)


def _write_large(head: str, row: Row) -> Iterator[str]:
    """Write a row whose literals do not fit into one statement: its long values from parts."""
    values = []
    for place, value in enumerate(row):
        raw = to_bytes(value) if isinstance(value, str | bytes) else b""
        if len(raw) <= STATEMENT_BYTES // (4 * MAX_COLUMNS):
            values.append(to_literal(value))
            continue
        for start in range(0, len(raw), _PART_BYTES):
            part = to_blob_literal(raw[start : start + _PART_BYTES])
            yield f"INSERT INTO {PARTS} VALUES ({place}, {start}, {part})"
        kind = "TEXT" if isinstance(value, str) else "BLOB"
        parts = f"SELECT part FROM {PARTS} WHERE row = {place} ORDER BY place"
        values.append(f"CAST((SELECT group_concat(part, '') FROM ({parts})) AS {kind})")
    yield f"{head}({','.join(values)})"
    yield f"DELETE FROM {PARTS}"
