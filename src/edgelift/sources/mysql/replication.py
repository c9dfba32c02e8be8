"""Follow MySQL's and MariaDB's changes: the binary log from a snapshot's position on.

Nothing is written to the origin, not even a marker: being caught up is to have received the
position that the server reported after its writers stopped (`read_end`). A stream opened again at
a Commit's position goes on behind it; a transaction that was cut off comes again from its Begin.
"""

from __future__ import annotations

import random
import re
import struct
import time
import zlib
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from edgelift.errors import OriginError
from edgelift.model.origin_schema import OriginColumn, OriginTable
from edgelift.sources.mysql import binlog_events as log
from edgelift.sources.mysql.binlog_events import Event, Kind, MalformedEventError, TableMap
from edgelift.sources.mysql.binlog_values import Cells, RowReader
from edgelift.sources.mysql.connection import MySqlSession
from edgelift.sources.mysql.errors import origin_errors
from edgelift.sources.mysql.snapshot import BinlogPosition, read_server_place
from edgelift.sources.mysql.url import MySqlPlace

# What reading a broken event raises; ValueError covers MalformedEventError and bad UTF-8.
UNREADABLE_EVENT = (ValueError, IndexError, KeyError, OverflowError, struct.error, zlib.error)
_HEARTBEAT_S = 0.5
SILENCE_S = 60  # without a single heartbeat or answer the connection counts as cut
_COM_BINLOG_DUMP = 0x12
_QUIET_STATEMENTS = re.compile(r"\s*(BEGIN|COMMIT|ROLLBACK|SAVEPOINT|RELEASE|XA)\b", re.IGNORECASE)
_PREPARED = re.compile(r"\s*XA\s+COMMIT\b(?!.*ONE\s+PHASE)", re.IGNORECASE | re.DOTALL)
_BEGINS = re.compile(r"\s*BEGIN\b", re.IGNORECASE)
_ENDS = re.compile(r"\s*(COMMIT|ROLLBACK)\s*$", re.IGNORECASE)
# Statements that the log carries as text and that change neither tables nor rows.
_HARMLESS = re.compile(
    r"\s*(/\*.*?\*/\s*)*(GRANT|REVOKE|SET(?!\s+STATEMENT)|FLUSH|ANALYZE|OPTIMIZE|CHECK|REPAIR"
    r"|(CREATE|ALTER|DROP|RENAME)\s+(OR\s+REPLACE\s+)?(DEFINER\s*=\s*\S+\s+)?(SQL\s+SECURITY\s+\w+\s+)?"
    r"(USER|ROLE|SERVER|TEMPORARY|DATABASE\s+IF\s+NOT)\b)",
    re.IGNORECASE | re.DOTALL,
)


@dataclass(frozen=True)
class FollowProblem:
    """Why changes cannot be followed, of one table or (empty) of all, and what mends it."""

    table: str
    why: str
    tip: str


@dataclass(frozen=True)
class Begin:
    """The start of a transaction; `gtid` is empty without global transaction ids."""

    gtid: str


@dataclass(frozen=True)
class RowChange:
    """One row: `old` is None for an insert, `new` for a delete; cells as the text protocol sends.

    Cells stand in the order of the table's columns.
    """

    schema: str
    table: str
    old: Cells | None
    new: Cells | None


@dataclass(frozen=True)
class Commit:
    """The end of a transaction; `position` is where to go on, `time` the server's Unix seconds."""

    position: BinlogPosition
    time: int


@dataclass(frozen=True)
class Statement:
    """A statement that the log carries as text: DDL, TRUNCATE, or rows logged as statements."""

    schema: str
    text: str


Change = Begin | RowChange | Commit | Statement


def check_following(session: MySqlSession, tables: Sequence[OriginTable]) -> list[FollowProblem]:
    """Return what stands in the way: settings, rights, and tables whose rows have no name."""
    found = list(_check_server(session))
    versioned = _list_versioned(session) if tables else frozenset()
    for table in tables:
        name = f"{table.schema}.{table.name}"
        if (table.schema, table.name) in versioned:
            tip = "copy it again after the writers stopped"
            found.append(FollowProblem(name, "its rows carry the times of their versions", tip))
        if not table.keys:
            found.append(
                FollowProblem(name, "it has no key", "give it a primary key, or copy it again")
            )
        # The log has a number for members, whatever their character set.
        odd = sorted({c.type.charset for c in table.columns if not c.type.members} - _READABLE)
        if odd:
            tip = "convert it to utf8mb4 at the origin, or copy it again"
            found.append(FollowProblem(name, f"it has texts in {', '.join(odd)}", tip))
        if any(c.type.name == "json" and c.type.written == "json" for c in table.columns):
            tip = "copy it again after the writers stopped"
            found.append(FollowProblem(name, "MySQL logs its JSON in a binary form", tip))
    return found


