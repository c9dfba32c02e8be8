"""A plain HTTP/1.1 client that sends a request exactly as written and reads the reply as it came.

Higher clients normalise paths, add headers and decode bodies; a comparison of two servers needs
none of that. One kept-alive connection, used again like a browser does.
"""

from __future__ import annotations

import contextlib
import http.client
import socket
import time
from typing import TYPE_CHECKING, Self
from urllib.parse import urlsplit

from edgelift.model.flows import Reply, Request

if TYPE_CHECKING:
    from collections.abc import Iterable

TIMEOUT_S = 60.0
# An event stream has no end; its first events are read until it is quiet for this long.
STREAM_QUIET_S = 0.3
STREAM_FIRST_S = 5.0  # for its first event
STREAM_BYTES = 65536
REPEATABLE = frozenset({"GET", "HEAD", "OPTIONS", "TRACE", "PUT", "DELETE"})
# Every server is asked under this name, so that the addresses it writes are the same on all sides.
HOST = "localhost"
# Set per connection by whoever sends the request.
HOP_HEADERS = frozenset(
    {
        "connection",
        "keep-alive",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    }
)


class Client:
    """Sends requests to one server; not safe for several threads."""

    def __init__(self, url: str, timeout_s: float = TIMEOUT_S) -> None:
        parts = urlsplit(url)
        self.authority = parts.netloc
        self._timeout_s = timeout_s
        self._connection: http.client.HTTPConnection | None = None

    def send(self, request: Request) -> Reply:
        """Return the reply, or one with `error` set when the server gave none."""
        started = time.perf_counter()
        try:
            return self._try(request, started)
        except (OSError, http.client.HTTPException) as error:
            self.close()
            told = str(error) or type(error).__name__
            return Reply(status=0, error=told, duration_s=time.perf_counter() - started)

    def _try(self, request: Request, started: float) -> Reply:
        """Send on the kept connection, which the server may have closed in this very moment.

        Only methods that may be repeated are sent again then (RFC 9110 9.2.2); the others get a
        connection of their own, so that nothing is ever carried out twice.
        """
        if request.method not in REPEATABLE:
            self.close()
        reused = self._connection is not None
        try:
            return self._exchange(request, started)
        except (ConnectionError, http.client.BadStatusLine):
            self.close()
            if not reused:
                raise
        return self._exchange(request, time.perf_counter())

    def _exchange(self, request: Request, started: float) -> Reply:
        connection = self._connection or http.client.HTTPConnection(
            self.authority, timeout=self._timeout_s
        )
        self._connection = connection
        connection.putrequest(
            request.method, request.target, skip_host=True, skip_accept_encoding=True
        )
        for name, value in wire_headers(request):
            connection.putheader(name, value.encode("latin-1", "replace"))
        # A server may answer and hang up before it has read a large body (413): the answer counts.
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            connection.endheaders(request.body or None)
        sock = connection.sock  # the connection forgets it when the reply says `close`
        response = connection.getresponse()
        body, cut = _read(response, sock)
        reply = Reply(
            status=response.status,
            headers=tuple(response.getheaders()),
            body=body,
            duration_s=time.perf_counter() - started,
            cut=cut,
        )
        # A server that refuses a body without reading it closes the connection, sooner or later;
        # the next request must not meet that moment.
        refused = bool(request.body) and response.status >= http.client.BAD_REQUEST
        if cut or response.will_close or refused:
            self.close()
        return reply

    def close(self) -> None:
        """Close the connection; the next request opens a new one."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exc: object) -> None:
        self.close()


def _read(response: http.client.HTTPResponse, sock: socket.socket) -> tuple[bytes, bool]:
    """Return the body and whether it is the beginning of an endless one."""
    if not is_endless(response.getheader("content-type"), response.length):
        return response.read(), False
    body = b""
    sock.settimeout(STREAM_FIRST_S)
    with contextlib.suppress(TimeoutError):
        while len(body) < STREAM_BYTES:
            part = response.read1(STREAM_BYTES)
            if not part:
                return body, False
            body += part
            sock.settimeout(STREAM_QUIET_S)
    return body, True


def is_endless(content_type: str | None, length: int | None) -> bool:
    """Return whether a reply is an event stream of unknown length."""
    return length is None and (content_type or "").lower().startswith("text/event-stream")


def wire_headers(request: Request) -> Iterable[tuple[str, str]]:
    """Yield the headers to send: the request's own, with Host and Content-Length made to fit.

    A Host of the request's own is one that means something to the app (a tenant's).
    """
    yield "Host", next((value for name, value in request.headers if name.lower() == "host"), HOST)
    for name, value in request.headers:
        if name.lower() not in HOP_HEADERS | {"host", "content-length"}:
            yield name, value
    if request.body or request.method in {"POST", "PUT", "PATCH"}:
        yield "Content-Length", str(len(request.body))
