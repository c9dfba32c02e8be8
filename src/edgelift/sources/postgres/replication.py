"""The stream of PostgreSQL's changes: from a slot's position on, told back, noticed when it dies.

What was applied is told back by `confirm`, so that the server may throw its log away; a stream
opened again starts where it was confirmed.
"""

from __future__ import annotations

import contextlib
import select
import struct
import time
from collections.abc import Iterator

import psycopg
from psycopg import pq

from edgelift.errors import OriginError, OriginUnavailable
from edgelift.sources.postgres.connection import Address, Connection, connect
from edgelift.sources.postgres.errors import origin_errors, read_state
from edgelift.sources.postgres.follow_checks import OLDEST_FOLLOWED
from edgelift.sources.postgres.messages import Begin, Change, Commit, read_message, to_position
from edgelift.sources.postgres.names import quote
from edgelift.sources.postgres.results import await_result, to_error
from edgelift.sources.postgres.slots import BUSY_TRIES, BUSY_WAIT_S

_STATUS_S = 10.0  # well below wal_sender_timeout's default of 60 s
_EPOCH_S = 946_684_800  # 2000-01-01 in Unix seconds: PostgreSQL counts from there
SILENCE_S = 60.0  # without a word although one was asked for, the connection counts as cut


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
        for left in range(BUSY_TRIES - 1, -1, -1):
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
                time.sleep(BUSY_WAIT_S)
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
        return to_error(self._connection.pgconn.get_result(), "the server ended the stream")


def _send_start(connection: Connection, query: str) -> None:
    pgconn = connection.pgconn
    pgconn.nonblocking = 0
    pgconn.send_query(query.encode())
    try:
        result = await_result(pgconn, SILENCE_S)
    except TimeoutError as error:
        raise psycopg.OperationalError("the server does not answer") from error
    if result is None or result.status != pq.ExecStatus.COPY_BOTH:
        raise to_error(result, "the server did not start to stream")


def _quote_text(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


__all__ = ["OLDEST_FOLLOWED", "SILENCE_S", "ChangeStream"]
