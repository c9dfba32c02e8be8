"""A small load generator: keep-alive connections on raw sockets, latencies in seconds.

Raw sockets because a full HTTP client costs more than the servers measured here. wrk would do as
well, but does not install without root. What the client itself costs is measured by
`serve_constant`: the same requests against a socket that answers at once.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import re
import socket
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

_LENGTH = re.compile(rb"\r\ncontent-length:[ \t]*(\d+)", re.IGNORECASE)
_CHUNKED = re.compile(rb"\r\ntransfer-encoding:[ \t]*chunked", re.IGNORECASE)
_CLOSE = re.compile(rb"\r\nconnection:[ \t]*close", re.IGNORECASE)
_CONSTANT = b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 2\r\n\r\nok"


@dataclass
class Result:
    """What a load run saw: latencies of good replies in seconds, and what went wrong, by kind."""

    latencies: list[float] = field(default_factory=list)
    failures: dict[str, int] = field(default_factory=dict)
    duration_s: float = 0.0

    def percentile(self, fraction: float) -> float:
        """Return a latency percentile in seconds; raises IndexError when nothing succeeded."""
        ordered = sorted(self.latencies)
        return ordered[min(len(ordered) - 1, int(fraction * len(ordered)))]

    @property
    def rate(self) -> float:
        """Return good replies per second."""
        return len(self.latencies) / self.duration_s

    def add(self, other: Result) -> None:
        """Take in what another connection of the same run saw."""
        self.latencies += other.latencies
        for kind, times in other.failures.items():
            self.failures[kind] = self.failures.get(kind, 0) + times


class Connection:
    """One keep-alive HTTP/1.1 connection; opens again when the server closes it."""

    def __init__(self, host: str, port: int) -> None:
        self._address = (host, port)
        self._socket: socket.socket | None = None
        self._buffer = b""

    def close(self) -> None:
        """Close the socket."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None
            self._buffer = b""

    def request(self, message: bytes) -> int:
        """Send one request, read the whole reply, return its status; raises OSError, ValueError."""
        if self._socket is None:
            self._socket = socket.create_connection(self._address, timeout=60)
            self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._socket.sendall(message)
        while (end := self._buffer.find(b"\r\n\r\n")) < 0:
            self._fill()
        head, self._buffer = self._buffer[:end], self._buffer[end + 4 :]
        status = int(head[9:12])
        length = _LENGTH.search(head)
        if length is not None:
            self._take(int(length[1]))
        elif _CHUNKED.search(head):
            self._take_chunks()
        elif status not in {204, 304}:
            raise ValueError("a reply without a length")
        if _CLOSE.search(head):
            self.close()
        return status

    def _fill(self) -> None:
        assert self._socket is not None
        data = self._socket.recv(65536)
        if not data:
            raise ConnectionError("closed by the server")
        self._buffer += data

    def _take(self, size: int) -> None:
        while len(self._buffer) < size:
            self._fill()
        self._buffer = self._buffer[size:]

    def _take_chunks(self) -> None:
        size = -1
        while size != 0:
            while (end := self._buffer.find(b"\r\n")) < 0:
                self._fill()
            size = int(self._buffer[:end], 16)
            self._buffer = self._buffer[end + 2 :]
            self._take(size + 2)


def make_request(method: str, path: str, host: str) -> bytes:
    """Return an HTTP/1.1 request as a client sends it."""
    length = "" if method == "GET" else "Content-Length: 0\r\n"
    accepts = "User-Agent: edgelift-benchmark\r\nAccept: */*\r\n"
    return f"{method} {path} HTTP/1.1\r\nHost: {host}\r\n{accepts}{length}\r\n".encode()


def run_load(
    url: str, requests: Sequence[tuple[str, str]], *, connections: int, count: int
) -> Result:
    """Send `count` requests, cycling through (method, path) pairs, over `connections` at once.

    Each connection sends its share; the pairs go around over all connections.
    """
    parts = urlsplit(url)
    messages = [make_request(method, path, parts.netloc) for method, path in requests]
    shares = [Result() for _ in range(connections)]

    def work(first: int) -> None:
        _send_share(
            Connection(parts.hostname or "127.0.0.1", parts.port or 80),
            [messages[n % len(messages)] for n in range(first, count, connections)],
            shares[first],
        )

    threads = [threading.Thread(target=work, args=(n,)) for n in range(connections)]
    started = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    result = Result(duration_s=time.perf_counter() - started)
    for share in shares:
        result.add(share)
    return result


def _send_share(connection: Connection, messages: Sequence[bytes], result: Result) -> None:
    for message in messages:
        started = time.perf_counter()
        try:
            status = connection.request(message)
            failure = None if status < 500 else f"status {status}"
        except (OSError, ValueError) as error:
            connection.close()
            failure = f"{type(error).__name__}: {error}"
        if failure is None:
            result.latencies.append(time.perf_counter() - started)
        else:
            result.failures[failure] = result.failures.get(failure, 0) + 1
    connection.close()


@contextlib.contextmanager
def serve_constant() -> Iterator[str]:
    """Serve a constant reply from another process, as fast as a socket allows; yield its URL."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        process = multiprocessing.get_context("fork").Process(
            target=_answer_constant, args=(listening,), daemon=True
        )
        process.start()
        try:
            yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        finally:
            process.kill()
            process.join()


def _answer_constant(listening: socket.socket) -> None:
    while True:
        connection, _ = listening.accept()
        with connection:
            while connection.recv(65536):
                connection.sendall(_CONSTANT)


def _read_fields(process: Path) -> dict[str, str]:
    try:
        lines = (process / "status").read_text().splitlines()
    except OSError:
        return {}
    return dict(line.split(":", 1) for line in lines if ":" in line)


def read_rss_bytes(pid: int) -> int:
    """Return the resident memory of a process and its children, from /proc."""
    total = 0
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            fields = _read_fields(folder)
            if str(pid) in {folder.name, fields.get("PPid", "").strip()}:
                total += int(fields.get("VmRSS", "0 kB").split()[0]) * 1024
    return total
