"""PostgreSQL's binary forms of values, to and from their texts (src/backend/utils/adt, *send)."""

from __future__ import annotations

import datetime as dt
import struct
from collections.abc import Callable
from decimal import Decimal
from typing import Any
from uuid import UUID

from edgelift.worker.moved import moments
from edgelift.worker.moved.failures import ServerError
from edgelift.worker.moved.kinds import Kind, find_oid
from edgelift.worker.moved.moments import Span
from edgelift.worker.postgres.arrays import format_array, parse_array
from edgelift.worker.postgres.numerics import decode_numeric, encode_numeric

_EPOCH = dt.datetime(2000, 1, 1)  # noqa: DTZ001 - timestamps have no zone
_MICRO = dt.timedelta(microseconds=1)
_INTEGERS = {"int2": "!h", "int4": "!i", "int8": "!q", "oid": "!I"}


def encode(kind: Kind, text: str) -> bytes:
    """Return the binary form of a value's text."""
    if kind.element is not None:
        return _encode_array(kind.element, text)
    encoder = _ENCODERS.get(kind.name)
    return encoder(text) if encoder is not None else text.encode()


def decode(kind: Kind, data: bytes) -> str:
    """Return the text of a value's binary form; raises ServerError for what is none."""
    try:
        if kind.element is not None:
            return _decode_array(kind.element, data)
        decoder = _DECODERS.get(kind.name)
        return decoder(data) if decoder is not None else data.decode()
    except (struct.error, ValueError, IndexError, ArithmeticError):
        raise ServerError("22P03", "incorrect binary data format in bind parameter") from None


def _packer(form: str) -> Callable[[str], bytes]:
    return lambda text: struct.pack(form, int(text))


def _unpacker(form: str) -> Callable[[bytes], str]:
    return lambda data: str(struct.unpack(form, data)[0])


def _encode_numeric(text: str) -> bytes:
    return encode_numeric(Decimal(text))


def _decode_numeric(data: bytes) -> str:
    return format(decode_numeric(data), "f")


def _encode_date(text: str) -> bytes:
    return struct.pack("!i", dt.date.fromisoformat(text).toordinal() - _EPOCH.date().toordinal())


def _decode_date(data: bytes) -> str:
    days = struct.unpack("!i", data)[0]
    if days in {2**31 - 1, -(2**31)}:
        return "infinity"
    return dt.date.fromordinal(days + _EPOCH.toordinal()).isoformat()


def _encode_moment(text: str) -> bytes:
    moment = moments.read_moment(text, "timestamp with time zone", _EPOCH)
    return struct.pack("!q", (moment - _EPOCH) // _MICRO)


def _decode_moment(data: bytes) -> str:
    micros = struct.unpack("!q", data)[0]
    if micros in {2**63 - 1, -(2**63)}:
        return "infinity"
    return (_EPOCH + dt.timedelta(microseconds=micros)).isoformat(" ", "microseconds")


def _encode_time(text: str) -> bytes:
    found = moments.read_time(text)
    return struct.pack("!q", (dt.datetime.combine(_EPOCH.date(), found) - _EPOCH) // _MICRO)


def _decode_time(data: bytes) -> str:
    micros = struct.unpack("!q", data)[0]
    return (_EPOCH + dt.timedelta(microseconds=micros)).time().isoformat("microseconds")


def _encode_interval(text: str) -> bytes:
    span = moments.read_span(text)
    return struct.pack("!qii", span.micros, span.days, span.months)


def _decode_interval(data: bytes) -> str:
    micros, days, months = struct.unpack("!qii", data)
    return moments.write_span(Span(months, days, micros))


def _encode_array(element: Kind, text: str) -> bytes:
    items = parse_array(text, lambda item: item)
    sizes: list[int] = []
    level: Any = items
    while isinstance(level, list) and level:
        sizes.append(len(level))
        level = level[0]
    flat = list(_flatten(items))
    head = struct.pack("!iiI", len(sizes), int(None in flat), find_oid(element))
    parts = [head, *(struct.pack("!ii", size, 1) for size in sizes)]
    for item in flat:
        if item is None:
            parts.append(struct.pack("!i", -1))
        else:
            data = encode(element, item)
            parts += (struct.pack("!i", len(data)), data)
    return b"".join(parts)


def _flatten(items: Any) -> Any:
    for item in items:
        if isinstance(item, list):
            yield from _flatten(item)
        else:
            yield item


def _decode_array(element: Kind, data: bytes) -> str:
    dimensions, _nulls, _oid = struct.unpack_from("!iiI", data)
    if not dimensions:
        return "{}"
    sizes = [struct.unpack_from("!ii", data, 12 + 8 * n)[0] for n in range(dimensions)]
    position = 12 + 8 * dimensions
    flat: list[Any] = []
    while position < len(data):
        (size,) = struct.unpack_from("!i", data, position)
        position += 4
        if size < 0:
            flat.append(None)
        else:
            flat.append(decode(element, data[position : position + size]))
            position += size
    for size in reversed(sizes[1:]):
        flat = [flat[i : i + size] for i in range(0, len(flat), size)]
    return format_array(flat, str)


_ENCODERS: dict[str, Callable[[str], bytes]] = {
    **{name: _packer(form) for name, form in _INTEGERS.items()},
    "bool": lambda text: b"\x01" if text in {"t", "true", "1"} else b"\0",
    "float4": lambda text: struct.pack("!f", float(text)),
    "float8": lambda text: struct.pack("!d", float(text)),
    "numeric": _encode_numeric,
    "ratio": _encode_numeric,
    "bytea": lambda text: bytes.fromhex(text[2:]),
    "uuid": lambda text: UUID(text).bytes,
    "jsonb": lambda text: b"\x01" + text.encode(),
    "date": _encode_date,
    "timestamp": _encode_moment,
    "timestamptz": _encode_moment,
    "time": _encode_time,
    "interval": _encode_interval,
}
_DECODERS: dict[str, Callable[[bytes], str]] = {
    **{name: _unpacker(form) for name, form in _INTEGERS.items()},
    "bool": lambda data: "t" if data[0] else "f",
    "float4": lambda data: repr(struct.unpack("!f", data)[0]),
    "float8": lambda data: repr(struct.unpack("!d", data)[0]),
    "numeric": _decode_numeric,
    "bytea": lambda data: "\\x" + data.hex(),
    "uuid": lambda data: str(UUID(bytes=data)),
    "jsonb": lambda data: data[1:].decode(),
    "date": _decode_date,
    "timestamp": _decode_moment,
    "timestamptz": lambda data: _decode_moment(data) + "+00",
    "time": _decode_time,
    "interval": _decode_interval,
}
