"""Values that a statement is run with: literals of its text, parameters, the moment it runs at.

A translation knows where each comes from and as what it is read; `Binding.read` makes the value
that SQLite is given.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from edgelift.worker.moved import binary, moments
from edgelift.worker.moved.failures import ServerError
from edgelift.worker.moved.inputs import (
    Stored,
    check_range,
    fit_text,
    read_text,
    write_moment,
    write_span,
)
from edgelift.worker.moved.kinds import INTEGERS, MOMENTS, NUMBERS, Kind, category
from edgelift.worker.moved.letters import to_lower, to_upper
from edgelift.worker.moved.moments import round_moment
from edgelift.worker.moved.outputs import write_text

_LEADING = re.compile(r"\s*[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?")
LITERAL, PARAMETER, NOW, CLOCK = "literal", "parameter", "now", "clock"


class Parameter(NamedTuple):
    """A value that a driver bound: text or binary (`form` 0 or 1), None for NULL."""

    form: int
    data: bytes | None


class Constant(NamedTuple):
    """Where a value comes from; `kind` is its type, unknown for a plain text.

    `shifts` are intervals that are added to a moment: a sign and the constant they are read from.
    """

    source: str
    place: int
    kind: Kind
    shifts: tuple[tuple[int, Constant], ...] = ()


class Values(NamedTuple):
    """What a statement is run with: `kinds` are those of the parameters as they were declared."""

    literals: Sequence[str | None]
    parameters: Sequence[Parameter]
    kinds: Sequence[Kind]
    now: dt.datetime


class Binding(NamedTuple):
    """A place of a translated statement: a constant, read as a kind, in a form.

    Forms: "" is the stored value; "assign" that of a column, whose length is kept; "cut" a text cut
    to its length; "glob" with its escape character, "like" a pattern; "upper", "lower" its letters;
    "limit" a count of rows; "raw" the text as it is;
    "lax" a number as MySQL compares it. `column` is the one that is assigned.
    """

    constant: Constant
    kind: Kind
    form: str = ""
    column: str = ""

    def read(self, values: Values) -> Stored:  # noqa: PLR0911 - one for each form
        """Return the value for SQLite; raises ServerError where the server would refuse it."""
        text = read_constant(self.constant, values)
        if text is None:
            return None
        if self.form.startswith("glob"):
            return _write_glob(text, self.form[4:])
        shape = _FORMS.get(self.form)
        if shape is not None:
            return shape(text)
        if self.form == "bytes":
            return text.encode("utf-8", "surrogateescape")
        if self.form == "lax":
            return read_lax(self.kind, text)
        if self.form == "cut" and self.kind.length >= 0:
            text = text[: self.kind.length]
        elif self.form != "assign" and self.kind.length >= 0:
            return text
        if self.constant.source in {NOW, CLOCK} or self.constant.shifts:
            return _shift(self, values, text)
        stored = _convert(text, self.constant.kind, self.kind, values.now)
        if self.kind.name in MOMENTS and self.kind.scale >= 0 and isinstance(stored, str):
            return round_moment(stored, self.kind.scale)
        return stored


def read_lax(kind: Kind, text: str) -> Stored:
    """Return a text as MySQL compares it with a number: by the digits that it begins with."""
    if kind.labels:
        return text
    found = _LEADING.match(text)
    if found is None:
        return 0
    value = float(found[0])
    return int(value) if value.is_integer() else value


def _convert(text: str, given: Kind, wanted: Kind, now: dt.datetime) -> Stored:
    """Return a text of a kind as another, by the cast between them."""
    if wanted.name in {"int2", "int4", "int8"} and given.name in {"numeric", "float8", "float4"}:
        text = str(round_half_away(text)) if _LEADING.fullmatch(text) else text
    if wanted.name in INTEGERS and given.name in NUMBERS and text.lstrip("+-").isdigit():
        check_range(wanted, int(text))
    elif wanted.name == "date" and category(given) == "moment":
        text = text[:10]
    elif category(wanted) == "text" and given.name == "bool":
        text = "true" if read_text(given, text, now) else "false"
    return read_text(wanted, text, now)


def round_half_away(text: str) -> int:
    """Return a number rounded as PostgreSQL's numeric is."""
    from decimal import ROUND_HALF_UP, Decimal, InvalidOperation

    try:
        return int(Decimal(text).quantize(Decimal(1), ROUND_HALF_UP))
    except InvalidOperation:
        raise ServerError("22P02", f'invalid input syntax for type bigint: "{text}"') from None


def read_constant(constant: Constant, values: Values) -> str | None:
    """Return a constant's text, None for NULL."""
    if constant.source == LITERAL:
        return values.literals[constant.place]
    if constant.source == NOW:
        return values.now.isoformat(" ", "microseconds")
    if constant.source == CLOCK:
        clock = dt.datetime.now(dt.UTC).replace(tzinfo=None)
        return clock.isoformat(" ", "microseconds")
    parameter = values.parameters[constant.place]
    if parameter.data is None:
        return None
    if parameter.form:
        return binary.decode(values.kinds[constant.place], parameter.data)
    try:
        return parameter.data.decode()
    except UnicodeDecodeError:
        raise ServerError("22021", 'invalid byte sequence for encoding "UTF8"') from None


def _shift(binding: Binding, values: Values, text: str) -> Stored:
    moment = moments.read_moment(text, "timestamp with time zone", values.now)
    for sign, constant in binding.constant.shifts:
        span_text = read_constant(constant, values)
        if span_text is None:
            return None
        span = moments.read_span(span_text)
        moment = moments.add_span(moment, span.negate() if sign < 0 else span)
    if binding.kind.name == "date":
        return moment.date().isoformat()
    if binding.kind.name == "time":
        return moment.time().isoformat("microseconds")
    stored = write_moment(moment, binding.kind.form)
    return (
        write_text(binding.kind._replace(name="timestamptz"), stored)
        if _is_text(binding)
        else stored
    )


def _is_text(binding: Binding) -> bool:
    return category(binding.kind) == "text"


def _write_glob(text: str, mark: str) -> Stored:
    """Return a LIKE pattern as GLOB's, which looks at case as PostgreSQL does.

    `mark` is the character that takes the next one for itself.
    """
    parts = []
    escaped = False
    for char in text:
        if escaped or char not in {"%", "_", mark}:
            parts.append(f"[{char}]" if char in "*?[" else char)
            escaped = False
        elif char == mark:
            escaped = True
        else:
            parts.append("*" if char == "%" else "?")
    if escaped:
        raise ServerError("22025", "LIKE pattern must not end with escape character")
    return "".join(parts)


def _read_limit(text: str) -> Stored:
    count = round_half_away(text)
    if count < 0:
        raise ServerError("2201W", "LIMIT must not be negative")
    return min(count, 2**63 - 1)


def _read_offset(text: str) -> Stored:
    count = round_half_away(text)
    if count < 0:
        raise ServerError("2201X", "OFFSET must not be negative")
    return count


def _read_span(text: str) -> Stored:
    return write_span(moments.read_span(text), "micros")


_FORMS: dict[str, Callable[[str], Any]] = {
    "like": lambda text: text,
    "upper": to_upper,
    "lower": to_lower,
    "raw": lambda text: text,
    "limit": _read_limit,
    "offset": _read_offset,
    "span": _read_span,
}


def split_search_path(text: str) -> list[str]:
    """Return the path of `#>` and `#>>`, a text array."""
    return [part.strip('"') for part in re.split(r",", text.strip("{}")) if part]


__all__ = ["Binding", "Constant", "Parameter", "Values", "fit_text", "read_constant"]
