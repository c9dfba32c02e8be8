"""The binary form of a numeric: groups of four decimal digits (src/backend/utils/adt/numeric.c)."""

from __future__ import annotations

import struct
from decimal import Decimal
from typing import Any

_NAN, _INFINITY, _NEGATIVE_INFINITY, _NEGATIVE = 0xC000, 0xD000, 0xF000, 0x4000
_MOST_PLACES, _MOST_DIGITS = 0x3FFF, 131_072  # behind and before the point


def encode_numeric(value: Any) -> bytes:
    """Return a numeric's form: groups of four digits; ValueError for one that has none."""
    number = value if type(value) is Decimal else Decimal(value)
    if not number.is_finite():
        sign = _NAN
        if number.is_infinite():
            sign = _NEGATIVE_INFINITY if number < 0 else _INFINITY
        return struct.pack("!hhHh", 0, 0, sign, 0)
    sign, digits, exponent = number.as_tuple()
    scale = max(-int(exponent), 0)
    for amount, most, which in (
        (scale, _MOST_PLACES, "small"),
        (number.adjusted() + 1, _MOST_DIGITS, "large"),
    ):
        if amount > most:
            raise ValueError(f"cannot encode Decimal value into numeric: exponent is too {which}")
    text = "".join(map(str, digits)) + "0" * max(int(exponent), 0)
    whole, fraction = (text[:-scale], text[-scale:].rjust(scale, "0")) if scale else (text, "")
    whole = whole.lstrip("0")
    whole = whole.rjust(-(-len(whole) // 4) * 4, "0")
    fraction = fraction.ljust(-(-len(fraction) // 4) * 4, "0")
    groups = [int(part) for part in _cut(whole + fraction)]
    weight = len(whole) // 4 - 1
    while groups and groups[0] == 0:
        groups.pop(0)
        weight -= 1
    while groups and groups[-1] == 0:
        groups.pop()
    weight = weight if groups else 0
    head = struct.pack("!hhHh", len(groups), weight, _NEGATIVE if sign else 0, scale)
    return head + struct.pack(f"!{len(groups)}h", *groups)


def _cut(text: str) -> list[str]:
    return [text[i : i + 4] for i in range(0, len(text), 4)]


def decode_numeric(data: bytes) -> Decimal:
    """Return a numeric with its scale."""
    count, weight, sign, scale = struct.unpack_from("!hhHh", data)
    special = {_NAN: "NaN", _INFINITY: "Infinity", _NEGATIVE_INFINITY: "-Infinity"}.get(sign)
    if special:
        return Decimal(special)
    digits = "".join(f"{group:04d}" for group in struct.unpack_from(f"!{count}H", data, 8))
    exponent = 4 * (weight + 1 - count) if count else -scale
    if scale:
        places = exponent + scale
        digits = digits + "0" * places if places >= 0 else digits[:places]
        exponent = -scale
    # Made of its text, which no context rounds; without a scale it keeps what came: 1E+20.
    return Decimal(f"{'-' if sign == _NEGATIVE else ''}{digits or '0'}E{exponent}")
