"""Writes Python values as SQL literals, as psycopg2 binds on the client's side."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Callable
from decimal import Decimal
from typing import Any

from edgelift.worker.postgres.encodings import CODECS

from ._errors import ProgrammingError


class ISQLQuote:
    """What adapts a value: `getquoted` gives its literal."""

    __module__ = "psycopg2.extensions"

    _wrapped: Any

    def __init__(self, wrapped: Any = None) -> None:
        self._wrapped = wrapped

    def getquoted(self) -> Any:
        """Return the literal as bytes."""
        return None

    def getbinary(self) -> Any:
        """Return the literal in binary, which nothing uses."""
        return None

    def getbuffer(self) -> Any:
        """Return the wrapped value's buffer, which nothing uses."""
        return None


class _Adapter:
    """An adapter of one value; `prepare` tells it the connection it is quoted for."""

    def __init__(self, adapted: Any) -> None:
        self.adapted = adapted
        self._connection: Any = None

    def prepare(self, conn: Any) -> None:
        """Take the connection whose encoding and settings count."""
        self._connection = conn

    def literal(self) -> str:
        """Return the SQL literal."""
        return str(self.adapted)

    def getquoted(self) -> bytes:
        """Return the SQL literal in the connection's encoding."""
        return self.literal().encode(codec_of(self._connection))

    def __conform__(self, proto: Any) -> Any:
        return self if proto is ISQLQuote else None

    def __str__(self) -> str:
        return self.getquoted().decode(codec_of(self._connection))


def codec_of(connection: Any) -> str:
    """Return the Python codec of a connection's encoding."""
    return str(getattr(connection, "_codec", "utf-8"))


class AsIs(_Adapter):
    """Text that is SQL already."""

    __module__ = "psycopg2.extensions"


class QuotedString(_Adapter):
    """A quoted string; doubles backslashes where the server would read them as escapes."""

    __module__ = "psycopg2.extensions"

    encoding = "latin1"

    def prepare(self, conn: Any) -> None:
        """Take the connection whose encoding and settings count."""
        super().prepare(conn)
        self.encoding = CODECS.get(getattr(conn, "encoding", ""), codec_of(conn))

    @property
    def buffer(self) -> Any:
        """The string itself."""
        return self.adapted

    def getquoted(self) -> bytes:
        """Return the literal; raises ValueError for a NUL character."""
        codec = codec_of(self._connection) if self._connection is not None else self.encoding
        text = self.adapted.decode(codec) if isinstance(self.adapted, bytes) else str(self.adapted)
        text.encode(codec)  # so that an error tells the place in the text
        return quote_text(text, self._connection).encode(codec)


def quote_text(text: str, connection: Any = None) -> str:
    """Return a string literal."""
    if "\0" in text:
        raise ValueError("A string literal cannot contain NUL (0x00) characters.")
    text = text.replace("'", "''")
    if "\\" not in text or getattr(connection, "_standard_strings", True):
        return f"'{text}'"
    escaped = text.replace("\\", "\\\\")
    return f"E'{escaped}'"


class Binary(_Adapter):
    """A bytea literal of any object with a buffer."""

    __module__ = "psycopg2.extensions"

    @property
    def buffer(self) -> Any:
        """The object whose bytes are quoted."""
        return self.adapted

    def literal(self) -> str:
        """Return the bytes in hexadecimal."""
        if self.adapted is None:
            return "NULL"
        try:
            data = memoryview(self.adapted).tobytes()
        except TypeError:
            raise TypeError(f"can't escape {type(self.adapted).__name__} to binary") from None
        if not data and self._connection is None:
            return "''::bytea"
        slash = "\\" if getattr(self._connection, "_standard_strings", True) else "\\\\"
        return f"'{slash}x{data.hex()}'::bytea"


class Boolean(_Adapter):
    """true or false."""

    __module__ = "psycopg2.extensions"

    def literal(self) -> str:
        """Return the literal."""
        return "true" if self.adapted else "false"


def _spaced(text: str) -> str:
    """Keep a sign apart from an operator before it: `1 --1` would be a comment."""
    return f" {text}" if text.startswith("-") else text


class Int(_Adapter):
    """An integer, subclasses included."""

    __module__ = "psycopg2.extensions"

    def literal(self) -> str:
        """Return the literal."""
        return _spaced(int.__repr__(int(self.adapted)))


class Float(_Adapter):
    """A float with all its digits."""

    __module__ = "psycopg2.extensions"

    def literal(self) -> str:
        """Return the literal; NaN and infinities need a cast."""
        value = float(self.adapted)
        if math.isnan(value):
            return "'NaN'::float"
        if math.isinf(value):
            return "'Infinity'::float" if value > 0 else "'-Infinity'::float"
        return _spaced(repr(value))


