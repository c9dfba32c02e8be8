"""Values of row events, packed here by their definition and drawn with a fixed seed.

Packed forms: "MySQL Internals: Date and Time Data Type Representation", strings/decimal.c.
"""

# ruff: noqa: DTZ901 - DATETIME has no zone

from __future__ import annotations

import datetime as dt
import ipaddress
import random
import struct
import uuid
from decimal import Decimal

import pytest

from edgelift.model.origin_schema import OriginColumn, OriginType
from edgelift.sources.mysql import binlog_events as log
from edgelift.sources.mysql.binlog_events import MalformedEventError, TableMap
from edgelift.sources.mysql.binlog_values import RowReader, build_reader

COUNT = 300
FRACTION_BYTES = (0, 1, 1, 2, 2, 3, 3)
GROUP_BYTES = (0, 1, 1, 2, 2, 3, 3, 4, 4, 4)


def make_column(name: str, **more: object) -> OriginColumn:
    return OriginColumn(name="c", type=OriginType(name=name, written=name, **more))  # type: ignore[arg-type]


def read(column: OriginColumn, kind: int, meta: int, data: bytes) -> str:
    """Return the value's text; what stands around it is left alone."""
    value, end = build_reader(column, kind, meta)(b"\x5a" + data + b"\xa5", 1)
    assert end == len(data) + 1
    return value.decode()


def pack_fraction(micros: int, digits: int) -> bytes:
    """Return so many digits, a pair in each byte: odd ones are stored with a zero behind."""
    pairs = micros // 10 ** (6 - 2 * FRACTION_BYTES[digits])
    return pairs.to_bytes(FRACTION_BYTES[digits], "big")


def draw_micros(draw: random.Random, digits: int) -> int:
    unit = 10 ** (6 - digits)
    return draw.choice([0, unit, 10**6 - unit, draw.randrange(10**digits) * unit]) % 10**6


def write_clock(hours: int, minutes: int, seconds: int, micros: int, digits: int) -> str:
    text = f"{hours:02d}:{minutes:02d}:{seconds:02d}"
    return f"{text}.{micros:06d}"[: len(text) + 1 + digits] if digits else text


def pack_decimal(number: Decimal, precision: int, scale: int) -> bytes:
    digits = f"{abs(int(number.scaleb(scale))):0{precision}d}"
    whole, part = digits[: precision - scale], digits[precision - scale :]
    head = len(whole) % 9
    groups = [whole[:head], *(whole[i : i + 9] for i in range(head, len(whole), 9))]
    groups += [part[i : i + 9] for i in range(0, len(part), 9)]
    packed = bytearray(b"".join(int(g).to_bytes(GROUP_BYTES[len(g)], "big") for g in groups if g))
    packed[0] |= 0x80
    return bytes(packed) if number >= 0 else bytes(byte ^ 0xFF for byte in packed)


@pytest.mark.parametrize(
    ("precision", "scale"),
    [
        (1, 0),
        (9, 0),
        (10, 0),
        (9, 9),
        (10, 2),
        (14, 4),
        (18, 9),
        (19, 10),
        (20, 1),
        (27, 18),
        (28, 28),
    ],
)
def test_decimals(precision: int, scale: int) -> None:
    draw = random.Random(precision * 100 + scale)
    for _ in range(COUNT):
        digits = draw.choice([0, 1, 10**precision - 1, draw.randrange(10**precision)])
        number = Decimal(draw.choice([digits, -digits])).scaleb(-scale)
        text = read(make_column("decimal"), log.NEWDECIMAL, precision << 8 | scale,
                    pack_decimal(number, precision, scale))  # fmt: skip
        assert text == f"{number or abs(number):.{scale}f}"


@pytest.mark.parametrize("digits", range(7))
def test_moments_without_a_zone(digits: int) -> None:
    draw = random.Random(digits)
    for _ in range(COUNT):
        moment = dt.datetime.min + dt.timedelta(
            days=draw.randrange(3_652_058), seconds=draw.randrange(86_400)
        )
        micros = draw_micros(draw, digits)
        packed = (moment.year * 13 + moment.month) << 22 | moment.day << 17
        packed |= moment.hour << 12 | moment.minute << 6 | moment.second
        data = (packed + 0x8000000000).to_bytes(5, "big") + pack_fraction(micros, digits)
        clock = write_clock(moment.hour, moment.minute, moment.second, micros, digits)
        assert (
            read(make_column("datetime"), log.DATETIME2, digits, data) == f"{moment.date()} {clock}"
        )


