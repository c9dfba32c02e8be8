"""Values of row events as the text protocol would send them, so that the copy's ops read them.

Numbers, days and moments become the server's text, moments in UTC; bytes and geometry stay; texts
become UTF-8. One compiled reader per column keeps a row at some microseconds.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping
from decimal import Decimal

from edgelift.model.origin_schema import OriginColumn
from edgelift.sources.mysql import binlog_events as log
from edgelift.sources.mysql.binlog_events import MalformedEventError, TableMap

# A reader takes the event's bytes and a position and returns the value and the position behind it.
Reader = Callable[[bytes, int], tuple[bytes, int]]
Cells = tuple[bytes | None, ...]

_EPOCH_DAYS = 719_468  # days from 0000-03-01 to 1970-01-01
# MySQL's latin1 is Windows-1252, its five holes being the C1 controls.
_LATIN1 = {i: bytes([i]).decode("cp1252", errors="ignore") or chr(i) for i in range(128, 256)}
_LATIN1_TABLE = [chr(i) if i < 128 else _LATIN1[i] for i in range(256)]
_CODECS: Mapping[str, str] = {
    "ucs2": "utf-16-be",
    "utf16": "utf-16-be",
    "utf16le": "utf-16-le",
    "utf32": "utf-32-be",
}
_PLAIN = frozenset({"utf8mb4", "utf8mb3", "utf8", ""})
# Bytes of a fraction of a second by its digits, and what one of its units is in microseconds.
_FRACTION = {
    0: (0, 0),
    1: (1, 10_000),
    2: (1, 10_000),
    3: (2, 100),
    4: (2, 100),
    5: (3, 1),
    6: (3, 1),
}
_DIGIT_BYTES = (0, 1, 1, 2, 2, 3, 3, 4, 4, 4)  # of decimals in groups of nine digits


def build_reader(column: OriginColumn, kind: int, meta: int) -> Reader:
    """Return what reads a column's values; raises MalformedEventError for unknown types."""
    if kind == log.STRING and (meta >> 8) & 0x30 != 0x30:
        size = meta & 0xFF | (((meta >> 4) & 0x300) ^ 0x300)
        return _read_fixed(column, size)
    if kind == log.STRING:
        kind, size = meta >> 8, meta & 0xFF
        if kind in {log.ENUM, log.SET}:
            return _read_members(column, kind, size)
        return _read_fixed(column, size)
    if kind in {log.VARCHAR, log.VAR_STRING}:
        return _convert(_read_prefixed(1 if meta < 256 else 2), column)
    if kind in {log.BLOB, log.GEOMETRY}:
        return _convert(_read_prefixed(meta), column)
    maker = _MAKERS.get(kind)
    if maker is None:
        raise MalformedEventError(f"column {column.name} has the type {kind} in the log")
    return maker(column, meta)


def _read_prefixed(width: int) -> Reader:
    def read(data: bytes, at: int) -> tuple[bytes, int]:
        start = at + width
        end = start + int.from_bytes(data[at:start], "little")
        return data[start:end], end

    return read


def _read_fixed(column: OriginColumn, size: int) -> Reader:
    """Return a reader of CHAR and BINARY, which come without their padding."""
    inner = _read_prefixed(1 if size < 256 else 2)
    name = column.type.name
    if name == "binary":
        width = column.type.arguments[0] if column.type.arguments else size

        def read(data: bytes, at: int) -> tuple[bytes, int]:
            value, end = inner(data, at)
            return value.ljust(width, b"\0"), end

        return read
    if name in _ADDRESSES:
        return _read_address(inner, name, size)
    return _convert(inner, column)


_ADDRESSES = {"uuid": 16, "inet6": 16, "inet4": 4}


def _read_address(inner: Reader, name: str, size: int) -> Reader:
    def read(data: bytes, at: int) -> tuple[bytes, int]:
        value, end = inner(data, at)
        return _WRITE_ADDRESS[name](value.ljust(size, b"\0")), end

    return read


def _write_uuid(value: bytes) -> bytes:
    text = value.hex()
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}".encode()


def _write_inet4(value: bytes) -> bytes:
    return ".".join(map(str, value)).encode()


def _write_inet6(value: bytes) -> bytes:
    """Return an address as inet_ntop prints it, with dots where an IPv4 address is inside."""
    words = struct.unpack(">8H", value)
    start, size = _find_zeros(words)
    dotted = start == 0 and (size == 6 or (size == 5 and words[5] == 0xFFFF))
    count = 6 if dotted else 8
    head = ":".join(f"{word:x}" for word in words[:start])
    tail = [f"{word:x}" for word in words[start + size : count]]
    if dotted:
        tail.append(".".join(map(str, value[12:])))
    if size < 2:
        return ":".join([*(f"{word:x}" for word in words[:count]), *tail[count:]]).encode()
    return f"{head}::{':'.join(tail)}".encode()


