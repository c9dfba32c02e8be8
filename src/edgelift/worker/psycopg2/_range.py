"""Ranges of psycopg2: the Range classes, their adapter, and the typecasters of range types."""

from __future__ import annotations

import functools
import re
from typing import Any

from ._adapting import ISQLQuote, adapt, register_adapter
from ._casting import new_array_type, new_type, register_type
from ._errors import InterfaceError, ProgrammingError
from ._scope import find_scope, split_name


@functools.total_ordering
class Range:
    """A range; `lower` or `upper` is None where it has no end."""

    __slots__ = ("_bounds", "_lower", "_upper")

    def __init__(
        self, lower: Any = None, upper: Any = None, bounds: str = "[)", empty: bool = False
    ) -> None:
        if bounds not in {"[)", "(]", "()", "[]"}:
            raise ValueError(f"bound flags not valid: {bounds!r}")
        self._lower = None if empty else lower
        self._upper = None if empty else upper
        self._bounds = None if empty else bounds

    def __repr__(self) -> str:
        if self._bounds is None:
            return f"{type(self).__name__}(empty=True)"
        return f"{type(self).__name__}({self._lower!r}, {self._upper!r}, {self._bounds!r})"

    def __str__(self) -> str:
        if self._bounds is None:
            return "empty"
        return f"{self._bounds[0]}{self._lower}, {self._upper}{self._bounds[1]}"

    @property
    def lower(self) -> Any:
        """The lower end, None for none."""
        return self._lower

    @property
    def upper(self) -> Any:
        """The upper end, None for none."""
        return self._upper

    @property
    def isempty(self) -> bool:
        """Whether nothing lies in the range."""
        return self._bounds is None

    @property
    def lower_inf(self) -> bool:
        """Whether the range has no lower end."""
        return self._bounds is not None and self._lower is None

    @property
    def upper_inf(self) -> bool:
        """Whether the range has no upper end."""
        return self._bounds is not None and self._upper is None

    @property
    def lower_inc(self) -> bool:
        """Whether the lower end lies in the range."""
        return self._bounds is not None and self._lower is not None and self._bounds[0] == "["

    @property
    def upper_inc(self) -> bool:
        """Whether the upper end lies in the range."""
        return self._bounds is not None and self._upper is not None and self._bounds[1] == "]"

    def __contains__(self, value: Any) -> bool:
        if self._bounds is None:
            return False
        if self._lower is not None and (
            value < self._lower or (value == self._lower and self._bounds[0] == "(")
        ):
            return False
        return self._upper is None or not (
            value > self._upper or (value == self._upper and self._bounds[1] == ")")
        )

    def __bool__(self) -> bool:
        return self._bounds is not None

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Range):
            return False
        return (self._lower, self._upper, self._bounds) == (
            other._lower,
            other._upper,
            other._bounds,
        )

    def __hash__(self) -> int:
        return hash((self._lower, self._upper, self._bounds))

    def __lt__(self, other: Any) -> Any:
        if not isinstance(other, Range):
            return NotImplemented
        for name in ("_lower", "_upper", "_bounds"):
            mine, theirs = getattr(self, name), getattr(other, name)
            if mine == theirs:
                continue
            if mine is None or theirs is None:
                return mine is None
            return mine < theirs
        return False

    def __getstate__(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in Range.__slots__}

    def __setstate__(self, state: dict[str, Any]) -> None:
        for name, value in state.items():
            setattr(self, name, value)


class NumericRange(Range):
    """A range of int4range, int8range or numrange."""

    __slots__ = ()


class DateRange(Range):
    """A range of daterange."""

    __slots__ = ()


class DateTimeRange(Range):
    """A range of tsrange."""

    __slots__ = ()


class DateTimeTZRange(Range):
    """A range of tstzrange."""

    __slots__ = ()


class RangeAdapter:
    """Writes a range as a call of its type's constructor; subclasses set `name`."""

    name: str | None = None

    def __init__(self, adapted: Any) -> None:
        self.adapted = adapted
        self._conn: Any = None

    def __conform__(self, proto: Any) -> Any:
        return self if proto is ISQLQuote else None

    def prepare(self, conn: Any) -> None:
        """Take the connection the ends are quoted for."""
        self._conn = conn

    def getquoted(self) -> bytes:
        """Return the SQL literal; raises InterfaceError for an adapter without a name."""
        if self.name is None:
            raise InterfaceError(
                "RangeAdapter must be subclassed overriding its name or the getquoted() method"
            )
        value = self.adapted
        if value.isempty:
            return f"'empty'::{self.name}".encode()
        ends = (self._quote(value.lower), self._quote(value.upper))
        return b"%s(%s, %s, '%s')" % (self.name.encode(), *ends, value._bounds.encode())

    def _quote(self, end: Any) -> bytes:
        if end is None:
            return b"NULL"
        adapted = adapt(end)
        if self._conn is not None and hasattr(adapted, "prepare"):
            adapted.prepare(self._conn)
        return bytes(adapted.getquoted())


class NumberRangeAdapter(RangeAdapter):
    """Writes a number range as a string, for its type depends on where it goes."""

    def getquoted(self) -> bytes:
        """Return the SQL literal."""
        value = self.adapted
        if value.isempty:
            return b"'empty'"
        # Numbers need no quoting inside; the spaces are those before minus signs.
        ends = [b"" if e is None else adapt(e).getquoted() for e in (value.lower, value.upper)]
        return b"'%s%s,%s%s'" % (
            value._bounds[0].encode(),
            *(bytes(e) for e in ends),
            value._bounds[1].encode(),
        )


