"""A SQLite file as a followed origin: the rows that its log of changes names, as they are now.

One read transaction gives both the log and the rows, so that what is applied is a state that the
file had, and the target equals it.
"""

from __future__ import annotations

import contextlib
import sqlite3
import time
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from pathlib import Path
from urllib.parse import quote as quote_url

from edgelift.errors import OriginError
from edgelift.model.findings import Status
from edgelift.model.followed_parts import describe_changes
from edgelift.sources.change_feed import (
    Action,
    Change,
    Comparison,
    Edit,
    End,
    FollowProblem,
    Key,
    Lag,
    Moment,
    Shape,
    Subject,
)
from edgelift.sources.sqlite_catalogue import quote_identifier as quote
from edgelift.sources.sqlite_catalogue import read_catalogue
from edgelift.sources.sqlite_changes import triggers
from edgelift.sources.sqlite_changes.triggers import LOG, LoggedTable
from edgelift.sources.sqlite_compare import Side, Tolerance, compare_tables
from edgelift.sources.sqlite_errors import check_file, origin_errors

_WAIT_S = 30.0  # for a writer of the file
_POLL_S = 0.05
_PRUNE_ROWS = 1000
_MOST_DETAILS = 20
_MOST_CHANGES = 5


def open_file(path: Path) -> sqlite3.Connection:
    """Open the origin's file for reading and, with consent, for its log.

    Raises OriginError when there is no such file.
    """
    check_file(path)
    uri = f"file:{quote_url(str(path.absolute()))}?mode=rw"
    return sqlite3.connect(uri, uri=True, timeout=_WAIT_S, isolation_level=None)


class SqliteFollowed:
    """A SQLite file whose changes are followed."""

    product = "SQLite"
    handle = f"table {LOG} and its triggers"

    def __init__(self, subject: Subject, db: sqlite3.Connection) -> None:
        assert subject.path is not None
        self._subject = subject
        self.path = subject.path
        self.db = db
        self.catalogue = read_catalogue(db)
        self.tables = triggers.choose_tables(self.catalogue)
        self.actions: Sequence[Action] = ()  # what foreign keys do is logged
        self.offloaded: Sequence[tuple[str, str]] = ()
        self.shapes = [Shape(t.table.name, t.columns, t.key) for t in self.tables]

    def find_problems(self) -> list[FollowProblem]:
        """Return what stands in the way: no consent, tables whose changes triggers cannot see."""
        found = []
        if not self._subject.consent and not triggers.read_objects(self.db):
            why = "the file has no log of its changes"
            tip = "allow edgelift to add a table and triggers to it: --install-triggers"
            found.append(FollowProblem("", why, tip))
        known = {t.table.name for t in self.tables}
        for table in self.catalogue.tables:
            if table.name not in known:
                why = "no trigger can be put on it" if table.virtual else "no name for its rows"
                found.append(FollowProblem(table.name, why, "copy it again instead of following"))
        for logged in self.tables:
            name = logged.table.name
            if any("" in dict(columns) for columns in triggers.list_unique(self.db, logged)):
                why = "it is unique by an expression, and REPLACE would remove rows unseen"
                found.append(FollowProblem(name, why, "copy it again instead of following"))
            if not logged.by_rowid and self._has_nulls(logged):
                why = "its primary key holds NULL, which names no row"
                found.append(FollowProblem(name, why, "mend these rows at the origin"))
        return found

    def _has_nulls(self, logged: LoggedTable) -> bool:
        nulls = " OR ".join(f"{quote(name)} IS NULL" for name in logged.key)
        query = f"SELECT EXISTS (SELECT 1 FROM {quote(logged.table.name)} WHERE {nulls})"
        return bool(self.db.execute(query).fetchone()[0])

    def read_parts(self) -> dict[str, str]:
        """Return nothing: the snapshot that was copied tells what the file was like."""
        return {}

    @contextlib.contextmanager
    def prepare(self) -> Iterator[str]:
        """Make the log; the snapshot that is taken then tells its position by itself."""
        with origin_errors(self.path):
            triggers.install(self.db, self.tables)
        yield ""

    def read_copied_shape(self) -> dict[str, str]:
        """Return the schema of the snapshot that was copied."""
        snapshot = self._subject.snapshot
        if snapshot is None or not snapshot.is_file():
            raise OriginError(
                f"The snapshot of {self.path.name} is gone",
                why="without it a change of the schema cannot be seen",
                tip="copy anew: run the same command with --force",
            )
        uri = f"file:{quote_url(str(snapshot.absolute()))}?mode=ro&immutable=1"
        with contextlib.closing(sqlite3.connect(uri, uri=True)) as copied:
            return triggers.read_shape(copied)

    def moves(self, logged: LoggedTable) -> bool:
        """Return whether a logged table is one that the copy has."""
        return logged in self.tables

    def prepare_connection(self, db: sqlite3.Connection) -> None:
        """Make a connection fit to read rows by."""

    def read_change(self, db: sqlite3.Connection, logged: LoggedTable, key: Key) -> Edit | None:
        """Return what became of a logged row: its values now, or that it is gone."""
        columns = ", ".join(map(quote, logged.columns))
        where = " AND ".join(f"{quote(column)} IS ?" for column in logged.key)
        query = f"SELECT {columns} FROM main.{quote(logged.table.name)} WHERE {where}"
        row = db.execute(query, key).fetchone()
        new = None if row is None else dict(zip(logged.columns, row, strict=True))
        return Edit(logged.table.name, key, new)

    def open(self, position: str) -> SqliteFeed:
        """Open the log behind a position; raises OriginError when it is another log."""
        return SqliteFeed(self, position)

    @contextlib.contextmanager
    def open_moment(self, feed: object) -> Iterator[Moment]:
        """Begin a read transaction, which the feed reads in too."""
        assert isinstance(feed, SqliteFeed)
        with origin_errors(self.path):
            feed.db.execute("BEGIN")
            try:
                yield SqliteMoment(feed)
            finally:
                feed.db.execute("COMMIT")

    def read_counters(self) -> Mapping[str, int]:
        """Return the counters of AUTOINCREMENT."""
        return read_catalogue(self.db).sequences

    def drop(self) -> None:
        """Remove table and triggers."""
        with origin_errors(self.path):
            triggers.remove(self.db)


