"""Ops of numbers: integers, bool, floats, decimals in their three forms, money and bits."""

from __future__ import annotations

import math
import re
import struct
from collections.abc import Callable
from dataclasses import dataclass

from edgelift.rows.conversions import (
    Convert,
    Raw,
    RefusedValueError,
    Settings,
    Value,
    apply_policy,
    read_ascii,
)
from edgelift.rows.ops import MYSQL, PGCOPY, SQLITE

INT_MAX = 2**63 - 1
INT_MIN = -(2**63)
MOST_BITS = 2**24  # digits of one text; D1 keeps 2 MB of them
_DOUBLE = struct.Struct(">d")
_SINGLE = struct.Struct(">f")
_INTEGER = re.compile(r"-?[0-9]{1,300}")
_DECIMAL = re.compile(r"([+-]?)([0-9]*)(?:\.([0-9]*))?(?:[eE]([+-]?[0-9]{1,9}))?")


def read_int(raw: Raw, wire: str) -> int:
    """Return the integer of a field, of any size that its text has."""
    if wire == PGCOPY:
        assert isinstance(raw, bytes)
        if len(raw) not in {2, 4, 8}:
            raise RefusedValueError(f"has {len(raw)} bytes, an integer has 2, 4 or 8")
        return int.from_bytes(raw, "big", signed=True)
    if wire == SQLITE:
        if not isinstance(raw, int):
            raise RefusedValueError("is no INTEGER")
        return raw
    text = read_ascii(raw)
    if not _INTEGER.fullmatch(text):
        raise RefusedValueError("is no integer")
    return int(text)


def make_int(_settings: Settings, wire: str) -> Convert:
    """Return op `int`."""

    def convert(raw: Raw) -> Value:
        number = read_int(raw, wire)
        if not INT_MIN <= number <= INT_MAX:
            raise RefusedValueError("is outside the 64 bits of SQLite's INTEGER")
        return number

    return convert


def make_int_text(_settings: Settings, wire: str) -> Convert:
    """Return op `int_text`."""

    def convert(raw: Raw) -> Value:
        number = read_int(raw, wire)
        if not INT_MIN <= number < 2**64:
            raise RefusedValueError("is outside -2^63 ... 2^64-1")
        return str(number)

    return convert


def make_oid(_settings: Settings, _wire: str) -> Convert:
    """Return op `oid`."""

    def convert(raw: Raw) -> Value:
        assert isinstance(raw, bytes)
        if len(raw) != 4:
            raise RefusedValueError(f"has {len(raw)} bytes, an oid has 4")
        return int.from_bytes(raw, "big")

    return convert


def make_bool(_settings: Settings, wire: str) -> Convert:
    """Return op `bool`."""
    known: dict[Raw, int] = {b"\0": 0, b"\1": 1}
    if wire == MYSQL:
        known |= {b"0": 0, b"1": 1}
    elif wire == SQLITE:
        known = {0: 0, 1: 1}

    def convert(raw: Raw) -> Value:
        if wire == SQLITE and not isinstance(raw, int):
            raise RefusedValueError("is no INTEGER")
        number = known.get(raw)
        if number is None:
            raise RefusedValueError("is neither 0 nor 1")
        return number

    return convert


def _shape_real(number: float, affinity: str) -> Value:
    """Return what a column of that affinity keeps of a double."""
    if affinity in {"NUMERIC", "INTEGER"}:
        if number == math.floor(number) and abs(number) < 2.0**63:
            return int(number)
        return number
    return number + 0.0 if affinity == "REAL" else number  # + 0.0: such a column drops -0.0's sign


def _judge_float(number: float, settings: Settings, affinity: str) -> Value:
    if math.isnan(number):
        return apply_policy(settings["nan"], "NaN", "is NaN, which SQLite has no value for")
    if math.isinf(number):
        if settings["infinity"] == "real":
            return number
        text = "Infinity" if number > 0 else "-Infinity"
        return apply_policy(settings["infinity"], text, "is infinite")
    return _shape_real(number, affinity)


