"""Binary forms of arrays, ranges, multiranges and rows for asyncpg."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable, Mapping, Sized
from typing import Any

from .types import Range

Encode = Callable[[Any], bytes]
Decode = Callable[[bytes], Any]
_NULL = struct.pack("!i", -1)
_MAX_DIMENSIONS = 6
_EMPTY, _LOWER_INC, _UPPER_INC, _LOWER_INF, _UPPER_INF = 0x01, 0x02, 0x04, 0x08, 0x10


def _is_array(value: Any) -> bool:
    return (
        isinstance(value, Sized)
        and isinstance(value, Iterable)
        and not isinstance(value, str | bytes | bytearray | memoryview | Mapping)
    )


def _is_nested(value: Any) -> bool:
    """Return whether an item is another dimension: tuples may be rows."""
    return _is_array(value) and not isinstance(value, tuple)


def _add_items(value: Any, level: int, shape: list[int], items: list[Any]) -> None:
    """Collect an array's items and sizes; raises ValueError for uneven ones."""
    if level == _MAX_DIMENSIONS:
        raise ValueError(
            f"number of array dimensions ({level + 1}) exceed the maximum expected "
            f"({_MAX_DIMENSIONS})"
        )
    if level == len(shape):
        if items and level:
            raise ValueError("non-homogeneous array")
        shape.append(len(value))
    elif shape[level] != len(value):
        raise ValueError("non-homogeneous array")
    for item in value:
        if _is_nested(item):
            _add_items(item, level + 1, shape, items)
        elif level + 1 < len(shape):
            raise ValueError("non-homogeneous array")
        else:
            items.append(item)


def encode_array(value: Any, oid: int, encode: Encode) -> bytes:
    """Return an array's form; tuples in it are items, not dimensions."""
    if not _is_array(value):
        kind = type(value).__name__
        raise TypeError(f"a sized iterable container expected (got type '{kind}')")
    shape: list[int] = []
    items: list[Any] = []
    _add_items(value, 0, shape, items)
    if not items:
        return struct.pack("!iiI", 0, 0, oid)
    parts = [struct.pack("!iiI", len(shape), any(i is None for i in items), oid)]
    parts += [struct.pack("!ii", size, 1) for size in shape]
    for index, item in enumerate(items):
        if item is None:
            parts.append(_NULL)
            continue
        try:
            data = encode(item)
        except (TypeError, ValueError) as error:
            raise type(error)(f"invalid array element at index {index}: {error}") from None
        parts += (struct.pack("!i", len(data)), data)
    return b"".join(parts)


def decode_array(data: bytes, decode: Decode) -> Any:
    """Return an array as nested lists."""
    dimensions = int.from_bytes(data[:4], "big")
    if not dimensions:
        return []
    shape = [struct.unpack_from("!i", data, 12 + 8 * i)[0] for i in range(dimensions)]
    position = 12 + 8 * dimensions
    items: list[Any] = []
    while position < len(data):
        size = struct.unpack_from("!i", data, position)[0]
        position += 4
        if size < 0:
            items.append(None)
        else:
            items.append(decode(data[position : position + size]))
            position += size
    for size in reversed(shape[1:]):
        items = [items[i : i + size] for i in range(0, len(items), size)]
    return items


def encode_range(value: Any, encode: Encode) -> bytes:
    """Return a range's form; a list or tuple is taken as its two ends, both in it."""
    if isinstance(value, list | tuple):
        if len(value) > 2:
            raise ValueError(f"expected 0, 1 or 2 elements in range (got {len(value)})")
        ends = (*value, None, None)[:2]
        value = Range(*ends, lower_inc=True, upper_inc=True, empty=not value)
    elif not isinstance(value, Range):
        raise TypeError(f"list, tuple or Range object expected (got type {type(value)})")
    if value.isempty:
        return bytes((_EMPTY,))
    flags = value.lower_inc * _LOWER_INC | value.upper_inc * _UPPER_INC
    flags |= value.lower_inf * _LOWER_INF | value.upper_inf * _UPPER_INF
    parts = [bytes((flags,))]
    for name, end in (("lower", value.lower), ("upper", value.upper)):
        if end is None:
            continue
        try:
            data = encode(end)
        except TypeError as error:
            raise TypeError(f"invalid range {name} bound: {error}") from None
        parts += (struct.pack("!i", len(data)), data)
    return b"".join(parts)


def decode_range(data: bytes, decode: Decode) -> Range:
    """Return a range."""
    flags = data[0]
    position = 1
    ends: list[Any] = []
    for missing in (_LOWER_INF, _UPPER_INF):
        if flags & (missing | _EMPTY):
            ends.append(None)
            continue
        size = struct.unpack_from("!i", data, position)[0]
        ends.append(decode(data[position + 4 : position + 4 + size]))
        position += 4 + size
    return Range(
        *ends,
        lower_inc=bool(flags & _LOWER_INC),
        upper_inc=bool(flags & _UPPER_INC),
        empty=bool(flags & _EMPTY),
    )


def encode_multirange(value: Any, encode: Encode) -> bytes:
    """Return a multirange's form."""
    if not _is_array(value):
        kind = type(value).__name__
        raise TypeError(f"expected a sequence (got type {kind!r})")
    parts = [struct.pack("!i", len(value))]
    for item in value:
        data = encode_range(item, encode)
        parts += (struct.pack("!i", len(data)), data)
    return b"".join(parts)


def decode_multirange(data: bytes, decode: Decode) -> list[Range]:
    """Return a multirange as a list."""
    position = 4
    found = []
    for _ in range(int.from_bytes(data[:4], "big")):
        size = struct.unpack_from("!i", data, position)[0]
        found.append(decode_range(data[position + 4 : position + 4 + size], decode))
        position += 4 + size
    return found


def encode_row(values: list[Any], oids: list[int], encoders: list[Encode]) -> bytes:
    """Return a row's form."""
    parts = [struct.pack("!i", len(values))]
    for value, oid, encode in zip(values, oids, encoders, strict=False):
        parts.append(struct.pack("!I", oid))
        if value is None:
            parts.append(_NULL)
        else:
            data = encode(value)
            parts += (struct.pack("!i", len(data)), data)
    return b"".join(parts)


def split_row(data: bytes) -> list[tuple[int, bytes | None]]:
    """Return the OIDs and values of a row."""
    position = 4
    found: list[tuple[int, bytes | None]] = []
    for _ in range(int.from_bytes(data[:4], "big")):
        oid, size = struct.unpack_from("!Ii", data, position)
        position += 8
        if size < 0:
            found.append((oid, None))
        else:
            found.append((oid, data[position : position + size]))
            position += size
    return found
