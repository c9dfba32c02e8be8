"""PGcancel and PGcancelConn of psycopg.pq: requests to cancel what a connection runs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from psycopg import errors
from psycopg.pq._enums import ConnStatus, PollingStatus
from psycopg.pq.misc import _clean_error_message

from edgelift.worker.postgres.conninfo import Address
from edgelift.worker.postgres.transport import ConnectError, send_cancel


class PGcancelConn:
    """A request to cancel; it is sent whole when it is started."""

    __module__ = "psycopg.pq.pq_ctypes"

    def __init__(self, target: tuple[Mapping[str, str], Address, int, bytes] | None) -> None:
        self._target = target
        self._open = True
        self.status: int = ConnStatus.ALLOCATED
        self.error_message = b""

    def start(self) -> None:
        """Send the request; raises OperationalError when the server cannot be reached."""
        self._check()
        if self.status != ConnStatus.ALLOCATED:
            raise errors.OperationalError(
                "couldn't start cancellation: cancel request is already being sent on this "
                "connection"
            )
        self.blocking()

    def blocking(self) -> None:
        """Send the request; raises OperationalError when the server cannot be reached."""
        self._check()
        if self._target is None:
            self.status, self.error_message = ConnStatus.BAD, b"connection pointer is NULL\n"
        else:
            try:
                send_cancel(*self._target)
                self.status = ConnStatus.OK
            except ConnectError as error:
                self.status, self.error_message = ConnStatus.BAD, str(error).encode()
        if self.status == ConnStatus.BAD:
            raise errors.OperationalError(
                f"couldn't start cancellation: {self.get_error_message()}"
            )

    def poll(self) -> int:
        """Return whether the request has been sent."""
        self._check()
        return PollingStatus.OK if self.status == ConnStatus.OK else PollingStatus.FAILED

    @property
    def socket(self) -> int:
        """Raise OperationalError: the request's socket does not outlive its sending."""
        raise errors.OperationalError("cancel connection not opened")

    def get_error_message(self, encoding: str = "utf-8") -> str:
        """Return why the request failed."""
        return str(_clean_error_message(self.error_message, encoding))

    def reset(self) -> None:
        """Be ready to send again."""
        self._check()
        self.status, self.error_message = ConnStatus.ALLOCATED, b""

    def finish(self) -> None:
        """Forget the request."""
        self._open = False

    def _check(self) -> None:
        if not self._open:
            raise errors.OperationalError("the cancel connection is closed")


class PGcancel:
    """The older form of a request to cancel."""

    __module__ = "psycopg.pq.pq_ctypes"

    def __init__(self, target: Any) -> None:
        self._target = target

    def free(self) -> None:
        """Forget the request."""
        self._target = None

    def cancel(self) -> None:
        """Send the request; raises OperationalError when the server cannot be reached."""
        if self._target is None:
            raise errors.OperationalError("cancel failed: PQcancel() -- no cancel object supplied")
        try:
            send_cancel(*self._target)
        except ConnectError as error:
            raise errors.OperationalError(f"cancel failed: {error}") from None
