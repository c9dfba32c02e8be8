"""Both row engines give the same cells, hashes and errors on random rows cut into odd pieces."""

from __future__ import annotations

import math
import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgelift.rows.ops import OPS, Setting
from tests.rows_streams import NO_NATIVE, WRITERS, build_spec, run_both, write_pg_messages

pytestmark = pytest.mark.skipif(bool(NO_NATIVE), reason=f"no native engine: {NO_NATIVE}")

EDGES = [0, 1, -1, 2, 9, 10, 99, 100, 4095, 4096, 2**31 - 1, -(2**31), 2**53, 2**53 + 1, 2**60]
EDGES += [2**60 - 1, 2**63 - 1, -(2**63), 2**64 - 1, 2**64, -(2**63) - 1, 10**15, 10**15 - 1]
any_bytes = st.binary(max_size=40)
integers = st.one_of(st.integers(-(2**63), 2**63 - 1), st.sampled_from(EDGES), st.integers(-9, 9))
fitting = integers.map(lambda n: (n + 2**63) % 2**64 - 2**63)


def pack(form: str, *parts: st.SearchStrategy) -> st.SearchStrategy[bytes]:
    return st.tuples(*parts).map(lambda values: struct.pack(form, *values))


pg_int = st.one_of(
    pack(">q", fitting),
    pack(">i", st.integers(-(2**31), 2**31 - 1)),
    pack(">h", st.integers(-(2**15), 2**15 - 1)),
)
doubles = st.one_of(
    st.floats(),
    st.sampled_from([0.0, -0.0, 5.0, 2.0**63, -(2.0**63), 1e15, 1e300, 5e-324, 9.3e18]),
)
pg_float = st.one_of(pack(">d", doubles), pack(">f", st.floats(width=32)))


@st.composite
def pg_numeric(draw: st.DrawFn) -> bytes:
    groups = draw(
        st.lists(st.sampled_from([0, 1, 10, 9999, 1200, 5000, 34]) | st.integers(0, 9999))
    )
    groups = groups[: draw(st.integers(0, 6)) or 40]
    weight = draw(st.integers(-4, 6) | st.sampled_from([-75, 75, 300, -300]))
    exact = max(0, 4 * (len(groups) - weight - 1))
    scale = draw(st.sampled_from([0, 2, exact, exact, exact, 16383, 0x4000]))
    sign = draw(st.sampled_from([0, 0, 0x4000, 0xC000, 0xD000, 0xF000, 0x1234]))
    return struct.pack(f">HhHH{len(groups)}H", len(groups), weight, sign, scale, *groups)


moments = st.one_of(
    fitting,
    st.integers(-63_082_281_600_000_000, 252_455_616_000_000_000),
    st.integers(-63_082_281_600, 252_455_616_000).map(lambda s: s * 1_000_000),
    st.sampled_from([0, -1, 999, 1000, 86_400_000_000, 86_399_999_999, -86_400_000_000]),
)
pg_interval = pack(
    ">qii",
    moments,
    st.integers(-(2**31), 2**31 - 1) | st.integers(-99, 99),
    st.integers(-30, 30) | st.just(0),
)
utf8 = st.text(max_size=30).map(str.encode)
inet = st.builds(
    lambda v6, bits, cidr, packed: (
        bytes([3 if v6 else 2, bits, cidr, 16 if v6 else 4]) + (packed if v6 else packed[:4])
    ),
    st.booleans(),
    st.sampled_from([0, 8, 24, 32, 32, 64, 128, 128]),
    st.integers(0, 1),
    st.lists(st.sampled_from([0, 0, 0, 0, 1, 255]), min_size=16, max_size=16).map(bytes),
)
bits = st.integers(0, 70).flatmap(
    lambda n: st.binary(min_size=(n + 7) // 8, max_size=(n + 7) // 8).map(
        lambda data: n.to_bytes(4, "big") + data
    )
)
PG = {
    **dict.fromkeys(["int", "int_text", "uuid5", "uuid7", "money"], pg_int),
    "oid": st.binary(min_size=4, max_size=4),
    "bool": st.sampled_from([b"\0", b"\1", b"\2"]),
    "float": pg_float,
    **dict.fromkeys(["decimal_real15", "decimal_text", "decimal_scaled"], pg_numeric()),
    "text": utf8 | utf8.map(lambda b: b + b"  "),
    "char": st.binary(min_size=1, max_size=1),
    "jsonb": utf8.map(lambda b: b"\1" + b),
    "blob": any_bytes,
    "uuid": st.binary(min_size=16, max_size=16),
    "date": pack(">i", st.integers(-(2**31), 2**31 - 1) | st.integers(-730_120, 2_921_940)),
    "time": pack(">q", st.integers(0, 86_400_000_000) | moments),
    "timetz": pack(">qi", st.integers(0, 86_400_000_000), st.integers(-90_000, 90_000)),
    "timestamp": pack(">q", moments),
    "interval": pg_interval,
    "inet": inet,
    "macaddr": st.binary(min_size=6, max_size=6) | st.binary(min_size=8, max_size=8),
    "bit": bits,
}

