"""Puts literals into a statement's placeholders: `%s` and `%(name)s`, with psycopg2's errors."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ._adapting import codec_of, quote
from ._errors import ProgrammingError


def read_statement(query: Any, connection: Any) -> bytes:
    """Return a statement given as str, bytes or Composable; raises TypeError for others."""
    if hasattr(query, "as_string") and hasattr(query, "_wrapped"):
        query = query.as_string(connection)
    if not query:
        raise ProgrammingError("can't execute an empty query")
    if isinstance(query, str):
        return query.encode(codec_of(connection))
    if isinstance(query, bytes | bytearray):
        return bytes(query)
    raise TypeError(
        f"argument 1 must be a string or unicode object: got {type(query).__name__} instead"
    )


def merge(query: bytes, arguments: Any, connection: Any) -> bytes:
    """Return a statement with its arguments put in."""
    if arguments is None:
        return query
    formatter = _Formatter(arguments, connection)
    parts = []
    position = 0
    while True:
        mark = query.find(b"%", position)
        if mark < 0:
            parts.append(query[position:])
            break
        parts.append(query[position:mark])
        literal, position = formatter.read_placeholder(query, mark + 1)
        parts.append(literal)
    formatter.check_all_used()
    return b"".join(parts)


class _Formatter:
    """The values of one statement, quoted as they are asked for."""

    def __init__(self, arguments: Any, connection: Any) -> None:
        self.arguments = arguments
        self.connection = connection
        self.used = 0
        self.named: dict[bytes, bytes] = {}

    def read_placeholder(self, query: bytes, position: int) -> tuple[bytes, int]:
        """Return the literal of the placeholder after a "%", and where the text goes on."""
        char = query[position : position + 1]
        if char == b"%":
            return b"%", position + 1
        if char == b"(":
            return self._read_named(query, position)
        self._check_kind(query, position)
        if self.named:
            raise ProgrammingError("argument formats can't be mixed")
        if self.used == 0:
            self._check_sequence()
        value = self.arguments[self.used]
        self.used += 1
        return quote(value, self.connection), position + 1

    def _read_named(self, query: bytes, position: int) -> tuple[bytes, int]:
        end = query.find(b")", position)
        if end < 0:
            raise ProgrammingError("incomplete placeholder: '%(' without ')'")
        if self.used:
            raise ProgrammingError("argument formats can't be mixed")
        if query.find(b"(", position + 1, end) >= 0:
            raise ProgrammingError("incomplete placeholder: '%(' without ')'")
        self._check_kind(query, end + 1)
        name = query[position + 1 : end]
        if name not in self.named:
            value = self.arguments[name.decode(codec_of(self.connection))]
            self.named[name] = quote(value, self.connection)
        return self.named[name], end + 2

    @staticmethod
    def _check_kind(query: bytes, position: int) -> None:
        kind = query[position : position + 1]
        if not kind:
            raise ValueError("incomplete format")
        if kind != b"s":
            shown = kind.decode("latin-1")
            raise ValueError(
                f"unsupported format character '{shown}' (0x{kind[0]:x}) at index {position}"
            )

    def _check_sequence(self) -> None:
        if hasattr(self.arguments, "keys"):
            raise TypeError("dict is not a sequence")
        if not hasattr(self.arguments, "__getitem__"):
            raise TypeError(f"'{type(self.arguments).__name__}' object does not support indexing")

    def check_all_used(self) -> None:
        """Raise TypeError when values are left over."""
        if self.used and len(self.arguments) > self.used:
            raise TypeError("not all arguments converted during string formatting")


Mogrify = Callable[[bytes, Any], bytes]
