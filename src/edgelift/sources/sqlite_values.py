"""Write two differing SQLite values so that a person sees the difference, and name its kind."""

from __future__ import annotations

import math
from typing import Any

_SHOWN = 60  # characters of a long text or bytes of a long blob that are shown


def show_value(value: Any, start: int = 0) -> str:
    """Return a value as an SQL literal, long ones cut; `start` is where the shown part begins."""
    if value is None:
        return "NULL"
    if isinstance(value, float):
        if math.isinf(value):
            return "9e999" if value > 0 else "-9e999"
        return repr(value)
    if isinstance(value, int):
        return str(value)
    if isinstance(value, bytes):
        part = value[start : start + _SHOWN]
        text = f"x'{part.hex()}'"
    else:
        part = value[start : start + _SHOWN]
        text = "'" + _visible(part).replace("'", "''") + "'"
    if start or len(part) < len(value):
        unit = "bytes" if isinstance(value, bytes) else "characters"
        text = f"{'…' if start else ''}{text} ({len(value)} {unit}, from {start})"
    return text


def _visible(text: str) -> str:
    return "".join(
        c if c.isprintable() else c.encode("unicode_escape", "surrogatepass").decode() for c in text
    )


def show_pair(origin: Any, target: Any) -> tuple[str, str]:
    """Return both values as literals, each cut around the first place where they differ."""
    start = 0
    if (isinstance(origin, str) and isinstance(target, str)) or (
        isinstance(origin, bytes) and isinstance(target, bytes)
    ):
        same = next(
            (i for i, (a, b) in enumerate(zip(origin, target, strict=False)) if a != b),
            min(len(origin), len(target)),
        )
        start = max(0, same - _SHOWN // 2) if max(len(origin), len(target)) > _SHOWN else 0
    return show_value(origin, start), show_value(target, start)


def is_same(origin: Any, target: Any, tolerance: float = 0.0) -> bool:
    """Return whether two values are of the same type and equal, floats within `tolerance`."""
    if type(origin) is not type(target):
        return False
    if isinstance(origin, float):
        if origin == target:
            return math.copysign(1, origin) == math.copysign(1, target) or tolerance > 0
        return tolerance > 0 and abs(origin - target) <= tolerance
    return bool(origin == target)


def name_difference(origin: Any, target: Any) -> str:
    """Return the kind of a difference between two values, in the words of CellDifference."""
    if origin is None or target is None:
        return "null"
    if type(origin) is not type(target):
        return "type"
    if isinstance(origin, str):
        if origin.strip() == target.strip():
            return "white space"
        if origin.casefold() == target.casefold():
            return "letter case"
    return "value"
