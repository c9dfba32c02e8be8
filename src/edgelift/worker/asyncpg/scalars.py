"""Binary forms of PostgreSQL's scalar types for asyncpg: numbers, text, bytes, addresses, shapes.

Formats are those of the server's `*_send` and `*_recv` functions; error texts are asyncpg's.
"""

from __future__ import annotations

import ipaddress
import struct
import uuid
from collections.abc import Callable
from typing import Any

from .types import BitString, Box, Circle, Line, LineSegment, Path, Point, Polygon

Encode = Callable[[Any], bytes]
Decode = Callable[[bytes], Any]


def integer(size: int, name: str, *, signed: bool = True) -> tuple[Encode, Decode]:
    """Return the codec of an integer of some bytes."""
    low, high = (-(1 << size * 8 - 1), 1 << size * 8 - 1) if signed else (0, 1 << size * 8)

    def encode(value: Any) -> bytes:
        if type(value) is not int:
            if not hasattr(type(value), "__int__"):
                kind = type(value).__name__
                raise TypeError(f"'{kind}' object cannot be interpreted as an integer")
            value = int(value)
        if not low <= value < high:
            raise OverflowError(f"value out of {name} range")
        return int.to_bytes(value, size, "big", signed=signed)

    return encode, lambda data: int.from_bytes(data, "big", signed=signed)


def encode_bool(value: Any) -> bytes:
    """Return a bool's form."""
    if not isinstance(value, bool):
        raise TypeError(f"a boolean is required (got type {type(value).__name__})")
    return b"\1" if value else b"\0"


def decode_bool(data: bytes) -> bool:
    """Return a bool."""
    return data != b"\0"


def encode_float4(value: Any) -> bytes:
    """Return a float4's form."""
    number = _as_float(value)
    try:
        return struct.pack("!f", number)
    except OverflowError:
        raise ValueError("value out of float32 range") from None


def encode_float8(value: Any) -> bytes:
    """Return a float8's form."""
    return struct.pack("!d", _as_float(value))


def _as_float(value: Any) -> float:
    if not hasattr(type(value), "__float__") and not hasattr(type(value), "__index__"):
        raise TypeError(f"must be real number, not {type(value).__name__}")
    return float(value)


def encode_text(value: Any) -> bytes:
    """Return text's form."""
    if not isinstance(value, str):
        raise TypeError(f"expected str, got {type(value).__name__}")
    return value.encode()


def encode_bytes(value: Any) -> bytes:
    """Return a bytea's form."""
    try:
        return bytes(memoryview(value))
    except TypeError:
        kind = type(value).__name__
        raise TypeError(f"a bytes-like object is required, not '{kind}'") from None


def encode_jsonb(value: Any) -> bytes:
    """Return a jsonb's form: a version and the text."""
    return b"\1" + encode_text(value)


def decode_jsonb(data: bytes) -> str:
    """Return a jsonb's text; raises ValueError for a version that is not 1."""
    if data[:1] != b"\1":
        raise ValueError(f"unexpected JSONB format: {data[0]}")
    return data[1:].decode()


class UUID(uuid.UUID):
    """A UUID of the driver's, equal to the standard library's."""

    __module__ = "asyncpg.pgproto.pgproto"
    __slots__ = ()


def encode_uuid(value: Any) -> bytes:
    """Return a uuid's form; text is allowed."""
    if isinstance(value, str):
        digits = value.replace("-", "")
        if not 32 <= len(value) <= 36:
            raise ValueError(
                f"invalid UUID {value!r}: length must be between 32..36 characters, "
                f"got {len(value)}"
            )
        try:
            data = bytes.fromhex(digits)
        except ValueError:
            raise ValueError(f"invalid UUID {value!r}") from None
        if len(data) != 16:
            raise ValueError(f"invalid UUID {value!r}: decodes to less than 16 bytes")
        return data
    data = value.bytes
    if len(data) != 16:
        raise TypeError(f"invalid UUID value: {value!r}")
    return bytes(data)


def decode_uuid(data: bytes) -> UUID:
    """Return a uuid."""
    return UUID(bytes=data)


_BASE = 10000


def encode_inet(value: Any) -> bytes:
    """Return an inet's form."""
    interface = ipaddress.ip_interface(value)
    return _pack_address(interface.ip, interface.network.prefixlen, is_cidr=False)


def encode_cidr(value: Any) -> bytes:
    """Return a cidr's form."""
    network = ipaddress.ip_network(value)
    return _pack_address(network.network_address, network.prefixlen, is_cidr=True)


