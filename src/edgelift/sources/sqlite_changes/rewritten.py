"""A followed SQLite file whose copy has other names and forms: changed rows go the copy's way.

Log and triggers are those of every file. What is read behind them, a row as it is now, is read by
the expressions of the copy and goes through its conversions; keys of rows that are gone too.
"""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import msgspec

from edgelift.errors import OriginError
from edgelift.model.move_plan import MovePlan
from edgelift.model.row_spec import RowSpec
from edgelift.rows.conversions import Value
from edgelift.rows.plan import RowPlan, build_plan, convert_row
from edgelift.rows.wires import SQLITE_END, write_sqlite_row
from edgelift.sources.change_feed import Edit, FollowProblem, Key, Subject
from edgelift.sources.followed_tables import FollowedTable, ServerMoment
from edgelift.sources.origin_database import Chunk
from edgelift.sources.sqlite_catalogue import quote_identifier as quote
from edgelift.sources.sqlite_changes import triggers
from edgelift.sources.sqlite_changes.feed import SqliteFeed, SqliteFollowed
from edgelift.sources.sqlite_changes.triggers import LoggedTable
from edgelift.sources.sqlite_errors import origin_errors
from edgelift.sources.sqlite_origin.catalogue import SCHEMA, to_origin_schema
from edgelift.sources.sqlite_origin.connection import hash_value, write_text

_BATCH = 1000  # rows of a stream that are handed on at once
_ALIASES = frozenset({"rowid", "_rowid_", "oid"})


@dataclass(frozen=True)
class RewrittenTable:
    """A table that moves: how it is logged, and how its rows and keys become the target's."""

    logged: LoggedTable
    followed: FollowedTable
    plan: RowPlan
    places: tuple[int, ...]  # of the key's fields in the plan, in the order of the logged key

    def read_row(self, db: sqlite3.Connection, key: Key) -> dict[str, Value] | None:
        """Return a row as the target shall have it, None when it is gone."""
        reads = ", ".join(field.spec.read for field in self.plan.fields)
        where = " AND ".join(f"{quote(column)} IS ?" for column in self.logged.key)
        query = f"SELECT {reads} FROM main.{quote(self.logged.table.name)} WHERE {where}"
        row = db.execute(query, key).fetchone()
        if row is None:
            return None
        values = convert_row(self.plan, row, 1)
        columns = (field.spec.column for field in self.plan.fields)
        return dict(zip(columns, values, strict=True))

    def convert_key(self, db: sqlite3.Connection, key: Key) -> Key:
        """Return a key of the log in the target's form."""
        found: list[Value] = []
        for place, value in zip(self.places, key, strict=True):
            field = self.plan.fields[place]
            own = field.spec.origin if field.spec.read in _ALIASES else quote(field.spec.origin)
            read = field.spec.read.replace(own, "?1")
            raw = db.execute(f"SELECT {read}", (value,)).fetchone()[0]
            found.append(None if raw is None else field.convert(raw))
        return tuple(found)


def match_tables(plan: MovePlan, followed: SqliteFollowed) -> dict[str, RewrittenTable]:
    """Return the tables that move by their names at the origin; raises OriginError for one gone."""
    logged = {table.table.name: table for table in followed.tables}
    schema = to_origin_schema(followed.catalogue)
    found = {}
    for move in plan.tables:
        origin = schema.read_table(SCHEMA, move.spec.table)
        if origin is None or move.spec.table not in logged:
            raise OriginError(
                f"The table {move.spec.table} cannot be followed",
                why="it is gone, or no trigger can be put on it",
                tip="leave it out under [schema] exclude, and judge and copy anew: --force",
            )
        own = logged[move.spec.table]
        if not own.by_rowid:
            # Its rows have a key; the numbers beside it are nobody's, and VACUUM changes them.
            plain = tuple(f for f in move.spec.fields if f.read not in _ALIASES)
            move = msgspec.structs.replace(  # noqa: PLW2901 - the same table, as it is followed
                move, spec=msgspec.structs.replace(move.spec, fields=plain)
            )
        bare = FollowedTable(move, origin, ())
        spec = bare.decoded
        places = tuple(_find_places(spec, own))
        key = tuple(spec.fields[place].column for place in places)
        table = FollowedTable(move, origin, key if len(places) == len(own.key) else ())
        found[move.spec.table] = RewrittenTable(own, table, build_plan(spec), places)
    return found