def make_float(settings: Settings, wire: str, affinity: str) -> Convert:
    """Return op `float` for a column of that affinity."""

    def read(raw: Raw) -> float:
        if wire == SQLITE:
            if isinstance(raw, float):
                return raw
            if isinstance(raw, int) and abs(raw) <= 2**53:
                return float(raw)
            raise RefusedValueError("is neither REAL nor an INTEGER within 2^53")
        assert isinstance(raw, bytes)
        if wire == MYSQL:
            return float(read_decimal_text(raw).text)
        if len(raw) == 8:
            return float(_DOUBLE.unpack(raw)[0])
        if len(raw) == 4:
            return float(_SINGLE.unpack(raw)[0])
        raise RefusedValueError(f"has {len(raw)} bytes, a float has 4 or 8")

    return lambda raw: _judge_float(read(raw), settings, affinity)


@dataclass(slots=True)
class Decimal:
    """A decimal as sent: its text, and digits * 10^exponent without zeros at either end."""

    text: str
    negative: bool = False
    digits: str = ""
    exponent: int = 0
    special: str = ""


def _strip(text: str, digits: str, exponent: int, *, negative: bool) -> Decimal:
    """Return the decimal without its outer zeros; zero has no digits."""
    significant = digits.lstrip("0")
    stripped = significant.rstrip("0")
    exponent += len(significant) - len(stripped)
    return Decimal(text, negative, stripped, exponent if stripped else 0)


def read_decimal_text(raw: Raw) -> Decimal:
    """Return the decimal of a text of digits, sign, point and exponent."""
    text = read_ascii(raw)
    match = _DECIMAL.fullmatch(text)
    if match is None or not (match[2] or match[3]):
        raise RefusedValueError("is no decimal number")
    fraction = match[3] or ""
    exponent = int(match[4] or 0) - len(fraction)
    return _strip(text, match[2] + fraction, exponent, negative=match[1] == "-")


_SPECIALS = {0xC000: "NaN", 0xD000: "Infinity", 0xF000: "-Infinity"}


def read_numeric(raw: Raw) -> Decimal:
    """Return the decimal of PostgreSQL's binary numeric: groups of four digits and a scale."""
    assert isinstance(raw, bytes)
    if len(raw) < 8:
        raise RefusedValueError(f"has {len(raw)} bytes, a numeric has 8 or more")
    count, weight, sign, scale = struct.unpack_from(">HhHH", raw)
    if sign in _SPECIALS:
        return Decimal(_SPECIALS[sign], special=_SPECIALS[sign])
    groups = struct.unpack(f">{count}H", raw[8:]) if len(raw) == 8 + 2 * count else None
    if groups is None or sign not in {0, 0x4000} or scale > 0x3FFF or max(groups, default=0) > 9999:
        raise RefusedValueError("is a malformed numeric")
    digits = "".join([f"{group:04d}" for group in groups])
    point = 4 * (weight + 1)
    if point <= 0:
        whole, fraction = "", "0" * -point + digits
    else:
        whole, fraction = digits[:point].ljust(point, "0"), digits[point:]
    if fraction[scale:].strip("0"):
        raise RefusedValueError("is a numeric with more digits than its scale")
    text = (whole.lstrip("0") or "0") + ("." + fraction[:scale].ljust(scale, "0") if scale else "")
    negative = sign == 0x4000 and bool(digits.strip("0"))
    return _strip("-" * negative + text, digits, point - len(digits), negative=negative)


def _decimal_reader(wire: str) -> Callable[[Raw], Decimal]:
    if wire == PGCOPY:
        return read_numeric
    if wire == MYSQL:
        return read_decimal_text

    def read(raw: Raw) -> Decimal:
        if isinstance(raw, int | str):
            return read_decimal_text(str(raw))
        raise RefusedValueError("is neither INTEGER nor TEXT")

    return read


