"""Each op against the standard library: decimal, datetime, uuid, struct make what the op must make.

Values are drawn with a fixed seed, so that both engines meet the same ones in one stream.
"""

# ruff: noqa: DTZ001, DTZ901 - moments of timestamp without time zone have none

from __future__ import annotations

import ast
import datetime as dt
import ipaddress
import random
import struct
import uuid
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from tests.cases.rows.test_conversions import write_numeric
from tests.rows_streams import ENGINES, WRITERS, build_spec, run

COUNT = 250
Y2K = dt.datetime(2000, 1, 1)
UNIX = dt.datetime(1970, 1, 1)
MICRO = dt.timedelta(microseconds=1)
SPACE = uuid.UUID("a5d7c9b2-6d0e-4a63-9d6c-0d4b7a1b0c55")
INTEGERS = [0, 1, -1, 9, 10, 99, 100, 4095, 4096, 2**31 - 1, -(2**31), 2**53, 2**53 + 1]
INTEGERS += [2**63 - 1, -(2**63), 10**15, -(10**15)]


def draw_int(draw: random.Random) -> int:
    return draw.choice([*INTEGERS, draw.randint(-(2**63), 2**63 - 1), draw.randint(-999, 999)])


def draw_decimal(draw: random.Random, most: int = 40) -> Decimal:
    digits = draw.choices("000123456789", k=draw.randint(1, most))
    places = draw.choice([0, 1, 2, 4, draw.randint(0, len(digits))])
    text = "".join(digits)
    if 0 < places <= len(text):
        text = f"{text[:-places] or '0'}.{text[-places:]}"
    return Decimal(draw.choice(["", "-"]) + text)


def draw_moment(draw: random.Random) -> dt.datetime:
    moment = dt.datetime.min + dt.timedelta(
        days=draw.randint(0, 3_652_058), seconds=draw.choice([0, 86_399, draw.randint(0, 86_399)])
    )
    return draw.choice(
        [
            moment.replace(microsecond=draw.choice([0, 1, 999, 1000, 500_000, 999_999])),
            moment.replace(month=2, day=28),
            dt.datetime(draw.choice([4, 1600, 1972, 2000, 2024, 9996]), draw.choice([2, 12]), 29),
            dt.datetime.min,
            dt.datetime.max,
            UNIX,
            Y2K - MICRO,
        ]
    )  # fmt: skip


def draw_span(draw: random.Random) -> dt.timedelta:
    return dt.timedelta(
        days=draw.choice([0, 0, 1, -1, draw.randint(-40, 40), draw.randint(-9999, 9999)]),
        microseconds=draw.choice([0, 1, -1, 999_999, 10**6, draw.randint(-(10**11), 10**11)]),
    )


def count_since(moment: dt.datetime, epoch: dt.datetime) -> int:
    return (moment - epoch) // MICRO


def write_fraction(text: str, micros: int, style: str) -> str:
    return f"{text}.{micros:06d}" if micros or style == "sqlalchemy" else text


def write_moment(moment: dt.datetime, style: str = "sqlalchemy") -> str:
    text = f"{moment.year:04d}-{moment.month:02d}-{moment.day:02d} {moment:%H:%M:%S}"
    return write_fraction(text, moment.microsecond, style)


def write_clock(time: dt.time, style: str = "sqlalchemy") -> str:
    return write_fraction(f"{time:%H:%M:%S}", time.microsecond, style)


def write_zone(zone: dt.timedelta) -> str:
    sign = "-" if zone < dt.timedelta() else "+"
    minutes, seconds = divmod(int(abs(zone).total_seconds()), 60)
    text = f"{sign}{minutes // 60:02d}:{minutes % 60:02d}"
    return f"{text}:{seconds:02d}" if seconds else text


