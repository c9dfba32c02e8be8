"""Request bodies as files: whole ones, and large or chunked ones that come piece by piece."""

from __future__ import annotations

import io
from typing import Any

from edgelift.worker.host import from_buffer, read_host

_BUFFER_SIZE = 65536


class _BodyStream(io.RawIOBase):
    """The body of a request as a raw file: each read waits for what the client sent."""

    def __init__(self, request_id: int) -> None:
        self._request_id = request_id
        self._rest = memoryview(b"")
        self._ended = False

    def readable(self) -> bool:
        return True

    def readinto(self, target: Any) -> int:
        while not self._rest and not self._ended:
            part = read_part(self._request_id)
            self._ended = part is None
            self._rest = memoryview(part or b"")
        size = min(len(target), len(self._rest))
        target[:size] = self._rest[:size]
        self._rest = self._rest[size:]
        return size


def read_part(request_id: int) -> bytes | None:
    """Wait for the next part of a request's body; None at its end."""
    from pyodide.ffi import run_sync

    part = run_sync(read_host().read_body(request_id))
    return None if part is None else from_buffer(part)


def open_body(body: Any, request_id: int) -> io.BufferedIOBase:
    """Return the body PROTOCOL hands over (None, JsBuffer or int) as a file."""
    if body is None:
        return io.BytesIO()
    if isinstance(body, int):
        return io.BufferedReader(_BodyStream(request_id), _BUFFER_SIZE)
    return io.BytesIO(from_buffer(body))
