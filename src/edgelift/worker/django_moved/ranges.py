"""Ranges of PostgreSQL as values: the move keeps their printed text, such as `[1,5)`."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable
from typing import Any

_TEXT = re.compile(
    r'([\[(])\s*(?:"((?:[^"\\]|\\.|"")*)"|([^",\s)\]]*))\s*,'
    r'\s*(?:"((?:[^"\\]|\\.|"")*)"|([^",)\]]*))\s*([\])])'
)


class Range:
    """A range; `lower` or `upper` is None where it has no end."""

    def __init__(
        self, lower: Any = None, upper: Any = None, bounds: str = "[)", empty: bool = False
    ) -> None:
        if bounds not in {"[)", "(]", "()", "[]"}:
            raise ValueError(f"bound flags not valid: {bounds!r}")
        self.lower = None if empty else lower
        self.upper = None if empty else upper
        self._bounds: Any = None if empty else bounds

    @property
    def isempty(self) -> bool:
        """Whether nothing lies in the range."""
        return self._bounds is None

    @property
    def lower_inf(self) -> bool:
        """Whether the range has no lower end."""
        return bool(self._bounds) and self.lower is None

    @property
    def upper_inf(self) -> bool:
        """Whether the range has no upper end."""
        return bool(self._bounds) and self.upper is None

    @property
    def lower_inc(self) -> bool:
        """Whether the lower end belongs to it."""
        return bool(self._bounds) and self._bounds[0] == "[" and self.lower is not None

    @property
    def upper_inc(self) -> bool:
        """Whether the upper end belongs to it."""
        return bool(self._bounds) and self._bounds[1] == "]" and self.upper is not None

    def __contains__(self, value: Any) -> bool:
        if not self._bounds:
            return False
        if self.lower is not None and (
            value < self.lower or (value == self.lower) > self.lower_inc
        ):
            return False
        return self.upper is None or value < self.upper or (value == self.upper and self.upper_inc)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Range):
            return NotImplemented
        return self._parts() == other._parts()

    def __hash__(self) -> int:
        return hash(self._parts())

    def __bool__(self) -> bool:
        return bool(self._bounds)

    def __repr__(self) -> str:
        if not self._bounds:
            return f"{type(self).__name__}(empty=True)"
        return f"{type(self).__name__}({self.lower!r}, {self.upper!r}, {self._bounds!r})"

    def __str__(self) -> str:
        if not self._bounds:
            return "empty"
        return f"{self._bounds[0]}{self.lower}, {self.upper}{self._bounds[1]}"

    def _parts(self) -> tuple[Any, Any, Any]:
        return self.lower, self.upper, self._bounds


class NumericRange(Range):
    """A range of numbers."""


class DateRange(Range):
    """A range of dates."""


class DateTimeRange(Range):
    """A range of moments without a time zone."""


class DateTimeTZRange(Range):
    """A range of moments."""


_DISCRETE = {"int4range", "int8range", "daterange"}


def write_range(value: Range, kind: str) -> str:
    """Return the text of a range as PostgreSQL prints it; ranges of whole steps are `[a,b)`."""
    if value.isempty:
        return "empty"
    lower, upper, bounds = value.lower, value.upper, value._bounds
    if kind in _DISCRETE:
        step: Any = dt.timedelta(days=1) if kind == "daterange" else 1
        if lower is not None and bounds[0] == "(":
            lower += step
        if upper is not None and bounds[1] == "]":
            upper += step
        bounds = "[)"
    if lower is not None and upper is not None and lower > upper:
        raise ValueError("range lower bound must be less than or equal to range upper bound")
    if lower is not None and lower == upper and bounds != "[]":
        return "empty"
    left = "(" if lower is None else bounds[0]
    right = ")" if upper is None else bounds[1]
    return f"{left}{_write_end(lower)},{_write_end(upper)}{right}"


def _write_end(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, dt.datetime):
        moment = value.astimezone(dt.UTC) if value.tzinfo else value
        text = moment.strftime("%Y-%m-%d %H:%M:%S")
        text += f".{moment.microsecond:06d}".rstrip("0") if moment.microsecond else ""
        return f'"{text}{"+00" if value.tzinfo else ""}"'
    return str(value)


def read_range(text: str, make: type[Range], read_end: Callable[[str], Any]) -> Range:
    """Return the range of a text, each end through `read_end`."""
    if text == "empty":
        return make(empty=True)
    found = _TEXT.fullmatch(text.strip())
    if found is None:
        raise ValueError(f"{text!r} is no range")
    lower = found[2] if found[2] is not None else found[3]
    upper = found[4] if found[4] is not None else found[5]
    return make(
        read_end(lower) if lower else None, read_end(upper) if upper else None, found[1] + found[6]
    )