def _find_places(spec: RowSpec, logged: LoggedTable) -> Iterator[int]:
    """Yield where the fields of a logged key stand; a row's number may be read by another name."""
    for column in logged.key:
        for place, field in enumerate(spec.fields):
            number = logged.by_rowid and field.read in _ALIASES
            if number or (field.origin == column and field.read not in _ALIASES):
                yield place
                break


class RewrittenFollowed(SqliteFollowed):
    """A file whose copy was made by a plan of its own."""

    def __init__(self, subject: Subject, db: sqlite3.Connection) -> None:
        super().__init__(subject, db)
        assert subject.plan is not None
        self._keep = subject.keep
        self._rewritten = match_tables(subject.plan, self)
        self.shapes = [table.followed.shape for table in self._rewritten.values()]
        self.offloaded = [
            (table.followed.move.spec.target, field.column)
            for table in self._rewritten.values()
            for field in table.followed.move.objects
        ]
        self._counters = {
            name: table.followed.move.spec.target
            for name, table in self._rewritten.items()
            if table.followed.move.counter
        }

    def find_problems(self) -> list[FollowProblem]:
        """Return what stands in the way, of what moves."""
        found = [p for p in super().find_problems() if not p.table or p.table in self._rewritten]
        for name, table in self._rewritten.items():
            if not table.followed.key:
                why = "the columns that name its rows stay behind"
                found.append(FollowProblem(name, why, "let its primary key move too"))
        return found

    def moves(self, logged: LoggedTable) -> bool:
        """Return whether a logged table is one that the copy has."""
        return logged.table.name in self._rewritten

    def prepare_connection(self, db: sqlite3.Connection) -> None:
        """Give a connection the functions that the copy's expressions call."""
        db.create_function("edgelift_text", 1, write_text, deterministic=True)
        db.create_function("edgelift_sha256", 1, hash_value, deterministic=True)

    def read_change(self, db: sqlite3.Connection, logged: LoggedTable, key: Key) -> Edit | None:
        """Return what became of a logged row, None in a table that stays behind."""
        table = self._rewritten.get(logged.table.name)
        if table is None:
            return None
        new = table.read_row(db, key)
        if new is not None:
            table.followed.name_objects([new], self._keep)
        return Edit(table.followed.move.spec.target, table.convert_key(db, key), new)

    @contextlib.contextmanager
    def open_moment(self, feed: object) -> Iterator[ServerMoment]:
        """Begin a read transaction, which the feed reads in too."""
        assert isinstance(feed, SqliteFeed)
        with origin_errors(self.path):
            feed.db.execute("BEGIN")
            try:
                reader = LiveReader(feed)
                yield ServerMoment(reader, [t.followed for t in self._rewritten.values()])
            finally:
                feed.db.execute("COMMIT")

    def read_counters(self) -> Mapping[str, int]:
        """Return the counters of AUTOINCREMENT that go on at the target."""
        found = super().read_counters()
        return {self._counters[name]: n for name, n in found.items() if name in self._counters}


class LiveReader:
    """The rows of a file inside the feed's read transaction, as a snapshot's reader gives them."""

    ticket = ""

    def __init__(self, feed: SqliteFeed) -> None:
        self._db = feed.db
        self.position = f"{feed.position.partition(':')[0]}:{triggers.read_last(feed.db)}"

    def plan_chunks(self, spec: RowSpec, rows_per_chunk: int) -> list[Chunk]:
        """Return one chunk: nothing is written by it."""
        del spec, rows_per_chunk
        return [Chunk(index=0)]

    def stream_chunk(self, spec: RowSpec, chunk: Chunk) -> Iterator[bytes]:
        """Yield the rows of a table."""
        del chunk
        reads = ", ".join(field.read for field in spec.fields)
        cursor = self._db.execute(f"SELECT {reads} FROM main.{quote(spec.table)}")
        while rows := cursor.fetchmany(_BATCH):
            yield b"".join(map(write_sqlite_row, rows))
        yield SQLITE_END
