"""Cells of rows on their way into a SQL object: exact as JSON, and the hash that proves them there.

The other side is targets/workerd/js/sql_loading.mjs.
"""

from __future__ import annotations

import base64
import hashlib
import math
import struct
from collections.abc import Iterable, Sequence
from typing import Any

MODULUS = 1 << 128
_HASH_BYTES = 16
_INTEGER = struct.Struct("<Bq")
_REAL = struct.Struct("<Bd")
_LENGTH = struct.Struct("<BI")
_TEXT, _BLOB = 3, 4
Cell = Any  # None, int, float, bytes, or text, with surrogate escapes where it is not UTF-8


def encode_cell(value: Cell) -> tuple[str, object]:
    """Return the kind of a cell (js/sql_loading.mjs) and what stands for it in JSON.

    JavaScript's numbers are doubles, so an integer goes as text; text that JSON or SQLite's C
    strings would change goes as its bytes.
    """
    if value is None:
        return "", None
    if isinstance(value, int):
        return "i", str(value)
    if isinstance(value, float):
        return ("f", math.copysign(1.0, value)) if math.isinf(value) else ("-", value)
    if isinstance(value, bytes):
        return "-", _to_blob(value)
    try:
        raw = value.encode()
    except UnicodeEncodeError:
        return "t", _to_blob(value.encode("utf-8", "surrogateescape"))
    return ("t", _to_blob(raw)) if "\0" in value else ("-", value)


def _to_blob(raw: bytes) -> dict[str, str]:
    return {"blob": base64.b64encode(raw).decode()}


def hash_row(row: Sequence[Cell]) -> int:
    """Return the 128-bit hash of a row."""
    digest = hashlib.sha256()
    for value in row:
        if value is None:
            digest.update(b"\0")
        elif isinstance(value, int):
            digest.update(_INTEGER.pack(1, value))
        elif isinstance(value, float):
            digest.update(_REAL.pack(2, value))
        else:
            text = isinstance(value, str)
            raw = value.encode("utf-8", "surrogateescape") if text else value
            digest.update(_LENGTH.pack(_TEXT if text else _BLOB, len(raw)))
            digest.update(raw)
    return int.from_bytes(digest.digest()[:_HASH_BYTES], "big")


def hash_rows(rows: Iterable[Sequence[Cell]]) -> int:
    """Return the sum of the hashes of rows."""
    return sum(map(hash_row, rows)) % MODULUS
