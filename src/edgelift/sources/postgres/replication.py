"""Follow PostgreSQL's changes: a logical replication slot, its snapshot, and the stream after it.

Order matters: the slot first (its position and its snapshot are one moment), then the copy inside
that snapshot, then the stream from the position. What was applied is told back by `confirm`, so
that the server may throw its log away; a stream opened again starts where it was confirmed.
"""

from __future__ import annotations

import contextlib
import select
import struct
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import psycopg
from psycopg import pq, sql

from edgelift.errors import OriginError, OriginUnavailable
from edgelift.model.origin_schema import OriginTable
from edgelift.sources.postgres.connection import Address, Connection, connect
from edgelift.sources.postgres.errors import origin_errors, read_state
from edgelift.sources.postgres.messages import Begin, Change, Commit, read_message, to_position
from edgelift.sources.postgres.names import quote

PREFIX = "edgelift"  # of the markers that edgelift puts into the log
_STATUS_S = 10.0  # well below wal_sender_timeout's default of 60 s
_EPOCH_S = 946_684_800  # 2000-01-01 in Unix seconds: PostgreSQL counts from there
_BUSY_TRIES = 40
_OPEN_S = 60.0  # that transactions which are open when following begins may still take
SILENCE_S = 60.0  # without a word although one was asked for, the connection counts as cut
_BUSY_WAIT_S = 0.25  # a slot stays busy until the server notices that its last reader is gone
OLDEST_FOLLOWED = 140000  # binary values and messages of pgoutput came with 14


@dataclass(frozen=True)
class FollowProblem:
    """Why a table's changes cannot be followed, and what mends it."""

    table: str
    why: str
    tip: str


def check_following(connection: Connection, tables: Sequence[OriginTable]) -> list[FollowProblem]:
    """Return what stands in the way: the server's settings, the role's rights, tables without key.

    psycopg's errors go through.
    """
    found = []
    if connection.info.server_version < OLDEST_FOLLOWED:
        found.append(FollowProblem("", "the server is older than 14", "copy without following"))
    row = connection.execute(
        "SELECT current_setting('wal_level'), rolreplication OR rolsuper, "
        "current_setting('max_replication_slots')::int - (SELECT count(*) FROM "
        "pg_replication_slots), pg_is_in_recovery() FROM pg_roles WHERE rolname = current_user"
    ).fetchone()
    assert row is not None
    wal_level, may_replicate, free_slots, is_standby = row
    if is_standby:
        tip = "follow its primary: a publication cannot be made here"
        return [*found, FollowProblem("", "the server is a standby, which is read-only", tip)]
    if wal_level != "logical":
        found.append(
            FollowProblem(
                "",
                f"wal_level is {wal_level}",
                "set wal_level = logical in postgresql.conf and restart the server",
            )
        )
    if not may_replicate:
        found.append(FollowProblem("", "the user may not replicate", "ALTER ROLE user REPLICATION"))
    if free_slots < 1:
        found.append(
            FollowProblem("", "no replication slot is free", "raise max_replication_slots")
        )
    wanted = {(table.schema, table.name) for table in tables}
    for schema, root, *stored in connection.execute(_STORED).fetchall():
        if (schema, root) in wanted:
            found += _check_stored(_Stored(*stored))
    return found


# What holds the rows of a table: itself, or its partitions; whether an index names its rows, and
# those of the table above it. Neither a deferrable key nor the table's own setting counts there.
_STORED = """
SELECT n.nspname, c.relname, s.relnamespace::regnamespace || '.' || s.relname, s.relkind,
       s.relpersistence, s.relreplident, EXISTS (SELECT FROM pg_index i
         WHERE i.indrelid = s.oid AND i.indimmediate AND i.indisvalid AND CASE s.relreplident
           WHEN 'd' THEN i.indisprimary WHEN 'i' THEN i.indisreplident ELSE false END),
       EXISTS (SELECT FROM pg_index i WHERE i.indrelid = c.oid AND i.indimmediate
         AND CASE c.relreplident WHEN 'i' THEN i.indisreplident ELSE i.indisprimary END)
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
CROSS JOIN LATERAL (SELECT c.oid AS oid WHERE c.relkind = 'r' UNION ALL
  SELECT t.relid FROM pg_partition_tree(c.oid) t WHERE c.relkind = 'p' AND t.isleaf
  AND t.relid <> c.oid) AS held
JOIN pg_class s ON s.oid = held.oid
WHERE c.relkind IN ('r', 'p')
ORDER BY 1, 2, 3
"""


