"""Cuts a stream of wire bytes into rows of raw fields, in bounded memory, for the Python engine.

`pgcopy`: PostgreSQL's COPY BINARY, either its bare payload or whole backend messages as they come
from a socket. `mysql`: packets of text result rows, from the first row to the EOF, OK or ERR one.
`sqlite`: rows as `write_sqlite_row` packs them, closed by SQLITE_END.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator, Sequence

from edgelift.rows.conversions import Raw
from edgelift.rows.ops import MYSQL, PGCOPY

ROW_LIMIT = 32 * 2**20  # bytes of one row on the wire; D1 keeps 2 MB, bigger values are offloaded
SIGNATURE = b"PGCOPY\n\xff\r\n\0"
SQLITE_END = b"\xff\xff\xff\xff"
PACKET = 0xFFFFFF  # a MySQL packet of this length goes on in the next one
_BIG = 2**20
_SHORT = struct.Struct(">h")
_LONG = struct.Struct(">i")
_LITTLE = struct.Struct("<I")
_INTEGER = struct.Struct("<q")
_REAL = struct.Struct("<d")
Row = Sequence[Raw | None]


class WireError(ValueError):
    """The stream is no valid stream of its wire, was cut off, or carries the server's error."""


class Buffer:
    """The bytes of a stream that no row has taken yet; it grows to one row at most."""

    def __init__(self, stream: Iterable[bytes]) -> None:
        self.data = bytearray()
        self.start = 0
        self.bytes_in = 0
        self._stream = iter(stream)

    def fill(self, wanted: int) -> bool:
        """Read until that many bytes lie ready; False when the stream ends before."""
        if wanted > ROW_LIMIT:
            raise WireError(f"a row has more than {ROW_LIMIT} bytes")
        if len(self.data) - self.start >= wanted:
            return True
        del self.data[: self.start]
        self.start = 0
        while len(self.data) < wanted:
            chunk = next(self._stream, None)
            if chunk is None:
                return False
            self.bytes_in += len(chunk)
            self.data += chunk
        return True

    def take_to(self, end: int) -> None:
        """Let go of what lies before that place; at once when it is much."""
        self.start = end
        if end > _BIG:
            del self.data[:end]
            self.start = 0

    def need(self, wanted: int) -> None:
        """Read until that many bytes lie ready; WireError when the stream ends before."""
        if not self.fill(wanted):
            raise WireError("the stream ended in the middle")


def describe_server_error(wire: str, body: bytes) -> str:
    """Return the words and the code of an error that the server sent instead of a row.

    `body` is PostgreSQL's ErrorResponse without its head, or MySQL's whole ERR packet.
    """
    if wire == MYSQL:
        text = body[3:].decode(errors="replace")
        text = text[6:] if text.startswith("#") else text
        return f"the server says: {text} (error {int.from_bytes(body[1:3], 'little')})"
    parts = {part[:1]: part[1:].decode(errors="replace") for part in body.split(b"\0") if part}
    text = parts.get(b"M", "no message")
    return f"the server says: {text} (SQLSTATE {parts.get(b'C', 'unknown')})"


def _unframe(buffer: Buffer) -> Iterator[bytes]:
    """Yield the payload of CopyData messages, in pieces; other messages pass, an error stops."""
    while buffer.fill(5):
        kind = bytes(buffer.data[buffer.start : buffer.start + 1])
        left = _LONG.unpack_from(buffer.data, buffer.start + 1)[0] - 4
        if left < 0:
            raise WireError("a message of the server is malformed")
        buffer.start += 5
        if kind != b"d":
            if kind not in {b"H", b"N", b"S", b"c", b"C", b"Z", b"E", b"A"}:
                raise WireError(f"the server sent an unexpected message of kind {kind[0]}")
            buffer.need(left)
            body = bytes(buffer.data[buffer.start : buffer.start + left])
            buffer.start += left
            if kind == b"E":
                raise WireError(describe_server_error(PGCOPY, body))
        while kind == b"d" and left:
            buffer.need(1)
            piece = bytes(buffer.data[buffer.start : buffer.start + left])
            buffer.start += len(piece)
            left -= len(piece)
            yield piece
    if len(buffer.data) > buffer.start:
        raise WireError("the stream ended in the middle")


def split_pgcopy(source: Buffer, fields: int) -> Iterator[Row]:
    """Yield rows of COPY BINARY; WireError for malformed or cut-off streams."""
    framed = source.data[:1] != SIGNATURE[:1]
    buffer = Buffer(_unframe(source)) if framed else source
    buffer.need(19)
    if not buffer.data.startswith(SIGNATURE):
        raise WireError("the stream is no COPY BINARY")
    flags, extension = struct.unpack_from(">II", buffer.data, 11)
    if flags & 0xFFFF0000:
        raise WireError("the stream has a format of COPY BINARY that is unknown")
    buffer.need(19 + extension)
    buffer.start = 19 + extension
    while True:
        buffer.need(2)
        count = _SHORT.unpack_from(buffer.data, buffer.start)[0]
        if count == -1:
            break
        if count != fields:
            raise WireError(f"a row has {count} fields, not {fields}")
        yield _read_pg_row(buffer, fields)
    buffer.start += 2
    if buffer.fill(1):
        raise WireError("bytes follow the end of the stream")


