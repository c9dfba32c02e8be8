"""The binary form of a numeric: groups of four decimal digits (src/backend/utils/adt/numeric.c)."""

from __future__ import annotations

import struct
from decimal import Decimal
from typing import Any

_NAN, _INFINITY, _NEGATIVE_INFINITY, _NEGATIVE = 0xC000, 0xD000, 0xF000, 0x4000


def encode_numeric(value: Any) -> bytes:
    """Return a numeric's form: groups of four decimal digits."""
    number = value if type(value) is Decimal else Decimal(value)
    if not number.is_finite():
        sign = _NAN
        if number.is_infinite():
            sign = _NEGATIVE_INFINITY if number < 0 else _INFINITY
        return struct.pack("!hhHh", 0, 0, sign, 0)
    sign, digits, exponent = number.as_tuple()
    scale = max(-int(exponent), 0)
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
    groups = list(struct.unpack_from(f"!{count}h", data, 8))
    # A group's place is its distance from the decimal point.
    whole = "".join(
        f"{groups[i] if i < count else 0:04d}" for i in range(weight + 1)
    ) if weight >= 0 else "0"  # fmt: skip
    fraction = ""
    if scale:
        padding = "0000" * max(-weight - 1, 0)
        rest = groups[max(weight + 1, 0) :]
        fraction = (padding + "".join(f"{g:04d}" for g in rest)).ljust(scale, "0")[:scale]
    text = f"{'-' if sign == _NEGATIVE else ''}{int(whole)}{'.' + fraction if scale else ''}"
    number = Decimal(text)
    trailing = weight + 1 - count
    if not scale and trailing > 0:  # as asyncpg, which keeps what the server sent: 1E+20
        return number.scaleb(-4 * trailing).quantize(Decimal(1)).scaleb(4 * trailing)
    return number
