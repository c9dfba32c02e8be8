"""psycopg2.sql: statements composed of text, identifiers, literals and placeholders."""

from __future__ import annotations

import string
from collections.abc import Iterable, Iterator
from typing import Any

from . import _adapting, extensions

_formatter = string.Formatter()


class Composable:
    """The base of everything that can be a part of a statement."""

    def __init__(self, wrapped: Any) -> None:
        self._wrapped = wrapped

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._wrapped!r})"

    def as_string(self, context: Any) -> str:
        """Return the text for a connection or cursor; every subclass has its own."""
        raise TypeError(f"{type(self).__name__} has no text")

    def __add__(self, other: Any) -> Composed:
        if isinstance(other, Composed):
            return Composed([self]) + other
        if isinstance(other, Composable):
            return Composed([self]) + Composed([other])
        return NotImplemented

    def __mul__(self, n: int) -> Composed:
        return Composed([self] * n)

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other) and self._wrapped == other._wrapped

    def __ne__(self, other: object) -> bool:
        return not self.__eq__(other)

    __hash__ = None  # type: ignore[assignment]


class Composed(Composable):
    """A sequence of parts."""

    def __init__(self, seq: Iterable[Any]) -> None:
        parts = []
        for part in seq:
            if not isinstance(part, Composable):
                raise TypeError(f"Composed elements must be Composable, got {part!r} instead")
            parts.append(part)
        super().__init__(parts)

    @property
    def seq(self) -> list[Composable]:
        """The parts, as a new list."""
        return list(self._wrapped)

    def as_string(self, context: Any) -> str:
        """Return the text of all parts."""
        return "".join(part.as_string(context) for part in self._wrapped)

    def __iter__(self) -> Iterator[Composable]:
        return iter(self._wrapped)

    def __add__(self, other: Any) -> Composed:
        if isinstance(other, Composed):
            return Composed(self._wrapped + other._wrapped)
        if isinstance(other, Composable):
            return Composed([*self._wrapped, other])
        return NotImplemented

    def join(self, joiner: Any) -> Composed:
        """Return the parts with a text between them."""
        if isinstance(joiner, str):
            joiner = SQL(joiner)
        elif not isinstance(joiner, SQL):
            raise TypeError("Composed.join() argument must be a string or an SQL")
        return joiner.join(self)


class SQL(Composable):
    """Text that is SQL already."""

    def __init__(self, string: str) -> None:
        if not isinstance(string, str):
            raise TypeError("SQL values must be strings")
        super().__init__(string)

    @property
    def string(self) -> str:
        """The text."""
        return str(self._wrapped)

    def as_string(self, context: Any) -> str:
        """Return the text."""
        return str(self._wrapped)

    def format(self, *args: Any, **kwargs: Any) -> Composed:
        """Return the text with parts in the places of `{}`, `{0}` or `{name}`."""
        parts: list[Composable] = []
        automatic: int | None = 0
        for text, name, spec, conversion in _formatter.parse(self._wrapped):
            if spec:
                raise ValueError("no format specification supported by SQL")
            if conversion:
                raise ValueError("no format conversion supported by SQL")
            if text:
                parts.append(SQL(text))
            if name is None:
                continue
            if name.isdigit():
                if automatic:
                    raise ValueError("cannot switch from automatic field numbering to manual")
                parts.append(args[int(name)])
                automatic = None
            elif not name:
                if automatic is None:
                    raise ValueError("cannot switch from manual field numbering to automatic")
                parts.append(args[automatic])
                automatic += 1
            else:
                parts.append(kwargs[name])
        return Composed(parts)

    def join(self, seq: Iterable[Any]) -> Composed:
        """Return parts with this text between them."""
        parts: list[Any] = []
        for index, part in enumerate(seq):
            if index:
                parts.append(self)
            parts.append(part)
        return Composed(parts)


class Identifier(Composable):
    """A name in double quotes; several are a qualified one."""

    def __init__(self, *strings: str) -> None:
        if not strings:
            raise TypeError("Identifier cannot be empty")
        for text in strings:
            if not isinstance(text, str):
                raise TypeError("SQL identifier parts must be strings")
        super().__init__(strings)

    @property
    def strings(self) -> tuple[str, ...]:
        """The parts of the name."""
        return tuple(self._wrapped)

    @property
    def string(self) -> str:
        """The name, when it has a single part."""
        if len(self._wrapped) == 1:
            return str(self._wrapped[0])
        raise AttributeError("the Identifier wraps more than one than one string")

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(map(repr, self._wrapped))})"

    def as_string(self, context: Any) -> str:
        """Return the quoted name."""
        return ".".join(extensions.quote_ident(text, context) for text in self._wrapped)


class Literal(Composable):
    """A value that is written into the statement."""

    @property
    def wrapped(self) -> Any:
        """The value."""
        return self._wrapped

    def as_string(self, context: Any) -> str:
        """Return the value's literal."""
        connection = context
        if isinstance(context, extensions.cursor):
            connection = context.connection
        elif not isinstance(context, extensions.connection):
            raise TypeError("context must be a connection or a cursor")
        return _adapting.quote(self._wrapped, connection).decode(_adapting.codec_of(connection))


class Placeholder(Composable):
    """A `%s` or `%(name)s` for a value given at execution."""

    def __init__(self, name: str | None = None) -> None:
        if isinstance(name, str):
            if ")" in name:
                raise ValueError(f"invalid name: {name!r}")
        elif name is not None:
            raise TypeError(f"expected string or None as name, got {name!r}")
        super().__init__(name)

    @property
    def name(self) -> Any:
        """The name, None for a positional one."""
        return self._wrapped

    def __repr__(self) -> str:
        shown = "" if self._wrapped is None else repr(self._wrapped)
        return f"{type(self).__name__}({shown})"

    def as_string(self, context: Any) -> str:
        """Return the placeholder."""
        return "%s" if self._wrapped is None else f"%({self._wrapped})s"


NULL = SQL("NULL")
DEFAULT = SQL("DEFAULT")
