"""PostgreSQL as a followed origin: slot and publication, decoded changes, lag, moments.

The slot is made first: its snapshot is what is copied, its stream begins where that ends.
"""

from __future__ import annotations

import contextlib
import time
import uuid
from collections.abc import Generator, Iterator, Mapping, Sequence
from itertools import groupby

from edgelift.errors import OriginError
from edgelift.model.followed_parts import list_parts
from edgelift.model.origin_schema import OriginSchema, OriginTable
from edgelift.sources import followed_tables
from edgelift.sources.change_feed import (
    Action,
    Change,
    Edit,
    Emptied,
    End,
    FollowProblem,
    Lag,
    Subject,
)
from edgelift.sources.followed_tables import FollowedTable, ServerMoment
from edgelift.sources.origin_database import OriginDatabase
from edgelift.sources.postgres.catalogue import CatalogueReader
from edgelift.sources.postgres.changes import RowDecoder, check_relation
from edgelift.sources.postgres.connection import (
    CATALOGUE_TIMEOUT_S,
    Address,
    Connection,
    connect,
    limited,
    to_address,
)
from edgelift.sources.postgres.database import open_postgres
from edgelift.sources.postgres.errors import origin_errors
from edgelift.sources.postgres.follow_checks import check_following
from edgelift.sources.postgres.messages import (
    Begin,
    Commit,
    Marker,
    Relation,
    RowChange,
    Truncate,
    Value,
    to_position,
    write_position,
)
from edgelift.sources.postgres.messages import Change as Message
from edgelift.sources.postgres.replication import SILENCE_S, ChangeStream
from edgelift.sources.postgres.slots import (
    create_publication,
    create_slot,
    drop_following,
    emit_marker,
)
from edgelift.sources.postgres.stored_tables import Name, StoredTables
from edgelift.targets.object_files import name_object

_EPOCH_S = 946_684_800  # 2000-01-01 in Unix seconds: PostgreSQL counts from there
_BATCH = 500  # rows of one table that are decoded at once
_BATCH_BYTES = 8_000_000
_IDENTITIES = """
SELECT n.nspname, c.relname, array_agg(a.attname::text ORDER BY k.n)
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
JOIN pg_index i ON i.indrelid = c.oid AND i.indimmediate AND CASE c.relreplident
  WHEN 'i' THEN i.indisreplident ELSE i.indisprimary END
CROSS JOIN LATERAL unnest(i.indkey) WITH ORDINALITY AS k(attnum, n)
JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = k.attnum
WHERE k.n <= i.indnkeyatts GROUP BY 1, 2
"""
_SLOT = """
SELECT wal_status, pg_wal_lsn_diff(pg_current_wal_lsn(), restart_lsn)::bigint,
       confirmed_flush_lsn::text, pg_current_wal_lsn()::text
FROM pg_replication_slots WHERE slot_name = %s
"""


