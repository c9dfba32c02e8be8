"""Reads a value's text as the server reads it for a type, into the form that the move stored.

These are PostgreSQL's input functions and assignment casts: what they refuse is refused with their
SQLSTATE and words.
"""

from __future__ import annotations

import datetime as dt
import json
import re
from collections.abc import Callable
from decimal import ROUND_HALF_UP, Decimal, InvalidOperation
from typing import Any
from uuid import UUID

from edgelift.worker.moved import moments
from edgelift.worker.moved.failures import ServerError
from edgelift.worker.moved.kinds import INTEGER_BITS, Kind, write_kind
from edgelift.worker.moved.stored_values import write_decimal, write_jsonb
from edgelift.worker.postgres.arrays import parse_array

Stored = int | float | str | bytes | None
MYSQL_RANGES = {
    name + sign: (0, 2**bits - 1) if sign else (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1)
    for name, bits in (("tinyint", 8), ("smallint", 16), ("mediumint", 24), ("int", 32))
    for sign in ("", " unsigned")
} | {"bigint unsigned": (0, 2**63 - 1), "year": (0, 2155)}
_TRUE = ("true", "yes", "on", "1")
_FALSE = ("false", "no", "off", "0")
_ESCAPES = re.compile(rb"\\(\\|[0-3][0-7]{2})")


def read_text(kind: Kind, text: str, now: dt.datetime) -> Stored:
    """Return the stored form of a value's text; raises ServerError with the server's SQLSTATE."""
    if kind.element is not None:
        return _read_array(kind, text, now)
    reader = _READERS.get(kind.name)
    if reader is None:
        return text
    return reader(kind, text, now)


def _invalid(kind: Kind, text: str, **fields: str) -> ServerError:
    return ServerError(
        "22P02", f'invalid input syntax for type {write_kind(kind)}: "{text}"', **fields
    )


def _read_int(kind: Kind, text: str, _now: dt.datetime) -> Stored:
    stripped = text.strip()
    if not re.fullmatch(r"[+-]?\d+", stripped):
        raise _invalid(kind, text)
    found = int(stripped)
    check_range(kind, found, text)
    return found


def check_range(kind: Kind, found: int, text: str | None = None) -> None:
    """Raise ServerError when an integer does not fit into its type."""
    if kind.form in MYSQL_RANGES:
        low, high = MYSQL_RANGES[kind.form]
        if not low <= found <= high:
            raise ServerError("22003", "integer out of range")
        return
    bits = INTEGER_BITS.get(kind.name)
    low, high = (0, 2**32) if bits is None else (-(2 ** (bits - 1)), 2 ** (bits - 1))
    if not low <= found < high:
        if text is None:
            short = write_kind(kind)
            raise ServerError("22003", f"{short} out of range")
        raise ServerError("22003", f'value "{text}" is out of range for type {write_kind(kind)}')


def _read_numeric(kind: Kind, text: str, _now: dt.datetime) -> Stored:
    try:
        found = Decimal(text.strip())
    except InvalidOperation:
        raise _invalid(kind, text) from None
    return fit_numeric(kind, found)


def fit_numeric(kind: Kind, found: Decimal) -> Stored:
    """Return the stored form of a decimal, rounded to its column's places."""
    if not found.is_finite():
        raise ServerError("0A000", "the moved database keeps no NaN and no infinite numeric")
    if kind.scale >= 0 and kind.precision >= 0:
        found = found.quantize(Decimal(1).scaleb(-kind.scale), ROUND_HALF_UP)
        whole = kind.precision - kind.scale
        if abs(found) >= Decimal(10) ** whole:
            limit = f"10^{whole}" if whole else "1"
            raise ServerError(
                "22003",
                "numeric field overflow",
                D=f"A field with precision {kind.precision}, scale {kind.scale} must round to an "
                f"absolute value less than {limit}.",
            )
    stored: Stored = write_decimal(found)
    return stored


def _read_float(kind: Kind, text: str, _now: dt.datetime) -> Stored:
    try:
        found = float(text.strip())
    except ValueError:
        raise _invalid(kind, text) from None
    if found != found:  # noqa: PLR0124
        raise ServerError("0A000", "the moved database keeps no NaN")
    return found


def _read_bool(kind: Kind, text: str, _now: dt.datetime) -> Stored:
    word = text.strip().lower()
    if word and word != "o":
        if any(full.startswith(word) for full in _TRUE):
            return 1
        if any(full.startswith(word) for full in _FALSE):
            return 0
    raise _invalid(kind, text)


def _read_string(kind: Kind, text: str, _now: dt.datetime) -> Stored:
    return fit_text(kind, text)


def fit_text(kind: Kind, text: str) -> str:
    """Return a text for a column of its type; spaces alone may be cut off."""
    if kind.length >= 0:
        if len(text) > kind.length:
            if text[kind.length :].strip(" "):
                raise ServerError(
                    "22001", f"value too long for type {write_kind(kind)}({kind.length})"
                )
            text = text[: kind.length]
        if kind.name == "bpchar":
            return text.ljust(kind.length)
    return text


def _read_enum(kind: Kind, text: str, _now: dt.datetime) -> Stored:
    if kind.labels and text not in kind.labels:
        raise ServerError("22P02", f'invalid input value for enum {kind.form}: "{text}"')
    return text


def _read_bytes(kind: Kind, text: str, _now: dt.datetime) -> Stored:
    if text.startswith("\\x"):
        try:
            return bytes.fromhex(text[2:])
        except ValueError:
            raise ServerError(
                "22023", f"invalid hexadecimal data: odd number of digits or digit in {text!r}"
            ) from None
    raw = text.encode("utf-8")
    if b"\\" in _ESCAPES.sub(b"", raw):
        raise _invalid(kind, text)
    return _ESCAPES.sub(lambda m: b"\\" if m[1] == b"\\" else bytes((int(m[1], 8),)), raw)


