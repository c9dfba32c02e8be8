"""The talk of a psycopg2 connection with its server: statements, COPY, notices, losses."""

from __future__ import annotations

import threading
from collections.abc import Generator
from typing import Any

from edgelift.worker.postgres import messages, transport
from edgelift.worker.postgres.encodings import find_codec, normalize_encoding
from edgelift.worker.postgres.report import format_report
from edgelift.worker.postgres.results import Report, Result, Status
from edgelift.worker.postgres.session import Session
from edgelift.worker.postgres.transport import ConnectionLostError

from ._copying import FLUSH_ONLY
from ._errors import Error, OperationalError, ProgrammingError, make_error
from ._objects import Notify

_NOTICE_CAP = 50
Steps = Generator[Any, None, Any]


class Talk:
    """The part of a connection that sends statements and takes what the server says."""

    closed: int
    notices: Any
    notifies: Any
    encoding: str
    _codec: str
    _copy: Any
    _last_error: str
    _lock: threading.RLock
    _transport: Any

    @property
    def _session(self) -> Session:
        session: Session = self._transport.session
        return session

    def _drive(self, steps: Steps) -> Any:
        """Run steps to their end, moving bytes at each of them."""
        with self._lock:
            if getattr(self, "async_", 0):
                self._transport.socket.setblocking(True)
            while True:
                try:
                    step = next(steps)
                except StopIteration as stop:
                    return stop.value
                try:
                    self._transport.flush()
                    if step is not FLUSH_ONLY:
                        self._transport.receive()
                except ConnectionLostError as error:
                    raise self._lost(str(error)) from error

    def _lost(self, text: str) -> Error:
        """Mark the connection as broken and return the error that says so."""
        self.closed = 2
        self._transport.close(politely=False)
        session = self._session
        report = session.failure
        self._last_error = text
        if report is not None:
            made = make_error(report)
            made.args = (f"{made.args[0]}{text}",)
            return made
        return OperationalError(text)

    def _talk(self, sql: bytes, cursor: Any = None) -> Steps:
        """Run a simple query and return its last result; raises the first error."""
        session = self._session
        while session.pending:  # an earlier talk was cut off, by KeyboardInterrupt for example
            yield
            if session.pending:
                session.results.clear()
        session.results.clear()
        session.copied.clear()
        session.query(sql)
        last: Result | None = None
        failed: Result | None = None
        while True:
            while session.results:
                result = session.results.popleft()
                if result.status is Status.READY:
                    self._read_encoding()
                    self._take_notifications()
                    if failed is not None:
                        raise self._fail(failed.report, sql, cursor)
                    return last
                if result.status is Status.ERROR:
                    failed = failed or result
                    if session.failure is not None:
                        raise self._fail(failed.report, sql, cursor)
                elif result.status in {Status.COPY_IN, Status.COPY_OUT}:
                    yield from self._run_copy(result.status)
                else:
                    last = result
            yield

    def _fail(self, report: Report, sql: bytes, cursor: Any) -> Error:
        error = make_error(report, sql.decode(self._codec, "replace"), cursor)
        self._last_error = str(error.pgerror)
        if self._session.failure is not None:
            self.closed = 2
            self._transport.close(politely=False)
            closed = transport.TLS_CLOSED_TEXT if self._transport.tls else transport.CLOSED_TEXT
            error.args = (f"{error.args[0]}{closed}",)
        return error

    def _run_copy(self, status: Status) -> Steps:
        session = self._session
        copy = self._copy
        if status is Status.COPY_IN:
            if copy is None:
                session.outgoing += messages.build_copy_fail(b"no file to copy from")
                yield from self._skip_copy("FROM", "from")
            yield from copy.send(session)
        else:
            if copy is None:
                yield from self._skip_copy("TO", "to")
            while not session.results:
                copy.take(session)
                yield
            copy.take(session)

    def _skip_copy(self, word: str, method: str) -> Steps:
        """Let a COPY end that has no file; raises ProgrammingError."""
        session = self._session
        while session.pending:
            session.copied.clear()
            yield
        session.results.clear()
        session.copied.clear()
        raise ProgrammingError(f"can't execute COPY {word}: use the copy_{method}() method instead")

    def _command(self, sql: str) -> Steps:
        """Run a statement of the driver's own."""
        return (yield from self._talk(sql.encode()))

    def _take_notice(self, report: Report) -> None:
        text = format_report({code: part for code, part in report.items() if code != "W"})
        notices = self.notices
        if notices is None:
            return
        notices.append(text)
        if isinstance(notices, list) and len(notices) > _NOTICE_CAP:
            del notices[: len(notices) - _NOTICE_CAP]

    def _take_notifications(self) -> None:
        queue = self._session.notifications
        if self.notifies is None:
            queue.clear()
        while queue:
            pid, channel, payload = queue.popleft()
            made = Notify(pid, channel.decode(self._codec), payload.decode(self._codec))
            self.notifies.append(made)

    def _read_encoding(self) -> None:
        name = self._session.parameters.get("client_encoding", "UTF8")
        if name != self.encoding:
            self.encoding = normalize_encoding(name)
            self._codec = find_codec(name)