class PostgresFollowed:
    """A PostgreSQL database whose changes are followed."""

    product = "PostgreSQL"

    def __init__(self, subject: Subject, database: OriginDatabase, connection: Connection) -> None:
        self.handle = f"slot and publication {subject.name}"
        self.subject = subject
        self._plan = subject.plan
        self._name = subject.name
        self._database = database
        self._address = to_address(subject.url)
        self._connection = connection
        with origin_errors(self._address.place):
            rows = connection.execute(_IDENTITIES).fetchall()
        self._keys = {(schema, table): tuple(columns) for schema, table, columns in rows}
        schema = self._read_schema() if self._plan is not None else None
        self.tables = (
            followed_tables.match_tables(self._plan, schema, self._find_key)
            if self._plan is not None and schema is not None
            else []
        )
        self.stored = StoredTables(self.tables, schema.tables if schema is not None else ())
        self.shapes = [table.shape for table in self.tables]
        self.actions: Sequence[Action] = ()  # what foreign keys do is logged
        self.offloaded = followed_tables.list_offloaded(self.tables)

    def _find_key(self, table: OriginTable) -> tuple[str, ...]:
        return self._keys.get((table.schema, table.name), ())

    def find_problems(self) -> list[FollowProblem]:
        """Return what stands in the way: settings, rights, tables whose rows cannot be named."""
        with origin_errors(self._address.place):
            found = [
                problem
                for problem in check_following(self._connection, [t.origin for t in self.tables])
                # A slot of ours is taken already when following goes on.
                if not ("slot is free" in problem.why and self._read_slot() is not None)
            ]
        found += followed_tables.find_problems(self.tables)
        for table in self.tables:
            if self._find_key(table.origin) and not table.key:
                tip = "let the columns of its key move"
                found.append(FollowProblem(table.name, "a column of its key stays behind", tip))
        return found

    def read_parts(self) -> dict[str, str]:
        """Return what the database is like now."""
        return list_parts(self._read_schema(), self._read_numbers())

    def _read_schema(self) -> OriginSchema:
        reader = CatalogueReader(self._connection, self._connection.info.server_version)
        limit = limited(self._connection, 2 * CATALOGUE_TIMEOUT_S)
        with origin_errors(self._address.place), limit:
            return reader.read("")

    def _read_numbers(self) -> dict[str, str]:
        with origin_errors(self._address.place):
            return self.stored.read_numbers(self._connection)

    @contextlib.contextmanager
    def prepare(self) -> Iterator[str]:
        """Make publication and slot anew; yields the ticket of the slot's snapshot."""
        self.drop()
        origins = [table.origin for table in self.tables]
        create_publication(self._connection, self._name, origins, self._address.place)
        with contextlib.ExitStack() as stack:
            try:
                slot = stack.enter_context(create_slot(self._address, self._name))
            except OriginError:
                self.drop()
                raise
            yield slot.ticket

    def open(self, position: str) -> PostgresFeed:
        """Open the stream; raises OriginError when the slot is gone or was read by another."""
        with origin_errors(self._address.place):
            slot = self._read_slot()
        self._check_slot(slot, position)
        return PostgresFeed(self, position)

    @contextlib.contextmanager
    def open_moment(self, feed: object) -> Iterator[ServerMoment]:
        """Open the snapshot of another slot, which lives as long as the moment."""
        del feed
        name = f"edgelift_v_{uuid.uuid4().hex[:16]}"
        try:
            with create_slot(self._address, name) as slot:  # open as long as its snapshot is read
                reader = self._database.join_snapshot(slot.ticket)
                try:
                    yield ServerMoment(reader, self.tables)
                finally:
                    reader.close()
        finally:
            drop_following(self._address, name, name)

    def read_counters(self) -> Mapping[str, int]:
        """Return the last number that each counter gave out, by the target's table."""
        sequences = self._database.read_schema().sequences
        lasts = {s.owner: s.last for s in sequences if s.owner}
        return {
            table.move.spec.target: last
            for table in self.tables
            if table.move.counter and (last := lasts.get(table.move.counter))
        }

    def drop(self) -> None:
        """Drop slot and publication."""
        drop_following(self._address, self._name, self._name)

    def check_shape(self) -> None:
        """Raise OriginError when the schema is no longer the one that was judged."""
        if self._plan is not None:
            followed_tables.check_shape(self.subject, self._read_schema(), self._read_numbers())

    @property
    def address(self) -> Address:
        """Return where the database is."""
        return self._address

    @property
    def name(self) -> str:
        """Return the name of slot and publication."""
        return self._name

    def _read_slot(self) -> tuple[str, int, str, str] | None:
        row = self._connection.execute(_SLOT, (self._name,)).fetchone()
        return None if row is None else (row[0] or "", row[1] or 0, row[2], row[3])

    def _check_slot(self, slot: tuple[str, int, str, str] | None, position: str) -> None:
        why = ""
        if slot is None:
            why = "it was dropped at the origin"
        elif slot[0] == "lost":
            why = "the origin threw its log away: max_slot_wal_keep_size was passed"
        elif to_position(slot[2]) > to_position(position):
            why = f"another reader took the changes up to {slot[2]}; applied is {position}"
        if why:
            raise OriginError(
                f"The slot {self._name} of {self._address.place} no longer has all changes",
                why=why,
                tip="copy anew: run the same command with --force",
            )


