"""The ops in Python: makers of functions that turn one raw field into one value of SQLite."""

from __future__ import annotations

from collections.abc import Callable, Mapping

Value = None | int | float | str | bytes
Raw = bytes | int | float | str  # the sqlite wire has typed values, the others bytes
Convert = Callable[[Raw], Value]
Settings = Mapping[str, str]


class RefusedValueError(ValueError):
    """A value that the op cannot carry; the text says why, the engine adds where."""


def apply_policy(policy: str, text: str, why: str) -> str | None:
    """Return what the policy makes of a value that has no counterpart, or refuse it."""
    if policy == "text":
        return text
    if policy == "null":
        return None
    raise RefusedValueError(why)


def read_ascii(raw: Raw) -> str:
    """Return a field that must be ASCII text; other classes and bytes are refused."""
    if isinstance(raw, str):
        text = raw
    elif isinstance(raw, bytes):
        text = raw.decode("latin-1")
    else:
        raise RefusedValueError("is no text")
    if not text.isascii():
        raise RefusedValueError("has characters that are not ASCII")
    return text
