"""What following makes at a PostgreSQL server and removes again: publication, slot, markers.

Order matters: the slot first (its position and its snapshot are one moment), then the copy inside
that snapshot, then the stream from the position.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import psycopg
from psycopg import pq, sql

from edgelift.errors import OriginUnavailable
from edgelift.model.origin_schema import OriginTable
from edgelift.sources.postgres.connection import Address, Connection, connect
from edgelift.sources.postgres.errors import origin_errors
from edgelift.sources.postgres.names import quote
from edgelift.sources.postgres.results import await_result, to_error

PREFIX = "edgelift"  # of the markers that edgelift puts into the log
BUSY_TRIES = 40
BUSY_WAIT_S = 0.25  # a slot stays busy until the server notices that its last reader is gone
_OPEN_S = 60.0  # that transactions which are open when following begins may still take


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
        result = await_result(pgconn, _OPEN_S)
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
        raise to_error(result, "the server made no slot")
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
        for left in range(BUSY_TRIES - 1, -1, -1):
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
                time.sleep(BUSY_WAIT_S)
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