class SqliteFeed:
    """The log's entries behind a position, as rows of now."""

    def __init__(self, followed: SqliteFollowed, position: str) -> None:
        self._followed = followed
        self._token, _, last = position.partition(":")
        self._last = int(last)
        self._pruned = 0
        self._reached = self._marked = False
        self._version = -1
        self._confirmed = self._last
        self._shape = followed.read_copied_shape()
        self.db = open_file(followed.path)
        followed.prepare_connection(self.db)
        with origin_errors(followed.path):
            self.check()

    @property
    def tables(self) -> list[LoggedTable]:
        """Return the tables that are followed."""
        return self._followed.tables

    @property
    def path(self) -> Path:
        """Return the origin's file."""
        return self._followed.path

    @property
    def position(self) -> str:
        """Return up to where was read."""
        return f"{self._token}:{self._last}"

    def read(self, wait_s: float) -> Generator[Change, None, None]:
        """Yield what the log names, table by table, until nothing came for `wait_s` seconds."""
        self._reached = False
        deadline = time.monotonic() + wait_s
        while True:
            with origin_errors(self.path), self._transaction():
                self.check()
                last = triggers.read_last(self.db)
                if last < self._last:
                    raise self._explain_return(last)
                if last > self._last:
                    for table in self.tables:
                        yield from self._read_table(table)
                    self._last = last
                    deadline = time.monotonic() + wait_s
                    yield End(self.position, time.time())
            if self._marked:  # one reading brings all that was there
                self._marked, self._reached = False, True
                return
            if time.monotonic() >= deadline:
                return
            time.sleep(min(_POLL_S, max(0.0, deadline - time.monotonic())))

    def mark(self, position: str = "") -> None:
        """Set the limit: the next reading brings all, in a moment's own transaction too."""
        del position
        self._marked, self._reached = True, False

    def has_reached_mark(self) -> bool:
        """Return whether all up to the limit was yielded."""
        return self._reached

    def confirm(self, position: str) -> None:
        """Remove applied entries of the log, many at once; the last one stays for its number."""
        self._confirmed = int(position.partition(":")[2])
        if self._confirmed - self._pruned >= _PRUNE_ROWS:
            self._prune()

    def _prune(self) -> None:
        if self.db.in_transaction:
            return
        last = self._confirmed
        with contextlib.suppress(sqlite3.OperationalError):  # a writer holds it: later then
            self.db.execute(f"DELETE FROM {LOG} WHERE n > 0 AND n < ?", (last,))
            self._pruned = last

    def read_lag(self, position: str, applied: float) -> Lag:
        """Return how many entries are waiting; a log of SQLite is not counted in bytes."""
        with origin_errors(self.path):
            behind = triggers.read_last(self.db) - int(position.partition(":")[2])
        seconds = max(0.0, time.time() - applied) if behind > 0 and applied else 0.0
        return Lag(max(0, behind), seconds, unit="changes")

    def check(self) -> None:
        """Raise OriginError when the schema changed, or the log is not the one that was copied."""
        version = self.db.execute("PRAGMA schema_version").fetchone()[0]
        if version == self._version:
            return
        head = triggers.read_head(self.db)
        wanted = triggers.build_objects(self.db, self.tables)
        changes = describe_changes(self._shape, triggers.read_shape(self.db))
        if changes:
            raise OriginError(
                f"The schema of {self.path.name} changed while it was followed",
                why="; ".join(changes[:_MOST_CHANGES]),
                tip="what was applied is a state that the file had; judge and copy anew: run the "
                "same command with --force",
            )
        if head is None or head.token != self._token or triggers.read_objects(self.db) != wanted:
            raise OriginError(
                f"The log of changes in {self.path.name} is no longer whole",
                why="its table or triggers were removed or changed, so changes were missed",
                tip="copy anew: run the same command with --install-triggers --force",
            )
        followed = [t for t in self.tables if self._followed.moves(t)]
        renumbered = [t.table.name for t in followed if t.by_rowid]
        if renumbered and not triggers.keeps_numbers(self.db):
            raise OriginError(
                f"The rows of {', '.join(renumbered)} may have new numbers",
                why="VACUUM wrote the file anew, and these tables have no primary key",
                tip="copy anew: run the same command with --install-triggers --force",
            )
        self._version = version

    def _explain_return(self, last: int) -> OriginError:
        return OriginError(
            f"The log of changes in {self.path.name} went back",
            why=f"it ends with entry {last}, and entry {self._last} was applied: an older state of "
            "the file was put in its place",
            tip="copy anew: run the same command with --force",
        )

    def close(self) -> None:
        """Close the file; the log stays."""
        if self._confirmed > self._pruned and self._version >= 0:
            self._prune()
        self.db.close()

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[None]:
        """Read in one transaction: a moment's, or one of its own."""
        if self.db.in_transaction:
            yield
            return
        self.db.execute("BEGIN")
        try:
            yield
        finally:
            self.db.execute("COMMIT")

    def _read_table(self, logged: LoggedTable) -> Iterator[Change]:
        name = logged.table.name
        keys = ", ".join(f"k{number}" for number in range(len(logged.key)))
        listed = self.db.execute(
            f"SELECT DISTINCT {keys} FROM {LOG} WHERE n > ? AND tbl = ?", (self._last, name)
        )
        for key in listed:
            change = self._followed.read_change(self.db, logged, key)
            if change is not None:
                yield change


