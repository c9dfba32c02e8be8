"""asyncpg.types: descriptions of types, ranges, bit strings and geometric values."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple, Self


class Type(NamedTuple):
    """A type of the database."""

    oid: int
    name: str
    kind: str
    schema: str


class Attribute(NamedTuple):
    """A column of a statement's result."""

    name: str
    type: Type


class ServerVersion(NamedTuple):
    """The server's version."""

    major: int
    minor: int
    micro: int
    releaselevel: str
    serial: int


class Range:
    """A range; an end that is None is not there."""

    __slots__ = ("_empty", "_lower", "_lower_inc", "_upper", "_upper_inc")

    def __init__(
        self,
        lower: Any = None,
        upper: Any = None,
        *,
        lower_inc: bool = True,
        upper_inc: bool = False,
        empty: bool = False,
    ) -> None:
        self._empty = empty
        self._lower = self._upper = None
        self._lower_inc = self._upper_inc = False
        if not empty:
            self._lower, self._upper = lower, upper
            self._lower_inc = lower is not None and lower_inc
            self._upper_inc = upper is not None and upper_inc

    @property
    def lower(self) -> Any:
        """The lower end."""
        return self._lower

    @property
    def lower_inc(self) -> bool:
        """Whether the lower end lies in the range."""
        return self._lower_inc

    @property
    def lower_inf(self) -> bool:
        """Whether the range has no lower end."""
        return self._lower is None and not self._empty

    @property
    def upper(self) -> Any:
        """The upper end."""
        return self._upper

    @property
    def upper_inc(self) -> bool:
        """Whether the upper end lies in the range."""
        return self._upper_inc

    @property
    def upper_inf(self) -> bool:
        """Whether the range has no upper end."""
        return self._upper is None and not self._empty

    @property
    def isempty(self) -> bool:
        """Whether nothing lies in the range."""
        return self._empty

    def __bool__(self) -> bool:
        return not self._empty

    def _key(self) -> tuple[Any, ...]:
        return self._lower, self._upper, self._lower_inc, self._upper_inc, self._empty

    def __eq__(self, other: object) -> bool:
        return self._key() == other._key() if isinstance(other, Range) else NotImplemented

    def __hash__(self) -> int:
        return hash(self._key())

    def _bounded(self, value: Any, other: Any, inc: bool, other_inc: bool, *, low: bool) -> bool:
        if other is None:
            return True
        if value is None:
            return False
        inside = value > other if low else value < other
        return inside or (value == other and (other_inc or not inc))

    def issubset(self, other: Range) -> bool:
        """Return whether this range lies in another."""
        if self._empty:
            return True
        if other._empty:
            return False
        low = self._bounded(self._lower, other._lower, self._lower_inc, other._lower_inc, low=True)
        return low and self._bounded(
            self._upper, other._upper, self._upper_inc, other._upper_inc, low=False
        )

    def issuperset(self, other: Range) -> bool:
        """Return whether another range lies in this one."""
        return other.issubset(self)

    def __repr__(self) -> str:
        if self._empty:
            shown = "empty"
        else:
            lower = "" if self._lower is None else repr(self._lower)
            upper = "" if self._upper is None else repr(self._upper)
            opening = "[" if self._lower_inc else "("
            closing = "]" if self._upper_inc else ")"
            shown = f"{opening}{lower}, {upper}{closing}"
        return f"<Range {shown}>"


