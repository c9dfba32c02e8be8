"""A database that is deployed, D1 or SQL object: batches that are applied once, rows read back.

Each batch has the next number and a token of its own, and the database takes it in the transaction
that does what it says: one whose answer was lost is known when it comes again, one that comes late
is none any more. Whoever opens the database takes a number, so that a batch of a killed run that
is still on its way is late.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec

from edgelift.errors import TargetError, TargetUnavailable
from edgelift.rows.conversions import Value
from edgelift.targets.door.batches import Request, encode_batch
from edgelift.targets.door.cells import Cell, Sum, decode_cell
from edgelift.targets.door.client import TRIES, Door
from edgelift.targets.door.loads import Load

_OPENINGS = 3
_FIRST_ROWS, _MOST_ROWS = 64, 10_000
_PAGE_BYTES = 2_000_000  # that a page should have


class Message(msgspec.Struct, frozen=True, array_like=True):
    """A batch with its number and token; `statements` is JSON."""

    number: int
    token: str
    statements: str


@dataclass
class Remote:
    """A deployed database behind a door; trouble that may pass is waited for `tries` times."""

    door: Door
    tries: int = TRIES
    number: int = field(default=0, init=False)

    def open(self) -> None:
        """Become the only one whose batches are taken; raises TargetError, TargetUnavailable."""
        for left in reversed(range(_OPENINGS)):
            self.number = self.door.ask("place", {}, tries=self.tries).number
            try:
                self.apply([])
            except TargetError:  # a batch of an earlier run came in between
                if not left:
                    raise
            else:
                return

    def apply(self, batch: Sequence[Request]) -> None:
        """Run a batch, all of it or nothing; raises TargetError, TargetUnavailable."""
        self.send(self.build([batch])[0])

    def build(self, batches: Sequence[Sequence[Request]]) -> list[Message]:
        """Return the next batches as messages, which may be kept and sent later."""
        return [
            Message(number, uuid.uuid4().hex, msgspec.json.encode(encode_batch(batch)).decode())
            for number, batch in enumerate(batches, self.number + 1)
        ]

    def send(self, message: Message) -> None:
        """Send a message; one that was applied before changes nothing."""
        head = msgspec.json.encode({"number": message.number, "token": message.token})
        text = head[:-1] + b',"statements":' + message.statements.encode() + b"}"
        self.number = self.door.ask("apply", text, tries=self.tries).number

    def send_again(self, messages: Sequence[Message]) -> None:
        """Send what was kept of a run that was killed, as far as it was not applied.

        Raises TargetError when another run has gone on since.
        """
        place = self.door.ask("place", {}, tries=self.tries)
        for message in messages:
            if message.number > place.number or place.token == message.token:
                self.send(message)

    def read(self, sql: str, *parameters: Value) -> list[list[Any]]:
        """Return the rows of a query, as JSON has them."""
        message = {"sql": sql, "params": parameters}
        return self.door.ask("read", message, tries=self.tries).cells

    def read_rows(self, load: Load) -> Iterator[list[tuple[Cell, ...]]]:
        """Yield the rows of a table exactly, in pages."""
        pages = _Pages(load)
        while True:
            found = pages.take(lambda message: self._ask("page", message).cells)
            rows = [tuple(map(decode_cell, row)) for row in found]
            if rows:
                yield rows
            places = [load.columns.index(name) for name in load.key]
            last = [found[-1][place] for place in places] if found else []
            if not pages.turn(len(found), last, _measure(rows)):
                return

    def read_sum(self, load: Load, tell: Callable[[str, int], None]) -> Sum:
        """Return what the database counts and hashes of a table, page by page."""
        total = Sum()
        pages = _Pages(load)
        while True:
            answer = pages.take(lambda message: self._ask("sum", message))
            if not isinstance(answer.rows, int) or not answer.hash:
                raise TargetError(
                    f"{self.door.target} tells no hash of {load.table}",
                    why="the deployed sql project is of another version of edgelift",
                    tip="run edgelift build and deploy .edgelift/build/sql again",
                )
            total.rows += answer.rows
            total.hash += int(answer.hash, 16)
            tell(f"rows of {load.table} hashed there", total.rows)
            if not pages.turn(answer.rows, answer.last or [], answer.bytes):
                return total

    def _ask(self, verb: str, message: dict[str, object]) -> Any:
        return self.door.ask(verb, message, tries=self.tries)


class _Pages:
    """Where reading a table stands, and how many rows to ask for next: few when they are large."""

    def __init__(self, load: Load) -> None:
        self.load = load
        self.limit = _FIRST_ROWS
        self.offset = 0
        self.after: list[object] = []

    def take(self, ask: Callable[[dict[str, object]], Any]) -> Any:
        """Ask for the page; one that is too large for the database is asked for in parts."""
        while True:
            message: dict[str, object] = {
                "table": self.load.table, "columns": self.load.columns,
                "key": self.load.key, "limit": self.limit,
            }  # fmt: skip
            message |= {"offset": self.offset} if not self.load.key else {}
            message |= {"after": self.after} if self.after else {}
            try:
                return ask(message)
            except TargetUnavailable:
                raise
            except TargetError:
                if self.limit == 1:
                    raise
                self.limit = 1

    def turn(self, rows: int, last: list[object], size_bytes: int) -> bool:
        """Go on behind a page; returns whether there may be another."""
        self.offset += rows
        self.after = last
        full = rows >= self.limit
        if size_bytes > _PAGE_BYTES:
            self.limit = max(1, self.limit // 4)
        elif size_bytes * 4 < _PAGE_BYTES:
            self.limit = min(_MOST_ROWS, self.limit * 4)
        return full


def _measure(rows: Sequence[tuple[Cell, ...]]) -> int:
    """Return about how many bytes rows hold."""
    return sum(len(v) if isinstance(v, str | bytes) else 8 for row in rows for v in row)