def _list_versioned(session: MySqlSession) -> frozenset[tuple[str, str]]:
    """Return the system-versioned tables: the log has columns of theirs that nothing else shows."""
    rows = session.read_texts(
        "SELECT TABLE_SCHEMA, TABLE_NAME FROM information_schema.TABLES "
        "WHERE TABLE_TYPE = 'SYSTEM VERSIONED'"
    )
    return frozenset((schema or "", name or "") for schema, name in rows)


_READABLE = frozenset(
    {"", "utf8mb4", "utf8mb3", "utf8", "latin1", "ascii", "ucs2", "utf16", "utf16le", "utf32"}
)
_WANTED = {
    "log_bin": ("1", "start the server with log_bin"),
    "binlog_format": ("ROW", "SET GLOBAL binlog_format = ROW; sessions that are open keep theirs"),
    "binlog_row_image": ("FULL", "SET GLOBAL binlog_row_image = FULL"),
}


def _check_server(session: MySqlSession) -> Iterator[FollowProblem]:
    for name, (wanted, tip) in _WANTED.items():
        value = str(session.read_value(f"SELECT @@GLOBAL.{name}"))
        if value.upper() != wanted:
            yield FollowProblem("", f"{name} is {value}", tip)
            if name == "log_bin":
                return
    if not _logs_updates(session) and _is_replica(session):
        tip = "follow its primary, or start this server with log_slave_updates"
        yield FollowProblem("", "a replica that does not log what its primary writes", tip)
    if not read_server_place(session):
        right = "BINLOG MONITOR" if session.version.mariadb else "REPLICATION CLIENT"
        yield FollowProblem("", "the user may not see the log's position", f"GRANT {right} ON *.*")
    grants = " ".join(row[0] or "" for row in session.read_texts("SHOW GRANTS"))
    if not re.search(r"ALL PRIVILEGES ON \*\.\*|REPLICATION SLAVE", grants):
        tip = "GRANT REPLICATION SLAVE ON *.* TO that user"
        yield FollowProblem("", "the user may not read the binary log", tip)


def _logs_updates(session: MySqlSession) -> bool:
    """Return whether what a primary wrote stands in this server's own log."""
    rows = session.read_texts(
        "SHOW GLOBAL VARIABLES WHERE Variable_name IN ('log_slave_updates', 'log_replica_updates')"
    )
    return any(row[-1] == "ON" for row in rows)


def _is_replica(session: MySqlSession) -> bool:
    """Return whether the server applies another one's log; a user without the right sees none."""
    word = "REPLICA" if session.version.has(mysql=(8, 0, 22)) else "SLAVE"
    try:
        return bool(session.read_rows(f"SHOW {word} STATUS"))
    except OriginError:
        return False


def read_end(session: MySqlSession) -> BinlogPosition:
    """Return where the log ends now; a stream that received it is caught up with this moment."""
    position = read_server_place(session)
    if position is None:
        raise OriginError(
            f"The position of the binary log of {session.place} cannot be read",
            why="the server keeps none, or the user lacks the right",
            tip="GRANT BINLOG MONITOR (MySQL: REPLICATION CLIENT) ON *.* TO that user",
        )
    return position


