"""The sending half of PGconn: statements, simple, prepared and in pipelines."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from psycopg import errors
from psycopg.pq._enums import ConnStatus, PipelineStatus

from edgelift.worker.postgres import messages
from edgelift.worker.postgres.session import Session

if TYPE_CHECKING:
    from edgelift.worker.psycopg.result import PGresult


def _check_bytes(value: Any, name: str = "") -> None:
    if not isinstance(value, bytes):
        label = f"'{name}' must be bytes" if name else "bytes expected"
        raise TypeError(f"{label}, got {type(value)} instead")


class Sending:
    """Methods that put a command into the session, and those that wait for its result."""

    _pipeline: int
    _texts: deque[bytes | None]
    _separator: bool
    _ensure_open: Callable[[], Any]
    get_result: Callable[[], PGresult | None]
    get_error_message: Callable[..., str]
    status: Any

    def _begin(self, failure: str) -> Session:
        """Return the session when a command may be sent; raises OperationalError."""
        link = self._ensure_open()
        if link.status != ConnStatus.OK:
            text = self.get_error_message()
            raise errors.OperationalError(f"{failure}: {text or 'no connection to the server'}")
        session: Session = link.session
        if self._pipeline == PipelineStatus.OFF and (session.pending or session.results):
            raise errors.OperationalError(f"{failure}: another command is already in progress")
        return session

    def _end(self, session: Session, text: bytes | None) -> None:
        self._texts.append(text)
        if self._pipeline == PipelineStatus.OFF:
            session.sync()

    def send_query(self, command: bytes) -> None:
        """Send a simple query."""
        _check_bytes(command)
        session = self._begin("sending query failed")
        if self._pipeline != PipelineStatus.OFF:
            raise errors.OperationalError(
                "sending query failed: PQsendQuery not allowed in pipeline mode"
            )
        self._texts.append(command)
        session.query(command)

    def send_query_params(
        self,
        command: bytes,
        param_values: Sequence[Any] | None,
        param_types: Sequence[int] | None = None,
        param_formats: Sequence[int] | None = None,
        result_format: int = 0,
    ) -> None:
        """Send a statement with its values."""
        _check_bytes(command)
        values = _check_values(param_values, param_types, param_formats)
        session = self._begin("sending query and params failed")
        session.outgoing += messages.build_parse(b"", command, list(param_types or ()))
        session.bind(b"", b"", values, list(param_formats or ()), [result_format])
        session.execute()
        self._end(session, command)

    def send_prepare(
        self, name: bytes, command: bytes, param_types: Sequence[int] | None = None
    ) -> None:
        """Send a statement to be prepared."""
        session = self._begin("sending query and params failed")
        session.parse(name, command, list(param_types or ()))
        self._end(session, command)

    def send_query_prepared(
        self,
        name: bytes,
        param_values: Sequence[Any] | None,
        param_formats: Sequence[int] | None = None,
        result_format: int = 0,
    ) -> None:
        """Send the values of a prepared statement."""
        _check_bytes(name)
        values = _check_values(param_values, None, param_formats)
        session = self._begin("sending prepared query failed")
        session.bind(b"", name, values, list(param_formats or ()), [result_format])
        session.execute()
        self._end(session, None)

    def send_describe_prepared(self, name: bytes) -> None:
        """Ask for the parameters and columns of a prepared statement."""
        self._send_describe(b"S", name, "sending describe prepared failed")

    def send_describe_portal(self, name: bytes) -> None:
        """Ask for the columns of a portal."""
        self._send_describe(b"P", name, "sending describe portal failed")

    def _send_describe(self, kind: bytes, name: bytes, failure: str) -> None:
        _check_bytes(name)
        session = self._begin(failure)
        session.describe(kind, name)
        self._end(session, None)

    def send_close_prepared(self, name: bytes) -> None:
        """Close a prepared statement."""
        self._send_close(b"S", name, "sending close prepared failed")

    def send_close_portal(self, name: bytes) -> None:
        """Close a portal."""
        self._send_close(b"P", name, "sending close portal failed")

    def _send_close(self, kind: bytes, name: bytes, failure: str) -> None:
        _check_bytes(name)
        session = self._begin(failure)
        session.close(kind, name)
        self._end(session, None)

    # The same, with waiting for the result

    def _last(self) -> PGresult:
        """Return the last result, as PQexec does; the first of a COPY."""
        last: PGresult | None = None
        while (result := self.get_result()) is not None:
            last = result
            if result.status in {3, 4, 8}:
                break
        if last is None:
            raise errors.OperationalError(f"executing query failed: {self.get_error_message()}")
        return last

    def exec_(self, command: bytes) -> PGresult:
        """Run a simple query."""
        self.send_query(command)
        return self._last()

    def exec_params(
        self,
        command: bytes,
        param_values: Sequence[Any] | None,
        param_types: Sequence[int] | None = None,
        param_formats: Sequence[int] | None = None,
        result_format: int = 0,
    ) -> PGresult:
        """Run a statement with its values."""
        self.send_query_params(command, param_values, param_types, param_formats, result_format)
        return self._last()

    def prepare(
        self, name: bytes, command: bytes, param_types: Sequence[int] | None = None
    ) -> PGresult:
        """Prepare a statement."""
        _check_bytes(name, "name")
        _check_bytes(command, "command")
        self.send_prepare(name, command, param_types)
        return self._last()

    def exec_prepared(
        self,
        name: bytes,
        param_values: Sequence[Any] | None,
        param_formats: Sequence[int] | None = None,
        result_format: int = 0,
    ) -> PGresult:
        """Run a prepared statement."""
        _check_bytes(name, "name")
        self.send_query_prepared(name, param_values, param_formats, result_format)
        return self._last()

    def describe_prepared(self, name: bytes) -> PGresult:
        """Return the parameters and columns of a prepared statement."""
        _check_bytes(name, "name")
        self.send_describe_prepared(name)
        return self._last()

    def describe_portal(self, name: bytes) -> PGresult:
        """Return the columns of a portal."""
        _check_bytes(name, "name")
        self.send_describe_portal(name)
        return self._last()

    def close_prepared(self, name: bytes) -> PGresult:
        """Close a prepared statement."""
        _check_bytes(name, "name")
        self.send_close_prepared(name)
        return self._last()

    def close_portal(self, name: bytes) -> PGresult:
        """Close a portal."""
        _check_bytes(name, "name")
        self.send_close_portal(name)
        return self._last()

    # Pipelines

    @property
    def pipeline_status(self) -> int:
        """One of PipelineStatus."""
        return int(self._pipeline)

    def enter_pipeline_mode(self) -> None:
        """Let commands be sent before the results of earlier ones are read."""
        session = self._ensure_open().session
        if self._pipeline != PipelineStatus.OFF:
            return
        if session.pending or session.results or self.status != ConnStatus.OK:
            raise errors.OperationalError("failed to enter pipeline mode")
        self._pipeline = PipelineStatus.ON

    def exit_pipeline_mode(self) -> None:
        """Return to one command at a time; raises OperationalError with results unread."""
        link = self._ensure_open()
        if self._pipeline == PipelineStatus.OFF:
            return
        session = link.session if link.transport is not None else None
        if session is not None and link.status == ConnStatus.OK:
            # The end of the last command is no result to be read.
            if session.results or self._separator:
                raise errors.OperationalError("cannot exit pipeline mode with uncollected results")
            if session.pending:
                raise errors.OperationalError("cannot exit pipeline mode while busy")
        self._pipeline = PipelineStatus.OFF
        self._texts.clear()

    def pipeline_sync(self) -> None:
        """Send the end of a pipeline's implicit transaction."""
        session = self._ensure_open().session
        if self._pipeline == PipelineStatus.OFF:
            raise errors.OperationalError("connection not in pipeline mode")
        session.sync()

    def send_flush_request(self) -> None:
        """Ask the server to send what it has."""
        session = self._ensure_open().session
        session.outgoing += messages.FLUSH


def _check_values(
    values: Sequence[Any] | None, types: Sequence[int] | None, formats: Sequence[int] | None
) -> list[Any]:
    found = list(values or ())
    for given, name in ((types, "param_types"), (formats, "param_formats")):
        if given and len(given) != len(found):
            raise ValueError(f"got {len(found)} param_values but {len(given)} {name}")
    return found
