"""Events of MySQL's and MariaDB's binary log, read from their bytes; rows stay undecoded.

Formats: "MySQL Internals: Binary Log" and MariaDB's "Replication Protocol".
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum

from edgelift.sources.mysql.packets import read_length

HEADER_BYTES = 19
_HEADER = struct.Struct("<IBIIIH")


class Kind(IntEnum):
    """The events that matter here; 160 and up are MariaDB's own."""

    QUERY = 2
    STOP = 3
    ROTATE = 4
    FORMAT = 15
    XID = 16
    INCIDENT = 26
    HEARTBEAT = 27
    TABLE_MAP = 19
    WRITE_V1 = 23
    UPDATE_V1 = 24
    DELETE_V1 = 25
    WRITE = 30
    UPDATE = 31
    DELETE = 32
    GTID = 33
    ANONYMOUS_GTID = 34
    XA_PREPARE = 38
    PARTIAL_UPDATE = 39
    COMPRESSED = 40
    GTID_TAGGED = 42
    MARIADB_GTID = 162
    QUERY_COMPRESSED = 165
    WRITE_COMPRESSED = 166
    UPDATE_COMPRESSED = 167
    DELETE_COMPRESSED = 168


WRITES = frozenset({Kind.WRITE_V1, Kind.WRITE, Kind.WRITE_COMPRESSED})
UPDATES = frozenset({Kind.UPDATE_V1, Kind.UPDATE, Kind.UPDATE_COMPRESSED})
DELETES = frozenset({Kind.DELETE_V1, Kind.DELETE, Kind.DELETE_COMPRESSED})
_SECOND_VERSION = frozenset({Kind.WRITE, Kind.UPDATE, Kind.DELETE})
_SQUEEZED = frozenset({Kind.WRITE_COMPRESSED, Kind.UPDATE_COMPRESSED, Kind.DELETE_COMPRESSED})
UNREADABLE = {
    Kind.PARTIAL_UPDATE: "SET GLOBAL binlog_row_value_options = ''",
    Kind.COMPRESSED: "SET GLOBAL binlog_transaction_compression = OFF",
    Kind.XA_PREPARE: "copy without following: XA transactions commit out of the log's order",
    Kind.INCIDENT: "copy anew: the server itself says that its log has a hole",
}

# Column types (enum_field_types of both servers).
(TINY, SHORT, LONG, FLOAT, DOUBLE, TIMESTAMP_OLD, LONGLONG, INT24) = (1, 2, 3, 4, 5, 7, 8, 9)
(DATE, TIME_OLD, DATETIME_OLD, YEAR, NEWDATE, VARCHAR, BIT) = (10, 11, 12, 13, 14, 15, 16)
(TIMESTAMP2, DATETIME2, TIME2, JSON, NEWDECIMAL, ENUM, SET) = (17, 18, 19, 245, 246, 247, 248)
(BLOB, VAR_STRING, STRING, GEOMETRY) = (252, 253, 254, 255)
_NO_META = frozenset(
    {TINY, SHORT, LONG, LONGLONG, INT24, DATE, YEAR, NEWDATE}
    | {TIMESTAMP_OLD, TIME_OLD, DATETIME_OLD}
)
_ONE_BYTE = frozenset({FLOAT, DOUBLE, BLOB, GEOMETRY, JSON, TIMESTAMP2, DATETIME2, TIME2})
_TWO_BYTES = frozenset({VARCHAR, VAR_STRING, BIT})  # little-endian; the others big-endian
_COLUMN_NAMES = 4  # type of the optional metadata with binlog_row_metadata=FULL


class MalformedEventError(ValueError):
    """An event that cannot be read: of an unknown type, or cut."""


@dataclass(frozen=True)
class Event:
    """One event: where the next one starts, and its body behind the header."""

    kind: int
    time: int
    next_position: int
    body: bytes


@dataclass(frozen=True)
class TableMap:
    """What a table is like for the rows that follow; `names` are empty without FULL metadata."""

    number: int
    schema: str
    table: str
    types: bytes
    metas: tuple[int, ...]
    names: tuple[str, ...] = ()


@dataclass(frozen=True)
class RowsEvent:
    """Rows of one table as bytes, from `position` of `data` on."""

    number: int
    width: int
    data: bytes
    position: int
    whole: bool


