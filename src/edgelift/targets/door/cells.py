"""Cells of rows on their way through the door: exact as JSON, and the hash that proves them there.

The other side is targets/workerd/js: sql_loading.mjs, sql_applying.mjs and row_sum.mjs.
"""

from __future__ import annotations

import base64
import hashlib
import math
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

MODULUS = 1 << 128
_HASH_BYTES = 16
_INTEGER = struct.Struct("<Bq")
_REAL = struct.Struct("<Bd")
_LENGTH = struct.Struct("<BI")
_TEXT, _BLOB = 3, 4
_REALS = frozenset({"Infinity", "-Infinity", "-0.0"})  # what JSON has not; other texts are integers
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


def decode_cell(cell: Any) -> Cell:
    """Return the value of a cell of a page (js/sql_applying.mjs)."""
    if isinstance(cell, str):
        return float(cell) if cell in _REALS else int(cell)
    if isinstance(cell, int):  # JSON has no 1.0 that is not 1
        return float(cell)
    if isinstance(cell, dict):
        raw = base64.b64decode(cell["blob"])
        return raw[1:].decode("utf-8", "surrogateescape") if raw[:1] == b"t" else raw[1:]
    return cell


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


@dataclass
class Sum:
    """What is in a table: rows, and the sum of their hashes (js/row_sum.mjs)."""

    rows: int = 0
    hash: int = 0

    def add(self, row: Sequence[Cell]) -> None:
        """Count a row in."""
        self.rows += 1
        self.hash += hash_row(row)

    @property
    def text(self) -> str:
        """Return the hash as 32 digits, as the object tells it."""
        return format(self.hash % MODULUS, "032x")