@pytest.mark.parametrize("digits", range(7))
def test_moments_in_utc(digits: int) -> None:
    draw = random.Random(digits)
    for _ in range(COUNT):
        seconds, micros = draw.randrange(1, 2**32), draw_micros(draw, digits)
        moment = dt.datetime.fromtimestamp(seconds, dt.UTC)
        data = seconds.to_bytes(4, "big") + pack_fraction(micros, digits)
        clock = write_clock(moment.hour, moment.minute, moment.second, micros, digits)
        text = read(make_column("timestamp"), log.TIMESTAMP2, digits, data)
        assert text == f"{moment.date()} {clock}"
    zero = read(make_column("timestamp"), log.TIMESTAMP2, digits, bytes(4 + FRACTION_BYTES[digits]))
    assert zero == f"0000-00-00 {write_clock(0, 0, 0, 0, digits)}"


@pytest.mark.parametrize("digits", range(7))
def test_spans(digits: int) -> None:
    draw = random.Random(digits)
    size = 3 + FRACTION_BYTES[digits]
    for _ in range(COUNT):
        hours, minutes, seconds = draw.randrange(839), draw.randrange(60), draw.randrange(60)
        micros = draw_micros(draw, digits)
        negative = draw.random() < 0.5 and (hours or minutes or seconds or micros)
        packed = hours << 12 | minutes << 6 | seconds
        packed = packed << 8 * FRACTION_BYTES[digits] | int.from_bytes(
            pack_fraction(micros, digits), "big"
        )
        stored = (1 << 8 * size - 1) + (-packed if negative else packed)
        text = read(make_column("time"), log.TIME2, digits, stored.to_bytes(size, "big"))
        assert text == ("-" if negative else "") + write_clock(
            hours, minutes, seconds, micros, digits
        )


