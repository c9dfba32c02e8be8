"""Makes the text that libpq makes of an error or a notice, with the line of the query it means."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable

from edgelift.worker.postgres.results import Report

_CONTEXT = 60  # libpq, fe-protocol3.c: DISPLAY_SIZE
_MIN_RIGHT = 10  # MIN_RIGHT_CUT

Decode = Callable[[bytes], str]


def decode_utf8(value: bytes) -> str:
    """Return text of a server whose client encoding is UTF8."""
    return value.decode("utf-8", "replace")


def format_report(report: Report, query: str | None = None, decode: Decode = decode_utf8) -> str:
    """Return "ERROR:  ..." with LINE, DETAIL, HINT, QUERY and CONTEXT, as PQerrorMessage does."""
    severity = decode(report.get("S", b"ERROR"))
    text = f"{severity}:  {decode(report.get('M', b''))}"
    lines = ""
    position = report.get("P")
    inner = report.get("p")
    if position is not None and query is not None:
        lines = _show_position(query, int(position))
    elif position is not None:
        text += f" at character {decode(position)}"
    elif inner is not None and "q" in report:
        lines = _show_position(decode(report["q"]), int(inner))
    parts = [text, "\n", lines]
    for code, title in (("D", "DETAIL"), ("H", "HINT"), ("q", "QUERY"), ("W", "CONTEXT")):
        if code in report:
            parts.append(f"{title}:  {decode(report[code])}\n")
    return "".join(parts)


def _width(char: str) -> int:
    if unicodedata.combining(char):
        return 0
    return 2 if unicodedata.east_asian_width(char) in {"W", "F"} else 1


def _show_position(query: str, position: int) -> str:
    """Return the "LINE n: ..." lines for a character position counted from 1."""
    index = position - 1
    if not 0 <= index <= len(query):
        return ""
    before = query[:index].replace("\r\n", "\n").replace("\r", "\n")
    number = before.count("\n") + 1
    start = len(before) - len(before.rpartition("\n")[2])
    start = index - (len(before) - start)
    end = index
    while end < len(query) and query[end] not in "\r\n":
        end += 1
    line = query[start:end].replace("\t", " ")
    line, column, prefix, suffix = _cut(line, index - start)
    head = f"LINE {number}: {prefix}"
    indent = len(head) + sum(map(_width, line[:column]))
    return f"{head}{line}{suffix}\n{' ' * indent}^\n"


def _cut(line: str, column: int) -> tuple[str, int, str, str]:
    """Return the part of a long line around a column, and the dots before and after it."""
    offsets = [0]
    for char in line:
        offsets.append(offsets[-1] + _width(char))
    if offsets[-1] <= _CONTEXT:
        return line, column, "", ""
    last = len(line)
    if offsets[column] + _MIN_RIGHT <= _CONTEXT:
        while offsets[last] > _CONTEXT:
            last -= 1
        return line[:last], column, "", "..."
    suffix = ""
    if offsets[column] + _MIN_RIGHT < offsets[-1]:
        while offsets[last] - offsets[column] > _MIN_RIGHT:
            last -= 1
        suffix = "..."
    first = 0
    while offsets[last] - offsets[first] > _CONTEXT:
        first += 1
    return line[first:last], column - first, "...", suffix