def _find_zeros(words: tuple[int, ...]) -> tuple[int, int]:
    """Return place and length of the first longest run of zeros."""
    best = (0, 0)
    run = 0
    for place, word in enumerate((*words, 1)):
        if word == 0:
            run += 1
            continue
        if run > best[1]:
            best = (place - run, run)
        run = 0
    return best


_WRITE_ADDRESS: Mapping[str, Callable[[bytes], bytes]] = {
    "uuid": _write_uuid,
    "inet4": _write_inet4,
    "inet6": _write_inet6,
}


def _convert(inner: Reader, column: OriginColumn) -> Reader:
    """Return a reader that gives texts in UTF-8."""
    charset = column.type.charset
    if charset in _PLAIN:
        return inner
    if charset in {"latin1", "ascii"}:
        table = _LATIN1_TABLE if charset == "latin1" else [*map(chr, range(128)), *("?" * 128)]

        def read_single(data: bytes, at: int) -> tuple[bytes, int]:
            value, end = inner(data, at)
            return "".join(map(table.__getitem__, value)).encode(), end

        return read_single
    codec = _CODECS.get(charset)
    if codec is None:
        raise MalformedEventError(f"column {column.name} is in {charset}")

    def read(data: bytes, at: int) -> tuple[bytes, int]:
        value, end = inner(data, at)
        return value.decode(codec).encode(), end

    return read


def _read_members(column: OriginColumn, kind: int, size: int) -> Reader:
    members = [member.encode() for member in column.type.members]
    if kind == log.ENUM:

        def read_one(data: bytes, at: int) -> tuple[bytes, int]:
            number = int.from_bytes(data[at : at + size], "little")
            return members[number - 1] if number else b"", at + size

        return read_one

    def read_set(data: bytes, at: int) -> tuple[bytes, int]:
        bits = int.from_bytes(data[at : at + size], "little")
        chosen = [member for place, member in enumerate(members) if bits >> place & 1]
        return b",".join(chosen), at + size

    return read_set


def _make_integer(size: int) -> Callable[[OriginColumn, int], Reader]:
    def make(column: OriginColumn, _meta: int) -> Reader:
        signed = not column.type.unsigned

        def read(data: bytes, at: int) -> tuple[bytes, int]:
            end = at + size
            return b"%d" % int.from_bytes(data[at:end], "little", signed=signed), end

        return read

    return make


def _make_float(layout: str) -> Callable[[OriginColumn, int], Reader]:
    packed = struct.Struct(layout)

    def make(column: OriginColumn, _meta: int) -> Reader:
        digits = column.type.arguments[1] if len(column.type.arguments) > 1 else None

        def read(data: bytes, at: int) -> tuple[bytes, int]:
            value = packed.unpack_from(data, at)[0]
            text = repr(value) if digits is None else f"{value:.{digits}f}"
            return text.encode(), at + packed.size

        return read

    return make


