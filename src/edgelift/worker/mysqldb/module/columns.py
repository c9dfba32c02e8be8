"""How mysqlclient describes the columns of a result, from what PyMySQL has read."""

from __future__ import annotations

from typing import Any

from pymysql.constants import FIELD_TYPE

# What libmysqlclient adds to the flags of a column by its type (mysql.h: NUM_FLAG, IS_NUM).
_NUMBER = 32768
_NUMBERS = frozenset(
    {*range(FIELD_TYPE.INT24 + 1), FIELD_TYPE.YEAR, FIELD_TYPE.NEWDECIMAL} - {FIELD_TYPE.TIMESTAMP}
)
_SIGN = 1 << 31


def describe(result: Any) -> tuple[tuple[Any, ...], ...] | None:
    """Return PEP 249's description, None without rows.

    The display size is None: mysqlclient tells the longest value of the rows it has read.
    """
    if result is None or not result.description:
        return None
    return tuple(
        (name, kind, None, _signed(size), _signed(precision), scale, int(null_ok))
        for name, kind, _, size, precision, scale, null_ok in result.description
    )


def _signed(length: int) -> int:
    """Return a length as the C int that it is in mysqlclient."""
    return length - 2 * _SIGN if length >= _SIGN else length


def read_flags(result: Any) -> tuple[int, ...] | None:
    """Return the flags of each column (constants.FLAG), None without rows."""
    fields = getattr(result, "fields", None)
    if not fields:
        return None
    return tuple(f.flags | _NUMBER if f.type_code in _NUMBERS else f.flags for f in fields)
