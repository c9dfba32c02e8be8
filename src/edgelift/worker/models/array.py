"""A small stand-in for numpy's ndarray: the type of all that an exported estimator returns.

One or two dimensions; cells are Python floats, ints, bools or strings in one flat list, row by row.
It behaves like ndarray where request handlers touch it (indexing, iteration, arithmetic,
reductions, conversion); what it lacks raises an error, never gives another result.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Iterator, Sequence
from typing import Any

Cell = Any
Shape = tuple[int, ...]

AMBIGUOUS = (
    "The truth value of an array with more than one element is ambiguous. Use a.any() or a.all()"
)


def divide(one: Cell, two: Cell) -> float:
    """Divide as numpy does: by zero gives an infinity or nan."""
    try:
        return one / two
    except ZeroDivisionError:
        if one == 0 or one != one:  # noqa: PLR0124 - only nan differs from itself
            return math.nan
        return math.copysign(math.inf, one) * math.copysign(1.0, two)


def _power(one: Cell, two: Cell) -> Cell:
    """Raise as numpy does: overflow gives an infinity."""
    try:
        return one**two
    except OverflowError:
        return math.inf


def _round(value: Cell, decimals: int) -> Cell:
    """Round as numpy does: scale, round half to even, scale back."""
    if not isinstance(value, float) or not math.isfinite(value):
        return value
    scale = 10.0 ** abs(decimals)
    scaled = value * scale if decimals >= 0 else value / scale
    if not math.isfinite(scaled):
        return value
    whole = math.copysign(float(round(scaled)), value)
    return whole / scale if decimals >= 0 else whole * scale


def _positions(key: Any, size: int, axis: int) -> tuple[list[int], bool]:
    """Return the positions a key selects on an axis and whether it is a single index."""
    if isinstance(key, slice):
        return list(range(*key.indices(size))), False
    if isinstance(key, Sequence | Array):
        listed = list(key)
        if listed and all(isinstance(k, bool) for k in listed):
            if len(listed) != size:
                raise IndexError(
                    f"boolean index did not match indexed array along axis {axis}; size of axis is "
                    f"{size} but size of corresponding boolean axis is {len(listed)}"
                )
            return [i for i, keep in enumerate(listed) if keep], False
        return [_position(k, size, axis) for k in listed], False
    return [_position(key, size, axis)], True


def _position(key: Any, size: int, axis: int) -> int:
    try:
        index = operator.index(key)
    except TypeError:
        raise IndexError(
            "only integers, slices (`:`), lists and boolean arrays are valid indices"
        ) from None
    if not -size <= index < size:
        raise IndexError(f"index {index} is out of bounds for axis {axis} with size {size}")
    return index + size if index < 0 else index


class Array:
    """A one- or two-dimensional array; `cells` is taken over, not copied."""

    __slots__ = ("_cells", "shape")
    __hash__ = None  # type: ignore[assignment]

    def __init__(self, cells: list[Cell], shape: Shape | None = None) -> None:
        self._cells = cells
        self.shape: Shape = (len(cells),) if shape is None else shape

    @classmethod
    def from_rows(cls, rows: Sequence[Sequence[Cell]], columns: int) -> Array:
        """Build a two-dimensional array; `columns` counts when there are no rows."""
        return cls([cell for row in rows for cell in row], (len(rows), columns))

    def __reduce__(self) -> tuple[Any, ...]:
        return Array, (self._cells, self.shape)

    # --- shape

    @property
    def ndim(self) -> int:
        """Return the number of dimensions."""
        return len(self.shape)

    @property
    def size(self) -> int:
        """Return the number of cells."""
        return len(self._cells)

    @property
    def T(self) -> Array:
        """Return the transposed array."""
        if self.ndim == 1:
            return self
        rows, columns = self.shape
        return Array(
            [self._cells[i * columns + j] for j in range(columns) for i in range(rows)],
            (columns, rows),
        )

    def reshape(self, *shape: int | Shape) -> Array:
        """Return the cells in another shape; -1 is worked out."""
        wanted: Shape = shape[0] if isinstance(shape[0], tuple) else shape  # type: ignore[assignment]
        known = math.prod(n for n in wanted if n != -1)
        if -1 in wanted and known:
            wanted = tuple(self.size // known if n == -1 else n for n in wanted)
        if math.prod(wanted) != self.size or len(wanted) not in {1, 2}:
            raise ValueError(f"cannot reshape array of size {self.size} into shape {wanted}")
        return Array(list(self._cells), wanted)

    def ravel(self) -> Array:
        """Return the cells in one dimension."""
        return Array(list(self._cells))

    flatten = ravel

    def copy(self) -> Array:
        """Return a copy."""
        return Array(list(self._cells), self.shape)

    def astype(self, kind: Callable[[Cell], Cell]) -> Array:
        """Return a copy with every cell converted by a Python type (float, int, bool, str)."""
        return Array([kind(cell) for cell in self._cells], self.shape)

    def tolist(self) -> list[Any]:
        """Return plain (nested) lists."""
        if self.ndim == 1:
            return list(self._cells)
        return [row.tolist() for row in self]

    def item(self, *index: int) -> Cell:
        """Return one cell: the only one, by flat position, or by row and column."""
        if len(index) > 1:
            return self[index]
        if index:
            return self._cells[_position(index[0], self.size, 0)]
        return self._only()

    def _only(self) -> Cell:
        if self.size != 1:
            raise ValueError("can only convert an array of size 1 to a Python scalar")
        return self._cells[0]

    # --- access

    def __len__(self) -> int:
        return self.shape[0]

    def __iter__(self) -> Iterator[Any]:
        if self.ndim == 1:
            return iter(self._cells)
        return (self[i] for i in range(self.shape[0]))

    def __getitem__(self, key: Any) -> Any:
        flat, shape = self._select(key)
        if not shape:
            return self._cells[flat[0]]
        return Array([self._cells[i] for i in flat], shape)

    def __setitem__(self, key: Any, value: Any) -> None:
        flat, shape = self._select(key)
        if isinstance(value, Array | list | tuple):
            cells = Array.from_nested(value)._cells
            if len(cells) != len(flat):
                raise ValueError(f"could not broadcast input array into shape {shape}")
        else:
            cells = [value] * len(flat)
        for i, cell in zip(flat, cells, strict=True):
            self._cells[i] = cell

    @classmethod
    def from_nested(cls, values: Any) -> Array:
        """Build an array from a list of cells or a list of equally long lists."""
        if isinstance(values, Array):
            return values
        rows = list(values)
        if rows and isinstance(rows[0], list | tuple | Array):
            return cls.from_rows([list(row) for row in rows], len(rows[0]))
        return cls(rows)

    def _select(self, key: Any) -> tuple[list[int], Shape]:
        """Return the flat positions a key selects and the shape of the selection."""
        keys = key if isinstance(key, tuple) else (key,)
        if len(keys) > self.ndim:
            raise IndexError(
                f"too many indices for array: array is {self.ndim}-dimensional, "
                f"but {len(keys)} were indexed"
            )
        if self.ndim == 2 and isinstance(key, Array) and key.shape == self.shape:
            flat = [i for i, keep in enumerate(key._cells) if keep is True]
            return flat, (len(flat),)
        rows, one_row = _positions(keys[0], self.shape[0], 0)
        if self.ndim == 1:
            return rows, () if one_row else (len(rows),)
        width = self.shape[1]
        columns, one_column = (
            _positions(keys[1], width, 1) if len(keys) == 2 else (list(range(width)), False)
        )
        if len(keys) == 2 and all(isinstance(k, Sequence | Array) for k in keys):
            pairs = list(zip(rows, columns, strict=True))
            return [i * width + j for i, j in pairs], (len(pairs),)
        shape = (() if one_row else (len(rows),)) + (() if one_column else (len(columns),))
        return [i * width + j for i in rows for j in columns], shape

    # --- conversion

    def __float__(self) -> float:
        return float(self._only())

    def __int__(self) -> int:
        return int(self._only())

    def __bool__(self) -> bool:
        if self.size != 1:
            raise ValueError(AMBIGUOUS)
        return bool(self._cells[0])

    def __contains__(self, value: object) -> bool:
        return value in self._cells

    def __repr__(self) -> str:
        return f"array({self.tolist()!r})"

    def __round__(self, decimals: int = 0) -> Array:
        return self.round(decimals)

    # --- arithmetic

    def _combine(self, other: Any, function: Callable[[Cell, Cell], Cell]) -> Array:
        if isinstance(other, list | tuple):
            other = Array.from_nested(other)
        if not isinstance(other, Array):
            return Array([function(cell, other) for cell in self._cells], self.shape)
        if other.shape == self.shape:
            pairs = zip(self._cells, other._cells, strict=True)
        elif other.size == 1:
            return self._combine(other._cells[0], function)
        elif self.ndim == 2 and other.shape in {(self.shape[1],), (1, self.shape[1])}:
            pairs = zip(self._cells, other._cells * self.shape[0], strict=True)
        elif self.ndim == 2 and other.shape == (self.shape[0], 1):
            stretched = [cell for cell in other._cells for _ in range(self.shape[1])]
            pairs = zip(self._cells, stretched, strict=True)
        else:
            raise ValueError(
                f"operands could not be broadcast together with shapes {self.shape} {other.shape}"
            )
        return Array([function(one, two) for one, two in pairs], self.shape)

    def _reversed(self, other: Any, function: Callable[[Cell, Cell], Cell]) -> Array:
        return self._combine(other, lambda one, two: function(two, one))

    def __add__(self, other: Any) -> Array:
        return self._combine(other, operator.add)

    def __radd__(self, other: Any) -> Array:
        return self._reversed(other, operator.add)

    def __sub__(self, other: Any) -> Array:
        return self._combine(other, operator.sub)

    def __rsub__(self, other: Any) -> Array:
        return self._reversed(other, operator.sub)

    def __mul__(self, other: Any) -> Array:
        return self._combine(other, operator.mul)

    __rmul__ = __mul__

    def __truediv__(self, other: Any) -> Array:
        return self._combine(other, divide)

    def __rtruediv__(self, other: Any) -> Array:
        return self._reversed(other, divide)

    def __pow__(self, other: Any) -> Array:
        return self._combine(other, _power)

    def __rpow__(self, other: Any) -> Array:
        return self._reversed(other, _power)

    def __neg__(self) -> Array:
        return Array([-cell for cell in self._cells], self.shape)

    def __abs__(self) -> Array:
        return Array([abs(cell) for cell in self._cells], self.shape)

    def __invert__(self) -> Array:
        return Array([not c if isinstance(c, bool) else ~c for c in self._cells], self.shape)

    def __and__(self, other: Any) -> Array:
        return self._combine(other, operator.and_)

    def __or__(self, other: Any) -> Array:
        return self._combine(other, operator.or_)

    def __eq__(self, other: object) -> Array:  # type: ignore[override]
        return self._combine(other, operator.eq)

    def __ne__(self, other: object) -> Array:  # type: ignore[override]
        return self._combine(other, operator.ne)

    def __lt__(self, other: Any) -> Array:
        return self._combine(other, operator.lt)

    def __le__(self, other: Any) -> Array:
        return self._combine(other, operator.le)

    def __gt__(self, other: Any) -> Array:
        return self._combine(other, operator.gt)

    def __ge__(self, other: Any) -> Array:
        return self._combine(other, operator.ge)

    # --- reductions

    def _reduce(self, function: Callable[[list[Cell]], Cell], axis: int | None) -> Any:
        if axis is None or (self.ndim == 1 and axis in {0, -1}):
            return function(self._cells)
        lines = {0: self.T, 1: self, -1: self}.get(axis) if self.ndim == 2 else None
        if lines is None:
            raise ValueError(f"axis {axis} is out of bounds for array of dimension {self.ndim}")
        return Array([function(line._cells) for line in lines])

    def sum(self, axis: int | None = None) -> Any:
        """Return the sum; floats are added without intermediate rounding."""
        return self._reduce(_add_up, axis)

    def mean(self, axis: int | None = None) -> Any:
        """Return the mean; nan for no cells."""
        return self._reduce(lambda c: divide(_add_up(c), len(c)), axis)

    def std(self, axis: int | None = None) -> Any:
        """Return the population standard deviation."""
        return self._reduce(_deviate, axis)

    def min(self, axis: int | None = None) -> Any:
        """Return the smallest cell; nan when there is one."""
        return self._reduce(lambda c: _extreme(c, min), axis)

    def max(self, axis: int | None = None) -> Any:
        """Return the largest cell; nan when there is one."""
        return self._reduce(lambda c: _extreme(c, max), axis)

    def argmax(self, axis: int | None = None) -> Any:
        """Return the position of the first largest cell."""
        return self._reduce(argmax, axis)

    def argmin(self, axis: int | None = None) -> Any:
        """Return the position of the first smallest cell."""
        return self._reduce(lambda c: argmax([-x for x in c]), axis)

    def argsort(self) -> Array:
        """Return the positions in ascending order of their cells, equal ones as they stand."""
        return Array(sorted(range(self.size), key=self._cells.__getitem__))

    def any(self) -> bool:
        """Return whether any cell is true."""
        return any(self._cells)

    def all(self) -> bool:
        """Return whether all cells are true."""
        return all(self._cells)

    def round(self, decimals: int = 0) -> Array:
        """Return the cells rounded half to even, as numpy does."""
        return Array([_round(cell, decimals) for cell in self._cells], self.shape)


def _add_up(cells: list[Cell]) -> Cell:
    return math.fsum(cells) if any(isinstance(c, float) for c in cells) else sum(cells)


def _deviate(cells: list[Cell]) -> float:
    centre = divide(_add_up(cells), len(cells))
    return math.sqrt(divide(math.fsum((c - centre) ** 2 for c in cells), len(cells)))


def _extreme(cells: list[Cell], choose: Callable[[list[Cell]], Cell]) -> Cell:
    if not cells:
        raise ValueError("zero-size array to reduction operation which has no identity")
    missing = [c for c in cells if c != c]  # noqa: PLR0124 - only nan differs from itself
    return missing[0] if missing else choose(cells)


def argmax(cells: Sequence[Cell]) -> int:
    """Return the position of the first largest of some cells, or of the first nan."""
    if not cells:
        raise ValueError("attempt to get argmax of an empty sequence")
    best = 0
    for i, cell in enumerate(cells):
        if cell != cell:  # noqa: PLR0124 - only nan differs from itself
            return i
        if cell > cells[best]:
            best = i
    return best
