"""pgoutput's messages, and what happens when one is cut or unknown."""

from __future__ import annotations

import struct

import pytest

from edgelift.sources.postgres.messages import (
    BINARY,
    TEXT,
    UNCHANGED,
    Begin,
    ColumnShape,
    Commit,
    Marker,
    Relation,
    RowChange,
    Truncate,
    Value,
    read_message,
    to_position,
    write_position,
)

ROW = b"\0\4" + b"n" + b"u" + b"t\0\0\0\1x" + b"b\0\0\0\2\0\1"
CELLS = (None, UNCHANGED, Value(b"x", TEXT), Value(b"\0\1", BINARY))
OID = struct.pack(">I", 16400)
MESSAGES = {
    b"B" + struct.pack(">QqI", 7, 0, 9): Begin(7, 9),
    b"C" + struct.pack(">bQQq", 0, 7, 8, 5): Commit(7, 8, 5),
    b"R" + OID + b"s\0t\0d\0\1" + b"\1id\0" + struct.pack(">Ii", 23, -1): Relation(
        16400, "s", "t", "d", (ColumnShape("id", 23, -1, True),)
    ),
    b"I" + OID + b"N" + ROW: RowChange("insert", 16400, new=CELLS),
    b"U" + OID + b"N" + ROW: RowChange("update", 16400, new=CELLS),
    b"U" + OID + b"K" + ROW + b"N" + ROW: RowChange("update", 16400, CELLS, True, CELLS),
    b"U" + OID + b"O" + ROW + b"N" + ROW: RowChange("update", 16400, CELLS, False, CELLS),
    b"D" + OID + b"K" + ROW: RowChange("delete", 16400, CELLS, True),
    b"T" + struct.pack(">Ib", 2, 3) + OID + OID: Truncate((16400, 16400), True, True),
    b"M" + struct.pack(">bQ", 1, 77) + b"edgelift\0" + struct.pack(">I", 3) + b"end": Marker(
        77, "edgelift", b"end", True
    ),
}


@pytest.mark.parametrize("data", MESSAGES, ids=lambda data: data[:1].decode())
def test_a_message_is_read(data: bytes) -> None:
    assert read_message(data) == MESSAGES[data]


@pytest.mark.parametrize("data", MESSAGES, ids=lambda data: data[:1].decode())
def test_a_message_cut_anywhere_is_refused(data: bytes) -> None:
    for end in range(len(data)):
        with pytest.raises(ValueError):
            read_message(data[:end])


@pytest.mark.parametrize("data", [b"", b"?", b"I" + OID + b"X" + ROW, b"I" + OID + b"N\0\1z"])
def test_unknown_messages_are_refused(data: bytes) -> None:
    with pytest.raises(ValueError):
        read_message(data)


def test_messages_that_say_nothing_here() -> None:
    assert read_message(b"O" + bytes(8) + b"name\0") is None
    assert read_message(b"Y" + OID + b"s\0t\0") is None


@pytest.mark.parametrize("lsn", ["0/0", "16/B374D848", "FFFFFFFF/FFFFFFFF"])
def test_positions(lsn: str) -> None:
    assert write_position(to_position(lsn)) == lsn