class ChangeStream:
    """The changes of one database from a position on, transaction by transaction.

    `received` is the end of the last event that came, of whatever database: `has_reached` compares
    it with a position, which is how being caught up is judged.
    """

    def __init__(
        self, place: MySqlPlace, tables: Sequence[OriginTable], position: BinlogPosition
    ) -> None:
        """Open the stream; raises OriginError when the server threw the log away that is needed."""
        self.received = position
        self._place = place
        self._tables = {(table.schema, table.name): table for table in tables}
        self._schemas = {table.schema for table in tables}
        self._shapes: dict[int, TableMap] = {}
        self._readers: dict[int, RowReader | None] = {}
        self._columns: Mapping[tuple[str, str], tuple[OriginColumn, ...]] = {
            name: table.columns for name, table in self._tables.items()
        }
        self._waiting: deque[Change] = deque()
        self._gtid = ""
        self._server = 0
        self._autocommit = False  # MariaDB: the transaction is one statement without a COMMIT
        self._session = MySqlSession(replace(place, read_timeout_s=SILENCE_S))
        self._connection: Any = self._session.connection
        self._start(position)

    def read(self, wait_s: float) -> Iterator[Change]:
        """Yield changes until none came for `wait_s` seconds; may be called again.

        Raises OriginUnavailable when the connection is cut, OriginError for what cannot be read.
        """
        deadline = time.monotonic() + wait_s
        while True:
            while self._waiting:
                yield self._waiting.popleft()
                deadline = time.monotonic() + wait_s
            event = self._read_event()
            # All of an event at once: who stops reading in the middle of it goes on there.
            self._waiting.extend(self._take(event))
            if event.kind == Kind.HEARTBEAT and time.monotonic() >= deadline:
                return

    def has_reached(self, position: BinlogPosition) -> bool:
        """Return whether everything up to a position was received and read."""
        return not self._waiting and to_order(self.received) >= to_order(position)

    def close(self) -> None:
        """Close the connection."""
        self._session.close()

    def _start(self, position: BinlogPosition) -> None:
        checksums = str(self._session.read_value("SELECT @@GLOBAL.binlog_checksum")).upper()
        self._checked = checksums == "CRC32"
        settings = [
            f"@master_heartbeat_period = {int(_HEARTBEAT_S * 10**9)}",
            f"@source_heartbeat_period = {int(_HEARTBEAT_S * 10**9)}",
            f"@master_binlog_checksum = '{checksums}'",
            f"@source_binlog_checksum = '{checksums}'",
            "@mariadb_slave_capability = 4",
        ]
        self._session.run(f"SET {', '.join(settings)}")
        # Replicas that share an id throw each other out.
        server_id = random.SystemRandom().randrange(2**30, 2**31)
        body = struct.pack("<IHI", position.position, 0, server_id) + position.file.encode()
        with origin_errors(self._place, "binary log"):
            self._connection._execute_command(_COM_BINLOG_DUMP, body)  # noqa: SLF001

    def _read_event(self) -> Event:
        with origin_errors(self._place, "binary log"):
            packet = self._connection._read_packet()  # noqa: SLF001
        data = packet.get_all_data()[1:]
        try:
            event = log.read_event(data, checked=self._checked)
        except MalformedEventError as error:
            raise self._explain(str(error)) from error
        self._server = int.from_bytes(data[5:9], "little")
        if event.kind == Kind.FORMAT:
            self._checked = log.has_checksums(data)
        return event

    def _take(self, event: Event) -> Iterator[Change]:
        try:
            yield from self._take_event(event)
        except UNREADABLE_EVENT as error:
            raise self._explain(str(error)) from error
        # The rotation at a stream's start and heartbeats carry no place of their own.
        if event.next_position and event.kind not in {Kind.ROTATE, Kind.FORMAT}:
            self._move(self.received.file, event.next_position)

    def _take_event(self, event: Event) -> Iterator[Change]:
        kind = event.kind
        if kind == Kind.ROTATE:
            self._move(*log.read_rotate(event.body))
        elif kind == Kind.TABLE_MAP:
            shape = log.read_table_map(event.body)
            self._shapes[shape.number] = shape
            self._readers.pop(shape.number, None)
        elif kind in log.WRITES | log.UPDATES | log.DELETES:
            yield from self._take_rows(event)
        elif kind == Kind.MARIADB_GTID:
            self._gtid, self._autocommit = log.read_mariadb_gtid(event, self._server)
            if not self._autocommit:
                yield Begin(self._gtid)
        elif kind in {Kind.QUERY, Kind.QUERY_COMPRESSED}:
            yield from self._take_query(event)
        elif kind == Kind.XID:
            yield self._commit(event)
        elif kind in log.UNREADABLE:
            raise self._refuse(Kind(kind))

    def _refuse(self, kind: Kind) -> OriginError:
        name = kind.name.replace("_", " ").lower()
        return OriginError(
            f"The binary log of {self._place} cannot be followed further",
            why=f"it holds an event of the kind {name}",
            tip=log.UNREADABLE[kind],
        )

    def _take_query(self, event: Event) -> Iterator[Change]:
        schema, text = log.read_query(event)
        if _BEGINS.match(text):
            if not self._gtid:
                yield Begin("")
        elif _ENDS.match(text):
            yield self._commit(event)
        elif _PREPARED.match(text):  # its rows came before the snapshot, which does not have them
            raise self._refuse(Kind.XA_PREPARE)
        elif not _QUIET_STATEMENTS.match(text) and self._concerns(schema, text):
            yield Statement(schema, text)
        if self._autocommit:
            yield self._commit(event)

    def _concerns(self, schema: str, text: str) -> bool:
        """Return whether a statement may touch the followed tables: in doubt it does."""
        if _HARMLESS.match(text):
            return False
        return schema in self._schemas or any(name in text for name in self._schemas)

    def _commit(self, event: Event) -> Commit:
        position = BinlogPosition(
            flavor=self.received.flavor,
            file=self.received.file,
            position=event.next_position,
            gtid=self._gtid or self.received.gtid,
        )
        self._gtid, self._autocommit = "", False
        return Commit(position, event.time)

    def _take_rows(self, event: Event) -> Iterator[RowChange]:
        rows = log.read_rows_event(event)
        shape = self._shapes.get(rows.number)
        if shape is None:
            raise MalformedEventError("rows of a table that was not announced")
        reader = self._find_reader(rows.number, shape)
        if reader is None:
            return
        if not rows.whole:
            raise OriginError(
                f"The binary log of {self._place} holds parts of rows only",
                why=f"a row of {shape.schema}.{shape.table} came without some columns",
                tip="SET GLOBAL binlog_row_image = FULL at the origin, and copy anew",
            )
        at = rows.position
        while at < len(rows.data):
            first, at = reader.read(rows.data, at)
            if event.kind in log.UPDATES:
                second, at = reader.read(rows.data, at)
                yield RowChange(shape.schema, shape.table, first, second)
            elif event.kind in log.WRITES:
                yield RowChange(shape.schema, shape.table, None, first)
            else:
                yield RowChange(shape.schema, shape.table, first, None)

    def _find_reader(self, number: int, shape: TableMap) -> RowReader | None:
        """Return what reads a table's rows, None for tables that are not followed."""
        if number not in self._readers:
            name = (shape.schema, shape.table)
            columns = self._columns.get(name)
            if columns is not None:
                _check_shape(columns, shape)
            self._readers[number] = RowReader(columns, shape) if columns is not None else None
        return self._readers[number]

    def _move(self, file: str, position: int) -> None:
        self.received = BinlogPosition(
            flavor=self.received.flavor, file=file, position=position, gtid=self.received.gtid
        )

    def _explain(self, why: str) -> OriginError:
        return OriginError(
            f"The binary log of {self._place} cannot be read at {self.received.file}:"
            f"{self.received.position}",
            why=why,
            tip="copy anew; if it happens again it is a fault of edgelift: report it",
        )


