"""Stream the raw bytes of COPY BINARY with bounded memory: the cheapest way rows leave PostgreSQL.

libpq makes and authenticates the connection. Without TLS its socket is then taken over and whole
backend messages are handed on as they arrive (about 0.2 us a row here; libpq's own call costs
about 1 us a row). Through TLS libpq has to decrypt, so its rows are put together to blocks. The
row engines read both forms.
"""

from __future__ import annotations

import os
import socket
import struct
from collections.abc import Generator, Iterator

import psycopg

from edgelift.errors import OriginError, OriginUnavailable
from edgelift.sources.postgres.connection import Connection
from edgelift.sources.postgres.errors import judge_error, to_origin_error

_BLOCK = 256 * 1024
_LENGTH = struct.Struct(">I")
_HEAD = 5  # kind and length of a message
_COPY_DATA, _ERROR, _READY = ord("d"), ord("E"), ord("Z")


def open_stream(connection: Connection) -> CopyStream:
    """Return what streams over a connection that already has its transaction.

    The connection belongs to the stream from now on.
    """
    plain = not connection.pgconn.ssl_in_use and _is_without_gss(connection)
    return RawStream(connection) if plain else CopyStream(connection)


def _is_without_gss(connection: Connection) -> bool:
    options = {option.keyword: option.val for option in connection.pgconn.info}
    return options.get(b"gssencmode") in {b"disable", None}


class CopyStream:
    """Copies through libpq; `broken` is set once the connection cannot be used again."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self.broken = False

    def copy(self, query: str, place: str) -> Generator[bytes, None, None]:
        """Yield the bytes that COPY of a query gives; raises OriginError about `place`."""
        finished = False
        try:
            parts: list[bytes] = []
            size = 0
            with self._connection.cursor() as cursor, cursor.copy(query.encode()) as copy:
                for part in copy:
                    parts.append(bytes(part))
                    size += len(part)
                    if size >= _BLOCK:
                        yield b"".join(parts)
                        parts, size = [], 0
            if parts:
                yield b"".join(parts)
            finished = True
        except psycopg.Error as error:
            raise to_origin_error(error, place) from error
        finally:
            self.broken = self.broken or not finished

    def close(self) -> None:
        """Close the connection; a query that still runs is left without its client."""
        self._connection.close()


class RawStream(CopyStream):
    """Copies by reading the connection's socket itself, message by message."""

    def __init__(self, connection: Connection) -> None:
        super().__init__(connection)
        # The descriptor is shared with libpq, which from now on only closes it.
        self._socket = socket.socket(fileno=os.dup(connection.pgconn.socket))
        self._socket.settimeout(None)

    def copy(self, query: str, place: str) -> Generator[bytes, None, None]:
        """Yield whole backend messages of a COPY; raises OriginError about `place`."""
        finished = False
        try:
            text = query.encode() + b"\0"
            self._socket.sendall(b"Q" + _LENGTH.pack(len(text) + 4) + text)
            yield from _read_messages(self._socket, place)
            finished = True
        except OSError as error:
            raise _cut(place, str(error)) from error
        finally:
            self.broken = self.broken or not finished

    def close(self) -> None:
        """Close the connection under a query that may still run: the server then ends it."""
        self._socket.close()
        self._connection.close()


def _cut(place: str, why: str) -> OriginUnavailable:
    return OriginUnavailable(
        f"The connection to {place} was cut",
        why=why,
        tip="see that the server is up; the same command goes on where it stopped",
    )


def _read_messages(source: socket.socket, place: str) -> Iterator[bytes]:
    """Yield blocks up to ReadyForQuery; memory holds one block, however long a message is."""
    left = 0  # bytes of a CopyData message that are still to come
    data = b""  # the start of a message that is not complete
    ready = False
    while not ready:
        block = source.recv(_BLOCK)
        if not block:
            raise _cut(place, "the server closed it")
        if left >= len(block):
            left -= len(block)
            yield block
            continue
        data = data + block if data else block
        at, ready = _walk(data, left, place)
        left = max(0, at - len(data))
        if at:
            yield data if at >= len(data) else data[:at]
        data = data[at:]


def _walk(data: bytes, at: int, place: str) -> tuple[int, bool]:
    """Return where the last message that began ends, and whether the server is ready again.

    Only CopyData may reach beyond the data; other messages are awaited whole.
    """
    end, size, read_length = len(data) - _HEAD, len(data), _LENGTH.unpack_from
    while at <= end:
        kind = data[at]
        after = at + 1 + read_length(data, at + 1)[0]
        if kind != _COPY_DATA:
            if after > size:
                break
            if kind == _ERROR:
                raise _read_error(data[at + _HEAD : after], place)
            if kind == _READY:
                return after, True
        at = after
    return at, False


def _read_error(fields: bytes, place: str) -> OriginError:
    """Return the error of an ErrorResponse: fields of one letter and a text each."""
    texts = [part.decode(errors="replace") for part in fields.split(b"\0") if part]
    words = {text[0]: text[1:] for text in texts}
    why = "; ".join(words[letter] for letter in "MDW" if words.get(letter))
    return judge_error(words.get("C", ""), why, place)