class BitString:
    """A string of bits."""

    __module__ = "asyncpg.pgproto.types"

    __slots__ = "_bitlength", "_bytes"

    def __init__(self, bitstring: str | bytes | None = None) -> None:
        if isinstance(bitstring, bytes):
            self._bytes, self._bitlength = bitstring, len(bitstring) * 8
            return
        digits = (bitstring or "").replace(" ", "")
        for place, digit in enumerate(bitstring or ""):
            if digit not in "01 ":
                raise ValueError(f"invalid bit value at position {place}")
        self._bitlength = len(digits)
        padded = digits.ljust(-(-len(digits) // 8) * 8, "0")
        self._bytes = int(padded or "0", 2).to_bytes(len(padded) // 8, "big")

    @classmethod
    def frombytes(cls, bytes_: bytes | None = None, bitlength: int | None = None) -> BitString:
        """Return the first bits of bytes."""
        made = cls(bytes_ or b"")
        if bitlength is not None:
            if bitlength > len(bytes_ or b"") * 8:
                raise ValueError(f"invalid bit length specified: {bitlength}")
            made._bitlength = bitlength
        return made

    @property
    def bytes(self) -> Any:
        """The bits as bytes, with zeros at the end."""
        return self._bytes

    def as_string(self) -> str:
        """Return the bits in groups of four."""
        digits = "".join(f"{byte:08b}" for byte in self._bytes)[: self._bitlength]
        return " ".join(digits[i : i + 4] for i in range(0, len(digits), 4))

    def to_int(self, bitorder: str = "big", *, signed: bool = False) -> int:
        """Return the bits as a number."""
        digits = "".join(f"{byte:08b}" for byte in self._bytes)[: self._bitlength]
        digits = digits if bitorder == "big" else digits[::-1]
        value = int(digits or "0", 2)
        if signed and digits[:1] == "1":
            value -= 1 << len(digits)
        return value

    @classmethod
    def from_int(
        cls, x: int, length: int, bitorder: str = "big", *, signed: bool = False
    ) -> BitString:
        """Return a number as bits."""
        if length < 0:
            raise ValueError("length argument must be non-negative")
        if x.bit_length() > length:
            raise OverflowError("int too big to convert")
        if x < 0 and not signed:
            raise OverflowError("can't convert negative int to unsigned")
        if bitorder not in {"big", "little"}:
            raise ValueError("bitorder must be either 'big' or 'little'")
        digits = f"{x % (1 << length):0{length}b}" if length else ""
        return cls(digits if bitorder == "big" else digits[::-1])

    def __len__(self) -> int:
        return self._bitlength

    def __getitem__(self, i: int) -> int:
        if i >= self._bitlength:
            raise IndexError("index out of range")
        return self._bytes[i // 8] >> (7 - i % 8) & 1

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, BitString):
            return NotImplemented
        return (self._bytes, self._bitlength) == (other._bytes, other._bitlength)

    def __hash__(self) -> int:
        return hash((self._bytes, self._bitlength))

    def __repr__(self) -> str:
        return f"<BitString {self.as_string()}>"


class Point(tuple[float, float]):
    """A point."""

    __module__ = "asyncpg.pgproto.types"

    __slots__ = ()

    def __new__(cls, x: float, y: float) -> Self:
        """Return the point of two coordinates."""
        return super().__new__(cls, (float(x), float(y)))

    @property
    def x(self) -> float:
        """The first coordinate."""
        return self[0]

    @property
    def y(self) -> float:
        """The second coordinate."""
        return self[1]

    def __repr__(self) -> str:
        return f"asyncpg.pgproto.types.Point({tuple.__repr__(self)})"


def _points(values: Iterable[Any]) -> tuple[Point, ...]:
    return tuple(value if isinstance(value, Point) else Point(*value) for value in values)


class Box(tuple[Point, Point]):
    """A box by two corners: the upper right and the lower left."""

    __module__ = "asyncpg.pgproto.types"

    __slots__ = ()

    def __new__(cls, high: Any, low: Any) -> Self:
        """Return the box of two corners."""
        return super().__new__(cls, _points((high, low)))

    @property
    def high(self) -> Point:
        """The upper right corner."""
        return self[0]

    @property
    def low(self) -> Point:
        """The lower left corner."""
        return self[1]

    def __repr__(self) -> str:
        return f"asyncpg.pgproto.types.Box({tuple.__repr__(self)})"


class Line(tuple[float, float, float]):
    """A line: A*x + B*y + C = 0."""

    __module__ = "asyncpg.pgproto.types"

    __slots__ = ()

    def __new__(cls, A: float, B: float, C: float) -> Self:
        """Return the line of three coefficients."""
        return super().__new__(cls, (A, B, C))

    @property
    def A(self) -> float:
        """The coefficient of x."""
        return self[0]

    @property
    def B(self) -> float:
        """The coefficient of y."""
        return self[1]

    @property
    def C(self) -> float:
        """The constant."""
        return self[2]


class LineSegment(tuple[Point, Point]):
    """A line segment by its ends."""

    __module__ = "asyncpg.pgproto.types"

    __slots__ = ()

    def __new__(cls, p1: Any, p2: Any) -> Self:
        """Return the segment of two points."""
        return super().__new__(cls, _points((p1, p2)))

    @property
    def p1(self) -> Point:
        """The first end."""
        return self[0]

    @property
    def p2(self) -> Point:
        """The second end."""
        return self[1]

    def __repr__(self) -> str:
        return f"asyncpg.pgproto.types.LineSegment({tuple.__repr__(self)})"


class Path:
    """A path of points, closed or open."""

    __module__ = "asyncpg.pgproto.types"

    __slots__ = "_is_closed", "points"

    def __init__(self, *points: Any, is_closed: bool = False) -> None:
        self.points = _points(points)
        self._is_closed = is_closed

    @property
    def is_closed(self) -> bool:
        """Whether the last point is joined with the first."""
        return self._is_closed

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Path):
            return NotImplemented
        return (self.points, self._is_closed) == (other.points, other._is_closed)

    def __hash__(self) -> int:
        return hash((self.points, self._is_closed))

    def __iter__(self) -> Iterator[Point]:
        return iter(self.points)

    def __len__(self) -> int:
        return len(self.points)

    def __getitem__(self, i: Any) -> Any:
        return self.points[i]

    def __contains__(self, point: object) -> bool:
        return point in self.points


class Polygon(Path):
    """A polygon by its corners."""

    __module__ = "asyncpg.pgproto.types"

    __slots__ = ()

    def __init__(self, *points: Any) -> None:
        super().__init__(*points, is_closed=True)


class Circle(tuple[Point, float]):
    """A circle by its centre and radius."""

    __module__ = "asyncpg.pgproto.types"

    __slots__ = ()

    def __new__(cls, center: Any, radius: float) -> Self:
        """Return the circle of a centre and a radius."""
        return super().__new__(cls, (center, radius))

    @property
    def center(self) -> Point:
        """The centre."""
        return self[0]

    @property
    def radius(self) -> float:
        """The radius."""
        return self[1]


__all__ = (
    "Attribute", "BitString", "Box", "Circle", "Line", "LineSegment", "Path", "Point", "Polygon",
    "Range", "ServerVersion", "Type",
)  # fmt: skip
