"""Events of the binary log: known bytes, every type's edges, and broken ones, which never pass."""

from __future__ import annotations

import struct
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgelift.errors import OriginError
from edgelift.model.origin_schema import OriginColumn, OriginType
from edgelift.rows.wires import Buffer, split_mysql
from edgelift.sources.mysql import binlog_events as log
from edgelift.sources.mysql.binlog_events import (
    Event,
    Kind,
    MalformedEventError,
    TableMap,
    read_event,
    read_rows_event,
    read_table_map,
)
from edgelift.sources.mysql.binlog_values import RowReader, build_reader
from edgelift.sources.mysql.changes import _pack_row, write_literal
from edgelift.sources.mysql.replication import (
    _HARMLESS,
    UNREADABLE_EVENT,
    _check_shape,
    to_order,
)
from edgelift.sources.mysql.snapshot import BinlogPosition, decode_position


def column(name: str, written: str = "", **more: object) -> OriginColumn:
    return OriginColumn(
        name="c",
        type=OriginType(name=name, written=written or name, **more),  # type: ignore[arg-type]
    )


def read(column: OriginColumn, kind: int, meta: int, data: bytes) -> bytes:
    value, end = build_reader(column, kind, meta)(data, 0)
    assert end == len(data)
    return value


@pytest.mark.parametrize(
    ("name", "kind", "meta", "data", "text"),
    [
        ("tinyint", log.TINY, 0, b"\x80", "-128"),
        ("mediumint", log.INT24, 0, b"\xff\xff\xff", "-1"),
        ("bigint", log.LONGLONG, 0, b"\0" * 7 + b"\x80", "-9223372036854775808"),
        ("year", log.YEAR, 0, b"\0", "0000"),
        ("year", log.YEAR, 0, b"\xff", "2155"),
        ("date", log.DATE, 0, b"\0\0\0", "0000-00-00"),
        ("date", log.DATE, 0, (9999 << 9 | 12 << 5 | 31).to_bytes(3, "little"), "9999-12-31"),
        ("timestamp", log.TIMESTAMP2, 0, b"\0\0\0\0", "0000-00-00 00:00:00"),
        ("timestamp", log.TIMESTAMP2, 0, b"\x7f\xff\xff\xff", "2038-01-19 03:14:07"),
        ("timestamp", log.TIMESTAMP2, 0, b"\xff\xff\xff\xff", "2106-02-07 06:28:15"),
        ("timestamp", log.TIMESTAMP2, 3, b"\x65\xe0\x1f\x00\x04\xd2", "2024-02-29 06:06:56.123"),
        ("time", log.TIME2, 0, b"\x7f\xff\xff", "-00:00:01"),
        ("time", log.TIME2, 2, b"\x7f\xff\xff\xff", "-00:00:00.01"),
        ("time", log.TIME2, 6, b"\x80\0\0\0\0\x01", "00:00:00.000001"),
        ("decimal", log.NEWDECIMAL, 10 << 8 | 2, b"\x80\0\0\0\0", "0.00"),
        (
            "decimal",
            log.NEWDECIMAL,
            14 << 8 | 4,
            b"\x81\x0d\xfb\x38\xd2\x04\xd2",
            "1234567890.1234",
        ),
        (
            "decimal",
            log.NEWDECIMAL,
            14 << 8 | 4,
            b"\x7e\xf2\x04\xc7\x2d\xfb\x2d",
            "-1234567890.1234",
        ),
        ("bit", log.BIT, 1 << 8 | 1, b"\x01\x01", "\x01\x01"),
    ],
)
def test_known_bytes(name: str, kind: int, meta: int, data: bytes, text: str) -> None:
    assert read(column(name), kind, meta, data) == text.encode("latin-1")


def test_texts_become_utf8() -> None:
    latin = column("varchar", charset="latin1")
    assert read(latin, log.VARCHAR, 40, b"\x03\x80\xe9\x81") == "€é\x81".encode()
    wide = column("varchar", charset="utf16")
    assert read(wide, log.VARCHAR, 400, b"\x04\0\xd8\x34\xdd\x1e") == "𝄞".encode()
    with pytest.raises(MalformedEventError, match="sjis"):
        build_reader(column("varchar", charset="sjis"), log.VARCHAR, 4)