@dataclass(frozen=True)
class _Stored:
    """A row of the query above."""

    name: str
    kind: str
    persistence: str
    identity: str
    has_index: bool
    root_has_index: bool


def _check_stored(stored: _Stored) -> list[FollowProblem]:
    name = stored.name
    if stored.kind == "f":
        tip = "copy it again after the writers stopped"
        return [FollowProblem(name, "it lies on another server", tip)]
    if stored.persistence == "u":
        return [FollowProblem(name, "it is unlogged", "ALTER TABLE ... SET LOGGED")]
    if stored.identity == "f" or (stored.has_index and stored.root_has_index):
        return []
    if stored.has_index:
        why = "its rows are named by a key that the whole table does not have"
        return [FollowProblem(name, why, f"ALTER TABLE {name} REPLICA IDENTITY FULL")]
    return [
        FollowProblem(
            name,
            "it has no replica identity: updates and deletes would fail at the origin",
            "give it a primary key that is not deferrable, or ALTER TABLE ... REPLICA IDENTITY "
            "FULL",
        )
    ]


def create_publication(
    connection: Connection, name: str, tables: Sequence[OriginTable], place: str
) -> None:
    """Publish tables, partitions under their own names; does nothing when it exists.

    Only so is it told when a partition is emptied by itself, which changes its table's rows.

    Raises OriginError when the user does not own the tables.
    """
    listed = sql.SQL(", ").join(
        sql.SQL("TABLE {}{}").format(
            sql.SQL("" if table.kind == "partitioned" else "ONLY "),
            sql.Identifier(table.schema, table.name),
        )
        for table in tables
    )
    with origin_errors(place):
        exists = connection.execute(
            "SELECT FROM pg_publication WHERE pubname = %s", (name,)
        ).fetchone()
        if exists is None:
            connection.execute(
                sql.SQL("CREATE PUBLICATION {} FOR {}").format(sql.Identifier(name), listed)
            )


@dataclass(frozen=True)
class NewSlot:
    """A slot just made: `ticket` joins its snapshot while its maker's connection stays open."""

    name: str
    position: str
    ticket: str


@contextlib.contextmanager
def create_slot(address: Address, name: str) -> Iterator[NewSlot]:
    """Make a lasting slot; its snapshot can be joined inside the block.

    Raises OriginError when a slot of that name exists. An unused slot keeps the server's log from
    being thrown away: drop it when following ends.
    """
    connection = connect(address, replication="database")
    try:
        with origin_errors(f"slot {name} of {address.place}"):
            position, snapshot = _make_slot(connection, name, address)
        yield NewSlot(name, position, f"{snapshot}@{position}")
    finally:
        connection.close()


def _make_slot(connection: Connection, name: str, address: Address) -> tuple[str, str]:
    """Make a slot and return position and snapshot; the server waits for all that is open then.

    Raises OriginUnavailable, naming them, when transactions that began before do not end.
    """
    pgconn = connection.pgconn
    query = f"CREATE_REPLICATION_SLOT {quote(name)} LOGICAL pgoutput EXPORT_SNAPSHOT"
    pgconn.send_query(query.encode())
    try:
        result = _await_result(pgconn, _OPEN_S)
    except TimeoutError:
        pgconn.get_cancel().cancel()
        raise OriginUnavailable(
            f"The log of {address.place} has no point to begin at",
            why=f"transactions that began before are open for more than {_OPEN_S:.0f} s: "
            f"{_list_open(address)}",
            tip="end them (COMMIT, ROLLBACK PREPARED, pg_terminate_backend) and run the same "
            "command again",
        ) from None
    if result is None or result.status != pq.ExecStatus.TUPLES_OK:
        raise _to_error(result, "the server made no slot")
    _, position, snapshot = (result.get_value(0, column) for column in range(3))
    return (position or b"").decode(), (snapshot or b"").decode()


_OPEN = """
SELECT text FROM (
  SELECT 'prepared ' || gid || ' since ' || prepared AS text, prepared AS since
  FROM pg_prepared_xacts
  UNION ALL SELECT 'process ' || pid || ' (' || coalesce(state, '') || ') since ' || xact_start,
         xact_start
  FROM pg_stat_activity WHERE backend_xid IS NOT NULL AND pid <> pg_backend_pid()
) AS open ORDER BY since LIMIT 3
"""


def _list_open(address: Address) -> str:
    with connect(address) as side, origin_errors(address.place):
        return "; ".join(row[0] for row in side.execute(_OPEN)) or "the server does not name them"