def to_order(position: BinlogPosition) -> tuple[int, int]:
    """Return what positions of one server are compared by: the file's number, then the place."""
    number = position.file.rpartition(".")[2]
    return int(number) if number.isdecimal() else 0, position.position


def _check_shape(columns: Sequence[OriginColumn], shape: TableMap) -> None:
    """Raise OriginError when a table no longer looks as the schema stage saw it."""
    why = ""
    if len(columns) != len(shape.types):
        why = f"it has {len(shape.types)} columns and had {len(columns)}"
    elif shape.names and tuple(column.name for column in columns) != shape.names:
        changed = [
            f"{column.name} is {name} now"
            for column, name in zip(columns, shape.names, strict=True)
            if column.name != name
        ]
        why = f"column {'; '.join(changed)}"
    else:
        odd = [
            column.name
            for column, kind, meta in zip(columns, shape.types, shape.metas, strict=True)
            if not _fits(column, kind, meta)
        ]
        why = f"column {', '.join(odd)} has another type" if odd else ""
    if why:
        raise OriginError(
            f"The table {shape.schema}.{shape.table} changed while it was followed",
            why=why,
            tip="all changes before are applied; judge and copy anew: run the same command with "
            "--force",
        )


_KINDS: Mapping[str, frozenset[int]] = {
    "tinyint": frozenset({log.TINY}),
    "smallint": frozenset({log.SHORT}),
    "mediumint": frozenset({log.INT24}),
    "int": frozenset({log.LONG}),
    "bigint": frozenset({log.LONGLONG}),
    "decimal": frozenset({log.NEWDECIMAL}),
    "float": frozenset({log.FLOAT}),
    "double": frozenset({log.DOUBLE}),
    "year": frozenset({log.YEAR}),
    "bit": frozenset({log.BIT}),
    "date": frozenset({log.DATE, log.NEWDATE}),
    "time": frozenset({log.TIME2}),
    "datetime": frozenset({log.DATETIME2}),
    "timestamp": frozenset({log.TIMESTAMP2}),
    "varchar": frozenset({log.VARCHAR, log.VAR_STRING}),
    "varbinary": frozenset({log.VARCHAR, log.VAR_STRING}),
}


def _fits(column: OriginColumn, kind: int, meta: int) -> bool:
    kinds = _KINDS.get(column.type.name)
    if kinds is None:
        return kind in {log.STRING, log.BLOB, log.GEOMETRY, log.VARCHAR, log.VAR_STRING}
    if kind == log.NEWDECIMAL and column.type.arguments:
        precision, *scale = column.type.arguments
        return kind in kinds and meta == precision << 8 | (scale[0] if scale else 0)
    return kind in kinds
