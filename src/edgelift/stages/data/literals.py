"""Write SQLite values as SQL literals that any SQLite reads back as exactly the same value."""

from __future__ import annotations

import math
import re
from decimal import Decimal
from typing import Any

# Every SQLite reads a decimal literal exactly when the decimal is the double itself (0.25), its
# digits stay below 2^53 and its power of ten is exact. Otherwise releases differ in the last bit:
# 3.40 reads 0.390514 one off, 3.54 (D1's) does not; measured.
_SAFE_DIGITS = 15
_SAFE_EXPONENT = 22
_MANTISSA_BITS = 53
_STEP_BITS = 62  # the largest power of two that is an integer literal
_NEEDS_BYTES = re.compile("[\x00-\x08\x0b-\x1f\udc80-\udcff]")


def to_literal(value: Any) -> str:
    """Return the SQL literal or constant expression of a value; text may hold surrogate escapes.

    Text with NUL, carriage return or other control characters, or that is not UTF-8, is written as
    bytes and cast, because quoting loses or changes it on the way.
    """
    if value is None:
        return "NULL"
    if isinstance(value, str):
        if _NEEDS_BYTES.search(value):
            return f"CAST({to_blob_literal(to_bytes(value))} AS TEXT)"
        return "'" + value.replace("'", "''") + "'"
    if isinstance(value, int):
        return str(value) if value != -(2**63) else "(-9223372036854775807-1)"
    if isinstance(value, float):
        return _float_literal(value)
    return to_blob_literal(value)


def to_bytes(value: str | bytes) -> bytes:
    """Return the stored bytes of a text or blob."""
    return value.encode("utf-8", "surrogateescape") if isinstance(value, str) else value


def to_blob_literal(value: bytes) -> str:
    """Return a blob literal."""
    return f"X'{value.hex().upper()}'"


def _float_literal(value: float) -> str:
    if math.isinf(value):
        return "9e999" if value > 0 else "-9e999"
    if value == 0:
        return "0.0" if math.copysign(1, value) > 0 else "(0.0*-1)"
    text = repr(value)
    mantissa, _, exponent = text.partition("e")
    digits = mantissa.lstrip("-").replace(".", "").strip("0")
    shift = int(exponent or 0) - len(mantissa.partition(".")[2])
    exact = len(digits) <= _SAFE_DIGITS and abs(shift) <= _SAFE_EXPONENT
    if exact and Decimal(text) == Decimal(value):
        return text if "." in mantissa or exponent else f"{text}.0"
    return _exact_expression(value)


def _exact_expression(value: float) -> str:
    """Return `integer*1.0` scaled by powers of two: each step of it is exact in binary."""
    fraction, exponent = math.frexp(value)
    integer = int(fraction * 2**_MANTISSA_BITS)
    exponent -= _MANTISSA_BITS
    zeros = (integer & -integer).bit_length() - 1
    integer >>= zeros
    exponent += zeros
    operator = "*" if exponent > 0 else "/"
    parts = [f"{integer}*1.0"]
    left = abs(exponent)
    while left:
        step = min(left, _STEP_BITS)
        parts.append(f"{operator}{1 << step}")
        left -= step
    return f"({''.join(parts)})"
