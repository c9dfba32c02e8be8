"""A snapshot of a SQLite file as an origin of the mover: for databases that `[schema]` changes.

A file that moves as it is keeps its shorter way (stages/data/load.py). Here its rows travel like
those of a server, over the wire `sqlite`, so that casts, rewrites, ledger, proof, workers and
shards are the same. What is read is the private snapshot that the schema stage took and judged.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote, unquote

import apsw

from edgelift.model.activity import Activity
from edgelift.model.origin_schema import OriginSchema, OriginTable
from edgelift.model.row_spec import RowSpec
from edgelift.rows.ops import SQLITE
from edgelift.sources.origin_database import Capabilities, Choices
from edgelift.sources.sqlite_catalogue import read_catalogue
from edgelift.sources.sqlite_origin.catalogue import SCHEMA, to_origin_schema
from edgelift.sources.sqlite_origin.connection import open_snapshot, reading
from edgelift.sources.sqlite_origin.mapping import map_table
from edgelift.sources.sqlite_origin.reader import SqliteReader

SCHEME = "edgelift-sqlite"
CAPABILITIES = Capabilities(
    product="SQLite",
    dialect="sqlite",
    wire=SQLITE,
    default_schemas=(SCHEMA,),
    joins=True,
    is_local=True,
    trusts_rules=False,
    hash_bytes="edgelift_sha256({})",
    hash_text="edgelift_sha256({})",
    as_text="edgelift_text({})",
)


def to_url(snapshot: Path) -> str:
    """Return the URL under which stages open a snapshot; no project names such a one."""
    return f"{SCHEME}://{quote(str(snapshot.absolute()))}"


class SqliteOrigin:
    """An open snapshot; `open_sqlite` makes one."""

    capabilities = CAPABILITIES

    def __init__(self, path: Path, db: apsw.Connection) -> None:
        self._path = path
        self._db = db

    def read_schema(self) -> OriginSchema:
        """Return the whole catalogue."""
        with reading(self._path):
            return to_origin_schema(read_catalogue(self._db))

    def map_table(self, table: OriginTable, choices: Choices) -> RowSpec:
        """Return the way of every column."""
        return map_table(table, choices)

    def open_snapshot(self) -> SqliteReader:
        """Read the snapshot by a connection of its own."""
        return SqliteReader(self._path)

    def join_snapshot(self, ticket: str) -> SqliteReader:
        """Read the same snapshot: it is a file that nothing changes."""
        del ticket
        return SqliteReader(self._path)

    def read_activity(self) -> Activity:
        """Return nothing: the schema stage knows by the file itself whether it changed."""
        return Activity(counts="")


@contextlib.contextmanager
def open_sqlite(url: str) -> Iterator[SqliteOrigin]:
    """Open the snapshot of a URL of `to_url`; raises OriginError when it cannot be read."""
    path = Path(unquote(url.partition("://")[2]))
    with reading(path):
        db = open_snapshot(path)
    try:
        yield SqliteOrigin(path, db)
    finally:
        db.close()
