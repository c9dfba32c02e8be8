"""A small follower for tests: copies a snapshot, applies the stream, and can be killed anywhere.

Rows and the position up to which they are applied lie in one SQLite transaction.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from edgelift.model.origin_schema import OriginTable
from edgelift.model.row_spec import RowSpec
from edgelift.rows.engine import load_chunk, open_target
from edgelift.sources.origin_database import Choices
from edgelift.sources.postgres import open_postgres
from edgelift.sources.postgres.changes import RowDecoder, check_relation
from edgelift.sources.postgres.connection import connect, to_address
from edgelift.sources.postgres.messages import (
    Change,
    Commit,
    Marker,
    Relation,
    RowChange,
    Truncate,
    to_position,
    write_position,
)
from edgelift.sources.postgres.replication import ChangeStream
from edgelift.sources.postgres.slots import create_publication, create_slot


class KilledError(Exception):
    """The process is gone: nothing that was not committed is left."""


def quote(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


class Follower:
    def __init__(self, url: str, path: Path, tables: list[str], slot: str) -> None:
        self.address = to_address(url)
        self.url, self.path, self.slot = url, path, slot
        with open_postgres(url) as database:
            found = {t.name: t for t in database.read_schema().tables}
            self.roots = {t.name: t.parent.partition(".")[2] for t in found.values() if t.parent}
            self.tables: dict[str, OriginTable] = {name: found[name] for name in tables}
            self.specs: dict[str, RowSpec] = {
                name: database.map_table(table, Choices()) for name, table in self.tables.items()
            }
        self.transactions = 0

    def copy(self, between: Callable[[], None] = lambda: None) -> None:
        """Make slot and copy; `between` runs after the snapshot was taken."""
        with connect(self.address) as connection:
            create_publication(
                connection, self.slot, list(self.tables.values()), self.address.place
            )
        target = open_target(self.path, durable=True)
        for spec in self.specs.values():
            columns = ", ".join(f"{quote(f.column)} {f.target_type}" for f in spec.fields)
            key = ", ".join(spec.key)
            primary = f", PRIMARY KEY ({key})" if key else ""
            target.execute(f"CREATE TABLE {quote(spec.target)} ({columns}{primary})")
        target.execute("CREATE TABLE applied (position INTEGER)")
        with create_slot(self.address, self.slot) as slot, open_postgres(self.url) as database:
            between()
            with closing(database.join_snapshot(slot.ticket)) as snapshot:
                for spec in self.specs.values():
                    for chunk in snapshot.plan_chunks(spec, 200):
                        load_chunk(target, spec, snapshot.stream_chunk(spec, chunk))
            target.execute("INSERT INTO applied VALUES (?)", (to_position(slot.position),))
        target.close()

    def follow(self, until: bytes, kill_at: int = -1, wait_s: float = 20) -> bool:
        """Apply changes until a marker; `kill_at` raises KilledError before that change."""
        with (
            closing(sqlite3.connect(self.path, isolation_level=None)) as db,
            connect(self.address) as connection,
        ):
            (position,) = db.execute("SELECT position FROM applied").fetchone()
            stream = ChangeStream(
                self.address,
                slot=self.slot,
                publication=self.slot,
                position=write_position(position),
            )
            self._decoders: dict[int, RowDecoder] = {}
            self._seen, found = 0, False
            try:
                for change in stream.read(wait_s):
                    if not db.in_transaction:
                        db.execute("BEGIN")
                    if isinstance(change, Marker):
                        found = found or change.content == until
                    elif isinstance(change, Commit):
                        db.execute("UPDATE applied SET position = ?", (change.end,))
                        db.execute("COMMIT")
                        self.transactions += 1
                        stream.confirm(change.end)
                        if found:
                            return True
                    else:
                        self._take(db, connection, change, kill_at)
            finally:
                stream.close()
                if db.in_transaction:
                    db.execute("ROLLBACK")
        return False

    def _take(self, db: sqlite3.Connection, connection, change: Change, kill_at: int) -> None:
        if isinstance(change, Relation):
            root = self.roots.get(change.table, change.table)
            check_relation(connection, self.tables[root], change)
            self._decoders[change.oid] = RowDecoder(connection, self.specs[root], change)
        elif isinstance(change, RowChange):
            if self._seen == kill_at:
                raise KilledError
            self._seen += 1
            self._apply(db, self._decoders[change.oid], change)
        elif isinstance(change, Truncate):
            for oid in change.oids:
                db.execute(f"DELETE FROM {quote(self._decoders[oid]._spec.target)}")

    def _apply(self, db: sqlite3.Connection, decoder: RowDecoder, change: RowChange) -> None:
        target = quote(decoder._spec.target)
        new = decoder.decode([change.new])[0] if change.new is not None else {}
        where = {}
        if change.old is not None:
            (where,) = decoder.decode([change.old], key_only=change.old_is_key)
        elif change.kind == "update":
            where = {name: new[name] for name in decoder.key}
        condition = " AND ".join(f"{quote(name)} IS ?" for name in where)
        if change.kind == "insert":
            names, marks = ", ".join(map(quote, new)), ", ".join("?" * len(new))
            db.execute(f"INSERT INTO {target} ({names}) VALUES ({marks})", tuple(new.values()))
        elif change.kind == "update":
            assignments = ", ".join(f"{quote(name)} = ?" for name in new)
            done = db.execute(
                f"UPDATE {target} SET {assignments} WHERE {condition}",
                (*new.values(), *where.values()),
            )
            assert done.rowcount == 1
        else:
            done = db.execute(f"DELETE FROM {target} WHERE {condition}", tuple(where.values()))
            assert done.rowcount == 1