@pytest.mark.parametrize(
    ("kind", "size"),
    [(log.TINY, 1), (log.SHORT, 2), (log.INT24, 3), (log.LONG, 4), (log.LONGLONG, 8)],
)
@pytest.mark.parametrize("unsigned", [False, True])
def test_integers(kind: int, size: int, unsigned: bool) -> None:
    low, high = (0, 256**size) if unsigned else (-(256**size) // 2, 256**size // 2)
    for number in (low, low + 1, 0, 1, high // 3, high - 1):
        data = number.to_bytes(size, "little", signed=not unsigned)
        assert read(make_column("int", unsigned=unsigned), kind, 0, data) == str(number)


@pytest.mark.parametrize("value", [0.0, -0.0, 1.5, 0.1, 1e300, 5e-324, -1e-7, 1e16])
def test_doubles(value: float) -> None:
    text = read(make_column("double"), log.DOUBLE, 8, struct.pack("<d", value))
    assert struct.pack("<d", float(text)) == struct.pack("<d", value)
    if abs(value) < 1e300:
        fixed = read(
            make_column("double", arguments=(20, 3)), log.DOUBLE, 8, struct.pack("<d", value)
        )
        assert fixed == f"{value:.3f}"


@pytest.mark.parametrize("value", [0.0, 1.5, 0.10000000149011612, -3.4028234663852886e38])
def test_floats_are_widened(value: float) -> None:
    assert float(read(make_column("float"), log.FLOAT, 4, struct.pack("<f", value))) == value


def test_dates_and_years() -> None:
    for day in (dt.date.min, dt.date(2024, 2, 29), dt.date.max):
        packed = day.year << 9 | day.month << 5 | day.day
        for kind in (log.DATE, log.NEWDATE):
            assert read(make_column("date"), kind, 0, packed.to_bytes(3, "little")) == str(day)
    assert (
        read(make_column("date"), log.DATE, 0, (2024 << 9 | 5 << 5).to_bytes(3, "little"))
        == "2024-05-00"
    )
    for year in (1901, 1999, 2000, 2155):
        assert read(make_column("year"), log.YEAR, 0, bytes([year - 1900])) == str(year)


def write_prefixed(value: bytes, width: int) -> bytes:
    return len(value).to_bytes(width, "little") + value


@pytest.mark.parametrize(("meta", "width"), [(255, 1), (256, 2), (65_535, 2)])
@pytest.mark.parametrize("kind", [log.VARCHAR, log.VAR_STRING])
def test_varying_texts(kind: int, meta: int, width: int) -> None:
    for text in ("", "a", "é€😀 ", "x" * min(meta // 4, 255)):
        data = write_prefixed(text.encode(), width)
        assert read(make_column("varchar", charset="utf8mb4"), kind, meta, data) == text


@pytest.mark.parametrize("width", [1, 2, 3, 4])
def test_long_texts(width: int) -> None:
    data = write_prefixed(b"y" * 200, width)
    assert read(make_column("text", charset="utf8mb3"), log.BLOB, width, data) == "y" * 200
    assert read(make_column("geometry"), log.GEOMETRY, width, data) == "y" * 200


@pytest.mark.parametrize("size", [1, 10, 255, 256, 400, 1020])
def test_fixed_texts(size: int) -> None:
    """CHAR of more than 255 bytes keeps the two upper bits of its length in the type's own byte."""
    meta = ((log.STRING ^ ((size & 0x300) >> 4)) << 8) | (size & 0xFF)
    data = write_prefixed(b"ab", 1 if size < 256 else 2)
    assert read(make_column("char", charset="utf8mb4"), log.STRING, meta, data) == "ab"
    binary = make_column("binary", arguments=(size,))
    assert read(binary, log.STRING, meta, data) == "ab" + "\0" * (size - 2)


def fixed_meta(size: int) -> int:
    return log.STRING << 8 | size


def test_uuids() -> None:
    draw = random.Random(1)
    for value in (0, 1, 2**128 - 1, *(draw.getrandbits(128) for _ in range(20))):
        number = uuid.UUID(int=value)
        data = write_prefixed(number.bytes.rstrip(b"\0"), 1)
        assert read(make_column("uuid"), log.STRING, fixed_meta(16), data) == str(number)


def test_addresses() -> None:
    draw = random.Random(2)
    for _ in range(COUNT):
        words = [draw.choice([0, 0, 0, 1, 0xFFFF, draw.getrandbits(16)]) for _ in range(8)]
        packed = struct.pack(">8H", *words)
        text = read(make_column("inet6"), log.STRING, fixed_meta(16), write_prefixed(packed, 1))
        assert ipaddress.IPv6Address(text).packed == packed
        assert ("." in text) == (
            (words[:6] == [0] * 6 and words[6] != 0) or words[:6] == [0] * 5 + [0xFFFF]
        )
        short = packed[:4]
        text = read(
            make_column("inet4"), log.STRING, fixed_meta(4), write_prefixed(short.rstrip(b"\0"), 1)
        )
        assert ipaddress.IPv4Address(text).packed == short


@pytest.mark.parametrize("size", [1, 2, 3, 8])
def test_sets_have_a_bit_for_each_member(size: int) -> None:
    names = tuple(f"m{n}" for n in range(8 * size))
    column = make_column("set", members=names)
    draw = random.Random(size)
    for bits in (0, 1, 256**size - 1, *(draw.randrange(256**size) for _ in range(20))):
        chosen = ",".join(name for n, name in enumerate(names) if bits >> n & 1)
        assert (
            read(column, log.STRING, log.SET << 8 | size, bits.to_bytes(size, "little")) == chosen
        )


def test_enums_of_many_members() -> None:
    column = make_column("enum", members=tuple(f"m{n}" for n in range(1, 301)))
    for number in (1, 255, 256, 300):
        data = number.to_bytes(2, "little")
        assert read(column, log.STRING, log.ENUM << 8 | 2, data) == f"m{number}"


@pytest.mark.parametrize("width", [1, 7, 8, 9, 63, 64])
def test_bits(width: int) -> None:
    data = bytes(range(1, -(-width // 8) + 1))
    value, end = build_reader(make_column("bit"), log.BIT, width // 8 << 8 | width % 8)(data, 0)
    assert (value, end) == (data, len(data))


@pytest.mark.parametrize("kind", [log.TIMESTAMP_OLD, log.TIME_OLD, log.DATETIME_OLD, log.JSON, 200])
def test_types_that_are_not_read(kind: int) -> None:
    with pytest.raises(MalformedEventError, match=f"column c has the type {kind}"):
        build_reader(make_column("x"), kind, 0)


@pytest.mark.parametrize("count", [1, 7, 8, 9, 17])
def test_nulls_have_a_bit_for_each_column(count: int) -> None:
    columns = tuple(make_column("tinyint") for _ in range(count))
    shape = TableMap(1, "d", "t", bytes([log.TINY]) * count, (0,) * count)
    reader = RowReader(columns, shape)
    draw = random.Random(count)
    for _ in range(20):
        row = [draw.choice([None, draw.randrange(128)]) for _ in range(count)]
        bits = sum(1 << n for n, value in enumerate(row) if value is None)
        data = bits.to_bytes(-(-count // 8), "little") + bytes(v for v in row if v is not None)
        found, end = reader.read(b"!" + data + b"!", 1)
        assert end == len(data) + 1
        assert found == tuple(None if v is None else b"%d" % v for v in row)
