"""Values of servers' types as the mover writes them into SQLite, and back as the drivers give them.

The forms are those of rows/conversions: what the app writes in the Worker and what was moved must
be the same bytes, or neither queries nor the comparison of end states would hold.
"""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Callable
from decimal import Decimal
from typing import Any
from uuid import UUID

EXACT_DIGITS = 15  # every decimal of so many digits survives a double (IEEE 754, DBL_DIG)
_COMPACT = (",", ":")


def write_decimal(value: Any) -> Any:
    """Return a decimal as the number that SQLite's NUMERIC columns keep of it.

    One of more than 15 digits goes as text: the column decides, and loses nothing by itself.
    """
    if not isinstance(value, Decimal) or not value.is_finite():
        return value
    if value == value.to_integral_value() and abs(value) < 2**63:
        return int(value)
    return float(value) if len(value.normalize().as_tuple().digits) <= EXACT_DIGITS else str(value)


def read_decimal(value: Any, scale: int | None) -> Any:
    """Return the exact decimal that a number of at most 15 digits stands for, with `scale` places.

    Sums of such numbers are off by less than half a unit of the last place and round to theirs.
    """
    if value is None or isinstance(value, Decimal):
        return value
    found = Decimal(repr(value) if isinstance(value, float) else str(value))
    return (
        found
        if scale is None or not found.is_finite()
        else found.quantize(Decimal(1).scaleb(-scale))
    )


def write_array(value: Any) -> Any:
    """Return a list as PostgreSQL's to_json writes it."""
    return None if value is None else _dump(value, _COMPACT, _to_json)


def write_jsonb(value: Any) -> str:
    """Return a document as jsonb prints it: keys by length and bytes, numbers written out."""
    return _dump(_order(value), (", ", ": "), None)


def _order(value: Any) -> Any:
    if isinstance(value, dict):
        named = {_name(key): item for key, item in value.items()}
        keys = sorted(named, key=lambda key: (len(key.encode()), key.encode()))
        return {key: _order(named[key]) for key in keys}
    if isinstance(value, list | tuple):
        return [_order(item) for item in value]
    return value


def _name(key: Any) -> str:
    return key if isinstance(key, str) else json.loads(json.dumps({key: 0}).partition(":")[0][1:])


def _dump(value: Any, separators: tuple[str, str], default: Callable[[Any], Any] | None) -> str:
    """Write JSON as PostgreSQL does; a Decimal keeps all its digits."""
    comma, colon = separators
    if isinstance(value, list | tuple):
        return f"[{comma.join(_dump(item, separators, default) for item in value)}]"
    if isinstance(value, dict):
        parts = [
            f"{json.dumps(key, ensure_ascii=False)}{colon}{_dump(item, separators, default)}"
            for key, item in value.items()
        ]
        return f"{{{comma.join(parts)}}}"
    if isinstance(value, float | Decimal) and not isinstance(value, bool):
        return _write_number(value)
    if value is None or isinstance(value, bool | int | str) or default is None:
        return json.dumps(value, ensure_ascii=False)
    return _dump(default(value), separators, default)


def _write_number(value: float | Decimal) -> str:
    """Return a number by its digits, without an exponent."""
    plain = Decimal(repr(value)) if isinstance(value, float) else value
    if not plain.is_finite():
        raise ValueError("JSON has no infinite numbers and no NaN")
    return format(plain or abs(plain), "f")


def _to_json(value: Any) -> Any:
    """Return an element of an array as to_json has it."""
    if isinstance(value, dt.date | dt.time):
        return value.isoformat()
    if isinstance(value, UUID):
        return str(value)
    name = getattr(value, "name", None)  # a member of an Enum
    return name if isinstance(name, str) else str(value)
