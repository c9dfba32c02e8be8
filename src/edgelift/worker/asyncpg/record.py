"""asyncpg.Record: a row whose values are found by number and by name."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

_MISSING = object()


class Shape:
    """The columns of a result, shared by its rows."""

    __slots__ = "index", "names"

    def __init__(self, names: tuple[str, ...]) -> None:
        self.names = names
        self.index = {name: number for number, name in enumerate(names)}


class Record:
    """A row; equal to the tuple of its values."""

    __module__ = "asyncpg.protocol.record"
    __slots__ = "_shape", "_values"

    _shape: Shape
    _values: tuple[Any, ...]

    def __new__(cls, *arguments: Any, **named: Any) -> Any:
        """Refuse: rows are made by the driver."""
        raise TypeError(f"cannot create '{cls.__module__}.{cls.__qualname__}' instances")

    def __getitem__(self, key: Any) -> Any:
        if isinstance(key, str):
            return self._values[self._shape.index[key]]
        try:
            return self._values[key]
        except IndexError:
            raise IndexError("record index out of range") from None

    def __len__(self) -> int:
        return len(self._values)

    def __iter__(self) -> Iterator[Any]:
        return iter(self._values)

    def __contains__(self, key: object) -> bool:
        return key in self._shape.index

    def get(self, key: str, default: Any = None) -> Any:
        """Return a value by name, or the default."""
        number = self._shape.index.get(key)
        return default if number is None else self._values[number]

    def keys(self) -> Iterator[str]:
        """Return the names."""
        return iter(self._shape.names)

    def values(self) -> Iterator[Any]:
        """Return the values."""
        return iter(self._values)

    def items(self) -> Iterator[tuple[str, Any]]:
        """Return names and values."""
        return iter(list(zip(self._shape.names, self._values, strict=True)))

    def _other(self, other: object) -> Any:
        if isinstance(other, Record):
            return other._values
        return other if isinstance(other, tuple) else _MISSING

    def __eq__(self, other: object) -> bool:
        found = self._other(other)
        return NotImplemented if found is _MISSING else self._values == found

    def __lt__(self, other: object) -> bool:
        found = self._other(other)
        return NotImplemented if found is _MISSING else self._values < found

    def __le__(self, other: object) -> bool:
        found = self._other(other)
        return NotImplemented if found is _MISSING else self._values <= found

    def __gt__(self, other: object) -> bool:
        found = self._other(other)
        return NotImplemented if found is _MISSING else self._values > found

    def __ge__(self, other: object) -> bool:
        found = self._other(other)
        return NotImplemented if found is _MISSING else self._values >= found

    def __hash__(self) -> int:
        return hash(self._values)

    def __repr__(self) -> str:
        pairs = zip(self._shape.names, self._values, strict=True)
        shown = " ".join(f"{name}={value!r}" for name, value in pairs)
        return f"<{type(self).__name__} {shown}>"


Mapping.register(Record)


def make_record(kind: type[Record], shape: Shape, values: tuple[Any, ...]) -> Any:
    """Return a row."""
    made = object.__new__(kind)
    made._shape = shape
    made._values = values
    return made
