"""Which paths are databases of the Worker: `install` fills it, `connect` asks it."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from edgelift.worker.sqlite3.object_transport import HostObjectTransport, ObjectTransport
from edgelift.worker.sqlite3.transport import (
    Database,
    HostTransport,
    ObjectDatabase,
    Transport,
)  # fmt: skip

_databases: dict[str, Database] = {}


def configure(
    databases: Iterable[Mapping[str, Any]],
    transport: Transport | None = None,
    carrier: ObjectTransport | None = None,
) -> None:
    """Take the databases of the settings JSON in place of what was known."""
    _databases.clear()
    for database in databases:
        path = os.path.abspath(database["path"])  # noqa: PTH100 - links stay
        strategy = database.get("strategy", "d1")
        if strategy == "d1":
            _databases[path] = Database(database["binding"], transport or HostTransport())
        elif strategy == "object":
            carrier = carrier or HostObjectTransport()
            _databases[path] = ObjectDatabase(database["binding"], carrier)


def find_database(database: Any, *, uri: bool = False) -> tuple[Database, str, bool] | None:
    """Return the database at a path, the path, and whether it is only to be read.

    None for a path that is not configured. `?shard=` of a URI names a shard of a SQL object.
    """
    if not isinstance(database, (str, bytes, os.PathLike)):
        return None
    path = os.fsdecode(database)
    read_only = False
    shard = ""
    if uri and path.startswith("file:"):
        parts = urlsplit(path)
        path = unquote(parts.path)
        options = parse_qs(parts.query)
        read_only = options.get("mode") == ["ro"] or options.get("immutable") in (["1"], ["true"])
        shard = options.get("shard", [""])[0]
        if options.get("mode") == ["memory"]:
            return None
    if path in {"", ":memory:"}:
        return None
    path = os.path.abspath(path)  # noqa: PTH100
    found = _databases.get(path)
    if isinstance(found, ObjectDatabase) and shard:
        found = _find_shard(path, found, shard)
    return (found, path, read_only) if found else None


def _find_shard(path: str, whole: ObjectDatabase, shard: str) -> ObjectDatabase:
    """Return a shard of a database in objects: a database of its own, under the same binding."""
    key = f"{path}?{shard}"
    found = _databases.get(key)
    if not isinstance(found, ObjectDatabase):
        found = _databases[key] = ObjectDatabase(whole.binding, whole.carrier, shard)
    return found
