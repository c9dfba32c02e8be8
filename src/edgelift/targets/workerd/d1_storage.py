"""Where the local runtime keeps the SQLite file of a D1 binding; the data stage puts one there."""

from __future__ import annotations

import hashlib
import hmac
from pathlib import Path

from edgelift.errors import TargetError
from edgelift.targets.workerd.config import D1_UNIQUE_KEY


def object_id(unique_key: str, name: str) -> str:
    """Return the id of `idFromName(name)` in workerd's namespace `unique_key` (64 hex digits).

    Algorithm: workerd src/workerd/server/server.c++; a test compares with a file workerd made.
    """
    key = hashlib.sha256(unique_key.encode()).digest()
    head = hmac.new(key, name.encode(), hashlib.sha256).digest()[:16]
    return (head + hmac.new(key, head, hashlib.sha256).digest()[:16]).hex()


def d1_folder(state: Path) -> Path:
    """Return the folder of all databases below `state`, made when missing; raises TargetError."""
    folder = state / "d1"
    try:
        (folder / D1_UNIQUE_KEY).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise TargetError(
            f"The folder {folder} cannot be made",
            why=str(error.strerror),
            tip="check the permissions of the folder above it",
        ) from error
    return folder


def d1_file(state: Path, binding: str) -> Path:
    """Return the path of a binding's SQLite file below `state`; its folder is made.

    Write it only while no worker runs on this state; with WAL, checkpoint before, or copy the
    `-wal` file along.
    """
    return d1_folder(state) / D1_UNIQUE_KEY / f"{object_id(D1_UNIQUE_KEY, binding)}.sqlite"
