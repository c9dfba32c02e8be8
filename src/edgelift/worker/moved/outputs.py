"""Writes a stored value as the server prints it for its type: the text that drivers read."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Callable
from decimal import ROUND_HALF_UP, Decimal, localcontext
from typing import Any

from edgelift.worker.moved import moments
from edgelift.worker.moved.inputs import read_text
from edgelift.worker.moved.kinds import Kind
from edgelift.worker.moved.stored_values import write_jsonb

_SIGNIFICANT = 16  # NUMERIC_MIN_SIG_DIGITS, src/include/utils/numeric.h
_GROUP = 4  # DEC_DIGITS
_NOW = moments.EPOCH


def write_text(kind: Kind, value: Any) -> str | None:
    """Return a stored value's text, None for NULL."""
    if value is None:
        return None
    if kind.element is not None:
        return _write_array(kind, value)
    writer = _WRITERS.get(kind.name)
    if writer is not None:
        return writer(kind, value)
    if isinstance(value, bytes):
        return "\\x" + value.hex()
    return _write_float(kind, value) if isinstance(value, float) else str(value)


def _write_int(_kind: Kind, value: Any) -> str:
    return str(int(value))


def _write_bool(_kind: Kind, value: Any) -> str:
    return "t" if value else "f"


def _write_float(_kind: Kind, value: Any) -> str:
    found = float(value)
    if found in {float("inf"), float("-inf")}:
        return "Infinity" if found > 0 else "-Infinity"
    text = repr(found)
    text = text.removesuffix(".0")
    mantissa, mark, exponent = text.partition("e")
    if mark:
        digits = exponent.lstrip("+-").rjust(2, "0")
        text = f"{mantissa}e{'-' if exponent.startswith('-') else '+'}{digits}"
        if 0 < int(exponent) < 15:
            text = format(Decimal(repr(found)), "f")
    elif abs(found) >= 1e15:
        text = _write_exponent(found)
    return text


def _write_exponent(found: float) -> str:
    """Return a large whole number with an exponent, which PostgreSQL writes from 1e+15 on."""
    sign, digits, exponent = Decimal(repr(found)).normalize().as_tuple()
    power = len(digits) - 1 + int(exponent)
    rest = "".join(map(str, digits[1:]))
    return f"{'-' if sign else ''}{digits[0]}{'.' + rest if rest else ''}e+{power:02d}"


def to_decimal(value: Any) -> Decimal:
    """Return the decimal that a stored number stands for."""
    return Decimal(repr(value) if isinstance(value, float) else str(value))


def _write_numeric(kind: Kind, value: Any) -> str:
    found = to_decimal(value)
    if kind.scale >= 0 and found.is_finite():
        with localcontext() as context:
            context.prec = 1000
            found = found.quantize(Decimal(1).scaleb(-kind.scale), ROUND_HALF_UP)
    return format(found or abs(found), "f")


def _write_ratio(kind: Kind, value: Any) -> str | None:
    """Return a quotient of two stored numbers as PostgreSQL's numeric division has it."""
    total, count = json.loads(value) if isinstance(value, str) else value
    if total is None or not count:
        return None
    return format(divide(_scaled(to_decimal(total), kind.scale), to_decimal(count)), "f")


def _scaled(value: Decimal, scale: int) -> Decimal:
    return value.quantize(Decimal(1).scaleb(-scale), ROUND_HALF_UP) if scale >= 0 else value


def divide(left: Decimal, right: Decimal) -> Decimal:
    """Return a quotient with the places of numeric.c's select_div_scale."""
    weight_l, first_l = _weigh(left)
    weight_r, first_r = _weigh(right)
    weight = weight_l - weight_r - (1 if first_l <= first_r else 0)
    places = _SIGNIFICANT - weight * _GROUP
    places = max(places, _scale(left), _scale(right), 0)
    with localcontext() as context:
        context.prec = 1000
        return (left / right).quantize(Decimal(1).scaleb(-places), ROUND_HALF_UP)


def _scale(value: Decimal) -> int:
    return max(-int(value.as_tuple().exponent), 0)


