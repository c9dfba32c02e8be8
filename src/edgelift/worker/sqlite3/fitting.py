"""Puts values into SQL so that D1 keeps them exact and its limits hold.

Integers become literals: D1 binds every number as REAL, and a CAST would change the affinity of
comparisons. Text, blobs and finite floats are bound. Limits (D1 limits page): 100 parameters,
100,000 bytes of SQL.
"""

from __future__ import annotations

import base64
import json
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from edgelift.worker.sqlite3.errors import DataError, make_error
from edgelift.worker.sqlite3.statement import Slot, Statement
from edgelift.worker.sqlite3.tokens import (
    PARAM,
    STRING,
    quote_text,
    skip_parentheses,
    split_at,
    unquote,
)  # fmt: skip
from edgelift.worker.sqlite3.values import LARGEST_VALUE_BYTES, Value

LARGEST_PARAMETERS = 100
LARGEST_SQL_BYTES = 100_000
# Text shorter than this is lifted or inlined only when everything else was tried.
_LONG_LITERAL_BYTES = 256


class Fitted(NamedTuple):
    """A statement for D1: its text and the values to bind, ready for JSON."""

    sql: str
    parameters: list[Any]


def to_literal(value: Value) -> str:
    """Return the SQL literal of a value; text must not contain NUL, which SQL text cannot hold."""
    if value is None:
        return "NULL"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, float):
        if math.isinf(value):
            return "9e999" if value > 0 else "-9e999"
        text = repr(value)
        is_short = value == 0 or (len(text) <= _SHORT and 1e-15 < abs(value) < 1e15)
        return text if is_short else _to_product(value)
    return quote_text(value) if isinstance(value, str) else f"x'{value.hex()}'"


# SQLite may read longer decimal numbers, and very large or small ones, as the double beside the
# nearest one.
_SHORT = 15


def _to_product(value: float) -> str:
    """Return a double exactly: an integer of up to 53 bits times a power of two."""
    number, denominator = value.as_integer_ratio()
    power = 1 - denominator.bit_length()
    while not number % 2:
        number, power = number >> 1, power + 1
    return f"({number}*pow(2.0,{power}))"


def to_bound(value: Value) -> Any:
    """Return the JSON form of a value to bind: blobs as {"blob": base64}."""
    if isinstance(value, bytes):
        return {"blob": base64.b64encode(value).decode()}
    return value


def must_inline(value: Value) -> bool:
    """Return whether D1 cannot bind this value as SQLite would; NULL is inlined to save one."""
    if value is None or isinstance(value, int):
        return True
    if not isinstance(value, float):
        return False
    return math.isinf(value) or (value == 0 and math.copysign(1, value) < 0)


