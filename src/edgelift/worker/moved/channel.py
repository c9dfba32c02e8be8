"""What drivers take for a socket: the bytes that they send go to a server of this process.

Nothing waits here: a driver reads what the server has answered to what it has sent.
"""

from __future__ import annotations

import asyncio
import itertools
from typing import Any, Protocol

_numbers = itertools.count(1_000_000)


class Server(Protocol):
    """The other side: takes bytes, leaves answers in `outgoing`."""

    outgoing: bytearray
    closed: bool

    def feed(self, data: bytes) -> None:
        """Take bytes of the driver."""

    def close(self) -> None:
        """End the connection."""


class Channel:
    """A socket whose other end is a server in this process."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self._number = next(_numbers)
        self._open = True

    def sendall(self, data: Any) -> None:
        """Hand bytes to the server; it has answered when this returns."""
        if not self._open or self.server.closed:
            raise BrokenPipeError("the connection is closed")
        self.server.feed(bytes(data))

    def send(self, data: Any) -> int:
        """Hand bytes to the server, all of them."""
        self.sendall(data)
        return len(data)

    def recv(self, size: int, _flags: int = 0) -> bytes:
        """Return what the server has answered, nothing at its end.

        Raises BlockingIOError where an answer is awaited that nothing was asked for.
        """
        outgoing = self.server.outgoing
        if not outgoing:
            if self.server.closed or not self._open:
                return b""
            raise BlockingIOError("nothing was asked for that is unanswered")
        data = bytes(outgoing[:size])
        del outgoing[:size]
        return data

    def recv_into(self, buffer: Any, size: int = 0) -> int:
        """Fill a buffer with what the server has answered."""
        data = self.recv(size or len(buffer))
        memoryview(buffer)[: len(data)] = data
        return len(data)

    def makefile(self, _mode: str = "rb", *_arguments: Any, **_options: Any) -> Reader:
        """Return a file to read from."""
        return Reader(self)

    def fileno(self) -> int:
        """Return a number that no other connection has."""
        return self._number

    def settimeout(self, _seconds: float | None) -> None:
        """Take a timeout; nothing waits."""

    def gettimeout(self) -> float | None:
        """Return no timeout."""
        return None

    def setblocking(self, _flag: Any) -> None:
        """Take a mode; nothing waits."""

    def setsockopt(self, *_arguments: Any) -> None:
        """Take an option of sockets."""

    def getpeername(self) -> tuple[str, int]:
        """Return an address."""
        return ("127.0.0.1", 5432)

    def shutdown(self, _how: int) -> None:
        """End the connection."""
        self.close()

    def close(self) -> None:
        """End the connection."""
        if self._open:
            self._open = False
            self.server.close()


class Reader:
    """The file that `makefile` gives: whole reads."""

    def __init__(self, channel: Channel) -> None:
        self._channel = channel

    def read(self, size: int) -> bytes:
        """Return as many bytes, fewer at the end of the connection."""
        parts = []
        left = size
        while left:
            try:
                part = self._channel.recv(left)
            except BlockingIOError:
                break
            if not part:
                break
            parts.append(part)
            left -= len(part)
        return b"".join(parts)

    def write(self, data: bytes) -> int:
        """Hand bytes to the server."""
        return self._channel.send(data)

    def flush(self) -> None:
        """Do nothing: all was sent."""

    def close(self) -> None:
        """Do nothing: the connection has its own end."""


class StreamWriter:
    """The writing half of asyncio's streams; the answer is in the reader when `write` returns."""

    def __init__(self, channel: Channel, reader: asyncio.StreamReader) -> None:
        self._channel, self._reader = channel, reader
        self.transport = self

    def write(self, data: Any) -> None:
        """Hand bytes to the server and its answers to the reader."""
        if self._channel.server.closed:
            return
        self._channel.sendall(data)
        outgoing = self._channel.server.outgoing
        if outgoing:
            self._reader.feed_data(bytes(outgoing))
            outgoing.clear()
        if self._channel.server.closed:
            self._reader.feed_eof()

    async def drain(self) -> None:
        """Do nothing: all was sent."""

    def close(self) -> None:
        """End the connection."""
        if not self._channel.server.closed:
            self._channel.close()
            self._reader.feed_eof()

    def is_closing(self) -> bool:
        """Return whether the connection has ended."""
        return self._channel.server.closed

    async def wait_closed(self) -> None:
        """Do nothing: the end is at once."""

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        """Return what asyncio tells of a connection."""
        return self._channel if name == "socket" else default

    def abort(self) -> None:
        """End the connection."""
        self.close()

    def pause_reading(self) -> None:
        """Do nothing: the reader holds what was asked for."""

    def resume_reading(self) -> None:
        """Do nothing: the reader holds what was asked for."""

    def is_reading(self) -> bool:
        """Return that answers come."""
        return True


class StreamReader(asyncio.StreamReader):
    """The reading half; `eof_received` is what aiomysql looks at."""

    eof_received = False

    def feed_eof(self) -> None:
        """Take the end of the connection."""
        self.eof_received = True
        super().feed_eof()


def open_streams(server: Server) -> tuple[StreamReader, StreamWriter]:
    """Return asyncio's two halves of a connection to a server of this process."""
    reader = StreamReader(limit=2**26)
    if server.outgoing:  # a server that speaks first
        reader.feed_data(bytes(server.outgoing))
        server.outgoing.clear()
    return reader, StreamWriter(Channel(server), reader)
