"""A scratch copy of the origin's folder, where probe and verify run the app and it may write."""

from __future__ import annotations

import shutil
from pathlib import Path

from edgelift.errors import OriginError
from edgelift.project import Project, list_files, list_folders
from edgelift.sources.sqlite import SqliteSource

_SQLITE_MAGIC = b"SQLite format 3\0"
_COMPANIONS = ("-wal", "-shm", "-journal")


def copy_origin(project: Project, destination: Path) -> Path:
    """Copy the project's own files into an empty folder and return it; an old one is replaced.

    A SQLite file that is in use (it has a journal beside it) is copied by SQLite itself, so that
    the copy is whole; when SQLite cannot, as it lies there. Empty folders are kept: the app may
    want to write into them.
    Raises OriginError for a file that cannot be read, UsageError for such a folder.
    """
    shutil.rmtree(destination, ignore_errors=True)
    destination.mkdir(parents=True)
    for folder in list_folders(project.root):
        (destination / folder.relative_to(project.root)).mkdir(parents=True, exist_ok=True)
    files = list_files(project.root)
    databases = {file for file in files if is_sqlite_file(file)}
    companions = {Path(f"{file}{suffix}") for file in databases for suffix in _COMPANIONS}
    for file in files:
        target = destination / file.relative_to(project.root)
        if file in databases and _is_in_use(file):
            _copy_in_use(file, target)
        elif file not in companions:
            _copy(file, target)
    return destination


def is_sqlite_file(file: Path) -> bool:
    """Return whether a file begins as SQLite's do; False for one that cannot be read."""
    try:
        with file.open("rb") as handle:
            return handle.read(len(_SQLITE_MAGIC)) == _SQLITE_MAGIC
    except OSError:
        return False


def _copy_in_use(file: Path, target: Path) -> None:
    """Copy a database that has a journal; one that is locked or damaged as it lies there."""
    try:
        SqliteSource(file).take_snapshot(target, _ignore)
    except OriginError:  # schema and data say what is wrong with it, where it matters
        _copy(file, target)


def _is_in_use(file: Path) -> bool:
    return any(Path(f"{file}{suffix}").exists() for suffix in _COMPANIONS)


def _copy(file: Path, target: Path) -> None:
    try:
        shutil.copy2(file, target)
    except FileNotFoundError:
        return  # a log or temporary file that the running app has removed meanwhile
    except OSError as error:
        raise OriginError(
            f"The file {file} cannot be copied",
            why=str(error.strerror or error),
            tip="check its permissions and the free space; edgelift only reads it",
        ) from error


def _ignore(_done: int, _total: int) -> None:
    """Drop the progress of a snapshot."""
