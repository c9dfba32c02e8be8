"""Take a consistent private copy of an origin's SQLite database: what schema judges and data lifts.

SQLite's online backup copies pages while the app goes on writing. A write that comes between two
steps makes the backup begin again; after a few such restarts the rest is copied in one step, which
makes the app's writers wait for as long as the disk needs. The copy appears under its name only
when it is whole, checked and on disk, so a killed run simply takes it again.
"""

from __future__ import annotations

import contextlib
import os
import re
import sqlite3
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from edgelift.errors import OriginError, OriginUnavailable
from edgelift.sources.sqlite_errors import OriginChanged, origin_errors

if TYPE_CHECKING:
    from edgelift.sources.sqlite import SqliteSource

STEP_PAGES = 2048  # 8 MB of 4 KiB pages: a few milliseconds of reading per step
PAUSE_S = 0.005  # between two steps, so that the origin's own work comes first
MOST_RESTARTS = 4
_TRIES = 3
_QUICK_CHECK_ROWS = 100

# What PRAGMA quick_check says about rows that break a rule of their table; all else is damage.
_RULE_BROKEN = re.compile(
    r"^(NULL value in|CHECK constraint failed in|non-\w+ value in|NUMERIC value in|TEXT value in)"
)

Progress = Callable[[int, int], None]


class Snapshot(msgspec.Struct, frozen=True, kw_only=True):
    """A snapshot: `fingerprint` of the origin it was taken from, and sentences about broken rules.

    `modified_ns` and `size_bytes` are the copy's own, to see later that it is still the same file.
    """

    path: str
    fingerprint: str
    size_bytes: int
    modified_ns: int
    violations: tuple[str, ...] = ()


def take_snapshot(
    source: SqliteSource, destination: Path, progress: Progress, *, thorough: bool = False
) -> Snapshot:
    """Copy the database to `destination` and return what was taken; see the module for how.

    `thorough` compares indexes with their tables too, which takes much longer.

    `progress` is told (pages done, pages in all). Raises OriginUnavailable while the origin is
    locked or will not hold still, OriginError when it is damaged or the disk is full.
    """
    part = destination.with_name(f"{destination.name}.part")
    with origin_errors(source.path):
        destination.parent.mkdir(parents=True, exist_ok=True)
        for attempt in range(_TRIES):
            _remove(part)
            fingerprint = source.read_fingerprint()
            number = source.path.stat().st_ino
            try:
                with source.open(shelter=destination.parent) as origin:
                    _copy_pages(origin, part, source, progress)
                _check_same_file(source.path, number)
                break
            except OriginChanged:
                if attempt == _TRIES - 1:
                    raise
        violations = _settle(part, source.path, thorough=thorough)
        part.replace(destination)
        sync_path(destination.parent)
        status = destination.stat()
    return Snapshot(
        path=str(destination),
        fingerprint=fingerprint,
        size_bytes=status.st_size,
        modified_ns=status.st_mtime_ns,
        violations=tuple(violations),
    )


def _check_same_file(path: Path, number: int) -> None:
    """Raise OriginChanged when another file lies there than the one that was copied."""
    if path.stat().st_ino != number:
        raise OriginChanged(
            f"The database {path} was replaced while it was copied",
            why="another file lies there now",
            tip="run the same command again",
        )


def is_intact(snapshot: Snapshot, path: Path) -> bool:
    """Return whether the file at `path` is still the one that was taken."""
    try:
        status = path.stat()
    except OSError:
        return False
    return (status.st_size, status.st_mtime_ns) == (snapshot.size_bytes, snapshot.modified_ns)


@dataclass
class _Watch:
    """The progress callback of a backup: throttles, counts restarts, gives up on a held lock."""

    source: SqliteSource
    progress: Progress
    remaining: int = -1
    restarts: int = 0
    waiting_since: float | None = None
    started: float = field(default_factory=time.monotonic)

    def __call__(self, status: int, remaining: int, total: int) -> None:
        if status in {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}:
            now = time.monotonic()
            self.waiting_since = self.waiting_since or now
            if now - self.waiting_since > self.source.wait_s:
                raise OriginUnavailable(
                    f"The database {self.source.path} is locked",
                    why=f"a writer held it for more than {self.source.wait_s:g} s",
                    tip="wait until the writer is done, or stop it, and run the same command again",
                )
            return
        self.waiting_since = None
        if 0 <= self.remaining < remaining:
            self.restarts += 1
            if self.restarts > MOST_RESTARTS:
                raise _RestlessError
        self.remaining = remaining
        self.progress(total - remaining, total)
        if remaining:
            time.sleep(PAUSE_S)


class _RestlessError(Exception):
    """The backup was restarted too often by the origin's writers."""


def _copy_pages(
    origin: sqlite3.Connection, part: Path, source: SqliteSource, progress: Progress
) -> None:
    with contextlib.closing(sqlite3.connect(part, isolation_level=None)) as copy:
        copy.execute("PRAGMA synchronous=OFF")
        try:
            origin.backup(copy, pages=STEP_PAGES, progress=_Watch(source, progress))
        except _RestlessError:
            origin.backup(copy, pages=-1, progress=_Watch(source, progress))


def _settle(part: Path, origin: Path, *, thorough: bool) -> list[str]:
    """Make the copy a plain rollback-journal file, check its structure, and put it on disk."""
    with contextlib.closing(sqlite3.connect(part, isolation_level=None)) as copy:
        copy.execute("PRAGMA journal_mode=DELETE")
        violations = read_violations(copy, origin, thorough=thorough)
    _remove_beside(part)
    sync_path(part)
    return violations


def read_violations(db: sqlite3.Connection, origin: Path, *, thorough: bool = False) -> list[str]:
    """Return quick_check's sentences on rows that break a rule; raises OriginError for damage.

    `thorough` asks integrity_check, which looks for each row in each index.
    """
    check = "integrity_check" if thorough else "quick_check"
    try:
        found = [str(row[0]) for row in db.execute(f"PRAGMA {check}({_QUICK_CHECK_ROWS})")]
    except sqlite3.OperationalError as error:
        if str(error).startswith(("no such function", "no such collation", "no such module")):
            return [f"the structure cannot be checked without the app: {error}"]
        raise
    damage = [line for line in found if line != "ok" and not _RULE_BROKEN.match(line)]
    if damage:
        raise OriginError(
            f"The database {origin} is damaged",
            why=damage[0],
            tip=f'see how far: sqlite3 "{origin}" "PRAGMA {check}"; then REINDEX, restore a '
            "backup or use sqlite3's .recover",
        )
    return [line for line in found if line != "ok"]


def sync_path(path: Path) -> None:
    """Put a file or folder on disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _remove(part: Path) -> None:
    part.unlink(missing_ok=True)
    _remove_beside(part)


def _remove_beside(part: Path) -> None:
    for ending in ("-wal", "-shm", "-journal"):
        part.with_name(part.name + ending).unlink(missing_ok=True)