def test_members() -> None:
    enum = column("enum", members=("a", "ö"))
    assert read(enum, log.STRING, log.ENUM << 8 | 1, b"\x02") == "ö".encode()
    assert read(enum, log.STRING, log.ENUM << 8 | 1, b"\0") == b""
    chosen = column("set", members=tuple("abcdefghij"))
    assert read(chosen, log.STRING, log.SET << 8 | 2, b"\x01\x02") == b"a,j"


def test_a_timestamp_in_every_month() -> None:
    import datetime as dt

    for days in range(1, 36_600, 17):
        moment = dt.datetime(1970, 1, 1, tzinfo=dt.UTC) + dt.timedelta(days=days, seconds=86_399)
        data = struct.pack(">I", int(moment.timestamp()))
        text = read(column("timestamp"), log.TIMESTAMP2, 0, data)
        assert text == f"{moment:%Y-%m-%d %H:%M:%S}".encode()


def table_map(types: bytes, metas: bytes, names: bytes = b"") -> bytes:
    head = (7).to_bytes(6, "little") + b"\0\0\x01d\0\x01t\0"
    return head + bytes((len(types),)) + types + bytes((len(metas),)) + metas + b"\0" + names


def test_a_table_map() -> None:
    names = b"\x04\x04\x01a\x01b"
    found = read_table_map(table_map(bytes((log.LONG, log.VARCHAR)), b"\x2c\x01", names))
    assert found == TableMap(7, "d", "t", bytes((3, 15)), (0, 300), ("a", "b"))
    with pytest.raises(MalformedEventError, match="type 140"):
        read_table_map(table_map(bytes((140,)), b"\0"))


INT = column("int")
TEXT = column("varchar", charset="utf8mb4")
SHAPE = TableMap(7, "d", "t", bytes((log.LONG, log.VARCHAR)), (0, 40))


def write_rows(kind: int, rows: bytes, bitmap: bytes = b"\x03") -> Event:
    extra = b"\x02\0" if kind in {Kind.WRITE, Kind.UPDATE, Kind.DELETE} else b""
    images = 2 if kind in log.UPDATES else 1
    return Event(
        kind, 0, 0, (7).to_bytes(6, "little") + b"\0\0" + extra + b"\x02" + bitmap * images + rows
    )


@pytest.mark.parametrize("kind", [Kind.WRITE_V1, Kind.WRITE, Kind.WRITE_COMPRESSED])
def test_rows_of_all_versions(kind: int) -> None:
    rows = b"\0\x05\0\0\0\x02ab" + b"\x02\x06\0\0\0"
    body = rows
    if kind == Kind.WRITE_COMPRESSED:
        body = b"\x81" + bytes((len(rows),)) + zlib.compress(rows)
    found = read_rows_event(write_rows(kind, body))
    reader = RowReader((INT, TEXT), SHAPE)
    first, at = reader.read(found.data, found.position)
    second, end = reader.read(found.data, at)
    assert (first, second) == ((b"5", b"ab"), (b"6", None))
    assert (end, found.whole, found.number) == (len(found.data), True, 7)
    assert not read_rows_event(write_rows(kind, body, b"\x01")).whole
    # MySQL sets the bits that stand for no column, MariaDB does not.
    assert read_rows_event(write_rows(kind, body, b"\xff")).whole
    assert not read_rows_event(write_rows(kind, body, b"\xfd")).whole


def test_more_columns_than_an_event_can_hold_take_no_memory() -> None:
    head = (7).to_bytes(6, "little") + b"\0\0"
    for width in (b"\xfe" + b"\xff" * 7 + b"\x7f", b"\xfd\xff\xff\xff", b"\x09\xff"):
        with pytest.raises(MalformedEventError, match="marks"):
            read_rows_event(Event(Kind.WRITE_V1, 0, 0, head + width))


def test_a_cut_row_is_none() -> None:
    reader = RowReader((INT, TEXT), SHAPE)
    whole = b"\0\x05\0\0\0\x02ab"
    for size in range(len(whole)):
        with pytest.raises(UNREADABLE_EVENT):
            reader.read(whole[:size], 0)


