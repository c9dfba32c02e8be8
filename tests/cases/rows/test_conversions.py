"""Each op's results and refusals, written down, in both engines; and independent words for keys."""

from __future__ import annotations

import ast
import struct
import uuid
from decimal import Decimal
from pathlib import Path

import pytest

from edgelift.rows.ops import OPS
from tests.rows_streams import ENGINES, WRITERS, build_spec, run

CASES = [
    tuple(part.strip() for part in line.split("|"))
    for line in Path(__file__).with_name("conversions.txt").read_text().splitlines()
    if line and not line.startswith("#")
]


def write_numeric(text: str) -> bytes:
    """Return PostgreSQL's binary numeric of a text, by way of decimal: not how the engines do it."""
    special = {"NaN": 0xC000, "Infinity": 0xD000, "-Infinity": 0xF000}.get(text)
    if special:
        return struct.pack(">HhHH", 0, 0, special, 0)
    number = Decimal(text)
    _, listed, exponent = number.as_tuple()
    scale = max(0, -int(exponent))
    whole, fraction = divmod(
        int("".join(map(str, listed))) * 10 ** max(0, int(exponent)), 10**scale
    )
    left = str(whole).rjust(-(-len(str(whole)) // 4) * 4, "0") if whole else ""
    right = f"{fraction:0{scale}d}".ljust(-(-scale // 4) * 4, "0") if scale else ""
    groups = [int((left + right)[i : i + 4]) for i in range(0, len(left + right), 4)]
    weight = len(left) // 4 - 1
    while groups and groups[0] == 0:
        groups, weight = groups[1:], weight - 1
    while groups and groups[-1] == 0:
        groups = groups[:-1]
    sign = 0x4000 if number < 0 else 0
    return struct.pack(f">HhHH{len(groups)}H", len(groups), weight, sign, scale, *groups)


def read_raw(text: str) -> object:
    if text.startswith("'"):
        return text[1:-1].encode()
    kind, _, rest = text.partition(":")
    if kind == "sqlite":
        return ast.literal_eval(rest)
    if kind == "hex":
        return bytes.fromhex(rest)
    if kind == "num":
        return write_numeric(rest)
    form = {"i2": ">h", "i4": ">i", "i8": ">q", "f4": ">f", "f8": ">d"}[kind]
    return struct.pack(form, float(rest) if kind[0] == "f" else int(rest))


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("case", CASES, ids=" ".join)
def test_conversion(case: tuple[str, ...], engine: str) -> None:
    wire, op, argument, target_type, raw, expected = case
    spec = build_spec(wire, (op, argument, target_type), ("int", ""), key=('"f1"',))
    key: object = {"pgcopy": b"\0\0\0\x11", "mysql": b"17", "sqlite": 17}[wire]
    made = run(engine, spec, WRITERS[wire]([(read_raw(raw), key), (None, key)]))
    if expected.startswith("refused: "):
        assert made[0] == "OriginError"
        what, why, tip = made[1].splitlines()
        assert what == f"public.t, column f0: a value cannot be carried by op {op}"
        assert why.startswith("the value of the row f1=17 ")
        assert expected.removeprefix("refused: ") in why
        assert "[[schema.cast]]" in tip
        return
    value = float("inf") if expected == "inf" else ast.literal_eval(expected)
    rows, _ = made
    assert rows[0][0] == (type(value).__name__, repr(value))
    assert rows[1][0] == ("NoneType", "None")


def test_every_op_has_a_case() -> None:
    assert {case[1] for case in CASES} == set(OPS) - {"refused"}


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("key", [0, 1, 4095, 4096, 10**15, 2**60 - 1])
def test_uuid7_follows_the_key(engine: str, key: int) -> None:
    base = 0 if key > 2**59 else 1_700_000_000_000
    namespace = uuid.UUID("6ba7b810-9dad-11d1-80b4-00c04fd430c8")
    argument = f"namespace={namespace} base={base} style=text"
    spec = build_spec("pgcopy", ("uuid7", argument))
    stream = WRITERS["pgcopy"]([(struct.pack(">q", k),) for k in (max(key - 1, 0), key)])
    rows, _ = run(engine, spec, stream)
    before, made = (uuid.UUID(ast.literal_eval(row[0][1])) for row in rows)
    assert (made.version, made.variant) == (7, uuid.RFC_4122)
    assert before < made or key == 0
    assert ((made.int >> 80) - base) << 12 | made.int >> 64 & 4095 == key


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("key", [0, 1, -1, 2**63 - 1, -(2**63)])
def test_uuid5_is_that_of_the_standard_library(engine: str, key: int) -> None:
    namespace = uuid.UUID("a5d7c9b2-6d0e-4a63-9d6c-0d4b7a1b0c55")
    spec = build_spec("pgcopy", ("uuid5", f"namespace={namespace} style=hex"))
    rows, _ = run(engine, spec, WRITERS["pgcopy"]([(struct.pack(">q", key),)]))
    assert rows[0][0][1] == repr(uuid.uuid5(namespace, str(key)).hex)