def _special(decimal: Decimal, settings: Settings) -> str | None:
    if decimal.special == "NaN":
        return apply_policy(settings["nan"], "NaN", "is NaN")
    return apply_policy(settings["infinity"], decimal.special, "is infinite")


def _to_real15(decimal: Decimal, affinity: str) -> Value:
    """Return the double of a decimal that has at most 15 digits, so that it can be read back."""
    if not decimal.digits:
        return _shape_real(0.0, affinity)
    if len(decimal.digits) > 15:
        raise RefusedValueError(f"has {len(decimal.digits)} significant digits, a double keeps 15")
    if not -290 <= decimal.exponent + len(decimal.digits) - 1 <= 290:
        raise RefusedValueError("is outside 1e-290 ... 1e290")
    number = float(f"{decimal.digits}e{decimal.exponent}")
    return _shape_real(-number if decimal.negative else number, affinity)


def make_decimal_real15(settings: Settings, wire: str, affinity: str) -> Convert:
    """Return op `decimal_real15` for a column of that affinity."""
    read = _decimal_reader(wire)

    def convert(raw: Raw) -> Value:
        decimal = read(raw)
        if decimal.special:
            return _special(decimal, settings)
        return _to_real15(decimal, affinity)

    return convert


def make_decimal_text(settings: Settings, wire: str) -> Convert:
    """Return op `decimal_text`."""
    read = _decimal_reader(wire)

    def convert(raw: Raw) -> Value:
        decimal = read(raw)
        return _special(decimal, settings) if decimal.special else decimal.text

    return convert


def make_decimal_scaled(settings: Settings, wire: str) -> Convert:
    """Return op `decimal_scaled`."""
    read = _decimal_reader(wire)
    scale = int(settings["scale"])

    def convert(raw: Raw) -> Value:
        decimal = read(raw)
        if decimal.special:
            return _special(decimal, settings)
        zeros = decimal.exponent + scale
        if decimal.digits and zeros < 0:
            raise RefusedValueError(f"has digits beyond the scale of {scale}")
        if len(decimal.digits) + zeros > 19 and decimal.digits:
            raise RefusedValueError("is outside 64 bits when scaled")
        number = int(decimal.digits + "0" * zeros) if decimal.digits else 0
        number = -number if decimal.negative else number
        if not INT_MIN <= number <= INT_MAX:
            raise RefusedValueError("is outside 64 bits when scaled")
        return number

    return convert


def make_money(settings: Settings, wire: str, affinity: str) -> Convert:
    """Return op `money` for a column of that affinity."""
    scale = int(settings["scale"])

    def convert(raw: Raw) -> Value:
        number = read_int(raw, wire)
        digits = str(abs(number))
        return _to_real15(_strip(digits, digits, -scale, negative=number < 0), affinity)

    return convert


def _read_bits(raw: Raw, wire: str, width: int) -> tuple[int, int]:
    """Return the bits as a number and how many they are."""
    assert isinstance(raw, bytes)
    if wire == MYSQL:
        number = int.from_bytes(raw, "big")
        if len(raw) > 8:
            raise RefusedValueError(f"has {len(raw)} bytes, a BIT has up to 8")
        return number, width
    count = int.from_bytes(raw[:4], "big")
    if len(raw) < 4 or len(raw) != 4 + (count + 7) // 8:
        raise RefusedValueError("is a malformed bit string")
    return int.from_bytes(raw[4:], "big") >> (-count % 8), count


def make_bit(settings: Settings, wire: str) -> Convert:
    """Return op `bit`."""
    width = int(settings["width"])
    as_text = settings["style"] == "text"

    def convert(raw: Raw) -> Value:
        number, count = _read_bits(raw, wire, width)
        if as_text:
            if count > MOST_BITS:
                raise RefusedValueError(f"has more than {MOST_BITS} bits")
            if number.bit_length() > count:
                raise RefusedValueError(f"has more than {count} bits")
            return f"{number:0{count}b}" if count else ""
        if number > INT_MAX:
            raise RefusedValueError("has more than 63 significant bits")
        return number

    return convert
