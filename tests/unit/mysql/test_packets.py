"""Packets of rows: any slicing gives the same bytes, and nothing that is cut passes for whole."""

from __future__ import annotations

import random
import struct
from collections.abc import Iterator

import pymysql
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgelift.rows.wires import Buffer, split_mysql
from edgelift.sources.mysql import packets
from edgelift.sources.mysql.packets import BrokenStreamError, RowPackets

EOF = b"\xfe\x00\x00\x02\x00"
ERROR = b"\xff" + struct.pack("<H", 1317) + b"#70100Query execution was interrupted"


def frame(payload: bytes, limit: int = 0xFFFFFF) -> bytes:
    """Return a payload in packets of at most `limit` bytes, as the protocol wants it."""
    out = b""
    while True:
        part, payload = payload[:limit], payload[limit:]
        out += struct.pack("<I", len(part))[:3] + b"\0" + part
        if len(part) < limit:
            return out


def field(value: bytes | None) -> bytes:
    if value is None:
        return b"\xfb"
    if len(value) < 251:
        return bytes([len(value)]) + value
    if len(value) < 2**16:
        return b"\xfc" + struct.pack("<H", len(value)) + value
    return b"\xfd" + struct.pack("<I", len(value))[:3] + value


def write_result(rows: list[tuple[bytes | None, ...]], columns: int, end: bytes = EOF) -> bytes:
    header = frame(bytes([columns])) + frame(b"\x03def-column") * columns + frame(EOF)
    return header + b"".join(frame(b"".join(map(field, row))) for row in rows) + frame(end)


def receive(data: bytes, sizes: Iterator[int]) -> RowPackets:
    place = 0

    def some() -> bytes:
        nonlocal place
        part = data[place : place + next(sizes)]
        place += len(part)
        return part

    return RowPackets(some)


def every(size: int) -> Iterator[int]:
    while True:
        yield size


VALUES = st.one_of(
    st.none(), st.binary(max_size=20), st.sampled_from([b"", b"\xfe", b"\xff" * 7, b"\xfb", EOF])
)


@given(
    st.lists(st.tuples(VALUES, VALUES), max_size=20),
    st.lists(st.integers(1, 30), min_size=1, max_size=30),
)
def test_any_slicing_gives_the_rows(rows: list[tuple[bytes | None, ...]], sizes: list[int]) -> None:
    def repeated() -> Iterator[int]:
        while True:
            yield from sizes

    found = receive(write_result(rows, 2), repeated())
    data = b"".join(found)
    assert found.ended
    assert [tuple(row) for row in split_mysql(Buffer([data]), 2)] == rows


def test_long_values_in_every_slicing() -> None:
    rows = [(b"\xfe" * 300, b"x"), (b"\xff" * 70_000, None), (b"", b"y" * 251)]
    whole = b"".join(receive(write_result(rows, 2), every(10**6)))
    rng = random.Random(1)
    for _ in range(50):
        sizes = (rng.choice([1, 2, 3, 4, 5, 6, 999, 65_536]) for _ in every(1))
        assert b"".join(receive(write_result(rows, 2), sizes)) == whole


def test_rows_of_several_packets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packets, "_FULL", 8)  # a packet goes on in the next one from 8 bytes on
    payloads = [b"\x01a", b"\xfe" * 8, b"\xff" * 7, b"x" * 16, b"z" * 17, b"\xff" * 24]
    payloads = [b"\x05" + payload for payload in payloads]
    header = frame(b"\x01", 8) + frame(b"def", 8) + frame(EOF, 8)
    body = b"".join(frame(payload, 8) for payload in payloads)
    for size in range(1, 40):
        stream = receive(header + body + frame(EOF, 8), every(size))
        assert b"".join(stream) == body + frame(EOF, 8)
        assert stream.ended


def test_what_looks_like_an_end_inside_a_row_is_none() -> None:
    rows = [(frame(EOF),), (frame(ERROR),), (b"\xfe",)]
    data = b"".join(receive(write_result(rows, 1), every(7)))
    assert [tuple(row) for row in split_mysql(Buffer([data]), 1)] == rows


def test_a_cut_stream_is_no_result() -> None:
    whole = write_result([(b"a",), (b"b" * 50,)], 1)
    for length in range(len(whole)):
        stream = receive(whole[:length], every(11))
        with pytest.raises(BrokenStreamError):
            list(stream)
        assert not stream.ended


def test_the_servers_error_is_raised_behind_its_rows() -> None:
    stream = receive(write_result([(b"a",)] * 5, 1, ERROR), every(9))
    with pytest.raises(pymysql.err.OperationalError, match="interrupted"):
        list(stream)
    assert stream.ended  # the connection can go on


def test_an_error_instead_of_a_result() -> None:
    stream = receive(frame(ERROR), every(3))
    with pytest.raises(pymysql.err.OperationalError):
        list(stream)
    assert stream.ended


def test_a_statement_without_rows() -> None:
    stream = receive(frame(b"\0\0\0\x02\0\0\0"), every(3))
    assert list(stream) == []
    assert stream.ended


def test_a_server_that_asks_for_a_file_gets_none() -> None:
    with pytest.raises(BrokenStreamError, match="file"):
        list(receive(frame(b"\xfb/etc/passwd"), every(99)))


def test_bytes_behind_the_end_are_an_error() -> None:
    with pytest.raises(BrokenStreamError, match="behind"):
        list(receive(write_result([(b"a",)], 1) + b"x", every(999)))


def test_draining_goes_on_where_reading_stopped() -> None:
    whole = write_result([(b"a" * 90,)] * 9, 1)
    for size in (1, 5, 50, 93, 94, 95, 500):
        stream = receive(whole, every(size))
        next(iter(stream))
        stream.drain()
        assert stream.ended
    stream = receive(write_result([(b"a" * 90,)] * 9, 1, ERROR), every(50))
    next(iter(stream))
    stream.drain()  # that the statement was ended is what was wanted
    assert stream.ended