@given(st.binary(max_size=80))
def test_broken_events_never_raise_something_else(data: bytes) -> None:
    for work in (
        lambda: read_event(data, checked=True),
        lambda: read_table_map(data),
        lambda: log.read_rotate(data),
        lambda: log.read_query(Event(Kind.QUERY, 0, 0, data)),
        lambda: log.read_query(Event(Kind.QUERY_COMPRESSED, 0, 0, data)),
        lambda: log.read_mariadb_gtid(Event(Kind.MARIADB_GTID, 0, 0, data), 1),
        lambda: read_rows_event(Event(Kind.UPDATE_COMPRESSED, 0, 0, data)),
        lambda: RowReader((INT, TEXT), SHAPE).read(data, 0),
    ):
        try:
            work()
        except UNREADABLE_EVENT:
            continue


def test_checksums() -> None:
    event = struct.pack("<IBIIIH", 9, Kind.XID, 1, 31, 400, 0) + b"\x01" * 8
    checked = event + struct.pack("<I", zlib.crc32(event))
    assert read_event(checked, checked=True) == Event(Kind.XID, 9, 400, b"\x01" * 8)
    assert read_event(event, checked=False).body == b"\x01" * 8
    for place in range(len(checked)):
        broken = bytearray(checked)
        broken[place] ^= 4
        if broken[4] == Kind.XID:
            with pytest.raises(MalformedEventError, match="checksum"):
                read_event(bytes(broken), checked=True)


@pytest.mark.parametrize(
    ("kind", "meta", "why"),
    [
        (log.LONGLONG, 0, "another type"),
        (log.VARCHAR, 40, "another type"),
    ],
)
def test_a_changed_table(kind: int, meta: int, why: str) -> None:
    with pytest.raises(OriginError, match=why):
        _check_shape((INT,), TableMap(1, "d", "t", bytes((kind,)), (meta,)))
    with pytest.raises(OriginError, match="2 columns and had 1"):
        _check_shape((INT,), SHAPE)
    with pytest.raises(OriginError, match="c is renamed now"):
        _check_shape((INT,), TableMap(1, "d", "t", bytes((log.LONG,)), (0,), ("renamed",)))
    _check_shape((INT,), TableMap(1, "d", "t", bytes((log.LONG,)), (0,), ("c",)))


@pytest.mark.parametrize(
    ("text", "harmless"),
    [
        ("GRANT SELECT ON x.* TO u", True),
        ("create or replace user u", True),
        ("CREATE TEMPORARY TABLE t (a INT)", True),
        ("SET PASSWORD FOR u = 'x'", True),
        ("SET STATEMENT binlog_format = STATEMENT FOR INSERT INTO t VALUES (1)", False),
        ("ALTER TABLE t ADD x INT", False),
        ("/* hint */ TRUNCATE t", False),
        ("CREATE TABLE user (a INT)", False),
        ("DROP TABLE t", False),
        ("INSERT INTO t VALUES (1)", False),
    ],
)
def test_statements(text: str, harmless: bool) -> None:
    assert bool(_HARMLESS.match(text)) is harmless


def test_positions() -> None:
    def position(file: str, place: int) -> BinlogPosition:
        return BinlogPosition(flavor="mariadb", file=file, position=place)

    in_order = [position("b.000009", 99), position("b.000010", 4), position("b.1000000", 1)]
    assert sorted({*in_order}, key=to_order) == in_order
    assert decode_position(in_order[0].encode()) == in_order[0]


def test_rows_of_the_text_protocol_are_packed_as_they_are_split() -> None:
    rows = [
        (None, b"", b"x" * 250),
        (b"y" * 251, b"z" * 70_000, None),
        (b"w" * (2**24 + 9), b"", b""),
    ]
    stream = [b"".join(map(_pack_row, rows)), b"\x05\0\0\0\xfe\0\0\x02\0"]
    assert [tuple(row) for row in split_mysql(Buffer(stream), 3)] == rows


def test_literals() -> None:
    assert write_literal(column("datetime", arguments=(6,)), b"2024-01-01") == (
        "CAST('2024-01-01' AS DATETIME(6))"
    )
    assert write_literal(column("point"), b"\x07\0\0\0\x01") == "ST_GeomFromWKB(X'01', 7)"
    assert write_literal(column("char", charset="latin1"), b"'") == (
        "CONVERT(_utf8mb4 X'27' USING latin1)"
    )
    assert write_literal(column("blob"), b"'") == "X'27'"
