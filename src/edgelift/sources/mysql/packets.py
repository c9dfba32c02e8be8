"""The rows of a result as the server sends them: packets cut out of the socket's bytes, undecoded.

Text protocol without compression and without CLIENT_DEPRECATE_EOF, as PyMySQL negotiates it. Each
packet is three bytes of length, one of sequence, then its payload; a row of 16 MiB - 1 bytes and
more continues in further packets.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator

import pymysql

_MASK = 0xFFFFFF
_FULL = 0xFFFFFF  # the length of a packet that goes on in the next one
_NULL = 0xFB
_EOF = 0xFE
_ERROR = 0xFF
_LENGTH = struct.Struct("<I")
# Lengths of integers behind their first byte (MySQL internals, "length-encoded integer").
_WIDTHS = {0xFC: 2, 0xFD: 3, 0xFE: 8}

Receive = Callable[[], bytes]


class BrokenStreamError(OSError):
    """The server's bytes end or make no sense before the result is complete."""


class RowPackets:
    """One result of one statement, read from `receive`, which returns b"" at the end.

    `ended` is True once the server's last word on the statement was read, an error included; only
    then can the connection serve the next one.
    """

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self._data = b""
        self._skip = 0  # bytes of the packet at hand that are still to come
        self._continued = False  # the packet at hand goes on in the next one
        self.ended = False
        self.columns = 0

    def __iter__(self) -> Iterator[bytes]:
        """Yield the bytes of the rows' packets, headers included, in slices of any size.

        The last slice is the packet that ends the result (rows/wires.py:split_mysql reads them).

        Raises pymysql.Error with what the server said, BrokenStreamError when it says no more.
        """
        self._read_header()
        if self.columns:
            yield from self._read_rows()

    def drain(self) -> None:
        """Read to the end of the result, whatever it is."""
        try:
            for _ in self:
                pass
        except pymysql.Error:
            if not self.ended:
                raise

    def _read_header(self) -> None:
        if self.columns:
            return
        first = self._take_packet()
        if first[0] == 0:
            self.ended = True
            return
        self.columns, _ = read_length(first, 0)
        if self.columns < 1:
            raise BrokenStreamError("the server asks for a file instead of sending rows")
        for _ in range(self.columns + 1):
            self._take_packet()

    def _take_packet(self) -> bytes:
        """Return the payload of the next packet; raises what an error packet says."""
        self._fill(4)
        length = _LENGTH.unpack_from(self._data)[0] & _MASK
        self._fill(4 + length)
        payload = self._data[4 : 4 + length]
        self._data = self._data[4 + length :]
        if not payload:
            raise BrokenStreamError("an empty packet where there can be none")
        if payload[0] == _ERROR:
            self.ended = True
            pymysql.err.raise_mysql_exception(payload)
        return payload

    def _fill(self, size: int) -> None:
        while len(self._data) < size:
            self._data += self._receive_some()

    def _receive_some(self) -> bytes:
        data = self._receive()
        if not data:
            raise BrokenStreamError("the server closed the connection in the middle of a result")
        return data

    def _read_rows(self) -> Iterator[bytes]:
        while not self.ended:
            data = self._data or self._receive_some()
            self._data = b""
            if self._skip >= len(data):
                self._skip -= len(data)
                yield data
                continue
            position, self._continued = hop(data, self._skip, continued=self._continued)
            self._skip = max(0, position - len(data))
            self._data = data[position:]
            if position:
                yield data[:position]
            if position + 4 < len(data):
                yield self._finish()
            elif position < len(data):  # the next header is cut, or stands without its payload
                self._data += self._receive_some()

    def _finish(self) -> bytes:
        header = self._data[:4]
        payload = self._take_packet()
        self.ended = True
        if self._data:
            raise BrokenStreamError("bytes behind the end of a result")
        return header + payload


def hop(data: bytes, position: int, *, continued: bool) -> tuple[int, bool]:
    """Go from packet to packet, starting at a header, and return where it ends.

    That is the header of the packet that ends the result, or one that is not complete with the
    first byte of its payload, or a place behind the data. Second comes whether a row goes on there.
    """
    unpack = _LENGTH.unpack_from
    last = len(data) - 4
    while position < last:
        length = unpack(data, position)[0] & _MASK
        if data[position + 4] >= _EOF and not continued and _is_end(data, position, length):
            return position, False
        position += length + 4
        continued = length == _FULL
    return position, continued


def _is_end(data: bytes, position: int, length: int) -> bool:
    # A row may start with 0xFE too: with a value of 16 MiB and more, so never in a short packet.
    return data[position + 4] == _ERROR or length < 9


def read_length(data: bytes, position: int) -> tuple[int, int]:
    """Return a length-encoded integer and the position behind it; -1 stands for NULL."""
    first = data[position]
    if first < _NULL:
        return first, position + 1
    if first == _NULL:
        return -1, position + 1
    width = _WIDTHS[first]
    end = position + 1 + width
    return int.from_bytes(data[position + 1 : end], "little"), end