class PgDecimal(_Adapter):
    """A Decimal; NaN and infinities are NaN, as in psycopg2."""

    __module__ = "psycopg2._psycopg"
    __qualname__ = "Decimal"

    def literal(self) -> str:
        """Return the literal."""
        return _spaced(str(self.adapted)) if self.adapted.is_finite() else "'NaN'::numeric"


class NoneAdapter(_Adapter):
    """NULL."""

    __module__ = "psycopg2._psycopg"

    def literal(self) -> str:
        """Return the literal."""
        return "NULL"


class pydatetime(_Adapter):
    """A date, time, timestamp or interval with the cast of its type."""

    __module__ = "psycopg2._psycopg"

    def literal(self) -> str:
        """Return the literal."""
        value = self.adapted
        if isinstance(value, dt.timedelta):
            clock = f"{value.seconds}.{value.microseconds:06d}"
            return f"'{value.days} days {clock} seconds'::interval"
        name = "date"
        if isinstance(value, dt.datetime):
            name = "timestamp" if value.tzinfo is None else "timestamptz"
        elif isinstance(value, dt.time):
            name = "time" if value.tzinfo is None else "timetz"
        return f"'{value.isoformat()}'::{name}"


class List(_Adapter):
    """An array; one with nothing but NULLs is a string, for it has no type of its own."""

    __module__ = "psycopg2._psycopg"

    def literal(self) -> str:
        """Return the literal."""
        if not self.adapted:
            return "'{}'"
        if _has_only_nulls(self.adapted):
            return f"'{_braces(self.adapted)}'"
        parts = (_inner(item, self._connection) for item in self.adapted)
        return f"ARRAY[{','.join(parts)}]"


def _inner(item: Any, connection: Any) -> str:
    if item is None:
        return "NULL"
    text = quote(item, connection).decode(codec_of(connection))
    # Inside an array the empty one is an expression, too.
    return "ARRAY[]" if isinstance(item, list) and text == "'{}'" else text


def _has_only_nulls(items: list[Any]) -> bool:
    return all(
        item is None or (isinstance(item, list) and bool(item) and _has_only_nulls(item))
        for item in items
    )


def _braces(items: list[Any]) -> str:
    inner = ("NULL" if item is None else _braces(item) for item in items)
    return "{" + ",".join(inner) + "}"


class SQL_IN(_Adapter):
    """A tuple as the right side of IN."""

    __module__ = "psycopg2.extensions"

    def literal(self) -> str:
        """Return the literal."""
        codec = codec_of(self._connection)
        return (
            f"({', '.join(quote(item, self._connection).decode(codec) for item in self.adapted)})"
        )


adapters: dict[tuple[type, Any], Callable[[Any], Any]] = {
    (type(None), ISQLQuote): NoneAdapter,
    (bool, ISQLQuote): Boolean,
    (int, ISQLQuote): Int,
    (float, ISQLQuote): Float,
    (Decimal, ISQLQuote): PgDecimal,
    (str, ISQLQuote): QuotedString,
    (bytes, ISQLQuote): Binary,
    (bytearray, ISQLQuote): Binary,
    (memoryview, ISQLQuote): Binary,
    (list, ISQLQuote): List,
    (tuple, ISQLQuote): SQL_IN,
    (dt.date, ISQLQuote): pydatetime,
    (dt.time, ISQLQuote): pydatetime,
    (dt.datetime, ISQLQuote): pydatetime,
    (dt.timedelta, ISQLQuote): pydatetime,
}


def register_adapter(typ: type, callable: Callable[[Any], Any]) -> None:
    """Write values of a type, and of its subclasses without an own one, by this adapter."""
    adapters[typ, ISQLQuote] = callable


def adapt(obj: Any, protocol: Any = ISQLQuote, alternate: Any = None) -> Any:
    """Return the adapter of a value; raises ProgrammingError when it has none."""
    kind = type(obj)
    made = adapters.get((kind, protocol))
    if made is not None:
        return made(obj)
    for method, argument in (("__adapt__", obj), ("__conform__", protocol)):
        owner = protocol if method == "__adapt__" else obj
        function = getattr(owner, method, None)
        if function is not None and not isinstance(owner, type) | (method == "__adapt__"):
            found = function(argument)
            if found is not None:
                return found
    for base in kind.__mro__[1:]:
        made = adapters.get((base, protocol))
        if made is not None:
            return made(obj)
    if alternate is not None:
        return alternate
    raise ProgrammingError(f"can't adapt type '{kind.__name__}'")


def quote(obj: Any, connection: Any = None) -> bytes:
    """Return a value's literal for a connection."""
    if obj is None:
        return b"NULL"
    adapted = adapt(obj)
    prepare = getattr(adapted, "prepare", None)
    if prepare is not None and connection is not None:
        prepare(connection)
    literal = adapted.getquoted()
    return literal.encode(codec_of(connection)) if isinstance(literal, str) else bytes(literal)
