"""The local runtime's file as a target of requests: a batch is a transaction, as in D1."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from pathlib import Path

import apsw

from edgelift.model.catalogue import Catalogue
from edgelift.sources.sqlite_catalogue import read_catalogue
from edgelift.stages.follow.file_writer import (
    READ_CHECKPOINT,
    Checkpoint,
    read_names,
    read_orphans,
    writing_errors,
)
from edgelift.targets.door.batches import Request


class FileTarget:
    """A followed file that gets what a deployed database would get."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.name = path.name

    def open(self) -> Checkpoint:
        """Open the file; raises TargetError."""
        with writing_errors(self.path):
            self._db = apsw.Connection(str(self.path))
            self._db.execute("PRAGMA foreign_keys=ON; PRAGMA synchronous=FULL").fetchall()
            found = self._db.execute(READ_CHECKPOINT).fetchone()
        assert found is not None
        return Checkpoint(*found)

    def send(self, batch: Sequence[Request]) -> None:
        """Run a batch, all of it or nothing; raises TargetError."""
        with writing_errors(self.path):
            self._db.execute("BEGIN IMMEDIATE")
            try:
                for request in batch:
                    self._db.execute(request.sql, request.parameters)
                self._db.execute("COMMIT")
            finally:
                if self._db.in_transaction:
                    self._db.execute("ROLLBACK")

    def read_catalogue(self) -> Catalogue:
        """Return its tables, keys and indexes."""
        return read_catalogue(self._db)

    def read_triggers(self) -> list[tuple[str, str]]:
        """Return names and statements of its triggers."""
        query = "SELECT name, sql FROM sqlite_schema WHERE type = 'trigger'"
        return [(str(name), str(sql)) for name, sql in self._db.execute(query)]

    def find_orphans(self) -> list[str]:
        """Return rows whose parent is missing, in words."""
        return read_orphans(self._db, self.path)

    def read_names(self, columns: Sequence[tuple[str, str]]) -> set[str]:
        """Return the names of objects that the rows of such columns hold."""
        return read_names(self.path, columns)

    @contextlib.contextmanager
    def open_file(self) -> Iterator[Path]:
        """Close the file inside the block, where another library of SQLite reads it."""
        self.close()
        try:
            yield self.path
        finally:
            self.open()

    def close(self) -> None:
        """Close the file."""
        with contextlib.suppress(apsw.Error):
            self._db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        self._db.close()