_PARSE = re.compile(
    r"""
    ([(\[])
    (?: ("(?:[^"\\]|""|\\.)*") | ([^",\\]*(?:\\.[^",\\]*)*) ) ,
    (?: ("(?:[^"\\]|""|\\.)*") | ([^"\])\\]*(?:\\.[^"\])\\]*)*) )
    ([)\]])
    """,
    re.VERBOSE | re.DOTALL,
)
_DOUBLED = re.compile(r'(["\\])(.)', re.DOTALL)


def _read_end(quoted: str | None, plain: str | None) -> str | None:
    if quoted is not None:
        return _DOUBLED.sub(r"\2", quoted[1:-1])
    return _DOUBLED.sub(r"\2", plain) if plain else None


class RangeCaster:
    """The adapter and typecasters of a range type; see register_range."""

    def __init__(
        self,
        pgrange: Any,
        pyrange: Any,
        oid: int,
        subtype_oid: int,
        array_oid: int | None = None,
    ) -> None:
        self.subtype_oid = subtype_oid
        self.adapter: Any
        self.range: Any
        self._make_classes(pgrange, pyrange)
        name = str(self.adapter.name or "type")
        self.typecaster = new_type((oid,), name, self.parse)
        self.array_typecaster = (
            new_array_type((array_oid,), f"{name}ARRAY", self.typecaster)
            if array_oid is not None
            else None
        )

    def _make_classes(self, pgrange: Any, pyrange: Any) -> None:
        """Set the adapter and the range class from names or classes."""
        if isinstance(pgrange, str):
            self.adapter = type(pgrange, (RangeAdapter,), {"name": pgrange})
        elif isinstance(pgrange, type) and issubclass(pgrange, RangeAdapter):
            if pgrange is RangeAdapter:
                raise TypeError("pgrange must be a RangeAdapter strict subclass")
            self.adapter = pgrange
        else:
            raise TypeError("pgrange must be a string or a RangeAdapter strict subclass")
        if isinstance(pyrange, str):
            self.range = type(pyrange, (Range,), {"__slots__": ()})
        elif isinstance(pyrange, type) and issubclass(pyrange, Range):
            if pyrange is Range:
                raise TypeError("pyrange must be a type and a Range strict subclass")
            self.range = pyrange
        else:
            raise TypeError("pyrange must be a type and a Range strict subclass")

    @classmethod
    def _from_db(cls, name: str, pyrange: Any, conn_or_curs: Any) -> RangeCaster:
        schema, plain = split_name(name)
        rows = find_scope(conn_or_curs).query(
            """SELECT rngtypid, rngsubtype, t.typarray FROM pg_range r
            JOIN pg_type t ON t.oid = rngtypid JOIN pg_namespace ns ON ns.oid = typnamespace
            WHERE typname = %s AND (ns.nspname = %s
              OR (%s = '' AND (pg_type_is_visible(t.oid) OR ns.nspname = 'public')))
            ORDER BY pg_type_is_visible(t.oid) DESC""",
            (plain, schema, schema),
        )
        if not rows:
            raise ProgrammingError(f"PostgreSQL range '{name}' not found")
        oid, subtype, array = rows[0]
        return cls(name, pyrange, oid=oid, subtype_oid=subtype, array_oid=array or None)

    def parse(self, s: str | None, cur: Any = None) -> Any:
        """Return the range of a text; raises InterfaceError for a malformed one."""
        if s is None:
            return None
        if s == "empty":
            return self.range(empty=True)
        match = _PARSE.match(s)
        if match is None:
            raise InterfaceError(f"failed to parse range: '{s}'")
        lower, upper = _read_end(match[2], match[3]), _read_end(match[4], match[5])
        if cur is not None:
            lower, upper = cur.cast(self.subtype_oid, lower), cur.cast(self.subtype_oid, upper)
        return self.range(lower, upper, match[1] + match[6])

    def _register(self, scope: Any = None) -> None:
        register_type(self.typecaster, scope)
        if self.array_typecaster is not None:
            register_type(self.array_typecaster, scope)
        register_adapter(self.range, self.adapter)


def register_range(
    pgrange: Any, pyrange: Any, conn_or_curs: Any, globally: bool = False
) -> RangeCaster:
    """Register a range type of the database; raises ProgrammingError when it has none."""
    caster = RangeCaster._from_db(pgrange, pyrange, conn_or_curs)
    caster._register(None if globally else conn_or_curs)
    return caster


def _register_own() -> None:
    for oid, subtype, array in ((3904, 23, 3905), (3926, 20, 3927), (3906, 1700, 3907)):
        caster = RangeCaster(NumberRangeAdapter, NumericRange, oid, subtype, array)
        register_type(caster.typecaster)
        register_type(caster.array_typecaster)
    register_adapter(NumericRange, NumberRangeAdapter)
    for name, kind, oid, subtype, array in (
        ("daterange", DateRange, 3912, 1082, 3913),
        ("tsrange", DateTimeRange, 3908, 1114, 3909),
        ("tstzrange", DateTimeTZRange, 3910, 1184, 3911),
    ):
        RangeCaster(name, kind, oid, subtype, array)._register()


_register_own()
__all__ = [
    "DateRange", "DateTimeRange", "DateTimeTZRange", "NumericRange", "Range", "RangeAdapter",
    "RangeCaster", "register_range",
]  # fmt: skip