def drop_following(address: Address, slot: str, publication: str) -> None:
    """Drop slot and publication, whichever exists; waits a little for a reader that just ended."""
    with connect(address) as connection, origin_errors(address.place):
        connection.execute(
            "SELECT pg_terminate_backend(active_pid) FROM pg_replication_slots "
            "WHERE slot_name = %s AND active_pid IS NOT NULL",
            (slot,),
        )
        for left in range(_BUSY_TRIES - 1, -1, -1):
            try:
                connection.execute(
                    "SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots "
                    "WHERE slot_name = %s",
                    (slot,),
                )
                break
            except psycopg.errors.ObjectInUse:
                if not left:
                    raise
                time.sleep(_BUSY_WAIT_S)
        connection.execute(
            sql.SQL("DROP PUBLICATION IF EXISTS {}").format(sql.Identifier(publication))
        )


def emit_marker(connection: Connection, content: str) -> str:
    """Put a marker into the log and return its position: what comes before it has been written."""
    row = connection.execute(
        "SELECT pg_logical_emit_message(true, %s, %s)", (PREFIX, content)
    ).fetchone()
    assert row is not None
    return str(row[0])


class ChangeStream:
    """The changes of a slot from a position on, transaction by transaction.

    `received` is the end of the last message seen, `server_end` the server's own end of its log:
    the distance is the lag. Being caught up is never judged from these but by a marker.
    """

    def __init__(self, address: Address, *, slot: str, publication: str, position: str) -> None:
        """Open the stream; transactions that ended at or before `position` do not come again.

        Raises OriginUnavailable while another reader holds the slot, OriginError when the server
        threw the log away that is needed.
        """
        self._place = f"slot {slot} of {address.place}"
        self.received = self.server_end = self._confirmed = to_position(position)
        self._told = self._heard = time.monotonic()
        self._asked = 0.0  # when a sign of life was first asked for, 0 when nothing is open
        self._inside = False  # a transaction whose Commit has not come yet
        self._address, self._dead = address, False
        self._connection = self._start(address, slot, publication, position)
        self._process = self._connection.info.backend_pid

    def _start(self, address: Address, slot: str, publication: str, position: str) -> Connection:
        options = (
            "proto_version '1', binary 'true', messages 'true', "
            f"publication_names {_quote_text(quote(publication))}"
        )
        query = f"START_REPLICATION SLOT {quote(slot)} LOGICAL {position} ({options})"
        for left in range(_BUSY_TRIES - 1, -1, -1):
            connection = connect(address, replication="database")
            try:
                with origin_errors(self._place):
                    _send_start(connection, query)
            except OriginError as error:
                connection.close()
                busy = isinstance(error.__cause__, psycopg.Error) and (
                    read_state(error.__cause__) == "55006"
                )
                if not busy:
                    raise
                if not left:
                    raise OriginUnavailable(
                        f"The {self._place} is busy",
                        why=error.why,
                        tip="stop the other follower; of one whose network died the server lets "
                        "go after wal_sender_timeout",
                    ) from error
                time.sleep(_BUSY_WAIT_S)
            else:
                return connection
        raise AssertionError("the last attempt returns or raises")

    def read(self, wait_s: float) -> Iterator[Change]:
        """Yield changes until none came for `wait_s` seconds; may be called again.

        Raises OriginUnavailable when the connection is cut: open a new stream at the position up to
        which all was applied. A transaction that was cut off comes again from its Begin.
        """
        with origin_errors(self._place):
            deadline = time.monotonic() + wait_s
            while True:
                change = self._read_one()
                if change is not None:
                    yield change
                    deadline = time.monotonic() + wait_s
                    continue
                left = deadline - time.monotonic()
                if left <= 0:
                    return
                self._wait(min(left, _STATUS_S / 2))

    def confirm(self, position: int) -> None:
        """Tell the server that all up to a Commit's `end` is applied and safe on disk."""
        self._confirmed = max(self._confirmed, position)
        with origin_errors(self._place):
            self._tell()

    def close(self) -> None:
        """Close the connection; the slot stays, and is let go of."""
        self._connection.close()
        if self._dead:  # its server does not know, and would keep the slot busy for long
            with contextlib.suppress(OriginError), connect(self._address, tries=1) as side:
                side.execute("SELECT pg_terminate_backend(%s)", (self._process,))

    def _read_one(self) -> Change | None:
        """Return the next change that is there already, None when there is none."""
        pgconn = self._connection.pgconn
        while True:
            self._tell_in_time()
            size, data = pgconn.get_copy_data(1)
            if size == 0:
                pgconn.consume_input()
                size, data = pgconn.get_copy_data(1)
                if size == 0:
                    self._check_alive()
                    return None
            if size < 0:
                raise self._explain_end()
            self._heard, self._asked = time.monotonic(), 0.0
            change = self._take(bytes(data))
            if change is not None:
                return change

    def _take(self, data: bytes) -> Change | None:
        try:
            if data[:1] == b"k":
                end, _micros, answer = struct.unpack_from(">QqB", data, 1)
                self._keep_alive(end, answer=bool(answer))
            return self._take_change(data) if data[:1] == b"w" else None
        except (ValueError, struct.error) as error:
            raise OriginError(
                f"What {self._place} sends cannot be read",
                why=str(error),
                tip="this is a fault of edgelift or a server of an unknown kind: report it",
            ) from error

    def _take_change(self, data: bytes) -> Change | None:
        _start, end, _micros = struct.unpack_from(">QQq", data, 1)
        self.server_end = max(self.server_end, end)
        change = read_message(data[25:])
        if isinstance(change, Begin):
            self._inside = True
        if isinstance(change, Commit):
            self._inside = False
            self.received = max(self.received, change.end)
        return change

    def _keep_alive(self, end: int, *, answer: bool) -> None:
        self.server_end = max(self.server_end, end)
        # All that came is applied, and up to `end` nothing else concerns these tables: without
        # this, writes to other tables would pile up in the server's log for our sake.
        if not self._inside and self._confirmed >= self.received:
            self._confirmed = self.received = max(self.received, end)
        if answer:
            self._tell()

    def _check_alive(self) -> None:
        """Raise OriginUnavailable when the server does not answer at all any more.

        A network that drops what it gets ends no connection, and waiting would never end.
        """
        if self._asked and time.monotonic() - self._asked > SILENCE_S:
            self._dead = True
            raise OriginUnavailable(
                f"The connection of {self._place} is dead",
                why=f"nothing came for {time.monotonic() - self._heard:.0f} s, although an answer "
                "was asked for",
                tip="look at the network between; the same command goes on where it stopped",
            )

    def _wait(self, seconds: float) -> None:
        select.select([self._connection.pgconn.socket], [], [], seconds)

    def _tell_in_time(self) -> None:
        if time.monotonic() - self._told > _STATUS_S:
            self._tell()

    def _tell(self) -> None:
        """Send a standby status update: all three positions are what is safe here."""
        now = int((time.time() - _EPOCH_S) * 1_000_000)
        positions = (self._confirmed,) * 3
        pgconn = self._connection.pgconn
        told = time.monotonic()
        silent = told - self._heard > _STATUS_S
        pgconn.put_copy_data(b"r" + struct.pack(">QQQqB", *positions, now, int(silent)))
        while pgconn.flush():
            select.select([], [pgconn.socket], [], 1.0)
            if time.monotonic() - told > SILENCE_S:
                self._asked = self._asked or told
                self._check_alive()
        self._told = told
        if silent and not self._asked:
            self._asked = told

    def _explain_end(self) -> psycopg.Error:
        """Return why the server ended the stream."""
        return _to_error(self._connection.pgconn.get_result(), "the server ended the stream")


