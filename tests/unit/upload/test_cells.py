"""Cells of rows as JSON and as hashes: every storage class, its edges, and what must never be the same."""

from __future__ import annotations

import base64
import itertools
import json
import math
import random
import struct
from collections.abc import Iterable
from hashlib import sha256
from typing import Any

import msgspec
import pytest

from edgelift.targets.door.cells import MODULUS, Sum, encode_cell, hash_row


def blob(raw: bytes) -> dict[str, str]:
    return {"blob": base64.b64encode(raw).decode()}


def _sum(rows: Iterable[tuple[Any, ...]]) -> int:
    total = Sum()
    for row in rows:
        total.add(row)
    return total.hash % MODULUS


@pytest.mark.parametrize(
    ("value", "kind", "json_value"),
    [
        (None, "", None),
        (0, "i", "0"),
        (-1, "i", "-1"),
        (2**53 + 1, "i", "9007199254740993"),
        (2**63 - 1, "i", "9223372036854775807"),
        (-(2**63), "i", "-9223372036854775808"),
        (1.0, "-", 1.0),
        (0.1, "-", 0.1),
        (5e-324, "-", 5e-324),
        (1.7976931348623157e308, "-", 1.7976931348623157e308),
        (math.inf, "f", 1.0),
        (-math.inf, "f", -1.0),
        ("", "-", ""),
        ("a'b\"c\\", "-", "a'b\"c\\"),
        ("é🙂\u2028", "-", "é🙂\u2028"),
        ("line\r\n\t\x01\x7f", "-", "line\r\n\t\x01\x7f"),
        ("a\0b", "t", blob(b"a\0b")),
        ("\udcff\udcfe", "t", blob(b"\xff\xfe")),
        (b"", "-", blob(b"")),
        (b"\0\xff", "-", blob(b"\0\xff")),
    ],
)
def test_cells_are_sent_so_that_javascript_keeps_them(
    value: Any, kind: str, json_value: Any
) -> None:
    assert encode_cell(value) == (kind, json_value)
    # What JSON makes of it is what was meant, to the last bit.
    read = json.loads(msgspec.json.encode(encode_cell(value)[1]))
    assert read == json_value
    if isinstance(value, float) and not math.isinf(value):
        assert struct.pack("<d", read) == struct.pack("<d", value)


def test_a_negative_zero_keeps_its_sign() -> None:
    kind, value = encode_cell(-0.0)
    assert kind == "-"
    assert math.copysign(1, json.loads(msgspec.json.encode(value))) == -1


def test_random_doubles_pass_through_json_exactly() -> None:
    source = random.Random(7)
    for _ in range(2000):
        value = struct.unpack("<d", source.randbytes(8))[0]
        if math.isfinite(value):
            read = json.loads(msgspec.json.encode(encode_cell(value)[1]))
            assert struct.pack("<d", read) == struct.pack("<d", value)


DIFFERENT = [
    (None,), ("",), (b"",), (0,), (0.0,), (-0.0,), (1,), (1.0,), ("1",), (b"1",), (2**53,), (2**53 + 1,),
    (float(2**53),), ("a",), ("a ",), ("A",), ("a\0",), ("\udcff",), (b"\xff",), (math.inf,), (-math.inf,),
    (None, None), ("a", "b"), ("ab", ""), ("", "ab"), (1, "a"), ("a", 1),
]  # fmt: skip


def test_rows_that_differ_have_different_hashes() -> None:
    assert len({hash_row(row) for row in DIFFERENT}) == len(DIFFERENT)


def test_a_hash_is_the_first_half_of_sha_256_of_the_tagged_cells() -> None:
    row = (None, -2, 0.5, "é", b"\1")
    plain = b"\0" + b"\1" + struct.pack("<q", -2) + b"\2" + struct.pack("<d", 0.5)
    plain += b"\3" + struct.pack("<I", 2) + "é".encode() + b"\4" + struct.pack("<I", 1) + b"\1"
    assert hash_row(row) == int.from_bytes(sha256(plain).digest()[:16], "big")


def test_the_sum_knows_no_order_and_counts_what_is_there_twice() -> None:
    rows = [(1, "a"), (2, "b"), (2, "b")]
    sums = {_sum(order) for order in itertools.permutations(rows)}
    assert len(sums) == 1
    assert sums != {_sum(rows[:2])}
    assert _sum(DIFFERENT * 40) < MODULUS
