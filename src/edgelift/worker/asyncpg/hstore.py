"""hstore in its binary form, for asyncpg's codec pg_contrib.hstore."""

from __future__ import annotations

import struct
from collections.abc import Mapping


def encode_hstore(value: Mapping[str, str | None]) -> bytes:
    """Return a mapping's form; raises TypeError for keys or values that are not text."""
    parts = [struct.pack("!i", len(value))]
    for key, item in value.items():
        if key is None:
            raise ValueError("null value not allowed in hstore key")
        for text in (key, item):
            if text is None:
                parts.append(struct.pack("!i", -1))
                continue
            data = text.encode()
            parts += (struct.pack("!i", len(data)), data)
    return b"".join(parts)


def decode_hstore(data: bytes) -> dict[str, str | None]:
    """Return an hstore's mapping."""
    texts: list[str | None] = []
    position = 4
    while position < len(data):
        size = struct.unpack_from("!i", data, position)[0]
        position += 4
        texts.append(None if size < 0 else data[position : position + size].decode())
        position += max(size, 0)
    return {str(key): value for key, value in zip(texts[::2], texts[1::2], strict=True)}