def _make_decimal(_column: OriginColumn, meta: int) -> Reader:
    """Return a reader of the packed form: groups of nine digits in four bytes, big-endian."""
    precision, scale = meta >> 8, meta & 0xFF
    whole = precision - scale
    groups = [(whole % 9, _DIGIT_BYTES[whole % 9]), *[(9, 4)] * (whole // 9)]
    parts = [*[(9, 4)] * (scale // 9), (scale % 9, _DIGIT_BYTES[scale % 9])]
    size = sum(width for _, width in (*groups, *parts))

    def read(data: bytes, at: int) -> tuple[bytes, int]:
        packed = bytearray(data[at : at + size])
        negative = not packed[0] & 0x80
        packed[0] ^= 0x80
        if negative:
            packed = bytearray(byte ^ 0xFF for byte in packed)
        place = 0
        texts = []
        for listed in (groups, parts):
            text = ""
            for digits, width in listed:
                if width:
                    number = int.from_bytes(packed[place : place + width], "big")
                    text += f"{number:0{digits}d}"
                    place += width
            texts.append(text)
        written = texts[0].lstrip("0") or "0"
        if scale:
            written += f".{texts[1]}"
        sign = "-" if negative and Decimal(written) else ""
        return f"{sign}{written}".encode(), at + size

    return read


def _make_bits(_column: OriginColumn, meta: int) -> Reader:
    size = (meta >> 8) + (1 if meta & 0xFF else 0)

    def read(data: bytes, at: int) -> tuple[bytes, int]:
        return data[at : at + size], at + size

    return read


def _make_year(_column: OriginColumn, _meta: int) -> Reader:
    def read(data: bytes, at: int) -> tuple[bytes, int]:
        return (b"%d" % (1900 + data[at])) if data[at] else b"0000", at + 1

    return read


def _make_date(_column: OriginColumn, _meta: int) -> Reader:
    def read(data: bytes, at: int) -> tuple[bytes, int]:
        packed = int.from_bytes(data[at : at + 3], "little")
        return b"%04d-%02d-%02d" % (packed >> 9, packed >> 5 & 15, packed & 31), at + 3

    return read


def _read_fraction(data: bytes, at: int, digits: int) -> int:
    """Return microseconds of an unsigned fraction."""
    width, unit = _FRACTION[digits]
    return int.from_bytes(data[at : at + width], "big") * unit


def _write_fraction(micros: int, digits: int) -> bytes:
    return (b".%06d" % micros)[: digits + 1] if digits else b""


def _make_datetime(_column: OriginColumn, digits: int) -> Reader:
    width = _FRACTION[digits][0]

    def read(data: bytes, at: int) -> tuple[bytes, int]:
        packed = int.from_bytes(data[at : at + 5], "big") - 0x8000000000
        days, clock = packed >> 17, packed & 0x1FFFF
        months = days >> 5
        text = b"%04d-%02d-%02d %02d:%02d:%02d" % (
            *divmod(months, 13), days & 31, clock >> 12, clock >> 6 & 63, clock & 63,
        )  # fmt: skip
        end = at + 5
        return text + _write_fraction(_read_fraction(data, end, digits), digits), end + width

    return read


def _make_timestamp(_column: OriginColumn, digits: int) -> Reader:
    width = _FRACTION[digits][0]

    def read(data: bytes, at: int) -> tuple[bytes, int]:
        seconds = int.from_bytes(data[at : at + 4], "big")
        end = at + 4
        micros = _read_fraction(data, end, digits)
        return _write_moment(seconds, micros) + _write_fraction(micros, digits), end + width

    return read


def _write_moment(seconds: int, micros: int) -> bytes:
    """Return Unix seconds in UTC; 0 is MySQL's zero date."""
    if not seconds and not micros:
        return b"0000-00-00 00:00:00"
    days, clock = divmod(seconds, 86_400)
    days += _EPOCH_DAYS
    # Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms": civil_from_days.
    era, day_of_era = divmod(days, 146_097)
    year = (day_of_era - day_of_era // 1460 + day_of_era // 36_524 - day_of_era // 146_096) // 365
    day = day_of_era - (365 * year + year // 4 - year // 100)
    shifted = (5 * day + 2) // 153
    month = shifted + 3 if shifted < 10 else shifted - 9
    return b"%04d-%02d-%02d %02d:%02d:%02d" % (
        year + era * 400 + (month <= 2), month, day - (153 * shifted + 2) // 5 + 1,
        clock // 3600, clock // 60 % 60, clock % 60,
    )  # fmt: skip


def _make_time(_column: OriginColumn, digits: int) -> Reader:
    """Return a reader of TIME: a number that sorts, its fraction part of it."""
    width, unit = _FRACTION[digits]
    size = 3 + width
    middle = 1 << (8 * size - 1)

    def read(data: bytes, at: int) -> tuple[bytes, int]:
        packed = int.from_bytes(data[at : at + size], "big") - middle
        sign = b"-" if packed < 0 else b""
        clock, fraction = divmod(abs(packed), 1 << 8 * width)
        text = b"%02d:%02d:%02d" % (clock >> 12 & 0x3FF, clock >> 6 & 63, clock & 63)
        return sign + text + _write_fraction(fraction * unit, digits), at + size

    return read


_MAKERS: Mapping[int, Callable[[OriginColumn, int], Reader]] = {
    log.TINY: _make_integer(1),
    log.SHORT: _make_integer(2),
    log.INT24: _make_integer(3),
    log.LONG: _make_integer(4),
    log.LONGLONG: _make_integer(8),
    log.FLOAT: _make_float("<f"),
    log.DOUBLE: _make_float("<d"),
    log.NEWDECIMAL: _make_decimal,
    log.BIT: _make_bits,
    log.YEAR: _make_year,
    log.DATE: _make_date,
    log.NEWDATE: _make_date,
    log.DATETIME2: _make_datetime,
    log.TIMESTAMP2: _make_timestamp,
    log.TIME2: _make_time,
}


class RowReader:
    """Reads the rows of one table's events; columns stand in the table's order."""

    def __init__(self, columns: tuple[OriginColumn, ...], shape: TableMap) -> None:
        self._readers = [
            build_reader(column, kind, meta)
            for column, kind, meta in zip(columns, shape.types, shape.metas, strict=True)
        ]
        self._nulls = (len(self._readers) + 7) // 8

    def read(self, data: bytes, at: int) -> tuple[Cells, int]:
        """Return one row and the position behind it; raises MalformedEventError when it is cut."""
        nulls = int.from_bytes(data[at : at + self._nulls], "little")
        at += self._nulls
        row: list[bytes | None] = []
        for place, reader in enumerate(self._readers):
            if nulls >> place & 1:
                row.append(None)
            else:
                value, at = reader(data, at)
                row.append(value)
        if at > len(data):
            raise MalformedEventError("a row ends behind its event")
        return tuple(row), at
