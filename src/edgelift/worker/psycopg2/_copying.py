"""COPY between a file-like object and the server, for psycopg2's cursors."""

from __future__ import annotations

import io
from collections.abc import Generator
from types import TracebackType
from typing import Any

from edgelift.worker.postgres import messages
from edgelift.worker.postgres.session import Session


class FileCopy:
    """A file that COPY FROM reads or COPY TO writes; `failure` is what its methods raised."""

    def __init__(self, file: Any, size: int, codec: str) -> None:
        self.file, self.size, self.codec = file, size, codec
        self.is_text = isinstance(file, io.TextIOBase)
        self.failure: BaseException | None = None

    def __enter__(self) -> None:
        """Begin to call the file, which may raise whatever its owner likes."""

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> bool:
        """Keep an error until the server's side of the copy has ended."""
        self.failure = error
        return isinstance(error, Exception)

    def send(self, session: Session) -> Generator[None, None, Any]:
        """Send the whole file, a part at a time."""
        while not session.results:  # an error of the server ends it early
            part = b""
            with self:
                part = self._read()
            if self.failure is not None:
                kind = type(self.failure).__name__
                reason = f"error in .read() call: {kind} {self.failure}"
                session.outgoing += messages.build_copy_fail(reason.encode())
                return
            if not part:
                session.outgoing += messages.COPY_DONE
                return
            session.outgoing += messages.build_copy_data(part)
            if len(session.outgoing) > 1 << 18:
                yield from _flush_only(session)

    def _read(self) -> bytes:
        part = self.file.read(self.size)
        if isinstance(part, str):
            return part.encode(self.codec)
        return bytes(part)

    def take(self, session: Session) -> None:
        """Write what the server has sent so far."""
        while session.copied:
            part = session.copied.popleft()
            if self.failure is None:
                with self:
                    self.file.write(part.decode(self.codec) if self.is_text else part)


FLUSH_ONLY = object()


def _flush_only(session: Session) -> Generator[Any, None, None]:
    """Let the driver send without waiting for an answer, for none comes."""
    if session.outgoing:
        yield FLUSH_ONLY
