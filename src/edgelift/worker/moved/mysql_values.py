"""MySQL's types on the wire: their codes, and values as the text protocol writes them."""

from __future__ import annotations

from decimal import ROUND_HALF_UP, Decimal
from typing import Any, NamedTuple

from edgelift.worker.moved.kinds import INTEGERS, MOMENTS, Kind
from edgelift.worker.moved.outputs import read_moment, to_decimal, write_text

BINARY_CHARSET, UTF8_CHARSET = 63, 45
_NOT_NULL, _BLOB, _UNSIGNED, _BINARY, _ENUM = 1, 16, 32, 128, 256
# include/field_types.h of the server.
_CODES = {
    "int2": 2, "int4": 3, "int8": 8, "numeric": 246, "float4": 4, "float8": 5, "bool": 8,
    "date": 10, "time": 11, "timestamp": 12, "timestamptz": 12, "json": 252, "jsonb": 252,
    "bytea": 252, "text": 252, "varchar": 253, "enum": 254, "uuid": 254, "interval": 11,
    "unknown": 6,
}  # fmt: skip
_FORMS = {"tinyint": 1, "mediumint": 9, "year": 13, "timestamp": 7, "blob": 252, "varbinary": 253}


class WireType(NamedTuple):
    """What a column definition says of a type."""

    code: int
    charset: int
    flags: int
    decimals: int


def find_type(kind: Kind) -> WireType:
    """Return how a kind is told to a driver."""
    form = kind.form.partition(" ")[0]
    code = _FORMS.get(form, _CODES.get(kind.name, 253))
    flags = _UNSIGNED if "unsigned" in kind.form else 0
    if kind.name == "bytea":
        return WireType(code, BINARY_CHARSET, flags | _BINARY | _BLOB, 0)
    if kind.name in {"text", "varchar", "enum", "json", "jsonb", "uuid"}:
        return WireType(code, UTF8_CHARSET, flags | (_ENUM if kind.name == "enum" else 0), 0)
    decimals = 31 if kind.name in {"float4", "float8"} else max(kind.scale, 0)
    return WireType(code, BINARY_CHARSET, flags | _BINARY, decimals)


def write_value(kind: Kind, value: Any) -> bytes | None:  # noqa: PLR0911 - one for each kind
    """Return a stored value as the server writes it, None for NULL."""
    if value is None:
        return None
    if isinstance(value, bytes):
        return value
    if kind.name == "bool":
        return b"1" if value else b"0"
    if kind.name in INTEGERS:
        return str(int(value)).zfill(4 if kind.form == "year" else 1).encode()
    if kind.name == "numeric":
        return _write_decimal(kind, value)
    if kind.name in MOMENTS:
        return _write_moment(kind, value)
    if kind.name == "time":
        return _write_clock(kind, str(value))
    if kind.name in {"float4", "float8"}:
        return _write_float(float(value))
    return (write_text(kind, value) or "").encode()


def _write_decimal(kind: Kind, value: Any) -> bytes:
    found = to_decimal(value)
    if kind.scale >= 0:
        found = found.quantize(Decimal(1).scaleb(-kind.scale), ROUND_HALF_UP)
    return format(found or abs(found), "f").encode()


def _write_moment(kind: Kind, value: Any) -> bytes:
    found = read_moment(kind, value)
    text = found.strftime("%Y-%m-%d %H:%M:%S").rjust(19, "0")
    if kind.scale > 0:
        text += f".{found.microsecond:06d}"[: kind.scale + 1]
    return text.encode()


def _write_clock(kind: Kind, value: str) -> bytes:
    whole, _, fraction = value.partition(".")
    return (f"{whole}.{fraction[: kind.scale]}" if kind.scale > 0 else whole).encode()


def _write_float(found: float) -> bytes:
    text = repr(found)
    if "e" in text:
        mantissa, _, exponent = text.partition("e")
        text = f"{mantissa.removesuffix('.0')}e{int(exponent)}"
    return text.removesuffix(".0").encode()
