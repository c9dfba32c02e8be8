"""Carries messages to a SQL object and answers back: the seam between the driver and its runtime.

Messages and answers: targets/workerd/js/sql_object.mjs; the caller's side of a transaction is held
in JavaScript (js/sql_session.mjs), where a timer can end what Python does not go on with.
"""

from __future__ import annotations

from typing import NamedTuple, Protocol

from edgelift.worker.sqlite3.errors import OperationalError


class SqlCall(NamedTuple):
    """Where a message goes: the object, and the transaction in it.

    `shard` is "" for the database as a whole. `number` tells the isolate's transactions apart, 0 is
    none. `begins` says that the message is its first, which waits `busy_ms` for those before it.
    """

    binding: str
    shard: str = ""
    number: int = 0
    begins: bool = False
    busy_ms: int = 0


class ObjectTransport(Protocol):
    """Sends one message and waits for the answer."""

    def send_message(self, call: SqlCall, message: str) -> str:
        """Return the answer; raises OperationalError when there is none."""

    def abandon(self, call: SqlCall) -> None:
        """Roll a transaction back without waiting; one that is unknown or over is left alone."""

    def is_open(self, number: int) -> bool:
        """Return whether a transaction has not ended, with its request for example."""

    def read_request(self) -> int:
        """Return the id of the request that runs."""


class HostObjectTransport:
    """The Worker's own way: `_edgelift_host.sql`, which suspends this stack until the answer."""

    def send_message(self, call: SqlCall, message: str) -> str:
        """Return the answer; raises OperationalError where nothing may be waited for."""
        from pyodide.ffi import JsException, run_sync

        from edgelift.worker.host import can_suspend, read_host

        if not can_suspend():
            raise OperationalError(
                f"the SQL object ({call.binding}) cannot be asked here: this code runs where "
                "nothing can wait"
            )
        try:
            promise = read_host().sql(*call, self.read_request(), message)
            return str(run_sync(promise))
        except JsException as error:
            raise OperationalError(
                f"the SQL object ({call.binding}) cannot be reached: {error}"
            ) from error

    def abandon(self, call: SqlCall) -> None:
        """Roll back without waiting; the host ends what belongs to a request with it."""
        from edgelift.worker.host import read_host

        host = read_host()
        if host is not None:
            host.sql_abandon(call.number)

    def is_open(self, number: int) -> bool:
        """Ask the host, which ends what belongs to a request with it."""
        from edgelift.worker.host import read_host

        return bool(read_host().sql_is_open(number))

    def read_request(self) -> int:
        """Return the id of the request, job or thread's request whose stack this is."""
        from edgelift.worker.flows import current

        return current.get().request_id