def _read_uuid(kind: Kind, text: str, _now: dt.datetime) -> Stored:
    stripped = text.strip().strip("{}")
    if not re.fullmatch(r"[0-9a-fA-F-]{32,39}", stripped):
        raise _invalid(kind, text)
    try:
        found = UUID(stripped)
    except ValueError:
        raise _invalid(kind, text) from None
    if kind.form == "blob":
        return found.bytes
    return found.hex if kind.form == "hex" else str(found)


def read_json(kind: Kind, text: str) -> Any:
    """Return a document; raises ServerError for what is none."""
    try:
        return json.loads(text, parse_float=Decimal, parse_constant=_refuse_constant)
    except ValueError:
        raise ServerError(
            "22P02", "invalid input syntax for type json", D=_tell_json(text)
        ) from None


def _refuse_constant(word: str) -> Any:
    raise ValueError(word)


def _tell_json(text: str) -> str:
    if not text.strip():
        return "The input string ended unexpectedly."
    found = re.search(r"[^\s{}\[\],:\"]+", text)
    return f'Token "{found[0] if found else text}" is invalid.'


def _read_json(kind: Kind, text: str, _now: dt.datetime) -> Stored:
    found = read_json(kind, text)
    return write_jsonb(found) if kind.name == "jsonb" else text


def write_moment(value: dt.datetime, form: str = "") -> Stored:
    """Return a moment in its stored form."""
    if form in {"unix", "unix_ms", "unix_us"}:
        micros = (value - moments.EPOCH) // dt.timedelta(microseconds=1)
        return micros // {"unix": 10**6, "unix_ms": 1000, "unix_us": 1}[form]
    if form == "django" and not value.microsecond:
        return value.isoformat(" ")
    return value.isoformat(" ", "microseconds")


def _read_timestamp(kind: Kind, text: str, now: dt.datetime) -> Stored:
    _check_finite(text)
    return write_moment(moments.read_moment(text, write_kind(kind), now), kind.form)


def _check_finite(text: str) -> None:
    if text.strip().lower().lstrip("+-") == "infinity":
        raise ServerError("0A000", "the moved database keeps no infinite moments")


def _read_date(kind: Kind, text: str, now: dt.datetime) -> Stored:
    _check_finite(text)
    return moments.read_moment(text, write_kind(kind), now).date().isoformat()


def _read_time(_kind: Kind, text: str, _now: dt.datetime) -> Stored:
    return moments.read_time(text).isoformat("microseconds")


def _read_interval(kind: Kind, text: str, _now: dt.datetime) -> Stored:
    return write_span(moments.read_span(text), kind.form)


def write_span(span: moments.Span, form: str) -> Stored:
    """Return a span in its stored form; months have none."""
    if span.months:
        raise ServerError("0A000", "the moved database keeps no intervals of months and years")
    if form == "epoch":
        return write_moment(moments.EPOCH + dt.timedelta(days=span.days, microseconds=span.micros))
    return span.days * moments.DAY_US + span.micros


def _read_array(kind: Kind, text: str, now: dt.datetime) -> Stored:
    element = kind.element
    assert element is not None

    def convert(item: str | None) -> Any:
        return None if item is None else to_json(element, read_text(element, item, now))

    try:
        found = parse_array(text.strip(), convert)
    except (ValueError, IndexError):  # ArrayError is a ValueError
        raise ServerError(
            "22P02", f'malformed array literal: "{text}"',
            D='Array value must start with "{" or dimension information.',
        ) from None  # fmt: skip
    return write_array(found)


def write_array(items: Any) -> str:
    """Return nested lists as to_json writes them; decimals keep their places."""
    if isinstance(items, list):
        return f"[{','.join(write_array(item) for item in items)}]"
    if isinstance(items, Decimal):
        return format(items, "f")
    return json.dumps(items, ensure_ascii=False, separators=(",", ":"))


def to_json(element: Kind, stored: Stored) -> Any:  # noqa: PLR0911 - one for each form
    """Return a stored value as an element of a stored array: what to_json makes of it."""
    if stored is None:
        return None
    if element.name == "bool":
        return bool(stored)
    if element.name in {"timestamp", "timestamptz"}:
        text = str(stored).replace(" ", "T")
        text = text.rstrip("0").rstrip(".") if "." in text else text
        return f"{text}+00:00" if element.name == "timestamptz" else text
    if element.name == "time":
        text = str(stored)
        return text.rstrip("0").rstrip(".") if "." in text else text
    if element.name == "bytea":
        return "\\x" + bytes(stored).hex()  # type: ignore[arg-type]
    if element.name in {"json", "jsonb"}:
        return json.loads(str(stored))
    return stored


_READERS: dict[str, Callable[[Kind, str, dt.datetime], Stored]] = {
    **dict.fromkeys(("int2", "int4", "int8", "oid"), _read_int),
    "numeric": _read_numeric,
    "float4": _read_float,
    "float8": _read_float,
    "bool": _read_bool,
    "varchar": _read_string,
    "bpchar": _read_string,
    "enum": _read_enum,
    "bytea": _read_bytes,
    "uuid": _read_uuid,
    "json": _read_json,
    "jsonb": _read_json,
    "timestamp": _read_timestamp,
    "timestamptz": _read_timestamp,
    "date": _read_date,
    "time": _read_time,
    "interval": _read_interval,
}
