"""MySQL and MariaDB as followed origins: the binary log's changes, lag, moments.

Nothing is left at the origin. The snapshot's own position in the log is where following begins.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Generator, Iterator, Mapping
from dataclasses import replace
from itertools import groupby

from edgelift.errors import OriginError
from edgelift.model.followed_parts import list_parts
from edgelift.model.origin_schema import OriginTable
from edgelift.sources import followed_tables
from edgelift.sources.change_feed import (
    ACTING,
    Cascade,
    Change,
    Edit,
    Emptied,
    End,
    FollowProblem,
    Lag,
    Subject,
)
from edgelift.sources.followed_tables import FollowedTable, ServerMoment
from edgelift.sources.mysql import MySqlDatabase, open_mysql
from edgelift.sources.mysql.changes import RowDecoder, TargetRow
from edgelift.sources.mysql.connection import MySqlSession
from edgelift.sources.mysql.log_statements import is_idle, read_truncate, writes_rows
from edgelift.sources.mysql.replication import (
    SILENCE_S,
    Begin,
    ChangeStream,
    Commit,
    RowChange,
    Statement,
    check_following,
    read_end,
    to_order,
)
from edgelift.sources.mysql.replication import Change as Message
from edgelift.sources.mysql.snapshot import BinlogPosition, decode_position
from edgelift.sources.mysql.url import MySqlPlace, read_place

_BATCH = 500  # rows of one table that are decoded at once
_BATCH_BYTES = 8_000_000
_SHOWN = 100  # characters of a statement in a message


class MySqlFollowed:
    """A MySQL or MariaDB database whose changes are followed."""

    handle = ""

    def __init__(self, subject: Subject, database: MySqlDatabase) -> None:
        self.product = database.capabilities.product
        self.subject = subject
        self.place = read_place(subject.url)
        self._plan = subject.plan
        self._database = database
        self._session = database.session
        moves = self._plan.tables if self._plan is not None else ()
        keys = {
            (move.spec.schema, move.spec.table): set(move.spec.key)
            for move in moves
        }  # fmt: skip

        def find_key(table: OriginTable) -> tuple[str, ...]:
            quoted = keys[table.schema, table.name]
            found = [c.name for c in table.columns if f"`{c.name.replace('`', '``')}`" in quoted]
            return tuple(found)

        self.tables = (
            followed_tables.match_tables(self._plan, database.read_schema(), find_key)
            if self._plan is not None
            else []
        )
        self.shapes = [table.shape for table in self.tables]
        self.actions = followed_tables.list_actions(self.tables)
        self.offloaded = followed_tables.list_offloaded(self.tables)

    def find_problems(self) -> list[FollowProblem]:
        """Return what stands in the way: settings, rights, tables whose rows cannot be named."""
        found = [
            FollowProblem(problem.table, problem.why, problem.tip)
            for problem in check_following(self._session, [t.origin for t in self.tables])
        ]
        found += followed_tables.find_problems(self.tables)
        named = {problem.table for problem in found}
        found += [
            FollowProblem(t.name, "its key does not move as a whole", "let its columns move")
            for t in self.tables
            if not t.key and t.name not in named
        ]
        return found

    def read_parts(self) -> dict[str, str]:
        """Return what the database is like now."""
        return list_parts(self._database.read_schema())

    @contextlib.contextmanager
    def prepare(self) -> Iterator[str]:
        """Do nothing: every snapshot knows its position in the log."""
        yield ""

    def open(self, position: str) -> MySqlFeed:
        """Open the stream; raises OriginError when the log behind the position is gone."""
        return MySqlFeed(self, decode_position(position))

    @contextlib.contextmanager
    def open_moment(self, feed: object) -> Iterator[ServerMoment]:
        """Open a snapshot with its position."""
        del feed
        reader = self._database.open_snapshot()
        try:
            yield ServerMoment(reader, self.tables)
        finally:
            reader.close()

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
        """Do nothing: nothing is left at the origin."""

    def check_shape(self) -> None:
        """Raise OriginError when the schema is no longer the one that was judged."""
        if self._plan is not None:
            followed_tables.check_shape(self.subject, self._database.read_schema(), {})


class MySqlFeed:
    """The binary log as changes of the target's rows."""

    def __init__(self, followed: MySqlFollowed, position: BinlogPosition) -> None:
        self._followed = followed
        self._tables = {(t.origin.schema, t.origin.name): t for t in followed.tables}
        self._side = MySqlSession(replace(followed.place, read_timeout_s=SILENCE_S))
        self._decoders = {
            name: RowDecoder(self._side, table.origin, table.decoded)
            for name, table in self._tables.items()
        }
        for action in followed.actions:
            table = next(t for t in followed.tables if t.move.spec.target == action.parent)
            decoder = self._decoders[table.origin.schema, table.origin.name]
            decoder.key_columns |= set(action.parent_columns)
        self._limit: BinlogPosition | None = None
        self._exact = self._reached = self._inside = False
        self._waiting: Statement | None = None
        origins = [table.origin for table in followed.tables]
        try:
            self._stream = ChangeStream(followed.place, origins, position)
        except BaseException:
            self._side.close()
            raise

    def read(self, wait_s: float) -> Generator[Change, None, None]:
        """Yield changes; rows of one table in a row are decoded at once."""
        if self._reached:  # whoever goes on has seen it
            self._limit, self._reached = None, False
        if self._waiting is not None:
            statement, self._waiting = self._waiting, None
            yield from self._take(statement)
        held: list[RowChange] = []
        size = 0
        for message in self._stream.read(wait_s):
            if isinstance(message, RowChange):
                if len(held) >= _BATCH or size > _BATCH_BYTES:
                    yield from self._decode(held)
                    held, size = [], 0
                held.append(message)
                size += _measure(message)
                continue
            yield from self._decode(held)
            held, size = [], 0
            if self._is_behind_limit(message):
                return
            yield from self._take(message)
            if isinstance(message, Commit) and self._covers(message.position):
                self._reached = True
                return
        yield from self._decode(held)
        limit = self._limit
        self._reached = limit is not None and not self._inside and self._stream.has_reached(limit)

    def mark(self, position: str = "") -> None:
        """Set the limit: the log's end now, or a snapshot's position."""
        self._limit = decode_position(position) if position else read_end(self._side)
        self._exact, self._reached = bool(position), False

    def has_reached_mark(self) -> bool:
        """Return whether all up to the limit was yielded."""
        return self._reached

    def confirm(self, position: str) -> None:
        """Do nothing: the server does not ask."""

    def read_lag(self, position: str, applied: float) -> Lag:
        """Return the distance to the log's end, over several files of it too."""
        del position  # what was received counts the events of other databases too
        end, received = read_end(self._side), self._stream.received
        if end.file == received.file:
            behind = end.position - received.position
        else:
            sizes = [(str(row[0]), int(row[1])) for row in self._side.read_rows("SHOW BINARY LOGS")]
            between = [size for name, size in sizes if received.file <= name < end.file]
            behind = sum(between) - received.position + end.position
        seconds = max(0.0, time.time() - applied) if behind > 0 and applied else 0.0
        return Lag(max(0, behind), seconds)

    def check(self) -> None:
        """Raise OriginError when the schema changed."""
        self._followed.check_shape()

    def close(self) -> None:
        """Close the stream."""
        self._stream.close()
        self._side.close()

    def _is_behind_limit(self, message: Message) -> bool:
        """Return whether a transaction begins that a moment does not hold any more.

        The limit lies between transactions, so one whose first event ends behind it begins there.
        """
        starts = isinstance(message, Begin | Statement) and not self._inside
        limit = self._limit
        if not (starts and self._exact and limit is not None):
            return False
        if to_order(self._stream.received) <= to_order(limit):
            return False
        self._reached = True
        if isinstance(message, Statement):
            self._waiting = message
        return True

    def _covers(self, position: BinlogPosition) -> bool:
        return self._limit is not None and to_order(position) >= to_order(self._limit)

    def _take(self, message: Message) -> Iterator[Change]:
        if isinstance(message, Begin):
            self._inside = True
        elif isinstance(message, Commit):
            self._inside = False
            yield End(message.position.encode(), float(message.time))
        elif isinstance(message, Statement):
            yield from self._take_statement(message)

    def _take_statement(self, message: Statement) -> Iterator[Change]:
        emptied = read_truncate(message.text, message.schema)
        if emptied is not None:
            table = self._tables.get(emptied)
            if table is not None:
                yield Emptied(table.move.spec.target)
            return
        text = " ".join(message.text.split())[:_SHOWN]
        if writes_rows(message.text):
            raise OriginError(
                f"The binary log of {self._followed.place} holds rows as statements",
                why=f"a session with its own binlog_format wrote: {text}",
                tip="SET GLOBAL binlog_format = ROW, let the writers connect anew, and copy anew: "
                "run the same command with --force",
            )
        names = {(t.origin.schema, t.origin.name) for t in self._followed.tables}
        if not is_idle(message.text, message.schema, names):
            raise followed_tables.changed(message.schema, [f"the log holds: {text}"])
        # It touches no row; whether it touches anything else the catalogue tells.
        self._followed.check_shape()

    def _decode(self, changes: list[RowChange]) -> Iterator[Change]:
        for name, group in groupby(changes, key=lambda change: (change.schema, change.table)):
            if name in self._tables:
                yield from self._decode_alike(list(group), self._tables[name], self._decoders[name])

    def _decode_alike(
        self, changes: list[RowChange], table: FollowedTable, decoder: RowDecoder
    ) -> Iterator[Change]:
        olds = iter(decoder.decode([c.old for c in changes if c.old is not None], key_only=True))
        written = decoder.decode([c.new for c in changes if c.new is not None])
        table.name_objects(written, self._followed.subject.keep)
        news = iter(written)
        for change in changes:
            old = next(olds) if change.old is not None else None
            new = next(news) if change.new is not None else None
            key = None if old is None else tuple(old[name] for name in table.key)
            yield Edit(table.move.spec.target, key, new)
            if old is not None:
                yield from self._list_cascades(table, old, new)

    def _list_cascades(
        self, table: FollowedTable, old: TargetRow, new: TargetRow | None
    ) -> Iterator[Cascade]:
        """Yield what foreign keys did when a row went or changed: InnoDB does it unlogged."""
        for action in self._followed.actions:
            if action.parent != table.move.spec.target:
                continue
            before = tuple(old[name] for name in action.parent_columns)
            after = None if new is None else tuple(new[name] for name in action.parent_columns)
            acts = action.on_delete if after is None else action.on_update
            if None not in before and before != after and acts in ACTING:
                yield Cascade(action, before, after)


def _measure(change: RowChange) -> int:
    """Return about how many bytes a change holds in memory."""
    cells = (*(change.old or ()), *(change.new or ()))
    return sum(len(cell) for cell in cells if cell is not None)


@contextlib.contextmanager
def open_followed(subject: Subject) -> Iterator[MySqlFollowed]:
    """Connect to the database of a subject."""
    with open_mysql(subject.url) as database:
        yield MySqlFollowed(subject, database)


__all__ = ["MySqlFeed", "MySqlFollowed", "MySqlPlace", "open_followed"]
