"""Parts of the SQL that stands for functions in Python: arguments, and the way to the copy."""

from __future__ import annotations

from typing import Any, NamedTuple

UNKNOWN: Any = object()
# What an expression raises for a value it was not made for; connection.py then uses a copy.
REFUSAL = "malformed JSON"


class Argument(NamedTuple):
    """An argument's text, which may stand several times, and its value where it is a constant."""

    sql: str
    value: Any


def refuse(value: str) -> str:
    """Return what raises REFUSAL when it is evaluated; it depends on a value, so not before."""
    return f"json('PYTHON'||{value})"


def choose(value: str, valid: str, result: str) -> str:
    """Return `result` for valid values, NULL for NULL."""
    return (
        f"CASE WHEN {value} IS NULL THEN NULL WHEN {valid} THEN {result} ELSE {refuse(value)} END"
    )
