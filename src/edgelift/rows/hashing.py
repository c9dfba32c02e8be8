"""The hash that proves rows: each row's canonical bytes under XXH3-64, summed modulo 2^64.

The sum does not depend on the order of rows, so hashes of chunks add up to that of their table.
Canonical bytes: per value a tag and what identifies it, so NULL, '', 0, 0.0 and x'' all differ.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Sequence

import xxhash

MODULUS = 2**64
LONG = 4096  # longer texts and blobs stand in the canonical bytes as their own hash
_NUMBER = struct.Struct("<Bq")
_REAL = struct.Struct("<Bd")
_LENGTH = struct.Struct("<BI")
_DIGEST = struct.Struct("<BIQ")
NULL_TAG, INTEGER_TAG, REAL_TAG, TEXT_TAG, BLOB_TAG, LONG_TEXT_TAG, LONG_BLOB_TAG = range(7)


def write_canonical(values: Sequence[object]) -> bytes:
    """Return the canonical bytes of a row of SQLite values."""
    parts: list[bytes] = []
    add = parts.append
    for value in values:
        if value is None:
            add(b"\0")
        elif isinstance(value, int):
            add(_NUMBER.pack(INTEGER_TAG, value))
        elif isinstance(value, float):
            add(_REAL.pack(REAL_TAG, value))
        else:
            text = isinstance(value, str)
            data = value.encode() if isinstance(value, str) else value
            assert isinstance(data, bytes)
            if len(data) <= LONG:
                add(_LENGTH.pack(TEXT_TAG if text else BLOB_TAG, len(data)))
                add(data)
            else:
                tag = LONG_TEXT_TAG if text else LONG_BLOB_TAG
                add(_DIGEST.pack(tag, len(data), xxhash.xxh3_64_intdigest(data)))
    return b"".join(parts)


def hash_row(values: Sequence[object]) -> int:
    """Return the 64-bit hash of one row of SQLite values."""
    return xxhash.xxh3_64_intdigest(write_canonical(values))


def hash_rows(rows: Iterable[Sequence[object]]) -> tuple[int, int]:
    """Return how many rows there are and the sum of their hashes modulo 2^64."""
    count = total = 0
    for row in rows:
        count += 1
        total += xxhash.xxh3_64_intdigest(write_canonical(row))
    return count, total % MODULUS
