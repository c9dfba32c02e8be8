"""PostgreSQL's text form of arrays, in and out (documentation, "Arrays", 8.15.6)."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable
from typing import Any

_MAX_DEPTH = 16


class ArrayError(ValueError):
    """The text is no array."""


@functools.cache
def _pieces(delimiter: str) -> re.Pattern[str]:
    mark = re.escape(delimiter)
    return re.compile(rf'([{{}}{mark}])|"((?:[^"\\]|\\.)*)"|([^{{}}{mark}"]+)', re.DOTALL)


def parse_array(text: str, convert: Callable[[str | None], Any], delimiter: str = ",") -> Any:
    """Return an array as nested lists of converted items; raises ArrayError for other text."""
    text = _drop_bounds(text)
    stack: list[list[Any]] = []
    root: list[Any] = []
    for mark, quoted, plain in _pieces(delimiter).findall(text):
        if mark == "{":
            level: list[Any] = []
            (stack[-1] if stack else root).append(level)
            stack.append(level)
            if len(stack) > _MAX_DEPTH:
                raise ArrayError("excessive array dimensions")
        elif mark == "}":
            if not stack:
                raise ArrayError("unbalanced braces in array")
            stack.pop()
        elif plain:
            stack[-1].append(convert(None if plain.upper() == "NULL" else plain))
        elif not mark:
            item = re.sub(r"\\(.)", r"\1", quoted, flags=re.DOTALL) if "\\" in quoted else quoted
            stack[-1].append(convert(item))
    if stack or len(root) != 1:
        raise ArrayError("unbalanced braces in array")
    return root[0]


def _drop_bounds(text: str) -> str:
    """Return an array's text without the bounds that it may begin with."""
    if not text.startswith(("{", "[")):
        raise ArrayError("array does not start with '{'")
    return text[text.index("=") + 1 :] if text[0] == "[" else text


def format_array(items: Any, convert: Callable[[Any], str], delimiter: str = ",") -> str:
    """Return nested lists as an array's text."""
    parts = []
    for item in items:
        if item is None:
            parts.append("NULL")
        elif isinstance(item, list):
            parts.append(format_array(item, convert, delimiter))
        else:
            text = convert(item).replace("\\", "\\\\").replace('"', '\\"')
            parts.append(f'"{text}"')
    return "{" + delimiter.join(parts) + "}"
