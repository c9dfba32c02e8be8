"""psycopg2's asynchronous connections: statements that `poll` carries on, as aiopg wants them."""

from __future__ import annotations

import ssl
import sys
from typing import Any

from edgelift.worker.postgres.transport import CLOSED_TEXT

from ._copying import FLUSH_ONLY
from ._errors import ProgrammingError
from ._talking import Steps, Talk

POLL_OK, POLL_READ, POLL_WRITE = 0, 1, 2
_PART = 65536
_WANTS = (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError)
# A Worker's sockets suspend the request that reads them, so there a poll may as well wait.
WAITS = sys.platform == "emscripten"


class Asynchronous(Talk):
    """The part of a connection that runs a statement in steps, each by a call of `poll`."""

    async_: int
    _steps: Steps | None = None
    _wants_answer = False

    def _run_steps(self, steps: Steps, name: str) -> Any:
        """Run steps, or begin them when the connection is asynchronous."""
        if not self.async_:
            return self._drive(steps)
        self._refuse_executing(name)
        self._begin_steps(steps)
        return None

    def _refuse_executing(self, name: str) -> None:
        if self._steps is not None:
            raise ProgrammingError(f"{name} cannot be used while an asynchronous query is underway")

    def _refuse_async(self, name: str) -> None:
        if self.async_:
            raise ProgrammingError(f"{name} cannot be used in asynchronous mode")

    def _begin_steps(self, steps: Steps) -> None:
        self._steps = steps
        self._advance()

    def _advance(self) -> bool:
        """Take the next step; returns False after the last. Errors end the steps."""
        steps = self._steps
        if steps is None:
            return False
        try:
            self._wants_answer = next(steps) is not FLUSH_ONLY
        except StopIteration:
            self._steps = None
        except BaseException:
            self._steps = None
            raise
        return self._steps is not None

    def isexecuting(self) -> bool:
        """Return whether an asynchronous statement runs."""
        return self._steps is not None and not self.closed

    def poll(self) -> int:
        """Carry the running statement on, and return one of extensions.POLL_*.

        Without one it takes what the server sent by itself, notifications above all.
        """
        self._check_open()
        sock = self._transport.socket
        sock.setblocking(WAITS and self._steps is not None)
        try:
            return self._poll(sock)
        finally:
            if not self.closed and not self.async_:
                sock.setblocking(True)

    def _poll(self, sock: Any) -> int:
        outgoing = self._session.outgoing
        while True:
            try:
                while outgoing:
                    del outgoing[: sock.send(outgoing[:_PART])]
            except _WANTS:
                return POLL_WRITE
            except OSError as error:
                raise self._lost(CLOSED_TEXT) from error
            if self._steps is None or self._wants_answer:
                try:
                    data = sock.recv(_PART)
                except _WANTS:
                    self._take_notifications()
                    return POLL_OK if self._steps is None else POLL_READ
                except OSError as error:
                    raise self._lost(CLOSED_TEXT) from error
                if not data:
                    raise self._lost(CLOSED_TEXT)
                self._session.feed(data)
            if self._steps is not None and not self._advance():
                self._take_notifications()
                return POLL_OK

    def _check_open(self) -> None:
        raise ProgrammingError("no connection")
