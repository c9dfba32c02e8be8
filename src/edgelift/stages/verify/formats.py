"""The format of a value, which must stay when noise changes the value (used by noise)."""

from __future__ import annotations

import re

_DATE = r"\d{4}-\d\d-\d\d"
_TIME = r"\d\d:\d\d(:\d\d)?([.,]\d+)?"
# Order matters: the first pattern that matches the whole text names its format.
_PATTERNS: tuple[tuple[str, re.Pattern[str]], ...] = tuple(
    (name, re.compile(pattern, re.IGNORECASE))
    for name, pattern in (
        ("iso datetime Z", rf"{_DATE}T{_TIME}Z"),
        ("iso datetime with offset", rf"{_DATE}T{_TIME}[+-]\d\d:?\d\d"),
        ("iso datetime", rf"{_DATE}T{_TIME}"),
        ("sql datetime with offset", rf"{_DATE} {_TIME}([+-]\d\d:?\d\d|Z)"),
        ("sql datetime", rf"{_DATE} {_TIME}"),
        ("iso date", _DATE),
        ("time", _TIME),
        ("http date", r"[A-Z][a-z]{2}, \d\d[ -][A-Z][a-z]{2}[ -]\d{4} \d\d:\d\d:\d\d GMT"),
        ("uuid", r"[0-9a-f]{8}-([0-9a-f]{4}-){3}[0-9a-f]{12}"),
        ("uuid without dashes", r"[0-9a-f]{32}"),
        ("digits", r"[+-]?\d+"),
        ("decimal", r"[+-]?\d*\.\d+(e[+-]?\d+)?"),
        ("weak etag", r'W/".*"'),
        ("quoted", r'".*"'),
        ("jwt", r"[\w-]{8,}\.[\w-]{8,}\.[\w-]{8,}"),
    )
)
_HEX = re.compile(r"[0-9a-f]{8,}", re.IGNORECASE)
_TOKEN = re.compile(r"[\w.~+/=-]{16,}")
# Unix times of 2001 to 2100, in seconds and in milliseconds.
_EPOCH_S = range(1_000_000_000, 4_102_444_800)


def name_format(value: object) -> str:
    """Return the format of a JSON value or header text: `uuid`, `iso datetime Z`, `integer`, ...

    Two values of one format are alike for a client that reads them; texts without any known form
    are all `text`.
    """
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, int):
        return _name_integer(value)
    if isinstance(value, float):
        return "unix time, fraction" if int(value) in _EPOCH_S else "number with fraction"
    if isinstance(value, str):
        return _name_text(value)
    return "list" if isinstance(value, list) else "object"


def _name_integer(value: int) -> str:
    if value in _EPOCH_S:
        return "unix time"
    return "unix time in ms" if value // 1000 in _EPOCH_S else "integer"


def _name_text(value: str) -> str:
    for name, pattern in _PATTERNS:
        if pattern.fullmatch(value):
            return name
    if _HEX.fullmatch(value):
        return f"hex, {len(value)} digits"
    if _TOKEN.fullmatch(value) and any(c.isdigit() for c in value):
        return "token"
    return "text"


def is_identifier(value: object) -> bool:
    """Return whether a value is made to be unique, so that the same one must come back later."""
    form = name_format(value)
    return form in {"uuid", "uuid without dashes", "jwt", "token"} or form.startswith("hex")


def show(value: object, limit: int = 80) -> str:
    """Return a value as JSON-like text for people, shortened to `limit` characters."""
    import json

    text = (
        value
        if isinstance(value, str) and value[:1] == "<"
        else json.dumps(value, default=repr, ensure_ascii=False)
    )
    return text if len(text) <= limit else f"{text[: limit - 3]}..."