def _send_start(connection: Connection, query: str) -> None:
    pgconn = connection.pgconn
    pgconn.nonblocking = 0
    pgconn.send_query(query.encode())
    try:
        result = _await_result(pgconn, SILENCE_S)
    except TimeoutError as error:
        raise psycopg.OperationalError("the server does not answer") from error
    if result is None or result.status != pq.ExecStatus.COPY_BOTH:
        raise _to_error(result, "the server did not start to stream")


def _await_result(pgconn: pq.abc.PGconn, seconds: float) -> pq.abc.PGresult | None:
    """Return the result of what was sent; TimeoutError when there is none yet.

    libpq's own waiting holds the interpreter and ends never.
    """
    deadline = time.monotonic() + seconds
    while True:
        pgconn.consume_input()
        if not pgconn.is_busy():
            return pgconn.get_result()
        if time.monotonic() > deadline:
            raise TimeoutError
        select.select([pgconn.socket], [], [], 0.2)


def _to_error(result: pq.abc.PGresult | None, otherwise: str) -> psycopg.Error:
    """Return the server's error, or our own words where it gave none."""
    if result is not None and result.error_field(pq.DiagnosticField.SQLSTATE):
        return psycopg.errors.error_from_result(result)
    return psycopg.OperationalError(otherwise)


def _quote_text(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
