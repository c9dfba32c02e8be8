"""What a server does to a value that is put into a column: SQLite keeps whatever it is given.

PostgreSQL rounds, casts or refuses by the column's type. The rules are those of its assignment
casts for the literals that psycopg2 writes; values that it refuses raise the driver's errors.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from decimal import ROUND_HALF_UP, Decimal, InvalidOperation
from typing import Any

from sqlalchemy import types as sqltypes

Assign = Callable[[Any], Any]
Errors = Any
_BITS = ((sqltypes.SmallInteger, 16), (sqltypes.BigInteger, 64), (sqltypes.Integer, 32))
_NAMED = {"TINYINT": 8, "MEDIUMINT": 24}


def find_rule(kind: Any, origin: str, errors: Errors) -> Assign | None:
    """Return what is done to a value of a declared type before it is stored, None for nothing.

    `errors` is the DB-API module whose exceptions are raised.
    """
    return _find_number_rule(kind, origin, errors) or _find_text_rule(kind, origin, errors)


def _find_number_rule(kind: Any, origin: str, errors: Errors) -> Assign | None:
    if isinstance(kind, sqltypes.Integer):
        low, high = _find_range(kind)
        strict = origin == "postgresql"
        return lambda value: _assign_integer(value, (low, high), errors, strict=strict)
    if isinstance(kind, sqltypes.Numeric) and not isinstance(kind, sqltypes.Float):
        return lambda value: _assign_decimal(value, kind, errors)
    return None


def _find_text_rule(kind: Any, origin: str, errors: Errors) -> Assign | None:
    if isinstance(kind, sqltypes.String) and not isinstance(kind, sqltypes.Enum):
        assign = _assign_text if origin == "postgresql" else _assign_mysql_text
        return lambda value: assign(value, kind.length, errors)
    if isinstance(kind, sqltypes.ARRAY) and origin == "postgresql":
        return lambda value: _assign_array(value, kind, errors)
    return None


def _find_range(kind: Any) -> tuple[int, int]:
    """Return the least number of a type, and the first that is too large."""
    name = type(kind).__name__
    bits = _NAMED.get(name) or next(size for base, size in _BITS if isinstance(kind, base))
    return (
        (0, 2**bits) if getattr(kind, "unsigned", False) else (-(2 ** (bits - 1)), 2 ** (bits - 1))
    )


def _assign_integer(value: Any, span: tuple[int, int], errors: Errors, *, strict: bool) -> Any:
    if value is None:
        return None
    if isinstance(value, bool) and not strict:
        return int(value)
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal | str):
        raise errors.ProgrammingError(f"column is of type integer but {value!r} is not")
    try:
        found = int(value) if isinstance(value, str) else _round(value)
    except (ValueError, OverflowError, InvalidOperation) as error:
        raise errors.DataError(f"invalid input for an integer: {value!r}") from error
    if not span[0] <= found < span[1]:
        raise errors.DataError("integer out of range")
    return found


def _round(value: float | Decimal) -> int:
    if isinstance(value, int):
        return value
    return int(
        Decimal(repr(value) if isinstance(value, float) else value).quantize(1, ROUND_HALF_UP)
    )


def _assign_decimal(value: Any, kind: Any, errors: Errors) -> Any:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal | str):
        raise errors.ProgrammingError(f"column is of type numeric but {value!r} is not")
    try:
        found = Decimal(repr(value) if isinstance(value, float) else value)
        if not found.is_finite() or kind.precision is None:
            return found
        scale = kind.scale or 0
        found = found.quantize(Decimal(1).scaleb(-scale), ROUND_HALF_UP)
    except InvalidOperation as error:
        raise errors.DataError(f"invalid input for a numeric: {value!r}") from error
    if abs(found) >= Decimal(10) ** (kind.precision - scale):
        raise errors.DataError("numeric field overflow")
    return found


def _assign_text(value: Any, length: int | None, errors: Errors) -> Any:
    text = write_text(value, errors)
    if text is not None and length is not None and len(text) > length:
        if text[length:].strip(" "):
            raise errors.DataError(f"value too long for type character varying({length})")
        text = text[:length]
    return text


def _assign_mysql_text(value: Any, length: int | None, errors: Errors) -> Any:
    if isinstance(value, bool):
        value = str(int(value))
    elif isinstance(value, int | float | Decimal | dt.date):
        value = str(value)
    elif value is not None and not isinstance(value, str):
        raise errors.ProgrammingError(f"a {type(value).__name__} is no text")
    if value is not None and length is not None and len(value.rstrip(" ")) > length:
        raise errors.DataError("Data too long for column")
    return value


def write_text(value: Any, errors: Errors) -> str | None:
    """Return the text that PostgreSQL casts a value to."""
    if value is None or isinstance(value, str):
        if value is not None and "\0" in value:
            raise ValueError("A string literal cannot contain NUL (0x00) characters.")
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list | tuple):
        return _write_array_text(value, errors)
    if isinstance(value, float):
        return format(Decimal(repr(value)), "f")
    if isinstance(value, int | Decimal | dt.date | dt.time):
        return str(value)
    raise errors.ProgrammingError(f"can't adapt type {type(value).__name__!r}")


def _write_array_text(values: Any, errors: Errors) -> str:
    if not values:
        return "{}"
    _check_alike(values, errors)
    parts = []
    for value in values:
        text = write_text(value, errors)
        if text is None:
            parts.append("NULL")
        elif isinstance(value, str) and (
            not text or set(text) & set('{},"\\ \t\n\r\v\f') or text.upper() == "NULL"
        ):
            quoted = text.replace("\\", "\\\\").replace('"', '\\"')
            parts.append(f'"{quoted}"')
        else:
            parts.append(text if not isinstance(value, bool) else text[0])
    return "{" + ",".join(parts) + "}"


def _check_alike(values: Any, errors: Errors) -> None:
    kinds = {_name_kind(value, errors) for value in values if value is not None}
    if len(kinds) > 1:
        raise errors.ProgrammingError(
            f"ARRAY types {' and '.join(sorted(kinds))} cannot be matched"
        )


def _name_kind(value: Any, errors: Errors) -> str:
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, int | float | Decimal):
        return "numeric"
    if isinstance(value, str):
        return "text"
    if isinstance(value, dict):
        raise errors.ProgrammingError("can't adapt type 'dict'")
    return type(value).__name__


def _assign_array(value: Any, kind: Any, errors: Errors) -> Any:
    if value is None:
        return None
    value = list(value)  # as SQLAlchemy does: the characters of a text, the keys of a dict
    _check_alike(value, errors)
    if isinstance(kind.item_type, sqltypes.String) and not isinstance(
        kind.item_type, sqltypes.Enum
    ):
        return [
            _assign_array(item, kind, errors) if isinstance(item, list | tuple)
            else _assign_text(item, kind.item_type.length, errors)
            for item in value
        ]  # fmt: skip
    return value
