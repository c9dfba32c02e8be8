"""One consistent moment of a MySQL or MariaDB database, read in chunks over one or more sessions.

InnoDB keeps the moment; tables of other engines are read as they are when their turn comes
(`OriginTable.transactional` tells). Nothing is locked but, where several sessions shall share the
moment and the server is never quiet, commits for some milliseconds.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import msgspec

from edgelift.errors import OriginError, OriginUnavailable
from edgelift.model.row_spec import RowSpec
from edgelift.sources.mysql.chunks import ChunkPlanner, KeyIndex, build_select, read_key_index
from edgelift.sources.mysql.connection import MySqlSession
from edgelift.sources.mysql.facts import read_facts, read_groups
from edgelift.sources.origin_database import Chunk, TableFacts

# With a binary log, MariaDB gives no lock back before the transaction's end, unless the session
# writes none; that takes BINLOG ADMIN or SUPER.
_WRITE_NO_LOG = "SET SESSION sql_log_bin = 0"
_BEGIN = (
    "SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ",
    "START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY",
    "SAVEPOINT edgelift",
)
# Gives the metadata lock of a table that was read back: a migration of the origin need not wait.
_RELEASE = "ROLLBACK TO SAVEPOINT edgelift"
_QUIET_ATTEMPTS = 20
_LOCK_WAIT_S = 2  # longest time that others may queue up behind edgelift's lock
_GROUP_COMMIT_S = 2.0
_tickets = itertools.count(1)
_waiting: dict[str, list[MySqlSession]] = {}


class BinlogPosition(msgspec.Struct, frozen=True, kw_only=True):
    """Where the binary log stood: `gtid` is the set of transactions behind it."""

    flavor: str
    file: str
    position: int
    gtid: str = ""

    def encode(self) -> str:
        """Return the position as text, as `SnapshotReader.position` has it."""
        return msgspec.json.encode(self).decode()


def decode_position(text: str) -> BinlogPosition:
    """Return a position from its text."""
    return msgspec.json.decode(text, type=BinlogPosition)


@dataclass(frozen=True)
class Moment:
    """Sessions that see the same moment; `method` says in words how that was reached."""

    sessions: list[MySqlSession]
    position: str
    method: str


class MySqlSnapshot:
    """Reads one session of a moment; one stream at a time."""

    def __init__(self, session: MySqlSession, position: str, ticket: str, method: str) -> None:
        self.position = position
        self.ticket = ticket
        self.method = method
        self._session = session
        self._indexes: dict[tuple[str, str], KeyIndex] = {}

    def plan_chunks(self, spec: RowSpec, rows_per_chunk: int) -> list[Chunk]:
        """Cut a table by its key, stepping along the key's index; gaps in ids never matter."""
        with self._table():
            planner = ChunkPlanner(self._session, spec, self._find_index(spec))
            return planner.plan(rows_per_chunk)

    def stream_chunk(self, spec: RowSpec, chunk: Chunk) -> Iterator[bytes]:
        """Yield the row packets of a chunk in key order, the packet of the end last."""
        sql = build_select(spec, self._find_index(spec), chunk.where)
        doing = f"table {spec.schema}.{spec.table}"
        with self._table():
            yield from self._session.stream_rows(sql, doing)

    def read_facts(self, spec: RowSpec) -> TableFacts:
        """Return what the data of a table is like, by one pass of the server over it."""
        with self._table():
            return read_facts(self._session, spec)

    def read_groups(self, spec: RowSpec, group: str) -> dict[str | None, tuple[int, int]]:
        """Count rows and bytes by the value of an expression, in one pass."""
        with self._table():
            return read_groups(self._session, spec, group)

    def read_lines(self, spec: RowSpec, query: str) -> list[tuple[str | None, ...]]:
        """Return the rows of a small query about a table, its values as text."""
        del spec
        with self._table():
            return [tuple(row) for row in self._session.read_texts(query)]

    def close(self) -> None:
        """Give the moment up, and the sessions that nobody joined."""
        self._session.close()
        for session in _waiting.pop(self.ticket, []):
            session.close()

    @contextlib.contextmanager
    def _table(self) -> Iterator[None]:
        """Read a table and give its lock back, also when the reader gives up."""
        try:
            yield
        finally:
            with contextlib.suppress(OriginError):  # a lost connection holds no lock
                self._session.run(_RELEASE)

    def _find_index(self, spec: RowSpec) -> KeyIndex:
        place = (spec.schema, spec.table)
        if place not in self._indexes:
            self._indexes[place] = read_key_index(self._session, spec)
        return self._indexes[place]


def take_snapshot(connect: Callable[[], MySqlSession], connections: int = 1) -> MySqlSnapshot:
    """Open a snapshot; with more connections its ticket lets others of this process join it."""
    moment = _take_moment(connect, connections)
    first, *others = moment.sessions
    ticket = f"{os.getpid()}:{next(_tickets)}" if others else ""
    if others:
        _waiting[ticket] = others
    return MySqlSnapshot(first, moment.position, ticket, moment.method)


def join_snapshot(ticket: str, position: str = "") -> MySqlSnapshot:
    """Return another reader of a snapshot that was opened with several connections."""
    sessions = _waiting.get(ticket)
    if not sessions:
        raise OriginError(
            "The snapshot of the MySQL database cannot be joined",
            why="MySQL shares a moment only between connections that were opened for it at once",
            tip="copy over one connection, or open the snapshot with more connections",
        )
    return MySqlSnapshot(sessions.pop(), position, "", "joined")


def _take_moment(connect: Callable[[], MySqlSession], connections: int) -> Moment:
    sessions: list[MySqlSession] = []
    try:
        sessions.extend(connect() for _ in range(connections))
        for session in sessions:
            with contextlib.suppress(OriginError):
                session.run(_WRITE_NO_LOG)
        return _freeze(connect, sessions)
    except OriginError:
        for session in sessions:
            session.close()
        raise


