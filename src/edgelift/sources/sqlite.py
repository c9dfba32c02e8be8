"""A SQLite database as origin: opened without writing beside it, catalogued, copied as snapshot.

How a file is opened so that no `-wal`, `-shm` or `-journal` file appears next to it:

| what lies there | how |
|---|---|
| rollback journal mode | `mode=ro`: readers make no files |
| WAL mode, `-wal` and `-shm` present (live or killed app) | `mode=ro` joins those files |
| WAL mode, closed cleanly (no `-wal`) | `immutable=1`, and the file must not change meanwhile |
| `-wal` without `-shm`, or a hot rollback journal | a private copy, where SQLite recovers |
"""

from __future__ import annotations

import contextlib
import hashlib
import shutil
import sqlite3
import tempfile
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

from edgelift.errors import OriginError, OriginUnavailable
from edgelift.model.catalogue import Catalogue
from edgelift.sources import sqlite_catalogue
from edgelift.sources.sqlite_catalogue import quote_identifier
from edgelift.sources.sqlite_errors import OriginChanged, check_file, origin_errors
from edgelift.sources.sqlite_newer import read_past_newer
from edgelift.sources.sqlite_snapshot import Progress, Snapshot, take_snapshot

__all__ = ["Snapshot", "SqliteSource", "quote_identifier"]

_HEADER_BYTES = 100
_WRITE_VERSION = 18  # offset of the file format write version: 1 rollback journal, 2 WAL
_WAL = 2
_TRIES = 3


class SqliteSource:
    """A SQLite file of the origin; every method leaves the file and its folder as they were.

    `wait_s` bounds how long a locked database is waited for. All methods raise OriginError, and
    OriginUnavailable while the database is locked or keeps changing.
    """

    def __init__(self, path: Path, *, wait_s: float = 10.0) -> None:
        self.path = path
        self.wait_s = wait_s

    def read_fingerprint(self) -> str:
        """Return a hash of size, time and header of file and log: it changes when data may have."""
        check_file(self.path)
        digest = hashlib.sha256()
        for file in (self.path, *self._beside()[:2]):
            try:
                status = file.stat()
                with file.open("rb") as handle:
                    head = handle.read(_HEADER_BYTES)
            except FileNotFoundError:
                continue
            except OSError as error:
                raise OriginError(
                    f"The database {file} cannot be read",
                    why=str(error.strerror),
                    tip="check its permissions",
                ) from error
            if status.st_size:
                digest.update(f"{file.name} {status.st_size} {status.st_mtime_ns} ".encode() + head)
        return digest.hexdigest()

    def read_size(self) -> int:
        """Return the bytes of all pages in use, by the file's own header; nothing is copied."""
        with self.open() as db:
            pages, free, page_bytes = (
                int(db.execute(f"PRAGMA {name}").fetchone()[0])
                for name in ("page_count", "freelist_count", "page_size")
            )
        return (pages - free) * page_bytes

    def read_catalogue(self) -> Catalogue:
        """Return the catalogue with rows counted, all of one moment."""
        for attempt in range(_TRIES):
            try:
                with self.open() as db:
                    return sqlite_catalogue.read_catalogue(db)
            except OriginChanged:
                if attempt == _TRIES - 1:
                    raise
        raise AssertionError("unreachable")

    def take_snapshot(
        self,
        destination: Path,
        progress: Progress = lambda _done, _total: None,
        *,
        thorough: bool = False,
    ) -> Snapshot:
        """Copy the database to `destination`, all of one moment, and check the copy's structure.

        `thorough` compares every index with its table too.

        The file appears whole or not at all; `progress` is told (pages done, pages in all).
        """
        return take_snapshot(self, destination, progress, thorough=thorough)

    @contextlib.contextmanager
    def open(self, shelter: Path | None = None) -> Iterator[sqlite3.Connection]:
        """Open the database for reading, in autocommit mode.

        `shelter` is a folder for the private copy that a crashed origin needs (default: the
        system's temporary folder). Raises OriginUnavailable at the end when an unlocked file
        changed while it was read.
        """
        check_file(self.path)
        with origin_errors(self.path), contextlib.ExitStack() as stack:
            how = self._choose_way()
            path, before = self.path, ""
            if how == "copy":
                folder = stack.enter_context(tempfile.TemporaryDirectory(dir=shelter))
                path = self._copy_to(Path(folder))
            elif how == "immutable=1":
                before = self.read_fingerprint()
            uri = f"file:{quote(str(path.absolute()))}?{'mode=rw' if how == 'copy' else how}"
            if how == "immutable=1":
                uri += "&mode=ro"
            db = sqlite3.connect(uri, uri=True, timeout=self.wait_s, isolation_level=None)
            stack.callback(db.close)
            db.execute("PRAGMA schema_version").fetchone()  # meets a lock or damage here, not later
            read_past_newer(db, path)
            yield db
            if before and before != self.read_fingerprint():
                raise OriginChanged(
                    f"The database {self.path} changed while it was read",
                    why="another process opened and wrote it",
                    tip="run the same command again",
                )

    def _beside(self) -> tuple[Path, Path, Path]:
        name = self.path.name
        return (
            self.path.with_name(f"{name}-wal"),
            self.path.with_name(f"{name}-journal"),
            self.path.with_name(f"{name}-shm"),
        )

    def _choose_way(self) -> str:
        wal, journal, shm = self._beside()
        with self.path.open("rb") as handle:
            header = handle.read(_HEADER_BYTES)
        if len(header) == _HEADER_BYTES and header[_WRITE_VERSION] == _WAL:
            if wal.exists() and shm.exists():
                return "mode=ro"
            return "copy" if wal.exists() and wal.stat().st_size else "immutable=1"
        if journal.exists() and journal.stat().st_size and self._is_abandoned():
            return "copy"
        return "mode=ro"

    def _is_abandoned(self) -> bool:
        """Return whether a rollback journal is hot: SQLite refuses to read before recovery."""
        uri = f"file:{quote(str(self.path.absolute()))}?mode=ro"
        with contextlib.closing(sqlite3.connect(uri, uri=True, timeout=self.wait_s)) as db:
            try:
                db.execute("PRAGMA schema_version").fetchone()
            except sqlite3.OperationalError as error:
                return error.sqlite_errorcode in {
                    sqlite3.SQLITE_READONLY_ROLLBACK,
                    sqlite3.SQLITE_CANTOPEN,
                }
        return False

    def _copy_to(self, folder: Path) -> Path:
        for _ in range(_TRIES):
            before = self.read_fingerprint()
            for file in (self.path, *self._beside()[:2]):
                with contextlib.suppress(FileNotFoundError):
                    shutil.copyfile(file, folder / file.name)
            if before == self.read_fingerprint():
                return folder / self.path.name
        raise OriginUnavailable(
            f"The database {self.path} keeps changing",
            why="its files changed while they were copied",
            tip="stop the app for a moment, or run the same command again",
        )
