"""The Row type of sqlite3, in Python: the C one takes only cursors of its own module."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any


class Row:
    """A row whose cells are reached by index, slice or column name, letter case aside."""

    __slots__ = ("_cells", "_description")
    __module__ = "sqlite3"

    def __init__(self, cursor: Any, data: tuple[Any, ...], /) -> None:
        if not isinstance(data, tuple):
            raise TypeError(f"Row() argument 2 must be tuple, not {type(data).__name__}")
        self._cells = data
        self._description = cursor.description or ()

    def keys(self) -> list[str]:
        """Return the column names."""
        return [column[0] for column in self._description]

    def __getitem__(self, key: Any, /) -> Any:
        if isinstance(key, str):
            lowered = _lower_ascii(key)
            for index, column in enumerate(self._description):
                if column[0] == key or _lower_ascii(column[0]) == lowered:
                    return self._cells[index]
            raise IndexError("No item with that key")
        if isinstance(key, (int, slice)):
            try:
                return self._cells[key]
            except IndexError:
                raise IndexError("tuple index out of range") from None
        raise IndexError("Index must be int or string")

    def __len__(self) -> int:
        return len(self._cells)

    def __iter__(self) -> Iterator[Any]:
        return iter(self._cells)

    def __hash__(self) -> int:
        return hash(tuple(self._description)) ^ hash(self._cells)

    def __eq__(self, other: object, /) -> bool:
        if not isinstance(other, Row):
            return NotImplemented
        return self._description == other._description and self._cells == other._cells


Sequence.register(Row)


def _lower_ascii(text: str) -> str:
    """Return the text with A-Z in lower case and nothing else changed, as SQLite compares names."""
    return text.translate(_ASCII_LOWER)


_ASCII_LOWER = {upper: upper + 32 for upper in range(ord("A"), ord("Z") + 1)}
