"""Copies static files so that a killed run leaves whole files only; used by the files stage."""

from __future__ import annotations

import contextlib
import hashlib
import shutil
from collections.abc import Collection
from pathlib import Path

from edgelift.errors import OriginError, TargetError


def hash_file(path: Path) -> str:
    """Return the SHA-256 of a file; raises OriginError when it cannot be read."""
    try:
        with path.open("rb") as handle:
            return hashlib.file_digest(handle, "sha256").hexdigest()
    except OSError as error:
        raise OriginError(
            f"The static file {path} cannot be read",
            why=str(error.strerror),
            tip="check its permissions",
        ) from error


def copy_file(source: Path, target: Path, temporary: Path) -> str:
    """Copy a file by way of `temporary` unless the target is equal; return its SHA-256.

    Raises OriginError when the source cannot be read, TargetError when nothing can be written.
    """
    sha256 = hash_file(source)
    if target.is_file() and hash_file(target) == sha256:
        return sha256
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, temporary)
        temporary.replace(target)
    except OSError as error:
        raise TargetError(
            f"The static file {target} cannot be written",
            why=str(error),
            tip="check free space and permissions of the .edgelift folder",
        ) from error
    finally:
        temporary.unlink(missing_ok=True)
    return sha256


def remove_gone(public: Path, names: Collection[str]) -> None:
    """Remove files that an earlier run copied and the origin no longer has, and emptied folders."""
    for name in names:
        target = public / name
        target.unlink(missing_ok=True)
        for folder in target.relative_to(public).parents:
            with contextlib.suppress(OSError):
                (public / folder).rmdir() if str(folder) != "." else None