def _weigh(value: Decimal) -> tuple[int, int]:
    """Return the weight of the first group of four digits, and that group."""
    if not value:
        return 0, 0
    whole = int(abs(value))
    if whole:
        text = str(whole)
        weight = (len(text) - 1) // _GROUP
        return weight, int(text[: len(text) - weight * _GROUP])
    places = format(abs(value), "f").partition(".")[2]
    padded = places.ljust(-(-len(places) // _GROUP) * _GROUP, "0")
    for index in range(0, len(padded), _GROUP):
        if int(padded[index : index + _GROUP]):
            return -1 - index // _GROUP, int(padded[index : index + _GROUP])
    return 0, 0


def read_moment(kind: Kind, value: Any) -> dt.datetime:
    """Return the moment of a stored one."""
    if isinstance(value, int):
        size = {"unix": 10**6, "unix_ms": 1000}.get(kind.form, 1)
        return moments.EPOCH + dt.timedelta(microseconds=value * size)
    return dt.datetime.fromisoformat(str(value))


def _write_moment(kind: Kind, value: Any) -> str:
    found = read_moment(kind, value)
    text = found.strftime("%Y-%m-%d %H:%M:%S").rjust(19, "0")
    zone = "+00" if kind.name == "timestamptz" else ""
    return f"{text}{moments.write_fraction(found.microsecond)}{zone}"


def _write_date(_kind: Kind, value: Any) -> str:
    return str(value)[:10]


def _write_time(_kind: Kind, value: Any) -> str:
    text = str(value)
    return text.rstrip("0").rstrip(".") if "." in text else text


def read_span(kind: Kind, value: Any) -> moments.Span:
    """Return the span of a stored interval."""
    if kind.form == "epoch" or isinstance(value, str):
        moment = dt.datetime.fromisoformat(str(value))
        return moments.split_micros((moment - moments.EPOCH) // dt.timedelta(microseconds=1))
    return moments.split_micros(int(value))


def _write_interval(kind: Kind, value: Any) -> str:
    return moments.write_span(read_span(kind, value))


def _write_bytes(_kind: Kind, value: Any) -> str:
    return "\\x" + (value.encode() if isinstance(value, str) else bytes(value)).hex()


def _write_document(kind: Kind, value: Any) -> str:
    """Return a document; one that SQLite put together is written anew, as the server would."""
    if kind.form != "made" or not isinstance(value, str):
        return str(value)
    found = json.loads(value, parse_float=Decimal)
    return write_jsonb(found) if kind.name == "jsonb" else value


def _write_uuid(_kind: Kind, value: Any) -> str:
    text = value.hex() if isinstance(value, bytes) else str(value)
    if len(text) == 32:
        return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"
    return text


def _write_text(_kind: Kind, value: Any) -> str:
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    return _write_float(_kind, value) if isinstance(value, float) else str(value)


def _write_array(kind: Kind, value: Any) -> str:
    element = kind.element
    assert element is not None
    items = json.loads(value, parse_float=Decimal) if isinstance(value, str) else value
    return _write_items(element, items)


def _write_items(element: Kind, items: Any) -> str:
    parts = []
    for item in items:
        if isinstance(item, list):
            parts.append(_write_items(element, item))
        elif item is None:
            parts.append("NULL")
        else:
            parts.append(_quote(_write_item(element, item)))
    return "{" + ",".join(parts) + "}"


def _write_item(element: Kind, item: Any) -> str:
    """Return an element's text: the array's JSON has it as to_json writes it."""
    if element.name in {"json", "jsonb"}:
        return json.dumps(item, ensure_ascii=False)
    if isinstance(item, str) and element.name in {"timestamp", "timestamptz", "time", "date"}:
        return write_text(element, read_text(element, item, _NOW)) or ""
    if isinstance(item, bool):
        return "t" if item else "f"
    if isinstance(item, Decimal) and element.name in {"float4", "float8"}:
        item = float(item)
    return write_text(element, item) or ""


def _quote(text: str) -> str:
    needs = not text or text.upper() == "NULL" or set(text) & set('{},"\\ \t\n\r\v\f')
    if not needs:
        return text
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


_WRITERS: dict[str, Callable[[Kind, Any], str | None]] = {
    **dict.fromkeys(("int2", "int4", "int8", "oid"), _write_int),
    "numeric": _write_numeric,
    "ratio": _write_ratio,
    "float4": _write_float,
    "float8": _write_float,
    "bool": _write_bool,
    "timestamp": _write_moment,
    "timestamptz": _write_moment,
    "date": _write_date,
    "time": _write_time,
    "interval": _write_interval,
    "bytea": _write_bytes,
    "uuid": _write_uuid,
    "json": _write_document,
    "jsonb": _write_document,
    "text": _write_text,
    "varchar": _write_text,
}
