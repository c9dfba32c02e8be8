"""The typecasters of psycopg2: from a type's OID to the function that reads its text."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable
from decimal import Decimal
from typing import Any

from . import _parsing as parsing
from ._errors import NotSupportedError

Cast = Callable[[Any, Any], Any]


class Type:
    """A typecaster; equal to the OIDs it is for, as the DB-API wants its type objects to be."""

    __module__ = "psycopg2._psycopg"

    def __init__(self, values: Iterable[int], name: str, function: Cast) -> None:
        self.values = tuple(values)
        self.name = name
        self.function = function

    def __call__(self, value: Any, cursor: Any = None) -> Any:
        if isinstance(value, bytes):  # which the original's own typecasters take too
            value = value.decode(getattr(getattr(cursor, "connection", None), "_codec", "utf-8"))
        return self.function(value, cursor)

    def __eq__(self, other: object) -> bool:
        if isinstance(other, Type):
            return self.values == other.values and self.name == other.name
        return other in self.values

    def __hash__(self) -> int:
        return hash(self.name)

    def __repr__(self) -> str:
        return f"<psycopg2._psycopg.type {self.name!r} at {id(self):#x}>"


def new_type(values: Iterable[int], name: str = "", castobj: Any = None) -> Type:
    """Return a typecaster for OIDs; `castobj(text, cursor)` gets None for NULL."""
    return Type(values, name, castobj)


def new_array_type(values: Iterable[int], name: str, baseobj: Any) -> Type:
    """Return a typecaster for arrays whose items `baseobj` reads."""

    def cast(value: Any, cursor: Any) -> Any:
        if value is None:
            return None
        return parsing.parse_array(value, lambda item: baseobj(item, cursor))

    return Type(values, name, cast)


def _plain(function: Callable[[str], Any]) -> Cast:
    return lambda value, _cursor: None if value is None else function(value)


def _zoned(function: Callable[[str, Any], Any]) -> Cast:
    def cast(value: Any, cursor: Any) -> Any:
        if value is None:
            return None
        return function(value, getattr(cursor, "tzinfo_factory", dt.timezone))

    return cast


def _interval(text: str) -> dt.timedelta:
    try:
        return parsing.parse_interval(text)
    except parsing.NotSupportedInterval as error:
        raise NotSupportedError("iso_8601 intervalstyle currently not supported") from error


def _binary(value: Any) -> Any:
    return value if isinstance(value, memoryview) else parsing.parse_bytes(value).cast("c")


def _stamp(text: str, zone: Any) -> Any:
    """Return a timestamp, with the zone that its text may have; infinities have none."""
    return parsing.parse_stamp(text, None if text.endswith("infinity") else zone)


def as_text(value: Any, _cursor: Any = None) -> Any:
    """Return text as it is."""
    return value


def find_reader(function: Cast, codec: str) -> Callable[[bytes], Any] | None:
    """Return what reads bytes as a typecaster's function reads their text, None for most.

    It is of C where it can be: large results are read cell by cell.
    """
    if function is as_text:
        return bytes.decode if codec == "utf-8" else lambda raw: raw.decode(codec)
    return _READERS.get(function)


FLOAT = Type((701, 700), "FLOAT", _plain(float))
LONGINTEGER = Type((20,), "LONGINTEGER", _plain(int))
INTEGER = Type((23, 21), "INTEGER", _plain(int))
DECIMAL = Type((1700,), "DECIMAL", _plain(Decimal))
NUMBER = Type((20, 23, 21, 701, 700, 1700), "NUMBER", _plain(float))
STRING = Type((19, 18, 25, 1042, 1043), "STRING", as_text)
UNICODE = Type((19, 18, 25, 1042, 1043), "UNICODE", as_text)
BYTES = Type((19, 18, 25, 1042, 1043), "BYTES", lambda v, _c: None if v is None else v.encode())
BOOLEAN = Type((16,), "BOOLEAN", _plain(lambda text: text in {"t", "T"}))
PYDATE = Type((1082,), "DATE", _plain(parsing.parse_date))
PYTIME = Type((1083, 1266), "TIME", _zoned(parsing.parse_time))
PYDATETIME = Type((1114,), "DATETIME", _zoned(_stamp))
PYDATETIMETZ = Type((1184,), "DATETIMETZ", _zoned(parsing.parse_stamp))
PYINTERVAL = Type((704, 1186), "INTERVAL", _plain(_interval))
DATE, TIME, INTERVAL = PYDATE, PYTIME, PYINTERVAL
DATETIME = Type((1114, 1184, 704, 1186, 1083, 1266, 1082), "DATETIME", _zoned(parsing.parse_stamp))
BINARY = Type((17,), "BINARY", _plain(_binary))
ROWID = Type((26,), "ROWID", _plain(int))
UNKNOWN = Type((705,), "UNKNOWN", as_text)

# Python reads numbers from ASCII bytes as from text.
_READERS: dict[Cast, Callable[[bytes], Any]] = {
    FLOAT.function: float,
    LONGINTEGER.function: int,
    INTEGER.function: int,
    ROWID.function: int,
}

LONGINTEGERARRAY = new_array_type((1016,), "LONGINTEGERARRAY", LONGINTEGER)
INTEGERARRAY = new_array_type((1005, 1006, 1007), "INTEGERARRAY", INTEGER)
FLOATARRAY = new_array_type((1021, 1022), "FLOATARRAY", FLOAT)
DECIMALARRAY = new_array_type((1231,), "DECIMALARRAY", DECIMAL)
STRINGARRAY = new_array_type((1002, 1003, 1009, 1014, 1015), "STRINGARRAY", STRING)
UNICODEARRAY = new_array_type((1002, 1003, 1009, 1014, 1015), "UNICODEARRAY", UNICODE)
BYTESARRAY = new_array_type((1002, 1003, 1009, 1014, 1015), "BYTESARRAY", BYTES)
BOOLEANARRAY = new_array_type((1000,), "BOOLEANARRAY", BOOLEAN)
DATETIMEARRAY = new_array_type((1115,), "DATETIMEARRAY", PYDATETIME)
DATETIMETZARRAY = new_array_type((1185,), "DATETIMETZARRAY", PYDATETIMETZ)
TIMEARRAY = new_array_type((1183, 1270), "TIMEARRAY", PYTIME)
DATEARRAY = new_array_type((1182,), "DATEARRAY", PYDATE)
INTERVALARRAY = new_array_type((1187,), "INTERVALARRAY", PYINTERVAL)
BINARYARRAY = new_array_type((1001,), "BINARYARRAY", BINARY)
ROWIDARRAY = new_array_type((1028, 1013), "ROWIDARRAY", ROWID)
INETARRAY = new_array_type((1041,), "INETARRAY", STRING)
CIDRARRAY = new_array_type((651,), "CIDRARRAY", STRING)
MACADDRARRAY = new_array_type((1040,), "MACADDRARRAY", STRING)
PYDATEARRAY, PYTIMEARRAY, PYINTERVALARRAY = DATEARRAY, TIMEARRAY, INTERVALARRAY
PYDATETIMEARRAY, PYDATETIMETZARRAY = DATETIMEARRAY, DATETIMETZARRAY

string_types: dict[int, Type] = {}
binary_types: dict[int, Type] = {}


def register_type(obj: Any, scope: Any = None) -> None:
    """Use a typecaster for its OIDs, everywhere or only on a connection or cursor."""
    types = string_types if scope is None else scope._own_types()
    for oid in obj.values:
        types[oid] = obj


for _type in (
    LONGINTEGER, INTEGER, FLOAT, DECIMAL, STRING, BOOLEAN, PYDATETIME, PYDATETIMETZ, PYTIME,
    PYDATE, PYINTERVAL, BINARY, ROWID, LONGINTEGERARRAY, INTEGERARRAY, FLOATARRAY, DECIMALARRAY,
    STRINGARRAY, BOOLEANARRAY, DATETIMEARRAY, DATETIMETZARRAY, TIMEARRAY, DATEARRAY,
    INTERVALARRAY, BINARYARRAY, ROWIDARRAY, UNKNOWN, INETARRAY, CIDRARRAY, MACADDRARRAY,
):  # fmt: skip
    register_type(_type)
