"""Upper and lower case beyond ASCII in plain SQL, as the servers' towupper and towlower."""

from __future__ import annotations

import functools
import json
from collections.abc import Callable

# Letters with cases below U+2000: Latin, Greek, Cyrillic, Armenian, Georgian and their extensions.
_LAST = 0x2000
# Letters whose upper case is that of another letter too.
_SHARED = {
    chr(upper): chr(lower)
    for upper, lower in (
        (0x3A3, 0x3C2), (0x39C, 0xB5), (0x392, 0x3D0), (0x398, 0x3D1), (0x3A6, 0x3D5),
        (0x3A0, 0x3D6), (0x39A, 0x3F0), (0x3A1, 0x3F1), (0x395, 0x3F5), (0x1E60, 0x1E9B),
        (0x49, 0x131), (0x53, 0x17F),
    )
}  # fmt: skip


def _single(letter: str, other: str) -> str:
    return other if len(other) == 1 else letter


def to_upper(text: str) -> str:
    """Return a text with each letter in upper case; none becomes two."""
    return "".join(_single(letter, letter.upper()) for letter in text)


def to_lower(text: str) -> str:
    """Return a text with each letter in lower case; none becomes two."""
    return "".join(_single(letter, letter.lower()) for letter in text)


def fold_for(text: str, sql: str) -> str:
    """Return an expression whose letters beyond ASCII that `text` has are in upper case.

    The others cannot be equal to any of it.
    """
    letters = {x for x in to_upper(text) if ord(x) > 127 or x in _SHARED}
    for letter in sorted(letters):
        lower = _single(letter, letter.lower()) if ord(letter) > 127 else letter
        title = _single(letter, letter.title())
        for form in sorted({lower, title, *_SHARED.get(letter, "")} - {letter}):
            sql = f"REPLACE({sql}, '{form}', '{letter}')"
    return sql


@functools.cache
def _write_map(change: Callable[[str], str]) -> str:
    pairs = {
        f"u{number}": changed
        for number in range(128, _LAST)
        if len(changed := change(chr(number))) == 1 and changed != chr(number)
    }
    return json.dumps(pairs, ensure_ascii=False, separators=(",", ":")).replace("'", "''")


def write_upper(sql: str) -> str:
    """Return the upper case of an expression."""
    return _write_changed(sql, "UPPER", str.upper)


def write_lower(sql: str) -> str:
    """Return the lower case of an expression."""
    return _write_changed(sql, "LOWER", str.lower)


def _write_changed(sql: str, function: str, change: Callable[[str], str]) -> str:
    """Return SQL that goes through the letters only where a text has some beyond ASCII."""
    letter = (
        "(SELECT GROUP_CONCAT(COALESCE(m ->> ('$.u' || UNICODE(c)), "
        f"{function}(c)), '') FROM (WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL "
        "SELECT i + 1 FROM n WHERE i < LENGTH(v)) SELECT i, SUBSTR(v, i, 1) AS c, "
        f"'{_write_map(change)}' AS m FROM n ORDER BY i))"
    )
    plain = "LENGTH(v) = LENGTH(CAST(v AS BLOB))"
    return (
        f"(SELECT CASE WHEN v IS NULL OR {plain} THEN {function}(v) ELSE {letter} END "
        f"FROM (SELECT {sql} AS v))"
    )
