"""The conversions between Python's and MySQL's types, under mysqlclient's names."""

from __future__ import annotations

from array import array
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

from MySQLdb._mysql import string_literal
from MySQLdb.constants import FIELD_TYPE, FLAG
from MySQLdb.times import (
    Date_or_None,
    DateTime2literal,
    DateTime_or_None,
    DateTimeDelta2literal,
    TimeDelta_or_None,
)
from pymysql.converters import decoders, escape_bool, escape_float, escape_int, escape_None

NoneType = type(None)
Bool2Str = escape_bool
Float2Str = escape_float
Thing2Str = escape_int
None2NULL = escape_None

__all__ = [
    "FIELD_TYPE", "FLAG", "Bool2Str", "DateTime2literal", "DateTimeDelta2literal",
    "DateTime_or_None", "Date_or_None", "Decimal2Literal", "Float2Str", "None2NULL", "NoneType",
    "Set2Str", "Thing2Literal", "Thing2Str", "TimeDelta_or_None", "array2Str", "conversions",
]  # fmt: skip


def Thing2Literal(o: object, _d: Any) -> bytes:
    """Return a value's text as a quoted literal."""
    return string_literal(o)


def Decimal2Literal(o: Decimal, _d: Any) -> str:
    """Return a decimal with all its digits."""
    return format(o, "f")


def Set2Str(s: set[str], _d: Any) -> bytes:
    """Return a SET's members as one literal."""
    return string_literal(",".join(s))


def array2Str(o: Any, _d: Any) -> bytes:
    """Return an array of characters as a quoted literal."""
    return string_literal(o.tobytes())


def _read_bytes(text: str) -> bytes:
    return text.encode("ascii")


# What stays when an application gives conversions of its own: numbers and dates are bytes then.
_NUMBERS_AND_DATES = (
    FIELD_TYPE.DECIMAL, FIELD_TYPE.TINY, FIELD_TYPE.SHORT, FIELD_TYPE.LONG, FIELD_TYPE.FLOAT,
    FIELD_TYPE.DOUBLE, FIELD_TYPE.LONGLONG, FIELD_TYPE.INT24, FIELD_TYPE.YEAR,
    FIELD_TYPE.NEWDECIMAL, FIELD_TYPE.TIMESTAMP, FIELD_TYPE.DATETIME, FIELD_TYPE.TIME,
    FIELD_TYPE.DATE,
)  # fmt: skip
PLAIN = dict.fromkeys(_NUMBERS_AND_DATES, _read_bytes)

conversions: dict[Any, Any] = {
    int: Thing2Str,
    float: Float2Str,
    NoneType: None2NULL,
    array: array2Str,
    bool: Bool2Str,
    date: Thing2Literal,
    datetime: DateTime2literal,
    timedelta: DateTimeDelta2literal,
    set: Set2Str,
    Decimal: Decimal2Literal,
    **decoders,
    FIELD_TYPE.TIMESTAMP: DateTime_or_None,
    FIELD_TYPE.DATETIME: DateTime_or_None,
    FIELD_TYPE.TIME: TimeDelta_or_None,
    FIELD_TYPE.DATE: Date_or_None,
}
