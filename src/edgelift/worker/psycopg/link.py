"""The bytes of a PGconn: an open socket, read and written as psycopg's waiting wants it.

Under CPython the socket does not block and psycopg polls its descriptor. In the Worker polling
would not suspend, so `waiting` reads the blocking socket itself, which other requests run beside.
"""

from __future__ import annotations

import contextlib
import ssl
import weakref
from typing import Any

from psycopg import errors
from psycopg.pq._enums import ConnStatus

from edgelift.worker.postgres.conninfo import ConninfoError, complete_conninfo, parse_conninfo
from edgelift.worker.postgres.session import ProtocolError, Session
from edgelift.worker.postgres.transport import (
    CLOSED_TEXT,
    TLS_CLOSED_TEXT,
    ConnectError,
    ConnectionLostError,
    SocketTransport,
    open_transport,
)

_PART = 65536
_WANTS = (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError, TimeoutError)
# Open links by their descriptor, which is all that psycopg gives its waiting functions.
links: weakref.WeakValueDictionary[int, Link] = weakref.WeakValueDictionary()
_blocking = False


def use_blocking_sockets() -> None:
    """Let `waiting` move the bytes, from now on."""
    global _blocking
    _blocking = True


class Link:
    """A connection's socket and session; `status` and `message` are libpq's."""

    def __init__(self, conninfo: bytes) -> None:
        self.options: dict[str, str] = {}
        self.transport: SocketTransport | None = None
        self.status: int = ConnStatus.BAD
        self.message = b""
        self.needs_password = self.used_password = False
        self.descriptor = -1
        self.blocking = _blocking
        try:
            given = parse_conninfo(conninfo.decode("utf-8", "surrogateescape"))
            self.options = complete_conninfo(given)
            self.transport = open_transport(self.options)
        except (ConninfoError, ConnectError) as error:
            self.message = str(error).encode("utf-8", "surrogateescape")
            self.needs_password = getattr(error, "needs_password", False)
            self.used_password = getattr(error, "used_password", False)
            return
        self.status = ConnStatus.OK
        self.used_password = self.session.used_password
        sock = self.transport.socket
        self.descriptor = sock.fileno()
        sock.setblocking(self.blocking)
        links[self.descriptor] = self

    @property
    def session(self) -> Session:
        """The protocol's state."""
        if self.transport is None:
            raise errors.OperationalError("the connection is closed")
        return self.transport.session

    def flush(self) -> int:
        """Send what can be sent and return 1 while something is left."""
        transport = self.transport
        if transport is None or self.status != ConnStatus.OK:
            return 0
        outgoing = transport.session.outgoing
        try:
            while outgoing:
                if self.blocking:
                    transport.flush()
                else:
                    sent = transport.socket.send(outgoing[: _PART * 4])
                    del outgoing[:sent]
        except _WANTS:
            return 1
        except (OSError, ConnectionLostError):
            outgoing.clear()
            if not self.blocking:
                self.read_available()
        return 0

    def read_available(self) -> bool:
        """Take what has come without waiting; returns False when the connection has ended."""
        transport = self.transport
        if transport is None or self.status != ConnStatus.OK:
            return False
        if self.blocking:
            return True
        try:
            got = self._read_all(transport)
        except _WANTS:
            return True
        except ProtocolError as error:
            self.fail(f"{error}\n")
            return False
        if not got:  # else the end is told at the next call, after what came before it
            self.fail(TLS_CLOSED_TEXT if transport.tls else CLOSED_TEXT)
        return got

    @staticmethod
    def _read_all(transport: SocketTransport) -> bool:
        """Read to the end or until nothing is there; returns whether anything came."""
        got = False
        with contextlib.suppress(ConnectionResetError, BrokenPipeError, ssl.SSLEOFError):
            while data := transport.socket.recv(_PART):
                got = True
                transport.session.feed(data)
                if len(data) < _PART and not transport.tls:
                    break
        return got

    def wait_readable(self, timeout_s: float | None = None) -> bool:
        """Send everything and wait for bytes; returns False when the time was over."""
        transport = self.transport
        if transport is None or self.status != ConnStatus.OK:
            return True
        sock = transport.socket
        sock.settimeout(timeout_s)
        try:
            transport.flush()
            transport.receive()
        except TimeoutError:
            return False
        except (ConnectionLostError, ProtocolError) as error:
            self.fail(str(error))
        finally:
            if self.transport is not None:
                sock.setblocking(self.blocking)
        return True

    def fail(self, text: str) -> None:
        """Note that the connection is lost."""
        self.status = ConnStatus.BAD
        self.message = text.encode()

    def close(self) -> None:
        """Close the connection."""
        transport, self.transport = self.transport, None
        if transport is not None:
            links.pop(self.descriptor, None)
            if self.status == ConnStatus.OK:
                transport.socket.settimeout(1.0)
            transport.close(politely=self.status == ConnStatus.OK)
        self.status = ConnStatus.BAD


def find_link(descriptor: int) -> Any:
    """Return the open link of a descriptor, None for others."""
    return links.get(descriptor)