class SqliteMoment:
    """The file as a read transaction sees it."""

    def __init__(self, feed: SqliteFeed) -> None:
        self._feed = feed
        self.position = f"{feed.position.partition(':')[0]}:{triggers.read_last(feed.db)}"

    def compare(self, target: Path, tell: Callable[[str, int, int], None]) -> Comparison:
        """Compare every row of both sides by hash; differences are named."""
        tables = [logged.table for logged in self._feed.tables]
        with contextlib.closing(sqlite3.connect(target, isolation_level=None)) as db:
            catalogue = read_catalogue(db)
            found = []
            for done, table in enumerate(tables):
                tell("tables compared", done, len(tables))
                found.append(
                    compare_tables(
                        Side(self._feed.db, table),
                        Side(db, catalogue.read_table(table.name)),
                        Tolerance(),
                        by_rowid=True,
                    )
                )
        differing = sum(not comparison.equal for comparison in found)
        details = [d.describe() for comparison in found for d in comparison.differences]
        return Comparison(
            status=Status.FAIL if differing else Status.PASS,
            tables=len(tables),
            rows=sum(comparison.origin_rows for comparison in found),
            details=tuple(details[:_MOST_DETAILS]),
            differing=sum(c.differing_rows for c in found),
        )


@contextlib.contextmanager
def open_followed(subject: Subject) -> Iterator[SqliteFollowed]:
    """Open the file of a subject."""
    assert subject.path is not None
    from edgelift.sources.sqlite_changes.rewritten import RewrittenFollowed

    made = SqliteFollowed if subject.plan is None else RewrittenFollowed
    with origin_errors(subject.path), contextlib.closing(open_file(subject.path)) as db:
        yield made(subject, db)


def read_start(snapshot: Path) -> str:
    """Return the position of a snapshot of a logged file, empty when it has no log."""
    uri = f"file:{quote_url(str(snapshot.absolute()))}?mode=ro&immutable=1"
    with contextlib.closing(sqlite3.connect(uri, uri=True)) as db:
        head = triggers.read_head(db)
        return f"{head.token}:{triggers.read_last(db)}" if head is not None else ""
