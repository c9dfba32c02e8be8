"""Other kinds of rows for psycopg2: by name in a list, as a dict, as a named tuple."""

from __future__ import annotations

import functools
import re
from collections import OrderedDict, namedtuple
from collections.abc import Iterable, Iterator
from typing import Any

from ._connection import connection
from ._cursor import cursor


class DictCursorBase(cursor):
    """The base of cursors whose rows know their columns' names."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        factory = kwargs.pop("row_factory", None)
        if factory is None:
            raise TypeError("DictCursorBase can't be instantiated without a row factory.")
        super().__init__(*args, **kwargs)
        self._query_executed = False
        self._prefetch = False
        self.row_factory = factory
        self.index: OrderedDict[str, int] = OrderedDict()
        self.column_mapping: list[str] = []

    def _take(self, result: Any) -> None:
        super()._take(result)
        self._build_index()

    def _build_index(self) -> None:
        """Note the names of the columns of a new result."""
        names = [column.name for column in self.description or ()]
        self.index = OrderedDict((name, number) for number, name in enumerate(names))
        self.column_mapping = names


class DictRow(list[Any]):
    """A list whose items are found by the columns' names, too."""

    __slots__ = ("_index",)

    def __init__(self, cursor: Any) -> None:
        super().__init__([None] * len(cursor.description))
        self._index: Any = cursor.index

    def __getitem__(self, x: Any) -> Any:
        return super().__getitem__(x if isinstance(x, int | slice) else self._index[x])

    def __setitem__(self, x: Any, v: Any) -> None:
        super().__setitem__(x if isinstance(x, int | slice) else self._index[x], v)

    def items(self) -> Iterator[tuple[str, Any]]:
        """Yield names and values."""
        for name in self._index:
            yield name, self[name]

    def keys(self) -> Iterator[str]:
        """Yield the names."""
        return iter(self._index)

    def values(self) -> Iterator[Any]:
        """Yield the values, one for each name."""
        for name in self._index:
            yield self[name]

    def get(self, x: Any, default: Any = None) -> Any:
        """Return a value by name or index, or the default."""
        try:
            return self[x]
        except (KeyError, IndexError):
            return default

    def copy(self) -> Any:
        """Return a dict of names and values."""
        return OrderedDict(self.items())

    def __contains__(self, x: object) -> bool:
        return x in self._index

    def __reduce__(self) -> Any:
        return list.__new__, (DictRow,), self.__getstate__(), iter(list(self))

    def __getstate__(self) -> Any:
        return self[:], self._index.copy()

    def __setstate__(self, data: Any) -> None:
        self._index = data[1]


class DictCursor(DictCursorBase):
    """A cursor whose rows are lists that know names."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs["row_factory"] = DictRow
        super().__init__(*args, **kwargs)


class RealDictRow(OrderedDict[str, Any]):
    """A dict of a row; while the row is made, its columns come by number."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        if args and isinstance(args[0], cursor):
            self._mapping: Any = list(getattr(args[0], "column_mapping", ()))
            super().__init__()
            return
        self._mapping = None
        super().__init__(*args, **kwargs)

    def __setitem__(self, key: Any, value: Any) -> None:
        mapping = getattr(self, "_mapping", None)
        if mapping is not None and isinstance(key, int):
            super().__setitem__(mapping[key], value)
            if key == len(mapping) - 1:
                self._mapping = None
            return
        super().__setitem__(key, value)

    def __reduce__(self) -> Any:
        return type(self), (list(self.items()),)


class RealDictCursor(DictCursorBase):
    """A cursor whose rows are dicts."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs["row_factory"] = RealDictRow
        super().__init__(*args, **kwargs)


_NOT_LETTERS = re.compile(r"[ !\"#$%&'()*+,\-./:;<=>?@\[\\\]^`{|}~]")


@functools.lru_cache(512)
def make_row_type(names: tuple[str, ...]) -> Any:
    """Return the named tuple of columns; names that Python refuses get an "f" before them."""
    fields = []
    for number, name in enumerate(names):
        clean = _NOT_LETTERS.sub("_", name)
        if clean[:1] == "_" or clean[:1].isdigit():
            clean = "f" + clean
        fields.append(clean or f"f{number}")
    return namedtuple("Record", fields)  # noqa: PYI024


class NamedTupleCursor(cursor):
    """A cursor whose rows are named tuples."""

    Record: Any = None
    MAX_CACHE = 1024

    def _take(self, result: Any) -> None:
        self.Record = None
        super()._take(result)

    def _build_all(self, bodies: Iterable[bytes]) -> list[Any]:
        found = super()._build_all(bodies)
        if self.Record is None:
            self.Record = self._make_nt()
        return list(map(self.Record._make, found))

    def _make_nt(self) -> Any:
        """Return the type of the rows of this result."""
        return self._do_make_nt([column[0] for column in self.description or ()])

    @classmethod
    def _do_make_nt(cls, key: Any) -> Any:
        return make_row_type(tuple(key))


class DictConnection(connection):
    """A connection whose cursors are DictCursors."""

    def cursor(self, *args: Any, **kwargs: Any) -> Any:
        """Return a new cursor."""
        kwargs.setdefault("cursor_factory", self.cursor_factory or DictCursor)
        return super().cursor(*args, **kwargs)


class RealDictConnection(connection):
    """A connection whose cursors are RealDictCursors."""

    def cursor(self, *args: Any, **kwargs: Any) -> Any:
        """Return a new cursor."""
        kwargs.setdefault("cursor_factory", self.cursor_factory or RealDictCursor)
        return super().cursor(*args, **kwargs)


class NamedTupleConnection(connection):
    """A connection whose cursors are NamedTupleCursors."""

    def cursor(self, *args: Any, **kwargs: Any) -> Any:
        """Return a new cursor."""
        kwargs.setdefault("cursor_factory", self.cursor_factory or NamedTupleCursor)
        return super().cursor(*args, **kwargs)
