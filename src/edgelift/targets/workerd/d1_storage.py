"""Where the local runtime keeps the SQLite file of a binding; the golden copy is put there."""

from __future__ import annotations

import hashlib
import hmac
from pathlib import Path

from edgelift.errors import TargetError
from edgelift.targets.workerd.config import D1_UNIQUE_KEY, SQL_UNIQUE_KEY


def object_id(unique_key: str, name: str) -> str:
    """Return the id of `idFromName(name)` in workerd's namespace `unique_key` (64 hex digits).

    Algorithm: workerd src/workerd/server/server.c++; a test compares with a file workerd made.
    """
    key = hashlib.sha256(unique_key.encode()).digest()
    head = hmac.new(key, name.encode(), hashlib.sha256).digest()[:16]
    return (head + hmac.new(key, head, hashlib.sha256).digest()[:16]).hex()


# By strategy: the folder below `state`, which is a disk of workerd's, and the namespace's key.
_PLACES = {"d1": ("d1", D1_UNIQUE_KEY), "object": ("sql", SQL_UNIQUE_KEY)}


def database_folder(state: Path, strategy: str = "d1") -> Path:
    """Return the folder of a strategy's databases below `state`, made when missing.

    Raises TargetError.
    """
    name, unique_key = _PLACES[strategy]
    folder = state / name
    try:
        (folder / unique_key).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise TargetError(
            f"The folder {folder} cannot be made",
            why=str(error.strerror),
            tip="check the permissions of the folder above it",
        ) from error
    return folder


def database_file(state: Path, binding: str, strategy: str = "d1") -> Path:
    """Return the path of a binding's SQLite file below `state`; its folder is made.

    Write it only while no worker runs on this state; with WAL, checkpoint before, or copy the
    `-wal` file along.
    """
    unique_key = _PLACES[strategy][1]
    return (
        database_folder(state, strategy) / unique_key / f"{object_id(unique_key, binding)}.sqlite"
    )


def d1_file(state: Path, binding: str) -> Path:
    """Return the path of a D1 binding's SQLite file, see `database_file`."""
    return database_file(state, binding)
