"""Where the local runtime keeps the SQLite file of a binding; the golden copy is put there."""

from __future__ import annotations

import contextlib
import hashlib
import hmac
from dataclasses import dataclass
from pathlib import Path

import apsw

from edgelift.errors import TargetError
from edgelift.targets.workerd.config import D1_UNIQUE_KEY, DATABASES_DISK, SQL_UNIQUE_KEY


def object_id(unique_key: str, name: str) -> str:
    """Return the id of `idFromName(name)` in workerd's namespace `unique_key` (64 hex digits).

    Algorithm: workerd src/workerd/server/server.c++; a test compares with a file workerd made.
    """
    key = hashlib.sha256(unique_key.encode()).digest()
    head = hmac.new(key, name.encode(), hashlib.sha256).digest()[:16]
    return (head + hmac.new(key, head, hashlib.sha256).digest()[:16]).hex()


_UNIQUE_KEYS = {"d1": D1_UNIQUE_KEY, "object": SQL_UNIQUE_KEY}


def database_folder(state: Path) -> Path:
    """Return the folder of the databases below `state`, a disk of workerd's; made when missing.

    Each namespace has its own folder in it. Raises TargetError.
    """
    folder = state / DATABASES_DISK
    try:
        for unique_key in _UNIQUE_KEYS.values():
            (folder / unique_key).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise TargetError(
            f"The folder {folder} cannot be made",
            why=str(error.strerror),
            tip="check the permissions of the folder above it",
        ) from error
    return folder


def database_file(state: Path, binding: str, strategy: str = "d1", shard: str = "") -> Path:
    """Return the path of a binding's SQLite file below `state`; its folder is made.

    `shard` names an object of the binding's class, "" the one of the database as a whole.

    Write it only while no worker runs on this state; with WAL, checkpoint before, or copy the
    `-wal` file along.
    """
    unique_key = _UNIQUE_KEYS[strategy]
    name = f"{binding}/{shard}" if shard else binding
    return database_folder(state) / unique_key / f"{object_id(unique_key, name)}.sqlite"


@dataclass(frozen=True)
class DatabaseSchema:
    """The schema of a binding's database: `script` is SQL that makes it in an empty file.

    `shard` is which object of the binding's class it is, "" for the whole.
    """

    binding: str
    strategy: str
    script: str
    shard: str = ""


def write_schema(schema: DatabaseSchema, state: Path) -> None:
    """Make a binding's database below `state` with its schema and no rows.

    A statement that SQLite refuses here leaves the file as far as it came: what asks for the rest
    then gets the engine's own error.
    """
    path = str(database_file(state, schema.binding, schema.strategy, schema.shard))
    with contextlib.closing(apsw.Connection(path)) as db, contextlib.suppress(apsw.Error):
        db.execute(schema.script)


def d1_file(state: Path, binding: str) -> Path:
    """Return the path of a D1 binding's SQLite file, see `database_file`."""
    return database_file(state, binding)