def _pack_address(address: Any, prefix: int, *, is_cidr: bool) -> bytes:
    family = 2 if address.version == 4 else 3
    packed = address.packed
    return bytes((family, prefix, is_cidr, len(packed))) + bytes(packed)


def decode_inet(data: bytes) -> Any:
    """Return an address, or an interface when it has a network."""
    address = ipaddress.ip_address(data[4:])
    if data[1] != address.max_prefixlen:
        return ipaddress.ip_interface(f"{address}/{data[1]}")
    return address


def decode_cidr(data: bytes) -> Any:
    """Return a network."""
    return ipaddress.ip_network((data[4:], data[1]))


def encode_bits(value: Any) -> bytes:
    """Return a bit string's form."""
    bits = value if isinstance(value, BitString) else BitString(encode_bytes(value))
    return struct.pack("!i", len(bits)) + bytes(bits.bytes)


def decode_bits(data: bytes) -> BitString:
    """Return a bit string."""
    return BitString.frombytes(data[4:], int.from_bytes(data[:4], "big"))


def _pack_floats(*values: Any) -> bytes:
    return b"".join(encode_float8(value) for value in values)


def _pack_points(points: Any) -> bytes:
    return b"".join(encode_point(point) for point in points)


def _read_points(data: bytes) -> list[Point]:
    return [Point(x, y) for x, y in struct.iter_unpack("!2d", data)]


def encode_point(value: Any) -> bytes:
    """Return a point's form."""
    return _pack_floats(value[0], value[1])


def decode_point(data: bytes) -> Point:
    """Return a point."""
    return Point(*struct.unpack("!2d", data))


def encode_pair(value: Any) -> bytes:
    """Return the form of a box or a segment."""
    return _pack_points((value[0], value[1]))


def decode_box(data: bytes) -> Box:
    """Return a box."""
    return Box(*_read_points(data))


def decode_segment(data: bytes) -> LineSegment:
    """Return a line segment."""
    return LineSegment(*_read_points(data))


def encode_line(value: Any) -> bytes:
    """Return a line's form."""
    return _pack_floats(value[0], value[1], value[2])


def decode_line(data: bytes) -> Line:
    """Return a line."""
    return Line(*struct.unpack("!3d", data))


def encode_path(value: Any) -> bytes:
    """Return a path's form; a list is open, a tuple closed."""
    closed = value.is_closed if isinstance(value, Path) else not isinstance(value, list)
    return struct.pack("!?i", closed, len(value)) + _pack_points(value)


def decode_path(data: bytes) -> Path:
    """Return a path."""
    return Path(*_read_points(data[5:]), is_closed=data[0] == 1)


def encode_polygon(value: Any) -> bytes:
    """Return a polygon's form."""
    return struct.pack("!i", len(value)) + _pack_points(value)


def decode_polygon(data: bytes) -> Polygon:
    """Return a polygon."""
    return Polygon(*_read_points(data[4:]))


def encode_circle(value: Any) -> bytes:
    """Return a circle's form."""
    return _pack_floats(value[0][0], value[0][1], value[1])


def decode_circle(data: bytes) -> Circle:
    """Return a circle."""
    x, y, radius = struct.unpack("!3d", data)
    return Circle((x, y), radius)


def encode_tid(value: Any) -> bytes:
    """Return a row address's form: block and offset."""
    if not isinstance(value, tuple | list):
        kind = type(value)
        raise TypeError(f"list or tuple expected (got type {kind})")
    if len(value) != 2:
        raise ValueError("invalid number of elements in tid tuple, expecting 2")
    parts = zip(("block", "offset"), value, ((4, "uint32"), (2, "uint16")), strict=True)
    return b"".join(_pack_part(name, part, *form) for name, part, form in parts)


def _pack_part(name: str, part: Any, size: int, form: str) -> bytes:
    if not isinstance(part, int):
        raise TypeError("an integer is required")
    if not 0 <= part < 1 << size * 8:
        raise OverflowError(f"tuple id {name} value out of {form} range")
    return part.to_bytes(size, "big")


def decode_tid(data: bytes) -> tuple[int, ...]:
    """Return a row address."""
    return struct.unpack("!IH", data)


def encode_snapshot(value: Any) -> bytes:
    """Return a snapshot's form: xmin, xmax and the running ones."""
    low, high, running = value
    return struct.pack(f"!i{len(running) + 2}q", len(running), low, high, *running)


def decode_snapshot(data: bytes) -> tuple[Any, ...]:
    """Return a snapshot."""
    count, low, high = struct.unpack_from("!iqq", data)
    return low, high, struct.unpack_from(f"!{count}q", data, 20)