number_text = st.one_of(
    integers.map(str),
    st.from_regex(r"[+-]?[0-9]{0,25}(\.[0-9]{0,25})?([eE][+-]?[0-9]{1,3})?", fullmatch=True),
    st.floats(allow_nan=False, allow_infinity=False).map(repr),
    st.from_regex(r"-?0{0,3}[0-9]{1,12}\.[0-9]{0,4}0{0,20}", fullmatch=True),
)
date_text = st.one_of(
    st.dates().map(str),
    st.from_regex(r"[0-9]{4}-(0[0-9]|1[0-3])-[0-3][0-9]", fullmatch=True),
    st.sampled_from(
        ["0000-00-00", "2024-02-30", "2023-02-29", "2000-02-29", "1900-02-29", "2024-00-10"]
    ),
)
time_text = st.one_of(
    st.times().map(str),
    st.from_regex(r"-?[0-9]{2,3}:[0-5][0-9]:[0-6][0-9](\.[0-9]{1,7})?", fullmatch=True),
    st.sampled_from(["24:00:00", "-00:00:00", "838:59:59", "-838:59:59.000001", "1:00:00"]),
)
moment_text = st.tuples(date_text, st.sampled_from(" T"), time_text).map("".join)
uuid_text = st.one_of(st.uuids().map(str), st.uuids().map(lambda u: u.hex.upper()))
TEXTS = {
    **dict.fromkeys(["int", "int_text", "uuid5", "uuid7"], integers.map(str) | number_text),
    "bool": st.sampled_from(["0", "1", "2", "", "\0", "\1"]),
    **dict.fromkeys(["float", "decimal_real15", "decimal_text", "decimal_scaled"], number_text),
    "text": st.text(max_size=30) | st.text(max_size=5).map(lambda s: s + "  "),
    "uuid": uuid_text,
    "date": date_text,
    "time": time_text,
    "interval": time_text,
    "timestamp": moment_text,
}
MYSQL = {
    **{op: texts.map(str.encode) for op, texts in TEXTS.items()},
    "blob": any_bytes,
    "wkb": any_bytes.map(lambda b: bytes(4) + b),
    "bit": st.binary(max_size=9),
    "uuid": uuid_text.map(str.encode) | st.binary(min_size=16, max_size=16),
}
lite_values = st.one_of(
    fitting, doubles.filter(lambda d: not math.isnan(d)), st.text(max_size=20), any_bytes
)
LITE = {
    **{op: texts for op, texts in TEXTS.items() if op != "interval"},
    "keep": lite_values,
    "blob": any_bytes,
    "uuid": uuid_text | st.binary(min_size=16, max_size=16),
    "float": doubles | fitting,
    **dict.fromkeys(["int", "int_text", "bool", "uuid5", "uuid7"], fitting),
    **dict.fromkeys(["decimal_real15", "decimal_text", "decimal_scaled"], number_text | fitting),
}
# Whatever an op was made for, it also meets bytes and values that nobody made for it.
FIELDS = {"pgcopy": PG, "mysql": MYSQL, "sqlite": LITE}
STRANGE = {"pgcopy": any_bytes, "mysql": any_bytes, "sqlite": lite_values}


def draw_setting(draw: st.DrawFn, setting: Setting) -> str:
    if setting.choices:
        return draw(st.sampled_from(setting.choices))
    if setting.name == "namespace":
        return str(draw(st.uuids()))
    if setting.name == "srid":
        return "0"
    if setting.name == "base":
        return str(draw(st.sampled_from([0, 1_700_000_000_000, 2**48 - 1])))
    return str(draw(st.integers(0, {"scale": 9, "width": 64}[setting.name])))


@st.composite
def tables(draw: st.DrawFn, wire: str, ops: tuple[str, ...]) -> tuple[object, bytes, int]:
    fields, strategies = [], []
    for op in ops:
        argument = " ".join(f"{s.name}={draw_setting(draw, s)}" for s in OPS[op].settings)
        fields.append((op, argument))
        strange = STRANGE[wire] if draw(st.integers(0, 9)) == 0 else FIELDS[wire][op]
        strategies.append(st.none() | strange | FIELDS[wire][op])
    rows = draw(st.lists(st.tuples(*strategies), max_size=6))
    write = write_pg_messages if wire == "pgcopy" and draw(st.booleans()) else WRITERS[wire]
    return build_spec(wire, *fields, key=('"f0"',)), write(rows), draw(st.integers(1, 60))


PAIRS = [(op, wire) for op in OPS if op != "refused" for wire in OPS[op].reads]


def test_every_op_has_values() -> None:
    assert {(op, wire) for wire, ops in FIELDS.items() for op in ops} == set(PAIRS)


@pytest.mark.parametrize(("op", "wire"), PAIRS)
def test_engines_agree_on_one_op(op: str, wire: str) -> None:
    @settings(max_examples=50, deadline=None)
    @given(tables(wire, (op,)))
    def compare(table: tuple[object, bytes, int]) -> None:
        run_both(*table)

    compare()


@pytest.mark.parametrize("wire", sorted(FIELDS))
def test_engines_agree_on_tables(wire: str) -> None:
    ops = tuple(FIELDS[wire])

    @settings(max_examples=40, deadline=None)
    @given(
        st.lists(st.sampled_from(ops), min_size=1, max_size=12).flatmap(
            lambda o: tables(wire, tuple(o))
        )
    )
    def compare(table: tuple[object, bytes, int]) -> None:
        run_both(*table)

    compare()


@pytest.mark.parametrize("wire", sorted(FIELDS))
def test_engines_agree_on_damaged_streams(wire: str) -> None:
    @settings(max_examples=150, deadline=None)
    @given(tables(wire, ("text" if wire != "sqlite" else "keep",) * 3), st.data())
    def compare(table: tuple[object, bytes, int], data: st.DataObject) -> None:
        spec, stream, size = table
        at = data.draw(st.integers(0, len(stream) - 1))
        kind = data.draw(st.sampled_from(["cut", "flip", "insert", "double", "add"]))
        flipped = data.draw(st.integers(0, 255))
        stream = {
            "cut": stream[:at],
            "flip": stream[:at] + bytes([flipped]) + stream[at + 1 :],
            "insert": stream[:at] + bytes([flipped]) + stream[at:],
            "double": stream + stream[at:],
            "add": stream + bytes([flipped]),
        }[kind]
        run_both(spec, stream, size)

    compare()
