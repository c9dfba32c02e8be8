"""A deployed database, D1 or SQL object, as a target of requests: through the sql project's door.

It holds the position itself, in the transaction of the changes, so that whoever follows asks it
where to go on.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import apsw

from edgelift.errors import TargetError
from edgelift.model.catalogue import Catalogue
from edgelift.sources.sqlite_catalogue import describe_orphan, quote_identifier, read_catalogue
from edgelift.stages.follow.file_writer import (
    CHECKPOINT,
    CREATE_CHECKPOINT,
    READ_CHECKPOINT,
    SAVE_CHECKPOINT,
    Checkpoint,
    to_values,
    writing_errors,
)
from edgelift.targets.door.batches import Request, bind_rows
from edgelift.targets.door.loads import Load, list_loads
from edgelift.targets.door.remote import Remote


@dataclass
class DoorTarget:
    """Follows behind the copy of `copy`, whose snapshot had the position `start`.

    `member` is the name of its file here, `scratch` where its rows are put to be compared.
    """

    remote: Remote
    member: str
    copy: Path
    scratch: Path
    start: str
    _held: list[Sequence[Request]] | None = None

    @property
    def name(self) -> str:
        """Return what it is called there."""
        return self.remote.door.target

    def read_checkpoint(self) -> Checkpoint | None:
        """Return up to where all is applied, None before following began; changes nothing."""
        known = "SELECT 1 FROM sqlite_master WHERE name = ?"
        if not self.remote.read(known, CHECKPOINT):
            return None
        for start, position, transactions, rows, time in self.remote.read(READ_CHECKPOINT):
            return Checkpoint(start, position, int(transactions), int(rows), float(time))
        return None

    def open(self) -> Checkpoint:
        """Become its only writer and return up to where all is applied."""
        self.remote.open()
        found = self.read_checkpoint()
        if found is None:
            found = Checkpoint(self.start, self.start)
            first = Request(SAVE_CHECKPOINT, to_values(found))
            self.remote.apply([Request(CREATE_CHECKPOINT), first])
        elif found.start != self.start:
            raise TargetError(
                f"{self.name} follows another copy than the one that is here",
                why=f"its copy was taken at {found.start}, the one here at {self.start}",
                tip="load it anew with --replace",
            )
        return found

    def send(self, batch: Sequence[Request]) -> None:
        """Run a batch, all of it or nothing; raises TargetError."""
        if self._held is not None:
            self._held.append(batch)
        else:
            self.remote.apply(batch)

    @contextlib.contextmanager
    def hold(self) -> Iterator[list[Sequence[Request]]]:
        """Gather what is sent inside the block instead of sending it."""
        held: list[Sequence[Request]] = []
        self._held = held
        try:
            yield held
        finally:
            self._held = None

    def read_catalogue(self) -> Catalogue:
        """Return its tables, keys and indexes, which are those of the copy."""
        with writing_errors(self.copy), contextlib.closing(_open(self.copy)) as db:
            return read_catalogue(db)

    def read_triggers(self) -> list[tuple[str, str]]:
        """Return names and statements of its triggers."""
        query = "SELECT name, sql FROM sqlite_master WHERE type = 'trigger'"
        return [(str(name), str(sql)) for name, sql in self.remote.read(query)]

    def find_orphans(self) -> list[str]:
        """Return rows whose parent is missing, in words."""
        found = self.remote.read("PRAGMA foreign_key_check")
        return [describe_orphan(*row[:3]) for row in found]

    def read_names(self, columns: Sequence[tuple[str, str]]) -> set[str]:
        """Return the names of objects that the rows of such columns hold."""
        found: set[str] = set()
        for table, column in columns:
            for page in self.remote.read_rows(Load(table, (column,))):
                found |= {str(key) for (key,) in page if key is not None}
        return found

    @contextlib.contextmanager
    def open_file(self) -> Iterator[Path]:
        """Read all rows back, exactly, into a file that is there inside the block."""
        self.scratch.parent.mkdir(parents=True, exist_ok=True)
        _remove(self.scratch)
        try:
            with writing_errors(self.scratch):
                db = apsw.Connection(str(self.scratch))
                with contextlib.closing(db):
                    self._fetch(db)
            yield self.scratch
        finally:
            _remove(self.scratch)

    def _fetch(self, db: apsw.Connection) -> None:
        catalogue = self.read_catalogue()
        db.execute("PRAGMA foreign_keys=OFF; PRAGMA journal_mode=OFF; PRAGMA synchronous=OFF")
        db.execute("PRAGMA ignore_check_constraints=ON")
        for table in catalogue.tables:
            db.execute(table.sql)
        for load in list_loads(catalogue):
            names = ", ".join(map(quote_identifier, load.columns))
            into = f"INSERT INTO {quote_identifier(load.table)} ({names}) VALUES "
            for page in self.remote.read_rows(load):
                db.execute("BEGIN")
                for row in page:
                    marks, values = bind_rows([row])
                    db.execute(into + marks, values)
                db.execute("COMMIT")
        behind = [made.sql for made in catalogue.indexes] + [made.sql for made in catalogue.views]
        for sql in filter(None, behind):
            db.execute(sql)

    def close(self) -> None:
        """Leave it as it is; the door's client belongs to who made it."""


def _open(path: Path) -> apsw.Connection:
    return apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READONLY)


def _remove(path: Path) -> None:
    for ending in ("", "-wal", "-shm", "-journal"):
        path.with_name(path.name + ending).unlink(missing_ok=True)
