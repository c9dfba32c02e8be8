"""Which paths are databases of the Worker: `install` fills it, `connect` asks it."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from edgelift.worker.sqlite3.object_transport import HostObjectTransport, ObjectTransport
from edgelift.worker.sqlite3.sharded import ShardedDatabase, build_sharded
from edgelift.worker.sqlite3.transport import (
    Database,
    HostTransport,
    ObjectDatabase,
    Transport,
)  # fmt: skip

_databases: dict[str, Database] = {}
# What was found for an absolute path, which connect() asks for three times.
_found: dict[tuple[str, bool], tuple[Database, str, bool] | None] = {}
_MOST_FOUND = 1_000


def configure(
    databases: Iterable[Mapping[str, Any]],
    transport: Transport | None = None,
    carrier: ObjectTransport | None = None,
) -> None:
    """Take the databases of the settings JSON in place of what was known."""
    _databases.clear()
    _found.clear()
    carrier = carrier or HostObjectTransport()
    makers: dict[str, Callable[[str, str], Database]] = {
        "d1": lambda binding, _shard: Database(binding, transport or HostTransport()),
        "object": lambda binding, shard: ObjectDatabase(binding, carrier, shard),
    }
    for database in databases:
        path = os.path.abspath(database["path"])  # noqa: PTH100 - links stay
        make = makers.get(database.get("strategy", "d1"))
        if make is not None and database.get("shards"):
            _databases[path] = build_sharded(database, make)
        elif make is not None:
            _databases[path] = make(database["binding"], "")


def find_database(database: Any, *, uri: bool = False) -> tuple[Database, str, bool] | None:
    """Return the database at a path, the path, and whether it is only to be read.

    None for a path that is not configured. `?shard=` of a URI names a shard of a SQL object, or of
    a database that is split.
    """
    if not isinstance(database, (str, bytes, os.PathLike)):
        return None
    path = os.fsdecode(database)
    if (path, uri) in _found:
        return _found[path, uri]
    found = _find(path, uri=uri)
    if path.startswith(("/", "file:/")) and len(_found) < _MOST_FOUND:
        _found[path, uri] = found
    return found


def _find(path: str, *, uri: bool) -> tuple[Database, str, bool] | None:
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
    if isinstance(found, ShardedDatabase) and shard:
        found = found.find_member(shard)
    elif isinstance(found, ObjectDatabase) and shard:
        found = _find_shard(path, found, shard)
    return (found, path, read_only) if found else None


def _find_shard(path: str, whole: ObjectDatabase, shard: str) -> ObjectDatabase:
    """Return a shard of a database in objects: a database of its own, under the same binding."""
    key = f"{path}?{shard}"
    found = _databases.get(key)
    if not isinstance(found, ObjectDatabase):
        found = _databases[key] = ObjectDatabase(whole.binding, whole.carrier, shard)
    return found