def _read_pg_row(buffer: Buffer, fields: int) -> list[Raw | None]:
    row: list[Raw | None] = []
    data, read_length = buffer.data, _LONG.unpack_from
    start, end = buffer.start, len(data)
    at = start + 2
    for _ in range(fields):
        if at + 4 > end:
            buffer.need(at + 4 - start)
            at, start, end = at - start, 0, len(data)
        length = read_length(data, at)[0]
        at += 4
        if length == -1:
            row.append(None)
            continue
        if length < 0:
            raise WireError("a field has a negative length")
        if at + length > end:
            buffer.need(at + length - start)
            at, start, end = at - start, 0, len(data)
        row.append(bytes(data[at : at + length]))
        at += length
    if at - start > ROW_LIMIT:
        raise WireError(f"a row has more than {ROW_LIMIT} bytes")
    buffer.take_to(at)
    return row


def _read_packet(buffer: Buffer) -> tuple[bytes, int]:
    """Return a whole packet, put together from its parts, and the length of its first part."""
    parts: list[bytes] = []
    total, first = 0, -1
    while True:
        buffer.need(4)
        length = int.from_bytes(buffer.data[buffer.start : buffer.start + 3], "little")
        total += length
        if total > ROW_LIMIT:
            raise WireError(f"a row has more than {ROW_LIMIT} bytes")
        buffer.need(4 + length)
        parts.append(bytes(buffer.data[buffer.start + 4 : buffer.start + 4 + length]))
        buffer.take_to(buffer.start + 4 + length)
        first = length if first < 0 else first
        if length < PACKET:
            return parts[0] if len(parts) == 1 else b"".join(parts), first


def split_mysql(buffer: Buffer, fields: int) -> Iterator[Row]:
    """Yield rows of a text result; WireError for malformed or cut-off streams and server errors."""
    while True:
        packet, first = _read_packet(buffer)
        if packet[:1] == b"\xff":
            raise WireError(describe_server_error(MYSQL, packet))
        if packet[:1] == b"\xfe" and first < PACKET:
            break
        yield _read_mysql_row(packet, fields)
    if buffer.fill(1):
        raise WireError("bytes follow the end of the stream")


def _read_mysql_row(packet: bytes, fields: int) -> list[Raw | None]:
    row: list[Raw | None] = []
    at, end = 0, len(packet)
    for _ in range(fields):
        if at >= end:
            raise WireError(f"a row has {len(row)} fields, not {fields}")
        length = packet[at]
        at += 1
        if length == 0xFB:
            row.append(None)
            continue
        if length > 0xFB:
            size = {0xFC: 2, 0xFD: 3, 0xFE: 8}.get(length, 0)
            if not size or end - at < size:
                raise WireError("a field has a malformed length")
            length = int.from_bytes(packet[at : at + size], "little")
            at += size
        if end - at < length:
            raise WireError("a field is longer than its row")
        row.append(packet[at : at + length])
        at += length
    if at != end:
        raise WireError(f"a row has more than {fields} fields")
    return row


def write_sqlite_row(values: Sequence[object]) -> bytes:
    """Return a row of SQLite values as the wire `sqlite` carries it."""
    parts = []
    for value in values:
        if value is None:
            parts.append(b"\0")
        elif isinstance(value, int):
            parts.append(b"\1" + _INTEGER.pack(value))
        elif isinstance(value, float):
            parts.append(b"\2" + _REAL.pack(value))
        else:
            tag = b"\3" if isinstance(value, str) else b"\4"
            data = value.encode() if isinstance(value, str) else value
            assert isinstance(data, bytes)
            parts.append(tag + _LITTLE.pack(len(data)) + data)
    body = b"".join(parts)
    return _LITTLE.pack(len(body)) + body


def split_sqlite(buffer: Buffer, fields: int) -> Iterator[Row]:
    """Yield rows of the wire `sqlite`; WireError for malformed or cut-off streams."""
    while True:
        buffer.need(4)
        length = _LITTLE.unpack_from(buffer.data, buffer.start)[0]
        if length == 0xFFFFFFFF:
            break
        buffer.need(4 + length)
        body = bytes(buffer.data[buffer.start + 4 : buffer.start + 4 + length])
        buffer.take_to(buffer.start + 4 + length)
        yield _read_sqlite_row(body, fields)
    buffer.start += 4
    if buffer.fill(1):
        raise WireError("bytes follow the end of the stream")


def _read_sqlite_row(body: bytes, fields: int) -> list[Raw | None]:
    row: list[Raw | None] = []
    at = 0
    try:
        while at < len(body):
            tag = body[at]
            at += 1
            if tag == 0:
                row.append(None)
            elif tag in {1, 2}:
                row.append((_INTEGER if tag == 1 else _REAL).unpack_from(body, at)[0])
                at += 8
            elif tag in {3, 4}:
                length = _LITTLE.unpack_from(body, at)[0]
                data = body[at + 4 : at + 4 + length]
                if len(data) < length:
                    raise WireError("a field is longer than its row")
                row.append(data.decode() if tag == 3 else data)
                at += 4 + length
            else:
                raise WireError(f"a field has the unknown tag {tag}")
    except (struct.error, UnicodeDecodeError):
        raise WireError("a field is malformed") from None
    if len(row) != fields:
        raise WireError(f"a row has {len(row)} fields, not {fields}")
    return row


def split(wire: str, buffer: Buffer, fields: int) -> Iterator[Row]:
    """Yield the rows of a stream of that wire, each with that many fields."""
    if not buffer.fill(1):
        raise WireError("the stream is empty")
    if wire == PGCOPY:
        return split_pgcopy(buffer, fields)
    return split_mysql(buffer, fields) if wire == MYSQL else split_sqlite(buffer, fields)


def parse_row(wire: str, row: bytes, fields: int) -> Row:
    """Return the fields of one row that was cut out already: without a packet's or row's head."""
    if wire == PGCOPY:
        return _read_pg_row(Buffer([row]), fields)
    return _read_mysql_row(row, fields) if wire == MYSQL else _read_sqlite_row(row, fields)
