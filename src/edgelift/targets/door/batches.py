"""Cuts statements into batches that D1 and SQL objects take, with parameters that stay exact.

A batch is applied whole or not at all.
"""

from __future__ import annotations

import base64
import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from edgelift.rows.conversions import Value
from edgelift.sources.sqlite_catalogue import quote_identifier

# https://developers.cloudflare.com/d1/platform/limits/: bound parameters of a statement, bytes of
# its text; statements and bytes of a batch are kept well below what one request may hold.
MOST_PARAMETERS = 100
MOST_SQL_BYTES = 100_000
MOST_STATEMENTS = 50
MOST_BATCH_BYTES = 1_000_000


@dataclass(frozen=True)
class Request:
    """One statement with its parameters: None, text, bytes, floats; integers see `bind`."""

    sql: str
    parameters: tuple[Value, ...] = ()

    @property
    def size_bytes(self) -> int:
        """Return about how many bytes it takes."""
        return len(self.sql) + sum(
            len(p) if isinstance(p, str | bytes) else 8 for p in self.parameters
        )


Send = Callable[[Sequence[Request]], None]
DEFER = Request("PRAGMA defer_foreign_keys = on")


@dataclass
class Batcher:
    """Gathers statements and sends them in batches, each between `before` and `after`."""

    send: Send
    before: Sequence[Request] = (DEFER,)
    after: Sequence[Request] = ()
    _waiting: list[Request] = field(default_factory=list)
    _bytes: int = 0

    @property
    def room(self) -> int:
        """Return how many statements of its own a batch may have; one is the door's."""
        return MOST_STATEMENTS - 1 - len(self.before) - len(self.after)

    def add(self, request: Request) -> None:
        """Take a statement; sends what is there when it would not fit."""
        full = len(self._waiting) >= self.room
        if self._waiting and (full or self._bytes + request.size_bytes > MOST_BATCH_BYTES):
            self.flush()
        self._waiting.append(request)
        self._bytes += request.size_bytes

    def add_all(self, requests: Iterable[Request]) -> None:
        """Take statements."""
        for request in requests:
            self.add(request)

    def flush(self) -> None:
        """Send what is there."""
        if self._waiting:
            self.send([*self.before, *self._waiting, *self.after])
        self.clear()

    def add_together(self, requests: Sequence[Request]) -> None:
        """Take statements that belong into the last batch, however many they are, and send it."""
        if len(self._waiting) + len(requests) > self.room:
            self.flush()
        self._waiting += requests
        self.flush()

    def clear(self) -> None:
        """Forget what was not sent."""
        self._waiting.clear()
        self._bytes = 0


def bind(value: Value) -> tuple[str, Value]:
    """Return a placeholder and a parameter that stay exact on their way through JavaScript.

    Its numbers are doubles, which stay reals in columns without affinity.
    """
    if isinstance(value, int):
        return "CAST(? AS INTEGER)", str(value)
    if isinstance(value, float):
        if math.isinf(value):
            return "(? * 9e999)", math.copysign(1.0, value)
        if value.is_integer():  # JavaScript has no 1.0 that is not 1
            return "CAST(? AS REAL)", repr(value)
    if isinstance(value, str) and ("\0" in value or not value.isascii()):
        raw = value.encode("utf-8", "surrogateescape")
        if b"\0" in raw or not _is_utf8(raw):
            return "CAST(? AS TEXT)", raw
    return "?", value


def _is_utf8(raw: bytes) -> bool:
    try:
        raw.decode()
    except UnicodeDecodeError:
        return False
    return True


def bind_columns(
    columns: Sequence[str], values: Sequence[Value], form: str, between: str
) -> tuple[str, tuple[Value, ...]]:
    """Return `form`, such as `{name} = {mark}`, of every column, and the parameters."""
    bound = [bind(value) for value in values]
    written = between.join(
        form.format(name=quote_identifier(name), mark=mark)
        for name, (mark, _) in zip(columns, bound, strict=True)
    )
    return written, tuple(value for _, value in bound)


def bind_rows(rows: Sequence[Sequence[Value]]) -> tuple[str, tuple[Value, ...]]:
    """Return the VALUES of rows, as placeholders, and their parameters."""
    bound = [[bind(value) for value in row] for row in rows]
    marks = ", ".join(f"({', '.join(mark for mark, _ in row)})" for row in bound)
    return marks, tuple(value for row in bound for _, value in row)


def insert_rows(
    target: str, columns: Sequence[str], rows: Iterable[Sequence[Value]], behind: str = ""
) -> Iterator[Request]:
    """Yield inserts of rows into `target`, a quoted name, each with `behind` at its end."""
    names = ", ".join(map(quote_identifier, columns))
    for part in cut_rows(rows, len(columns)):
        marks, values = bind_rows(part)
        yield Request(f"INSERT INTO {target} ({names}) VALUES {marks}{behind}", values)


def cut_rows(rows: Iterable[Sequence[Value]], width: int) -> Iterator[list[Sequence[Value]]]:
    """Yield rows in groups whose values fit into one statement."""
    count = max(1, MOST_PARAMETERS // width)
    part: list[Sequence[Value]] = []
    size = 0
    for row in rows:
        row_bytes = sum(len(v) for v in row if isinstance(v, str | bytes))
        if part and (len(part) >= count or size + row_bytes > MOST_BATCH_BYTES):
            yield part
            part, size = [], 0
        part.append(row)
        size += row_bytes
    if part:
        yield part


def encode_batch(batch: Sequence[Request]) -> list[tuple[str, list[object]]]:
    """Return a batch as the door takes it (js/sql_applying.mjs)."""
    return [(request.sql, [_encode(value) for value in request.parameters]) for request in batch]


def _encode(value: Value) -> object:
    return {"blob": base64.b64encode(value).decode()} if isinstance(value, bytes) else value
