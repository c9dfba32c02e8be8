"""A small load generator: keep-alive connections on raw sockets, latencies in seconds.

Raw sockets because a full HTTP client costs more than the servers measured here. wrk would do as
well, but does not install without root.
"""

from __future__ import annotations

import socket
import threading
import time
from dataclasses import dataclass, field
from urllib.parse import urlsplit


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

    def request(self, method: str, path: str) -> tuple[int, bytes]:
        """Send one request and return status and body; raises OSError or ValueError."""
        if self._socket is None:
            self._socket = socket.create_connection(self._address, timeout=60)
            self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._socket.sendall(
            f"{method} {path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n".encode()
        )
        while b"\r\n\r\n" not in self._buffer:
            self._fill()
        head, self._buffer = self._buffer.split(b"\r\n\r\n", 1)
        lines = head.decode("latin-1").split("\r\n")
        status = int(lines[0].split(" ")[1])
        headers = {k.lower(): v.strip() for k, _, v in (line.partition(":") for line in lines[1:])}
        body = self._read_body(headers)
        if headers.get("connection", "").lower() == "close":
            self.close()
        return status, body

    def _fill(self) -> None:
        assert self._socket is not None
        data = self._socket.recv(65536)
        if not data:
            raise ConnectionError("closed by the server")
        self._buffer += data

    def _take(self, size: int) -> bytes:
        while len(self._buffer) < size:
            self._fill()
        taken, self._buffer = self._buffer[:size], self._buffer[size:]
        return taken

    def _read_body(self, headers: dict[str, str]) -> bytes:
        if headers.get("transfer-encoding") == "chunked":
            body = b""
            while True:
                while b"\r\n" not in self._buffer:
                    self._fill()
                size, self._buffer = self._buffer.split(b"\r\n", 1)
                chunk = self._take(int(size, 16) + 2)[:-2]
                if not chunk:
                    return body
                body += chunk
        return self._take(int(headers.get("content-length", "0")))


def run_load(url: str, requests: list[tuple[str, str]], *, connections: int, count: int) -> Result:
    """Send `count` requests, cycling through (method, path) pairs, over `connections` at once."""
    parts = urlsplit(url)
    result = Result()
    lock = threading.Lock()
    remaining = iter(range(count))

    def work() -> None:
        connection = Connection(parts.hostname or "127.0.0.1", parts.port or 80)
        while True:
            with lock:
                number = next(remaining, None)
            if number is None:
                break
            method, path = requests[number % len(requests)]
            started = time.perf_counter()
            try:
                status, _ = connection.request(method, path)
                failure = None if status < 500 else f"status {status}"
            except (OSError, ValueError) as error:
                connection.close()
                failure = f"{type(error).__name__}: {error}"
            took = time.perf_counter() - started
            with lock:
                if failure is None:
                    result.latencies.append(took)
                else:
                    result.failures[failure] = result.failures.get(failure, 0) + 1
        connection.close()

    threads = [threading.Thread(target=work) for _ in range(connections)]
    started = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    result.duration_s = time.perf_counter() - started
    return result


def read_rss_bytes(pid: int) -> int:
    """Return the resident memory of a process and its children, from /proc."""
    from pathlib import Path

    total = 0
    for folder in Path("/proc").iterdir():
        if not folder.name.isdigit():
            continue
        try:
            status = (folder / "status").read_text()
        except OSError:
            continue
        fields = dict(line.split(":", 1) for line in status.splitlines() if ":" in line)
        if int(folder.name) == pid or int(fields.get("PPid", "0")) == pid:
            total += int(fields.get("VmRSS", "0 kB").split()[0]) * 1024
    return total
