"""Build the lifted database file from the snapshot: rows in chunks, then indexes, views, triggers.

The file grows under a `.part` name in WAL mode. Every chunk is one transaction, and the rows that
are there say where to go on, so a process killed at any moment continues with the next chunk.
What it becomes is what D1's storage opens: 4096-byte pages, WAL, UTF-8.
"""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import quote

from edgelift.errors import EdgeliftError, OriginError, TargetError
from edgelift.model.catalogue import Catalogue, Table
from edgelift.model.target_schema import TargetSchema
from edgelift.sources.sqlite_catalogue import quote_identifier
from edgelift.sources.sqlite_ddl import read_fts_content
from edgelift.sources.sqlite_rows import Row, read_batches
from edgelift.stages.data.copy_plan import TableCopy, choose_chunk_rows, plan_copy

PAGE_BYTES = 4096  # what workerd's SQLite makes
_CACHE_KIB = 65536
_SOURCE = "edgelift_origin"  # the name under which the snapshot is attached

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Load:
    """What is loaded: the snapshot, the schema for D1 and the catalogue of what moves.

    `chunk_rows` 0 lets the size of the rows decide. `progress` is told (rows done, rows in all).
    """

    snapshot: Path
    part: Path
    schema: TargetSchema
    catalogue: Catalogue
    progress: Progress = lambda _done, _total: None
    chunk_rows: int = 0


def load_database(load: Load) -> None:
    """Load everything into `part`, or what is missing in it; closes it as one plain file.

    Raises TargetError when the file cannot be written, OriginError when rows of the snapshot break
    their own table's rules.
    """
    with _errors(load), contextlib.closing(_open(load.part)) as db:
        _create(db, load)
        _copy_rows(db, load)
        _finish(db, load)
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def _open(part: Path) -> sqlite3.Connection:
    part.parent.mkdir(parents=True, exist_ok=True)
    uri = f"file:{quote(str(part.absolute()))}"  # as a URI, so that ATTACH takes URIs too
    db = sqlite3.connect(uri, uri=True, isolation_level=None)
    for pragma in (
        f"page_size={PAGE_BYTES}",
        "encoding='UTF-8'",
        "journal_mode=WAL",
        "synchronous=NORMAL",
        f"cache_size=-{_CACHE_KIB}",
        "foreign_keys=OFF",  # parents may come after children; checked as a whole afterwards
        "ignore_check_constraints=ON",  # rows move as they are; schema has reported broken rules
    ):
        db.execute(f"PRAGMA {pragma}")
    return db


@contextlib.contextmanager
def _errors(load: Load) -> Iterator[None]:
    try:
        yield
    except EdgeliftError:
        raise
    except sqlite3.IntegrityError as error:
        raise OriginError(
            f"Rows of {load.snapshot.stem} break the rules of their own table",
            why=str(error),
            tip="mend these rows at the origin and run again",
        ) from error
    except (sqlite3.Error, OSError) as error:
        raise TargetError(
            f"The database {load.part} cannot be written",
            why=str(error),
            tip="check the disk's free space and the folder's permissions, then run the same "
            "command again: it continues where it stood",
        ) from error


@contextlib.contextmanager
def _transaction(db: sqlite3.Connection) -> Iterator[None]:
    db.execute("BEGIN IMMEDIATE")
    try:
        yield
    except BaseException:
        db.execute("ROLLBACK")
        raise
    db.execute("COMMIT")


def _read_names(db: sqlite3.Connection) -> set[str]:
    return {str(row[0]) for row in db.execute("SELECT name FROM main.sqlite_schema")}


def _create(db: sqlite3.Connection, load: Load) -> None:
    with _transaction(db):
        present = _read_names(db)
        for statement in load.schema.tables:
            if statement.name not in present:
                db.execute(statement.sql)


def _copy_rows(db: sqlite3.Connection, load: Load) -> None:
    tables = [t for t in load.catalogue.tables if holds_rows(t)]
    total = sum(table.rows for table in tables)
    chunk_rows = load.chunk_rows or choose_chunk_rows(load.catalogue, load.snapshot.stat().st_size)
    done = 0
    with _open_snapshot(db, load.snapshot) as copier:
        for table in tables:
            done += _count(db, table.name)
            for rows in copier.copy_table(plan_copy(table), chunk_rows):
                done += rows
                load.progress(done, total)


def holds_rows(table: Table) -> bool:
    """Return whether rows must be copied: not for an index over another table's content."""
    return table.virtual != "fts5vocab" and not _indexes_other_content(table)


