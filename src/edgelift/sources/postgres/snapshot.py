"""One consistent moment of a PostgreSQL database, held by one connection, read by another.

The holder keeps a REPEATABLE READ transaction open and exports its snapshot; rows stream over a
second connection that joins it, so that a broken stream costs only that connection.
"""

from __future__ import annotations

import contextlib
from collections.abc import Generator, Iterator

import psycopg

from edgelift.errors import OriginError
from edgelift.model.row_spec import RowSpec
from edgelift.sources.origin_database import Chunk, TableFacts
from edgelift.sources.postgres.chunks import Extent, plan_chunks, read_extent
from edgelift.sources.postgres.connection import (
    READ_TIMEOUT_S,
    Address,
    begin_reading,
    connect,
    try_again,
)
from edgelift.sources.postgres.errors import lost, origin_errors, to_origin_error
from edgelift.sources.postgres.facts import read_facts, read_groups
from edgelift.sources.postgres.names import quote_table
from edgelift.sources.postgres.stream import CopyStream, open_stream

# A standby has no WAL of its own: what it replayed is its position.
_POSITION = """
SELECT CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn() ELSE pg_current_wal_lsn() END
"""


class PostgresSnapshot:
    """A snapshot as stages use it; `position` is a WAL position (LSN), `ticket` names it.

    A position read beside a snapshot may lie a transaction off; one that changes are followed from
    comes with the ticket of a replication slot (replication.py).
    """

    def __init__(self, address: Address, ticket: str = "") -> None:
        """Take a new snapshot, or join that of a ticket (`name@lsn`)."""
        self._address = address
        self._extents: dict[tuple[str, str], Extent] = {}
        self._stream: CopyStream | None = None
        self._holder = connect(address)
        name, _, position = ticket.partition("@")
        try:
            with origin_errors(address.place):
                if not ticket:
                    row = self._holder.execute(_POSITION).fetchone()
                    position = str(row[0]) if row else ""
                begin_reading(self._holder, READ_TIMEOUT_S, snapshot=name)
                row = self._holder.execute("SELECT pg_export_snapshot()").fetchone()
                assert row is not None
                name = name or row[0]
        except OriginError:
            self._holder.close()
            raise
        self.position = position
        self.ticket = f"{name}@{position}"

    def plan_chunks(self, spec: RowSpec, rows_per_chunk: int) -> list[Chunk]:
        """Cut a table by its key, by ranges of ctid without one, or not at all."""

        def plan() -> list[Chunk]:
            with self._reading(spec):
                extent = self._read_extent(spec)
                return plan_chunks(self._holder, spec, extent, max(1, rows_per_chunk))

        return try_again(plan)

    def read_facts(self, spec: RowSpec) -> TableFacts:
        """Measure a table in one scan."""

        def read() -> TableFacts:
            with self._reading(spec):
                return read_facts(self._holder, spec, self._read_extent(spec))

        return try_again(read)

    def read_groups(self, spec: RowSpec, group: str) -> dict[str | None, tuple[int, int]]:
        """Count rows and bytes by the value of an expression, in one scan."""

        def read() -> dict[str | None, tuple[int, int]]:
            with self._reading(spec):
                return read_groups(self._holder, spec, self._read_extent(spec), group)

        return try_again(read)

    def stream_chunk(self, spec: RowSpec, chunk: Chunk) -> Iterator[bytes]:
        """Yield the bytes of COPY BINARY, bare or in backend messages, in the key's order.

        What fails before the first byte is tried again; after it the caller has to begin anew.
        """
        place = self._place(spec)

        def start() -> tuple[bytes, Generator[bytes, None, None]]:
            with self._reading(spec):
                query = to_copy(spec, chunk, self._read_extent(spec))
            if self._stream is None or self._stream.broken:
                self._open_stream(place)
            assert self._stream is not None
            blocks = self._stream.copy(query, place)
            return next(blocks, b""), blocks

        first, blocks = try_again(start)
        try:
            yield first
            yield from blocks
        finally:
            blocks.close()

    def read_lines(self, spec: RowSpec, query: str) -> list[tuple[str | None, ...]]:
        """Return the rows of a small query about a table, its values as text."""

        def read() -> list[tuple[str | None, ...]]:
            with self._reading(spec):
                rows = self._holder.execute(query.encode(), prepare=False).fetchall()
            return [tuple(None if v is None else str(v) for v in row) for row in rows]

        return try_again(read)

    def close(self) -> None:
        """End the transaction and both connections."""
        if self._stream is not None:
            self._stream.close()
        self._holder.close()

    def _place(self, spec: RowSpec) -> str:
        return f"table {spec.schema}.{spec.table} of {self._address.place}"

    @contextlib.contextmanager
    def _reading(self, spec: RowSpec) -> Iterator[None]:
        """Keep the snapshot alive when a query on one table fails: by a savepoint."""
        place = self._place(spec)
        try:
            self._holder.execute("SAVEPOINT edgelift")
            yield
            self._holder.execute("RELEASE edgelift")
        except psycopg.Error as error:
            if not self._holder.closed:
                with origin_errors(place):
                    self._holder.execute("ROLLBACK TO edgelift; RELEASE edgelift")
                raise to_origin_error(error, place) from error
            raise lost(place, str(error).strip()) from error

    def _read_extent(self, spec: RowSpec) -> Extent:
        place = (spec.schema, spec.table)
        if place not in self._extents:
            self._extents[place] = read_extent(self._holder, spec)
        return self._extents[place]

    def _open_stream(self, place: str) -> None:
        if self._stream is not None:
            self._stream.close()
            self._stream = None
        if self._holder.closed:
            raise lost(place, "the connection that held it is closed")
        connection = connect(self._address)
        try:
            with origin_errors(place):
                # Statistics may be old or missing: a chunk must never cost a scan of the table.
                begin_reading(
                    connection,
                    READ_TIMEOUT_S,
                    snapshot=self.ticket.partition("@")[0],
                    enable_seqscan="off",
                )
            self._stream = open_stream(connection)
        finally:
            if self._stream is None:
                connection.close()


def to_copy(spec: RowSpec, chunk: Chunk, extent: Extent) -> str:
    """Return the COPY of a chunk: exactly the fields' reads, in the key's order."""
    reads = ", ".join(field.read for field in spec.fields if field.op != "refused")
    conditions = [f"({part})" for part in (spec.where, chunk.where) if part]
    query = f"SELECT {reads} FROM {extent.source}{quote_table(spec.schema, spec.table)}"
    if conditions:
        query += " WHERE " + " AND ".join(conditions)
    if spec.key:
        query += " ORDER BY " + ", ".join(spec.key)
    return f"COPY ({query}) TO STDOUT (FORMAT binary)"