def _freeze(connect: Callable[[], MySqlSession], sessions: list[MySqlSession]) -> Moment:
    """Begin a transaction in every session at one moment, by the gentlest way that works."""
    if not _logs_changes(sessions[0]):
        if len(sessions) == 1:
            _begin(sessions)
            return Moment(sessions, "", "one connection; no binary log, so nothing to follow")
        return _lock_or_shrink(connect, sessions)
    if sessions[0].version.mariadb and _freeze_quietly(sessions):
        method = f"{len(sessions)} connections at one binary log position, without a lock"
        return Moment(sessions, _write_own_position(sessions[0]), method)
    return _lock_or_shrink(connect, sessions)


def _freeze_quietly(sessions: list[MySqlSession]) -> bool:
    """Begin in all sessions until no commit fell in between: MariaDB tells each one's position."""
    for _ in range(_QUIET_ATTEMPTS):
        _begin(sessions)
        if len(sessions) == 1 or len({_read_own_place(session) for session in sessions}) == 1:
            return True
    return False


def _begin(sessions: list[MySqlSession]) -> None:
    for session in sessions:
        session.run(*_BEGIN)


def _logs_changes(session: MySqlSession) -> bool:
    return int(session.read_value("SELECT @@log_bin") or 0) == 1


def _read_own_place(session: MySqlSession) -> tuple[str, str]:
    """Return file and offset of the log at a MariaDB session's snapshot, "" where it keeps none."""
    rows = session.read_rows("SHOW STATUS LIKE 'binlog_snapshot_%'")
    status = {str(name).lower(): str(value) for name, value in rows}
    return status.get("binlog_snapshot_file", ""), status.get("binlog_snapshot_position", "")


def _write_own_position(session: MySqlSession) -> str:
    """Return the position of a MariaDB session's snapshot, "" when the server keeps none."""
    file, offset = _read_own_place(session)
    if not file or not offset:
        return ""
    place = BinlogPosition(flavor="mariadb", file=file, position=int(offset))
    return msgspec.structs.replace(place, gtid=_find_gtid(session, place)).encode()


def _lock_or_shrink(connect: Callable[[], MySqlSession], sessions: list[MySqlSession]) -> Moment:
    locker = connect()
    for session in sessions:
        session.run("ROLLBACK")  # a commit, even of nothing, would wait for the lock
    try:
        for name, take, give in _LOCKS:
            if _try_lock(locker, take):
                _begin(sessions)
                position = _write_server_position(locker)
                locker.run(*give)
                return Moment(sessions, position, f"{len(sessions)} connections under {name}")
        for session in sessions[1:]:
            session.close()
        return _freeze_alone(locker, sessions[0])
    finally:
        locker.close()


# The first stops commits only, the second waits for running statements too and stops all writes.
_LOCKS = (
    (
        "BACKUP STAGE BLOCK_COMMIT",
        (
            "BACKUP STAGE START",
            "BACKUP STAGE FLUSH",
            "BACKUP STAGE BLOCK_DDL",
            "BACKUP STAGE BLOCK_COMMIT",
        ),
        ("BACKUP STAGE END",),
    ),
    ("FLUSH TABLES WITH READ LOCK", ("FLUSH TABLES WITH READ LOCK",), ("UNLOCK TABLES",)),
)


def _try_lock(locker: MySqlSession, statements: tuple[str, ...]) -> bool:
    """Take a lock within seconds or not at all: without the right, or on a busy server."""
    locker.run(f"SET SESSION lock_wait_timeout = {_LOCK_WAIT_S}")
    try:
        locker.run(*statements)
    except OriginError:
        with contextlib.suppress(OriginError):
            locker.run("BACKUP STAGE END" if len(statements) > 1 else "UNLOCK TABLES")
        return False
    return True


def _freeze_alone(locker: MySqlSession, session: MySqlSession) -> Moment:
    """Begin in one session without any lock: the position first, the moment behind it.

    MySQL writes a transaction to the log just before it becomes visible, so the moment waits for
    what was under way; what lies between position and moment is applied twice, which is harmless.
    """
    position = _write_server_position(locker)
    if position:
        time.sleep(_GROUP_COMMIT_S)
    _begin([session])
    return Moment([session], position, "one connection, its position taken before; no lock")


def read_server_place(session: MySqlSession) -> BinlogPosition | None:
    """Return where the binary log stands now, None without a log or the right to see it.

    MariaDB's has no GTID: its server would read the log's file for one. Raises OriginUnavailable
    when the connection is cut.
    """
    for statement in ("SHOW MASTER STATUS", "SHOW BINARY LOG STATUS"):  # MySQL 8.4 renamed it
        try:
            rows = session.read_rows(statement)
        except OriginUnavailable:
            raise
        except OriginError:
            continue
        if not rows:
            return None
        return BinlogPosition(
            flavor=session.version.product,
            file=str(rows[0][0]),
            position=int(rows[0][1]),
            gtid=str(rows[0][4] if len(rows[0]) > 4 else "").replace("\n", ""),
        )
    return None


def _write_server_position(session: MySqlSession) -> str:
    place = read_server_place(session)
    if place is None:
        return ""
    gtid = _find_gtid(session, place) if session.version.mariadb else place.gtid
    return msgspec.structs.replace(place, gtid=gtid).encode()


def _find_gtid(session: MySqlSession, place: BinlogPosition) -> str:
    """Return MariaDB's GTID of a place, for which the server reads the log's file up to it."""
    sql = "SELECT BINLOG_GTID_POS(%s, %s)"
    return str(session.read_value(sql, place.file, place.position) or "")
