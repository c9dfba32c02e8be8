"""The wire core without a server: what it sends, and what it makes of bytes however they are cut."""

from __future__ import annotations

import struct

import pytest

from edgelift.worker.postgres import messages
from edgelift.worker.postgres.arrays import ArrayError, format_array, parse_array
from edgelift.worker.postgres.report import format_report
from edgelift.worker.postgres.results import Command, Status, split_row
from edgelift.worker.postgres.session import MissingPasswordError, ProtocolError, Session


def message(kind: bytes, body: bytes = b"") -> bytes:
    return kind + struct.pack("!i", len(body) + 4) + body


def row(*values: bytes | None) -> bytes:
    parts = [struct.pack("!h", len(values))]
    for value in values:
        parts.append(struct.pack("!i", -1 if value is None else len(value)) + (value or b""))
    return message(b"D", b"".join(parts))


READY = message(b"Z", b"I")
FIELDS = message(b"T", struct.pack("!h", 1) + b"a\0" + struct.pack("!IhIhih", 0, 0, 23, 4, -1, 0))
ERROR = message(b"E", b"SERROR\0VERROR\0C22012\0Mdivision by zero\0\0")


def started() -> Session:
    session = Session()
    session.start({"user": "u", "database": "d"}, None)
    session.feed(message(b"R", struct.pack("!i", 0)) + message(b"K", struct.pack("!ii", 7, 9)))
    session.feed(message(b"S", b"server_version\x0015.3\0") + READY)
    assert session.started
    session.outgoing.clear()
    return session


@pytest.mark.parametrize("step", [1, 3, 7, 1000])
def test_results_are_the_same_however_the_bytes_are_cut(step) -> None:
    session = started()
    session.query(b"SELECT 1; SELECT")
    data = FIELDS + row(b"1") + row(None) + message(b"C", b"SELECT 2\0")
    data += message(b"N", b"SNOTICE\0Mhi\0\0") + message(b"C", b"SELECT 0\0") + READY
    notices = []
    session.on_notice = notices.append
    for start in range(0, len(data), step):
        session.feed(data[start : start + step])
    first, second, ready = session.results
    assert [split_row(body) for body in first.rows] == [[b"1"], [None]]
    assert (first.status, first.row_count, first.fields[0].name) == (Status.ROWS, 2, b"a")
    assert (second.status, ready.status) == (Status.DONE, Status.READY)
    assert notices == [{"S": b"NOTICE", "M": b"hi"}]
    assert not session.pending


def test_an_error_in_a_pipeline_aborts_what_follows_up_to_the_sync() -> None:
    session = started()
    for _ in range(2):
        session.bind(b"", b"", [])
        session.execute()
    session.sync()
    session.bind(b"", b"", [])
    session.execute()
    session.sync()
    session.feed(message(b"2") + ERROR)
    assert [r.status for r in session.results] == [Status.ERROR, Status.ABORTED]
    session.feed(READY + message(b"2") + message(b"n") + message(b"C", b"SET\0") + READY)
    assert [r.status for r in session.results][2:] == [Status.READY, Status.DONE, Status.READY]


def test_a_prepared_statement_is_described_with_its_parameters() -> None:
    session = started()
    session.parse(b"s", b"SELECT $1", [23])
    session.describe(b"S", b"s")
    session.sync()
    session.feed(message(b"1") + message(b"t", struct.pack("!hI", 1, 23)) + FIELDS + READY)
    prepared, described, _ = session.results
    assert prepared.command is Command.PARSE
    assert described.parameter_oids == (23,)
    assert described.fields[0].type_oid == 23


def test_messages_that_the_protocol_does_not_have_are_refused() -> None:
    with pytest.raises(ProtocolError):
        started().feed(message(b"?"))
    with pytest.raises(ProtocolError):
        Session().feed(message(b"R", struct.pack("!i", 7)))


def test_a_password_is_asked_for() -> None:
    session = Session()
    session.start({"user": "u", "database": "d"}, None)
    with pytest.raises(MissingPasswordError):
        session.feed(message(b"R", struct.pack("!i", 3)))
    assert session.needs_password


def test_md5_and_plain_passwords() -> None:
    for method, salt, sent in (
        (3, b"", b"p\0\0\0\x0bsecret\0"),
        (5, b"salt", b"p\0\0\0\x28md5f0e7c406521852962c8b0cf264d8bcbd\0"),
    ):
        session = Session()
        session.start({"user": "u", "database": "d"}, "secret")
        session.outgoing.clear()
        session.feed(message(b"R", struct.pack("!i", method) + salt))
        assert bytes(session.outgoing) == sent


def test_bind_tells_null_from_empty() -> None:
    data = messages.build_bind(b"", b"s", [None, b"", b"x"], [0, 0, 1], [1])
    assert data == (
        b"B\x00\x00\x00\x22\x00s\x00\x00\x03\x00\x00\x00\x00\x00\x01\x00\x03"
        b"\xff\xff\xff\xff\x00\x00\x00\x00\x00\x00\x00\x01x\x00\x01\x00\x01"
    )


def test_arrays_come_back() -> None:
    items = ["a", None, 'q"\\', "", "NULL", ["x", "{,}"]]
    text = format_array([items[:5], [*items[5], None, "", "é"]], str)
    assert parse_array(text, lambda t: t) == [items[:5], [*items[5], None, "", "é"]]
    for wrong in ("", "x", "{", "{}}", "{1,{2}"):
        with pytest.raises(ArrayError):
            parse_array(wrong, lambda t: t)


def test_the_line_of_an_error_is_shown_as_libpq_does() -> None:
    report = {"S": b"ERROR", "M": b"oops", "P": b"11", "D": b"why", "H": b"how"}
    text = format_report(report, "SELECT\n\t日本, x\nFROM t")
    caret = " " * 13 + "^"  # wide characters count twice, the tab is a space
    assert text == f"ERROR:  oops\nLINE 2:  日本, x\n{caret}\nDETAIL:  why\nHINT:  how\n"
    long = "SELECT " + "a" * 100 + ", nope FROM t"
    shown = format_report({"S": b"ERROR", "M": b"m", "P": b"110"}, long)
    assert "LINE 1: ..." in shown
    assert format_report({"S": b"ERROR", "M": b"m", "P": b"5"}) == "ERROR:  m at character 5\n"


def test_a_message_larger_than_its_parts() -> None:
    """It is put together once, whatever came before it in the same part and follows in the last."""
    session = started()
    session.query(b"SELECT 1")
    large = b"x" * 100_000
    data = FIELDS + row(b"1") + row(large) + row(b"2") + message(b"C", b"SELECT 3\0") + READY
    for start in range(0, len(data), 1_000):
        session.feed(bytearray(data[start : start + 1_000]))
    rows, ready = session.results
    assert [split_row(body) for body in rows.rows] == [[b"1"], [large], [b"2"]]
    assert {type(body) for body in rows.rows} == {bytes}
    assert ready.status is Status.READY
