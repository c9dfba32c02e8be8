"""Backend messages cut at every byte: blocks go on as they come, errors are read whole."""

from __future__ import annotations

import struct

import pytest

from edgelift.errors import OriginError, OriginUnavailable
from edgelift.sources.postgres.stream import _read_messages


def message(kind: bytes, body: bytes) -> bytes:
    return kind + struct.pack(">I", len(body) + 4) + body


ROWS = b"".join(message(b"d", bytes([i]) * (i % 60)) for i in range(120))
START = message(b"H", b"\1\0\0")
END = message(b"c", b"") + message(b"C", b"COPY 120\0") + message(b"Z", b"T")
NOTICE = message(b"N", b"SNOTICE\0C00000\0Mhello\0\0")
ERROR = message(b"E", b"SERROR\0C57014\0Mcanceling statement\0\0") + message(b"Z", b"E")


class Wire:
    """A socket that gives its bytes in pieces of a fixed size, and then nothing more."""

    def __init__(self, data: bytes, size: int) -> None:
        self._parts = [data[i : i + size] for i in range(0, len(data), size)]

    def recv(self, _size: int) -> bytes:
        return self._parts.pop(0) if self._parts else b""


@pytest.mark.parametrize("size", [1, 2, 3, 4, 5, 6, 7, 64, 100_000])
def test_all_messages_come_through_and_the_end_is_seen(size: int) -> None:
    data = START + ROWS + NOTICE + ROWS + END
    assert b"".join(_read_messages(Wire(data, size), "x")) == data  # type: ignore[arg-type]


@pytest.mark.parametrize("size", [1, 3, 7, 100_000])
def test_the_end_stands_in_its_own_message_and_not_in_the_data(size: int) -> None:
    data = START + message(b"d", END) + message(b"d", ERROR) + END
    assert b"".join(_read_messages(Wire(data, size), "x")) == data  # type: ignore[arg-type]


@pytest.mark.parametrize("size", [1, 5, 100_000])
def test_an_error_is_raised_with_its_meaning(size: int) -> None:
    with pytest.raises(OriginUnavailable) as caught:
        list(_read_messages(Wire(START + ROWS + ERROR, size), "table t"))  # type: ignore[arg-type]
    assert "A query on table t was cancelled" in str(caught.value)


@pytest.mark.parametrize("cut", [0, 3, 9, 400, -1])
def test_a_stream_that_ends_early_is_cut(cut: int) -> None:
    data = START + ROWS + END
    with pytest.raises(OriginError) as caught:
        list(_read_messages(Wire(data[:cut] if cut else b"", 64), "table t"))  # type: ignore[arg-type]
    assert "was cut" in str(caught.value)