def read_event(data: bytes, *, checked: bool) -> Event:
    """Return the event of one packet, without its leading status byte; `checked` ones end in a CRC.

    A file's first event says itself whether it and the others have one.
    """
    if len(data) < HEADER_BYTES + 4:
        raise MalformedEventError("an event is shorter than its header")
    if data[4] == Kind.FORMAT:
        checked = has_checksums(data)
    if checked:
        if zlib.crc32(data[:-4]) != struct.unpack("<I", data[-4:])[0]:
            raise MalformedEventError("an event differs from its checksum")
        data = data[:-4]
    time, kind, _server, _size, position, _flags = _HEADER.unpack_from(data)
    return Event(kind, time, position, data[HEADER_BYTES:])


def has_checksums(data: bytes) -> bool:
    """Return what a file's first event says about checksums: its last byte before its own CRC."""
    return data[-5] == 1


def read_rotate(body: bytes) -> tuple[str, int]:
    """Return the file that goes on and the position in it."""
    return body[8:].decode(), struct.unpack_from("<Q", body)[0]


def read_query(event: Event) -> tuple[str, str]:
    """Return the current database and the text of a statement."""
    body = event.body
    _thread, _seconds, size, _error, status = struct.unpack_from("<IIBHH", body)
    start = 13 + status
    schema = body[start : start + size].decode(errors="replace")
    text = body[start + size + 1 :]
    if event.kind == Kind.QUERY_COMPRESSED:
        text = _expand(text)
    return schema, text.decode(errors="replace")


def read_mariadb_gtid(event: Event, server_id: int) -> tuple[str, bool]:
    """Return `domain-server-sequence`, and whether it is one statement without its own commit."""
    sequence, domain, flags = struct.unpack_from("<QIB", event.body)
    return f"{domain}-{server_id}-{sequence}", bool(flags & 1)


def read_table_map(body: bytes) -> TableMap:
    """Return the shape of the table that the next rows belong to."""
    number = int.from_bytes(body[:6], "little")
    schema, at = _read_name(body, 8)
    table, at = _read_name(body, at)
    count, at = read_length(body, at)
    types = body[at : at + count]
    size, at = read_length(body, at + count)
    metas = _read_metas(types, body[at : at + size])
    names = _read_column_names(body[at + size + (count + 7) // 8 :])
    return TableMap(number, schema, table, types, metas, names)


def _read_name(body: bytes, at: int) -> tuple[str, int]:
    size = body[at]
    return body[at + 1 : at + 1 + size].decode(), at + size + 2


def _read_metas(types: bytes, data: bytes) -> tuple[int, ...]:
    metas = []
    at = 0
    for kind in types:
        if kind in _NO_META:
            metas.append(0)
        elif kind in _ONE_BYTE:
            metas.append(data[at])
            at += 1
        elif kind in _TWO_BYTES:
            metas.append(data[at] | data[at + 1] << 8)
            at += 2
        elif kind in {STRING, NEWDECIMAL, ENUM, SET}:
            metas.append(data[at] << 8 | data[at + 1])
            at += 2
        else:
            raise MalformedEventError(f"a column has the type {kind}, which is not known")
    return tuple(metas)


def _read_column_names(data: bytes) -> tuple[str, ...]:
    at = 0
    while at < len(data):
        kind = data[at]
        size, at = read_length(data, at + 1)
        if kind == _COLUMN_NAMES:
            return tuple(_split_names(data[at : at + size]))
        at += size
    return ()


def _split_names(data: bytes) -> Sequence[str]:
    names = []
    at = 0
    while at < len(data):
        size, at = read_length(data, at)
        names.append(data[at : at + size].decode())
        at += size
    return names


def read_rows_event(event: Event) -> RowsEvent:
    """Return the rows of a write, update or delete; `whole` when every column is there."""
    body = event.body
    number = int.from_bytes(body[:6], "little")
    at = 8
    if event.kind in _SECOND_VERSION:
        at += struct.unpack_from("<H", body, at)[0]
    width, at = read_length(body, at)
    size = (width + 7) // 8
    images = 2 if event.kind in UPDATES else 1
    bitmaps = body[at : at + size * images]
    at += size * images
    if len(bitmaps) < size * images:
        raise MalformedEventError("an event of rows ends in the marks of its columns")
    full = (1 << width) - 1  # MySQL sets the bits behind the last column too
    parts = [int.from_bytes(bitmaps[i * size : (i + 1) * size], "little") for i in range(images)]
    whole = all(part & full == full for part in parts)
    if event.kind in _SQUEEZED:
        return RowsEvent(number, width, _expand(body[at:]), 0, whole)
    return RowsEvent(number, width, body, at, whole)


def _expand(data: bytes) -> bytes:
    """Return what MariaDB compressed: a byte of algorithm and width, the length, then zlib."""
    if not data or data[0] & 0xF0 != 0x80:
        raise MalformedEventError("an event is compressed in a way that is not known")
    return zlib.decompress(data[1 + (data[0] & 7) :])
