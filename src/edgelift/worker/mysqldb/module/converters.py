"""The conversions between Python's and MySQL's types, under mysqlclient's names."""

from __future__ import annotations

from typing import Any

from MySQLdb._mysql import string_literal
from MySQLdb.constants import FIELD_TYPE, FLAG
from pymysql.converters import (
    conversions,
    convert_date,
    convert_datetime,
    convert_timedelta,
    escape_bool,
    escape_bytes,
    escape_date,
    escape_datetime,
    escape_float,
    escape_int,
    escape_None,
    escape_timedelta,
)

NoneType = type(None)
Bool2Str = escape_bool
Float2Str = escape_float
Thing2Str = escape_int
None2NULL = escape_None
Bytes2Literal = escape_bytes
Date2literal = escape_date
DateTime2literal = escape_datetime
DateTimeDelta2literal = escape_timedelta
DateTime_or_None = convert_datetime
Date_or_None = convert_date
TimeDelta_or_None = convert_timedelta

__all__ = [
    "FIELD_TYPE", "FLAG", "Bool2Str", "Bytes2Literal", "Date2literal", "DateTime2literal",
    "DateTimeDelta2literal", "DateTime_or_None", "Date_or_None", "Float2Str", "None2NULL",
    "NoneType", "Thing2Literal", "Thing2Str", "TimeDelta_or_None", "array2Str", "conversions",
]  # fmt: skip


def Thing2Literal(o: object, _d: Any) -> bytes:
    """Return a value's text as a quoted literal."""
    return string_literal(o)


def array2Str(o: Any, _d: Any) -> bytes:
    """Return an array of characters as a quoted literal."""
    return string_literal(o.tobytes().decode())
