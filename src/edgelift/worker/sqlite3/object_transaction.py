"""A connection's transaction in a SQL object: real BEGIN, COMMIT, ROLLBACK and savepoints.

It takes the object for itself only with its first write, which then carries the BEGIN; before it,
statements read what others have committed. Control statements have no result, so they wait for the
next message. Who has read inside BEGIN ... COMMIT and then wants to write must find the database as
it was read, else the write fails with SQLITE_BUSY, as it does in SQLite's WAL mode: no update is
lost. BEGIN IMMEDIATE and EXCLUSIVE take the object with the first statement of any kind.
"""

from __future__ import annotations

import itertools
from typing import Any, Protocol

from edgelift.worker.sqlite3.errors import OperationalError, read_d1_error
from edgelift.worker.sqlite3.object_transport import ObjectTransport, SqlCall
from edgelift.worker.sqlite3.transactions import Books
from edgelift.worker.sqlite3.wire import read_answer, write_message

_numbers = itertools.count(1)
_LOCKS = frozenset({"IMMEDIATE", "EXCLUSIVE"})
Json = dict[str, Any]


class Link(Protocol):
    """What the transaction knows of its connection's way to the object (transport.py)."""

    binding: str
    shard: str

    def forget_transaction(self) -> None:
        """See the schema as all others do: the transaction is over."""


class ObjectTransaction(Books):
    """Sends a connection's statements to the object, inside its transaction when there is one."""

    def __init__(
        self,
        link: Link,
        transport: ObjectTransport,
        busy_ms: int,
    ) -> None:
        super().__init__()
        self.link = link
        self.busy_ms = busy_ms
        self._transport = transport
        self._number = 0
        self._locks = False
        # Whether its foreign keys are checked at its end, whatever they declare.
        self.defers = False
        # Whether its first write fails when others have written since its first read.
        self.watches = True
        self._since: str | None = None
        self._waiting: list[Json] = []
        self._requests: set[int] = set()

    @property
    def started(self) -> bool:
        """Whether the object is taken: other connections wait."""
        return self._number != 0

    def refresh(self) -> None:
        """Close the books of a transaction that ended with the request that left it open.

        Who has taken part in it is told by an error; others find the connection as it was before.
        """
        if not self._number or self._transport.read_request() in self._requests:
            return
        if not self._transport.is_open(self._number):
            self.close_books()

    def begin(self, mode: str = "") -> None:
        """Open it; the object hears of it with the first write, or with any statement."""
        if not self.open:
            self._locks = mode.upper() in _LOCKS
        self.open = True

    def lock(self) -> None:
        """Take the object with the next statement of any kind, if it is open."""
        self._locks = self._locks or self.open

    def send(self, message: Json, *, writes: bool) -> Json:
        """Send statements to where they belong and return the answer, an `error` in it included."""
        if self._number:
            return self._step(message)
        if not self.open:
            return self._ask(SqlCall(self.link.binding, self.link.shard), message)
        if writes or self._locks:
            return self._start(message)
        if not self.watches:
            return self._ask(SqlCall(self.link.binding, self.link.shard), message)
        if self._since is None:
            message["watch"] = True
        answer = self._ask(SqlCall(self.link.binding, self.link.shard), message)
        self._since = self._since or answer.get("version")
        return answer

    def commit(self) -> None:
        """Commit; what fails then (deferred foreign keys) leaves the transaction open."""
        if self._number:
            self._raise(self._step({"steps": [], "end": "commit"}))
        self.close_books()

    def commit_with(self, message: Json) -> Json:
        """Send the last statements with the COMMIT and return the answer."""
        message["end"] = "commit"
        answer = self._step(message) if self._number else self._start(message)
        if "error" not in answer:
            self.close_books()
        return answer

    def roll_back(self) -> None:
        """Roll back; one that the object has rolled back already is over too."""
        number = self._number
        if number:
            self._waiting.clear()
            try:
                self._step({"steps": [], "end": "rollback"})
            except OperationalError:
                self._transport.abandon(SqlCall(self.link.binding, self.link.shard, number))
        self.close_books()

    discard = cancel = roll_back

    def abandon(self) -> None:
        """Roll back without waiting, at a place where nothing can wait."""
        if self._number:
            self._transport.abandon(SqlCall(self.link.binding, self.link.shard, self._number))
        self.close_books()

    def close_books(self) -> None:
        """Forget the transaction."""
        super().close_books()
        self._number = 0
        self._locks = False
        self.defers = False
        self._since = None
        self._waiting.clear()
        self._requests.clear()
        self.link.forget_transaction()

    def _save(self) -> None:
        if self._number:
            self._waiting.append({"savepoint": True})

    def _release(self, index: int) -> None:
        if self._number:
            self._waiting.append({"release": index})

    def _undo(self, index: int) -> None:
        if self._number:
            self._waiting.append({"undo": index})

    def _start(self, message: Json) -> Json:
        """Take the object; when it cannot be had the transaction stays as it was."""
        self._number = next(_numbers)
        self._waiting = [{"savepoint": True} for _ in self._savepoints]
        if self._since is not None:
            message["since"] = self._since
        answer = self._exchange(message, begins=True)
        if answer.get("ended"):
            self._number = 0
        return answer

    def _step(self, message: Json) -> Json:
        answer = self._exchange(message, begins=False)
        if answer.get("ended") and "error" in answer:
            self.close_books()
        return answer

    def _exchange(self, message: Json, *, begins: bool) -> Json:
        message["steps"] = [*self._waiting, *message["steps"]]
        self._waiting = []
        self._requests.add(self._transport.read_request())
        call = SqlCall(self.link.binding, self.link.shard, self._number, begins, self.busy_ms)
        try:
            return self._ask(call, message)
        except OperationalError:
            self.close_books()
            raise

    def _ask(self, call: SqlCall, message: Json) -> Json:
        return read_answer(self._transport.send_message(call, write_message(message)))

    @staticmethod
    def _raise(answer: Json) -> None:
        if "error" in answer:
            raise read_d1_error(answer["error"])