class PostgresFeed:
    """The stream of a slot as changes of the target's rows."""

    def __init__(self, followed: PostgresFollowed, position: str) -> None:
        self._followed = followed
        self._side = connect(followed.address)
        self._decoders: dict[int, tuple[FollowedTable, RowDecoder]] = {}
        self._names: dict[int, Name] = {}
        self._limit, self._token, self._reached = 0, "", False
        self._seen = False
        try:
            self._stream = ChangeStream(
                followed.address,
                slot=followed.name,
                publication=followed.name,
                position=position,
            )
        except BaseException:
            self._side.close()
            raise

    def read(self, wait_s: float) -> Generator[Change, None, None]:
        """Yield changes; rows of one table in a row are decoded at once."""
        if self._reached:  # whoever goes on has seen it
            self._limit, self._token, self._reached = 0, "", False
        held: list[RowChange] = []
        size = 0
        for message in self._stream.read(wait_s):
            if isinstance(message, RowChange):
                full = len(held) >= _BATCH or size > _BATCH_BYTES
                if held and (held[0].oid != message.oid or full):
                    yield from self._decode(held)
                    held, size = [], 0
                held.append(message)
                size += _measure(message)
                continue
            yield from self._decode(held)
            held, size = [], 0
            if isinstance(message, Begin) and self._limit and message.commit >= self._limit:
                self._reached = True
                return
            yield from self._take(message)
            if self._reached:
                return
        yield from self._decode(held)

    def mark(self, position: str = "") -> None:
        """Set the limit; a marker goes into the log behind it in both cases."""
        self._limit = to_position(position) if position else 0
        self._token, self._reached, self._seen = uuid.uuid4().hex, False, False
        with origin_errors(self._followed.address.place), limited(self._side, SILENCE_S):
            emit_marker(self._side, self._token)

    def has_reached_mark(self) -> bool:
        """Return whether all up to the limit was yielded."""
        return self._reached

    def confirm(self, position: str) -> None:
        """Let the server throw away its log up to a position."""
        self._stream.confirm(to_position(position))

    def read_lag(self, position: str, applied: float) -> Lag:
        """Return the distance to the server's end; what other tables wrote does not count."""
        with origin_errors(self._followed.address.place), limited(self._side, SILENCE_S):
            row = self._side.execute(_SLOT, (self._followed.name,)).fetchone()
        if row is None:
            return Lag(0, 0.0)
        behind = to_position(row[3]) - max(to_position(position), self._stream.received)
        seconds = max(0.0, time.time() - applied) if behind > 0 and applied else 0.0
        return Lag(max(0, behind), seconds, int(row[1] or 0))

    def check(self) -> None:
        """Raise OriginError when the schema changed."""
        self._followed.check_shape()

    def close(self) -> None:
        """Close the stream; slot and publication stay."""
        self._stream.close()
        self._side.close()

    def _take(self, message: Message) -> Iterator[Change]:
        if isinstance(message, Relation):
            self._learn(message)
        elif isinstance(message, Truncate):
            names = {self._names[oid] for oid in message.oids if oid in self._names}
            for table in self._followed.stored.list_emptied(names):
                yield Emptied(table.move.spec.target)
        elif isinstance(message, Marker):
            self._seen = self._seen or message.content.decode("utf-8", "replace") == self._token
        elif isinstance(message, Commit):
            self._reached = self._reached or (self._seen and not self._limit)
            yield End(write_position(message.end), message.micros / 1e6 + _EPOCH_S)

    def _learn(self, message: Relation) -> None:
        """Prepare to read a table's or partition's rows; raises OriginError for a changed one."""
        name = (message.schema, message.table)
        table = self._followed.stored.find(name)
        if table is None:
            self._followed.check_shape()
            raise followed_tables.changed(
                self._followed.subject.database, [f"table {'.'.join(name)} is new"]
            )
        check_relation(self._side, table.origin, message)
        decoder = RowDecoder(self._side, table.decoded, message)
        if message.identity != "f" and set(decoder.key) != set(table.key):
            named = ", ".join(decoder.key) or "nothing"
            why = f"the rows of {'.'.join(name)} are named by {named}"
            raise followed_tables.changed(self._followed.subject.database, [why])
        decoder.prepare_absent(table.origin)
        self._decoders[message.oid] = (table, decoder)
        self._names[message.oid] = name

    def _decode(self, changes: list[RowChange]) -> Iterator[Change]:
        for kind, group in groupby(changes, key=lambda change: (change.oid, change.old_is_key)):
            with limited(self._side, SILENCE_S):
                edits = list(self._decode_alike(list(group), *self._decoders[kind[0]]))
            yield from edits

    def _decode_alike(
        self, changes: list[RowChange], table: FollowedTable, decoder: RowDecoder
    ) -> Iterator[Change]:
        key_only = changes[0].old_is_key
        before = [c.old for c in changes if c.old is not None]
        if table.key or key_only:
            removed = decoder.decode(before, key_only=key_only)
        else:
            removed = decoder.decode_whole(before)
            table.name_objects(removed, name_object)
        written = decoder.decode_whole([c.new for c in changes if c.new is not None])
        table.name_objects(written, self._followed.subject.keep)
        olds, news = iter(removed), iter(written)
        names = table.key or table.shape.columns
        for change in changes:
            old = next(olds) if change.old is not None else None
            new = next(news) if change.new is not None else None
            if old is None and change.kind == "update":
                old = new
            key = None if old is None else tuple(old[name] for name in names)
            full = new is None or len(new) == len(table.shape.columns)
            yield Edit(table.move.spec.target, key, new, full)


def _measure(change: RowChange) -> int:
    """Return about how many bytes a change holds in memory."""
    cells = (*(change.old or ()), *(change.new or ()))
    return sum(len(cell.data) for cell in cells if isinstance(cell, Value))


@contextlib.contextmanager
def open_followed(subject: Subject) -> Iterator[PostgresFollowed]:
    """Connect to the database of a subject."""
    with (
        open_postgres(subject.url) as database,
        contextlib.closing(connect(to_address(subject.url))) as connection,
    ):
        yield PostgresFollowed(subject, database, connection)