def write_mysql_time(span: dt.timedelta) -> str:
    seconds, micros = divmod(abs(span) // MICRO, 1_000_000)
    sign = "-" if span < dt.timedelta() else ""
    return f"{sign}{seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}.{micros:06d}"


def draw_zoned(draw: random.Random) -> tuple[dt.time, dt.timedelta]:
    zone = dt.timedelta(
        seconds=draw.choice([0, 3600, -3600, 19_800, draw.randint(-57_599, 57_599)])
    )
    return draw_moment(draw).time(), zone


def draw_address(draw: random.Random) -> Any:
    if draw.random() < 0.5:
        packed, kind = draw.getrandbits(32), ipaddress.IPv4Interface
        return kind((packed, draw.choice([0, 8, 24, 31, 32])))
    words = [draw.choice([0, 0, 0, 1, 0xFFFF, draw.getrandbits(16)]) for _ in range(8)]
    value = int.from_bytes(b"".join(word.to_bytes(2, "big") for word in words), "big")
    return ipaddress.IPv6Interface((value, draw.choice([0, 64, 127, 128])))


def pack_address(address: Any) -> bytes:
    packed = address.ip.packed
    family = 2 if address.version == 4 else 3
    return bytes([family, address.network.prefixlen, 0, len(packed)]) + packed


def draw_plain(draw: random.Random) -> Decimal:
    return draw_decimal(draw, 15)


def draw_scaled(draw: random.Random) -> Decimal:
    return Decimal(draw_int(draw)).scaleb(-2)


def draw_text(draw: random.Random) -> str:
    return "".join(draw.choices("aZ '\\\"\n\0é€😀", k=draw.choice([0, 1, 7, 40])))


def draw_bits(draw: random.Random) -> str:
    return "".join(draw.choices("01", k=draw.randint(0, 63)))


def pack_bits(bits: str) -> bytes:
    size = -(-len(bits) // 8)
    return struct.pack(">i", len(bits)) + int(bits.ljust(8 * size, "0") or "0", 2).to_bytes(
        size, "big"
    )


def pack_int(number: int) -> bytes:
    return struct.pack(">q", number)


# wire, op, argument, declared type: what draws a value, its raw form, what the op makes of it.
Oracle = tuple[Callable[[random.Random], Any], Callable[[Any], Any], Callable[[Any], Any]]
ORACLES: dict[tuple[str, str, str, str], Oracle] = {
    ("pgcopy", "int", "", "INTEGER"): (draw_int, pack_int, int),
    ("mysql", "int", "", "INTEGER"): (draw_int, lambda n: str(n).encode(), int),
    ("sqlite", "int", "", "INTEGER"): (draw_int, int, int),
    ("pgcopy", "int_text", "", "TEXT"): (draw_int, pack_int, str),
    ("mysql", "int_text", "", "TEXT"): (
        lambda draw: draw.choice([2**64 - 1, 2**63, draw_int(draw)]),
        lambda n: f"{n:021d}".encode(),
        str,
    ),
    ("pgcopy", "oid", "", "INTEGER"): (
        lambda draw: draw.getrandbits(32), lambda n: struct.pack(">I", n), int,
    ),
    ("pgcopy", "decimal_text", "", "TEXT"): (
        draw_decimal,
        lambda n: write_numeric(str(n)),
        lambda n: format(n or n.copy_abs(), "f"),
    ),
    ("pgcopy", "decimal_real15", "", "BLOB"): (
        draw_plain, lambda n: write_numeric(str(n)), lambda n: float(n) + 0.0,
    ),
    ("mysql", "decimal_real15", "", "REAL"): (
        draw_plain, lambda n: format(n, "f").encode(), lambda n: float(n) + 0.0,
    ),
    ("sqlite", "decimal_real15", "", "REAL"): (draw_plain, lambda n: format(n, "f"), lambda n: float(n) + 0.0),
    ("pgcopy", "decimal_scaled", "scale=2", "INTEGER"): (
        draw_scaled, lambda n: write_numeric(format(n, "f")), lambda n: int(n.scaleb(2)),
    ),
    ("mysql", "decimal_scaled", "scale=2", "INTEGER"): (
        draw_scaled, lambda n: format(n, "f").encode(), lambda n: int(n.scaleb(2)),
    ),
    ("pgcopy", "money", "", "REAL"): (
        lambda draw: draw.randint(-(10**14), 10**14), pack_int, lambda n: float(Decimal(n).scaleb(-2)),
    ),
    ("pgcopy", "float", "", "BLOB"): (
        lambda draw: draw.choice([0.0, -0.0, 5e-324, 1e308, draw.uniform(-1e9, 1e9)]),
        lambda x: struct.pack(">d", x),
        float,
    ),
    ("mysql", "float", "", "REAL"): (
        lambda draw: draw.choice([5e-324, 1e308, draw.uniform(-1e9, 1e9)]),
        lambda x: repr(x).encode(),
        float,
    ),
    ("pgcopy", "text", "", "TEXT"): (draw_text, str.encode, str),
    ("mysql", "text", "rtrim=yes", "TEXT"): (draw_text, str.encode, lambda s: s.rstrip(" ")),
    ("pgcopy", "jsonb", "", "TEXT"): (draw_text, lambda s: b"\1" + s.encode(), str),
    ("pgcopy", "blob", "", "BLOB"): (lambda draw: draw.randbytes(9), bytes, bytes),
    ("mysql", "wkb", "srid=7", "BLOB"): (
        lambda draw: draw.randbytes(9), lambda b: struct.pack("<I", 7) + b, bytes,
    ),
    ("pgcopy", "uuid", "style=text", "TEXT"): (
        lambda draw: uuid.UUID(int=draw.getrandbits(128)), lambda u: u.bytes, str,
    ),
    ("mysql", "uuid", "style=blob", "BLOB"): (
        lambda draw: uuid.UUID(int=draw.getrandbits(128)),
        lambda u: str(u).upper().encode(),
        lambda u: u.bytes,
    ),
    ("sqlite", "uuid", "style=hex", "TEXT"): (
        lambda draw: uuid.UUID(int=draw.getrandbits(128)), lambda u: u.hex, lambda u: u.hex,
    ),
    ("pgcopy", "uuid5", f"namespace={SPACE} style=blob", "BLOB"): (
        draw_int, pack_int, lambda n: uuid.uuid5(SPACE, str(n)).bytes,
    ),
    ("mysql", "uuid5", f"namespace={SPACE} style=text", "TEXT"): (
        draw_int, lambda n: str(n).encode(), lambda n: str(uuid.uuid5(SPACE, str(n))),
    ),
    ("pgcopy", "date", "", "TEXT"): (
        lambda draw: draw_moment(draw).date(),
        lambda d: struct.pack(">i", (d - Y2K.date()).days),
        dt.date.isoformat,
    ),
    ("pgcopy", "date", "style=unix_ms", "INTEGER"): (
        lambda draw: draw_moment(draw).date(),
        lambda d: struct.pack(">i", (d - Y2K.date()).days),
        lambda d: (d - UNIX.date()).days * 86_400_000,
    ),
    ("mysql", "date", "style=unix", "INTEGER"): (
        lambda draw: draw_moment(draw).date(),
        lambda d: d.isoformat().encode(),
        lambda d: (d - UNIX.date()).days * 86_400,
    ),
    ("sqlite", "date", "style=unix_us", "INTEGER"): (
        lambda draw: draw_moment(draw).date(),
        dt.date.isoformat,
        lambda d: (d - UNIX.date()).days * 86_400_000_000,
    ),
    ("pgcopy", "timestamp", "", "TEXT"): (
        draw_moment, lambda m: pack_int(count_since(m, Y2K)), write_moment,
    ),
    ("pgcopy", "timestamp", "style=django", "TEXT"): (
        draw_moment, lambda m: pack_int(count_since(m, Y2K)), lambda m: write_moment(m, "django"),
    ),
    ("pgcopy", "timestamp", "style=unix fraction=floor", "INTEGER"): (
        draw_moment,
        lambda m: pack_int(count_since(m, Y2K)),
        lambda m: count_since(m, UNIX) // 1_000_000,
    ),
    ("mysql", "timestamp", "style=unix_us", "INTEGER"): (
        draw_moment, lambda m: write_moment(m).encode(), lambda m: count_since(m, UNIX),
    ),
    ("mysql", "timestamp", "style=django", "TEXT"): (
        draw_moment, lambda m: write_moment(m).encode(), lambda m: write_moment(m, "django"),
    ),
    ("sqlite", "timestamp", "style=unix_ms fraction=floor", "INTEGER"): (
        draw_moment, lambda m: m.isoformat("T"), lambda m: count_since(m, UNIX) // 1000,
    ),
    ("pgcopy", "time", "style=django", "TEXT"): (
        lambda draw: draw_moment(draw).time(),
        lambda t: pack_int(count_since(dt.datetime.combine(UNIX, t), UNIX)),
        lambda t: write_clock(t, "django"),
    ),
    ("mysql", "time", "", "TEXT"): (
        lambda draw: draw_moment(draw).time(), lambda t: t.isoformat().encode(), write_clock,
    ),
    ("pgcopy", "timetz", "", "TEXT"): (
        draw_zoned,
        lambda v: struct.pack(
            ">qi",
            count_since(dt.datetime.combine(UNIX, v[0]), UNIX),
            -int(v[1].total_seconds()),
        ),
        lambda v: write_clock(v[0]) + write_zone(v[1]),
    ),
    ("pgcopy", "interval", "", "INTEGER"): (
        draw_span,
        lambda s: struct.pack(">qii", (s - dt.timedelta(s.days)) // MICRO, s.days, 0),
        lambda s: s // MICRO,
    ),
    ("pgcopy", "interval", "style=sqlalchemy", "TEXT"): (
        draw_span,
        lambda s: struct.pack(">qii", s // MICRO, 0, 0),
        lambda s: write_moment(UNIX + s),
    ),
    ("mysql", "interval", "", "INTEGER"): (
        lambda draw: dt.timedelta(microseconds=draw.randint(-3_020_399_999_999, 3_020_399_999_999)),
        lambda s: write_mysql_time(s).encode(),
        lambda s: s // MICRO,
    ),
    ("pgcopy", "macaddr", "", "TEXT"): (
        lambda draw: draw.randbytes(draw.choice([6, 8])),
        bytes,
        lambda b: ":".join(f"{byte:02x}" for byte in b),
    ),
    ("pgcopy", "bit", "", "TEXT"): (draw_bits, pack_bits, str),
    ("pgcopy", "bit", "style=int", "INTEGER"): (draw_bits, pack_bits, lambda s: int(s or "0", 2)),
    ("mysql", "bit", "width=64", "TEXT"): (
        lambda draw: draw.getrandbits(64), lambda n: n.to_bytes(8, "big"), lambda n: f"{n:064b}",
    ),
    ("sqlite", "keep", "", ""): (
        lambda draw: draw.choice([draw_int, draw_text])(draw), lambda v: v, lambda v: v,
    ),
}  # fmt: skip


def read_back(cell: tuple[str, str]) -> object:
    kind, text = cell
    return float(text) if kind == "float" else ast.literal_eval(text)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("key", ORACLES, ids="-".join)
def test_an_op_makes_what_the_standard_library_makes(key: tuple[str, ...], engine: str) -> None:
    wire, op, argument, target_type = key
    draw_value, to_raw, expect = ORACLES[key]  # type: ignore[index]
    draw = random.Random(f"{key}")
    values = [draw_value(draw) for _ in range(COUNT)]
    spec = build_spec(wire, (op, argument, target_type))
    made = run(engine, spec, WRITERS[wire]([(to_raw(value),) for value in values]), 777)
    assert isinstance(made[0], list), made
    for value, row in zip(values, made[0], strict=True):
        expected = expect(value)
        assert row[0] == (type(expected).__name__, repr(expected)), value


@pytest.mark.parametrize("engine", ENGINES)
def test_addresses_are_those_that_were_sent(engine: str) -> None:
    draw = random.Random("inet")
    values = [draw_address(draw) for _ in range(2 * COUNT)]
    made = run(
        engine,
        build_spec("pgcopy", ("inet", "")),
        WRITERS["pgcopy"]([(pack_address(v),) for v in values]),
    )
    for value, row in zip(values, made[0], strict=True):
        text = str(read_back(row[0]))
        assert ipaddress.ip_interface(text) == value
        assert ("/" in text) == (value.network.prefixlen != value.max_prefixlen)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("places", range(20))
def test_a_sixteenth_digit_is_never_lost(engine: str, places: int) -> None:
    spec = build_spec("pgcopy", ("decimal_real15", "", "BLOB"))
    whole = 1234567890123456
    fitting, too_long = Decimal(whole // 10).scaleb(-places), Decimal(whole).scaleb(-places)
    rows, _ = run(engine, spec, WRITERS["pgcopy"]([(write_numeric(format(fitting, "f")),)]))
    assert Decimal(str(read_back(rows[0][0]))) == fitting
    kind, text = run(engine, spec, WRITERS["pgcopy"]([(write_numeric(format(too_long, "f")),)]))
    assert kind == "OriginError"
    assert "16 significant digits" in text