@dataclass
class Draft:
    """How a statement will be written: which values go inline, which token spans are replaced."""

    statement: Statement
    values: Sequence[Value]
    inline: set[int] = field(default_factory=set)
    # By index of the first token: (index after the last, replacement text or a text to bind
    # in `{}`).
    spans: dict[int, tuple[int, str, str | None]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for number, value in enumerate(self.values, 1):
            if must_inline(value):
                self.inline.add(number)

    def write(self, ranges: Sequence[tuple[int, int]] | None = None) -> Fitted:
        """Return the text of the given token ranges (all tokens by default), joined by commas."""
        parts: list[str] = []
        parameters: list[Any] = []
        places: dict[int, int] = {}
        if ranges is None and not self.spans:
            for piece, slot in zip(self.statement.pieces, self.statement.slots, strict=False):
                parts += (piece, " ", self._write_slot(slot, parameters, places), " ")
            return Fitted("".join([*parts, self.statement.pieces[-1]]), parameters)
        for number, (start, end) in enumerate(ranges or [(0, len(self.statement.tokens))]):
            parts.append(" " if number else "")
            self._write_range(start, end, parts, parameters, places)
        return Fitted("".join(parts), parameters)

    def _write_range(
        self, start: int, end: int, parts: list[str], parameters: list[Any], places: dict[int, int]
    ) -> None:
        statement, tokens = self.statement, self.statement.tokens
        if start >= end:
            return
        position = tokens[start].start
        index = start
        for slot in self._places(start, end):
            if slot.token < index:
                continue
            token = tokens[slot.token]
            parts.append(statement.sql[position : token.start])
            span = self.spans.get(slot.token)
            if span is not None:
                index, text, bound = span
                if bound is not None:
                    parameters.append(bound)
                    text = text.format(f"?{len(parameters)}")
                parts.append(f" {text} ")
                position = tokens[index - 1].end
                continue
            parts.append(f" {self._write_slot(slot, parameters, places)} ")
            index, position = slot.token + 1, token.end
        parts.append(statement.sql[position : tokens[end - 1].end])

    def _places(self, start: int, end: int) -> list[Slot]:
        slots = [slot for slot in self.statement.slots if start <= slot.token < end]
        taken = {slot.token for slot in slots}
        extra = [Slot(i, 0) for i in self.spans if start <= i < end and i not in taken]
        return sorted(slots + extra)

    def _write_slot(self, slot: Slot, parameters: list[Any], places: dict[int, int]) -> str:
        value = self.values[slot.number - 1]
        if slot.number in self.inline:
            literal = to_literal(value)
            # `ORDER BY 1` means a column, a bound 1 does not.
            is_term = isinstance(value, int) and slot.token in self.statement.ordinals
            return f"CAST({literal} AS INTEGER)" if is_term else literal
        if slot.number not in places:
            parameters.append(to_bound(value))
            places[slot.number] = len(parameters)
        return f"?{places[slot.number]}"


def fit(
    statement: Statement, values: Sequence[Value], room: int = LARGEST_SQL_BYTES
) -> list[Fitted]:
    """Return the statement as one or, for a long VALUES list, several statements that D1 takes.

    `room` is what the text may measure in bytes. Raises OperationalError ("too many SQL variables")
    or DataError ("query string is too large") when nothing makes it fit.
    """
    if not statement.slots and _size(statement.sql) <= room:
        return [Fitted(statement.sql, [])]
    draft = Draft(statement, values)
    fitted = draft.write()
    if _fits(fitted, room):
        return [fitted]
    _lift_lists(draft)
    fitted = draft.write()
    if _fits(fitted, room):
        return [fitted]
    rows = find_rows(statement)
    if len(rows) > 1:
        pieces = _split_rows(draft, rows, room)
        if all(_fits(piece, room) for piece in pieces):
            return pieces
    _inline_text(draft, len(fitted.parameters))
    _lift_literals(draft, room)
    fitted = draft.write()
    _check(fitted, room)
    return [fitted]


def _size(text: str) -> int:
    return len(text) if text.isascii() else len(text.encode())


def _fits(fitted: Fitted, room: int) -> bool:
    return len(fitted.parameters) <= LARGEST_PARAMETERS and _size(fitted.sql) <= room


def _check(fitted: Fitted, room: int) -> None:
    if len(fitted.parameters) > LARGEST_PARAMETERS:
        raise make_error(
            f"too many SQL variables: {len(fitted.parameters)}, D1 takes {LARGEST_PARAMETERS} "
            "(integers, NULL and short text not counted)",
            "SQLITE_ERROR",
        )
    size = _size(fitted.sql)
    if size > room:
        raise DataError(f"query string is too large: {size:,} bytes, D1 takes {room:,}")


def _lift_lists(draft: Draft) -> None:
    """Turn `IN (?, ?, ...)` into `IN (SELECT value FROM json_each(?))`.

    One parameter, and the same affinity and collation: json_each declares no types.
    """
    tokens = draft.statement.tokens
    numbers = {slot.token: slot.number for slot in draft.statement.slots}
    for index, token in enumerate(tokens[:-1]):
        if token.upper != "IN" or tokens[index + 1].text != "(":
            continue
        end = skip_parentheses(list(tokens), index + 1)
        inside = tokens[index + 2 : end - 1]
        if not inside or any(t.kind != PARAM for t in inside[::2]):
            continue
        if any(t.text != "," for t in inside[1::2]):
            continue
        listed = [draft.values[numbers[i] - 1] for i in range(index + 2, end - 1, 2)]
        encoded = _encode_list(listed)
        if encoded is not None:
            draft.spans[index + 2] = (end - 1, "SELECT value FROM json_each({})", encoded)


def _encode_list(values: Sequence[Value]) -> str | None:
    """Return the JSON array of a list, None when JSON would not carry a value exactly."""
    if any(isinstance(v, float | bytes) or (isinstance(v, str) and "\0" in v) for v in values):
        return None
    encoded = json.dumps(values, ensure_ascii=False, separators=(",", ":"))
    return encoded if len(encoded.encode()) <= LARGEST_VALUE_BYTES else None


def find_rows(statement: Statement) -> list[tuple[int, int]]:
    """Return the token ranges of the rows of `INSERT ... VALUES (...), (...)`, else []."""
    tokens = list(statement.tokens)
    if statement.verb not in {"INSERT", "REPLACE"}:
        return []
    values = statement.find_word("VALUES", statement.main)
    if values is None:
        return []
    start = end = values + 1
    while end < len(tokens) and tokens[end].text == "(":
        end = skip_parentheses(tokens, end)
        if end < len(tokens) and tokens[end].text == ",":
            end += 1
    return split_at(tokens, ",", start, end)


def _split_rows(draft: Draft, rows: Sequence[tuple[int, int]], room: int) -> list[Fitted]:
    """Return one statement for each group of rows that fits, all with the same head and tail."""
    last = len(draft.statement.tokens)
    head, tail = (0, rows[0][0]), (rows[-1][1], last)
    fixed = draft.write([head, tail])
    pieces: list[Fitted] = []
    first = 0
    bound, size = len(fixed.parameters), _size(fixed.sql)
    for index, row in enumerate(rows):
        written = draft.write([row])
        more, longer = len(written.parameters), _size(written.sql) + 2
        if index > first and (bound + more > LARGEST_PARAMETERS or size + longer > room):
            pieces.append(draft.write([head, _span(rows, first, index), tail]))
            first, bound, size = index, len(fixed.parameters), _size(fixed.sql)
        bound, size = bound + more, size + longer
    pieces.append(draft.write([head, _span(rows, first, len(rows)), tail]))
    return pieces


def _span(rows: Sequence[tuple[int, int]], first: int, end: int) -> tuple[int, int]:
    return rows[first][0], rows[end - 1][1]


def _inline_text(draft: Draft, bound: int) -> None:
    """Write the shortest values as literals until few enough are left to bind."""
    candidates = sorted(
        (len(value) if isinstance(value, str | bytes) else 0, number)
        for number, value in enumerate(draft.values, 1)
        if number not in draft.inline and not (isinstance(value, str) and "\0" in value)
    )
    for _, number in candidates:
        if bound <= LARGEST_PARAMETERS:
            return
        draft.inline.add(number)
        bound -= 1


def _lift_literals(draft: Draft, room: int) -> None:
    """Bind long string literals of a text that is too long; a schema statement keeps its text."""
    statement = draft.statement
    if statement.first in {"CREATE", "ALTER"}:
        return
    fitted = draft.write()
    excess, free = _size(fitted.sql) - room, LARGEST_PARAMETERS - len(fitted.parameters)
    longest = sorted(
        ((_size(t.text), i) for i, t in enumerate(statement.tokens) if t.kind == STRING),
        reverse=True,
    )
    for size, index in longest:
        if excess <= 0 or free <= 0 or size < _LONG_LITERAL_BYTES:
            return
        draft.spans[index] = (index + 1, "{}", unquote(statement.tokens[index]))
        excess, free = excess - size, free - 1
