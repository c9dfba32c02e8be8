"""Turn what SQLite and the disk say about an origin's database into errors with a next step."""

from __future__ import annotations

import contextlib
import errno
import sqlite3
from collections.abc import Iterator
from pathlib import Path

from edgelift.errors import OriginError, OriginUnavailable

_MAGIC = b"SQLite format 3\0"
_HEAD_BYTES = 100
_READ_VERSION = 19  # https://www.sqlite.org/fileformat2.html: 1 rollback journal, 2 WAL
_SCHEMA_FORMAT = slice(44, 48)
_NEWEST_READ_VERSION, _NEWEST_SCHEMA_FORMAT = 2, 4
_NOT_A_VERSION = 32  # numbers as large as that come of damage


class OriginChanged(OriginUnavailable):
    """The database changed while it was read without a lock; reading again is all it takes."""


def check_file(path: Path) -> None:
    """Raise OriginError unless `path` is a readable file, empty or with a header of SQLite's."""
    what = f"The database {path} cannot be read"
    try:
        if path.is_dir():
            raise OriginError(
                what, why="it is a folder", tip="name the database file in edgelift.toml"
            )
        if path.exists() and not path.is_file():
            raise OriginError(
                what,
                why="it is no regular file: a pipe, a socket or a device",
                tip="name the database file in edgelift.toml",
            )
        with path.open("rb") as handle:
            head = handle.read(_HEAD_BYTES)
    except FileNotFoundError as error:
        raise OriginError(
            f"The database {path} does not exist",
            why="no such file",
            tip="start the app once so that it makes its database, or correct the url in "
            "edgelift.toml",
        ) from error
    except OSError as error:
        raise OriginError(what, why=str(error.strerror), tip="check its permissions") from error
    if head and head[: len(_MAGIC)] != _MAGIC:
        raise OriginError(
            f"The file {path} is not a SQLite database",
            why="its first 16 bytes are not SQLite's: another format, encrypted or overwritten",
            tip="correct the url in edgelift.toml, or give edgelift a decrypted copy",
        )
    if len(head) == _HEAD_BYTES:
        _check_format(path, head)


def _check_format(path: Path, head: bytes) -> None:
    """Raise OriginError for a file that only a newer SQLite reads."""
    version = head[_READ_VERSION]
    schema = int.from_bytes(head[_SCHEMA_FORMAT], "big")
    if (
        _NEWEST_READ_VERSION < version < _NOT_A_VERSION
        or _NEWEST_SCHEMA_FORMAT < schema < _NOT_A_VERSION
    ):
        raise OriginError(
            f"The database {path} has a format that is not known here",
            why=f"its file format is version {version} and its schema format {schema}; known are "
            f"{_NEWEST_READ_VERSION} and {_NEWEST_SCHEMA_FORMAT}",
            tip="write it with VACUUM INTO 'other.sqlite' by the program that made it, and give "
            "that file",
        )


def to_origin_error(path: Path, error: sqlite3.Error | OSError) -> OriginError:
    """Return the OriginError that explains a failure of SQLite or the disk on `path`."""
    if isinstance(error, OSError):
        if error.errno == errno.ENOSPC:
            return _disk_full(path, str(error))
        return OriginError(
            f"The database {path} cannot be read", why=str(error), tip="check permissions and disk"
        )
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    if code in {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}:
        return OriginUnavailable(
            f"The database {path} is locked",
            why=f"another process holds it: {error}",
            tip="wait until its writer is done, or stop it, and run the same command again",
        )
    if code in {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}:
        return OriginError(
            f"The database {path} is damaged",
            why=str(error),
            tip=f'see how far: sqlite3 "{path}" "PRAGMA quick_check"; then restore a backup or use '
            "sqlite3's .recover",
        )
    if code == sqlite3.SQLITE_FULL:
        return _disk_full(path, str(error))
    return OriginError(
        f"The database {path} cannot be read",
        why=f"{error} ({getattr(error, 'sqlite_errorname', type(error).__name__)})",
        tip="check that the app itself can open it, and the permissions of its folder",
    )


def _disk_full(path: Path, why: str) -> OriginError:
    return OriginError(
        f"The disk is full while {path} is copied",
        why=why,
        tip="free at least twice the size of the database below the project's .edgelift folder",
    )


@contextlib.contextmanager
def origin_errors(path: Path) -> Iterator[None]:
    """Turn every sqlite3.Error and OSError of the block into an OriginError about `path`."""
    try:
        yield
    except (sqlite3.Error, OSError) as error:
        raise to_origin_error(path, error) from error