def _indexes_other_content(table: Table) -> bool:
    return table.virtual == "fts5" and read_fts_content(table.sql) is not None


def _count(db: sqlite3.Connection, table: str) -> int:
    return int(db.execute(f"SELECT count(*) FROM main.{quote_identifier(table)}").fetchone()[0])


@contextlib.contextmanager
def _open_snapshot(db: sqlite3.Connection, snapshot: Path) -> Iterator[_Copier]:
    """Attach the snapshot to the target; one in UTF-16 cannot be, and is read beside it."""
    uri = f"file:{quote(str(snapshot.absolute()))}?mode=ro&immutable=1"
    with contextlib.closing(sqlite3.connect(uri, uri=True, isolation_level=None)) as origin:
        if origin.execute("PRAGMA encoding").fetchone()[0] != "UTF-8":
            yield _RowCopier(db, origin)
            return
    db.execute(f"ATTACH DATABASE ? AS {_SOURCE}", (uri,))
    try:
        yield _Copier(db)
    finally:
        db.execute(f"DETACH DATABASE {_SOURCE}")


class _Copier:
    """Copies tables inside SQLite, from the attached snapshot."""

    source = _SOURCE

    def __init__(self, db: sqlite3.Connection) -> None:
        self.db = db

    def copy_table(self, plan: TableCopy, chunk_rows: int) -> Iterator[int]:
        """Copy what the target lacks of a table and yield the rows of each chunk."""
        last = self.db.execute(plan.last).fetchone()
        if not plan.keys:
            if last is None:
                yield self._copy_chunk(plan.insert, plan.select(self.source), ())
            return
        rows = chunk_rows
        while rows == chunk_rows:
            select = plan.select(self.source, behind=last is not None)
            rows = self._copy_chunk(plan.insert, select, (*(last or ()), chunk_rows))
            last = self.db.execute(plan.last).fetchone()
            if rows:
                yield rows

    def _copy_chunk(self, insert: str, select: str, parameters: Row) -> int:
        with _transaction(self.db):
            return self.db.execute(f"{insert} {select}", parameters).rowcount


class _RowCopier(_Copier):
    """Copies tables through Python, from a snapshot of another text encoding.

    Text keys have another order there than in the target, so tables without rowid go as a whole.
    """

    source = "main"

    def __init__(self, db: sqlite3.Connection, origin: sqlite3.Connection) -> None:
        super().__init__(db)
        self.origin = origin

    def copy_table(self, plan: TableCopy, chunk_rows: int) -> Iterator[int]:
        """Copy what the target lacks of a table and yield the rows of each chunk."""
        keys = plan.keys if plan.by_rowid else ()
        return super().copy_table(replace(plan, keys=keys), chunk_rows)

    def _copy_chunk(self, insert: str, select: str, parameters: Row) -> int:
        count = 0
        with _transaction(self.db):
            for batch in read_batches(self.origin, select, parameters):
                for row in batch:
                    marks, values = _bind(row)
                    self.db.execute(f"{insert} VALUES ({marks})", values)
                count += len(batch)
        return count


def _bind(row: Row) -> tuple[str, Row]:
    """Return placeholders and values; text that is not UTF-8 goes as bytes and is cast back."""
    marks, values = [], []
    for value in row:
        try:
            broken = isinstance(value, str) and not value.encode("utf-8")
        except UnicodeEncodeError:
            broken = True
        broken = broken and bool(value)
        marks.append("CAST(? AS TEXT)" if broken else "?")
        values.append(value.encode("utf-8", "surrogateescape") if broken else value)
    return ", ".join(marks), tuple(values)


def _finish(db: sqlite3.Connection, load: Load) -> None:
    """Create what comes after the rows, and restore counters, search indexes and statistics."""
    present = _read_names(db)
    for statement in load.schema.after:
        if statement.name not in present:
            with _transaction(db):
                db.execute(statement.sql)
    _restore_sequences(db, load.catalogue)
    for table in load.catalogue.tables:
        if _indexes_other_content(table):
            name = quote_identifier(table.name)
            db.execute(f"INSERT INTO main.{name} ({name}) VALUES ('rebuild')")
    if load.catalogue.statistics:
        db.execute("ANALYZE main")


def _restore_sequences(db: sqlite3.Connection, catalogue: Catalogue) -> None:
    if not any(table.autoincrement for table in catalogue.tables):
        return
    with _transaction(db):
        db.execute("DELETE FROM main.sqlite_sequence")
        db.executemany(
            "INSERT INTO main.sqlite_sequence (name, seq) VALUES (?, ?)",
            sorted(catalogue.sequences.items()),
        )
