import gzip
import zlib
from email.utils import parsedate_to_datetime
from pathlib import Path

import pytest

import edgelift.targets.workerd
from edgelift.model.flows import Reply
from edgelift.stages.verify.compare import (
    FILE_TIME,
    IGNORED_HEADERS,
    Conditions,
    compare_replies,
    decode_body,
    parse_events,
)
from tests.unit.verify.replies import HTML, say

PLAIN = Conditions()
CSS = ("Content-Type", "text/css")


def kinds(origin, target, method="GET", conditions=PLAIN):
    return [
        f"{d.kind} {d.where}" for d in compare_replies(method, origin, target, conditions).deltas
    ]


def test_equal_replies_have_no_difference():
    reply = say({"a": 1}, ("Set-Cookie", "s=1; HttpOnly"), ("ETag", '"x"'))
    assert kinds(reply, reply) == []


@pytest.mark.parametrize(
    ("origin", "target", "found"),
    [
        (say({}), say({}, status=404), ["status status"]),
        (say({}, ("X-A", "1")), say({}), ["header missing header.X-A"]),
        (say({}), say({}, ("x-a", "1")), ["header extra header.X-A"]),
        (say({}, ("X-A", "1")), say({}, ("x-a", "2")), ["header header.X-A"]),
        (say({}, ("X-A", "1"), ("X-A", "2")), say({}, ("X-A", "2"), ("X-A", "1")), ["header header.X-A"]),
        (say({}, ("Allow", "GET, HEAD")), say({}, ("Allow", "HEAD, GET")), []),
        (say({}, ("Allow", "GET, HEAD")), say({}, ("Allow", "GET")), ["header header.Allow"]),
        (say({}, ("Date", "1"), ("Server", "a")), say({}, ("Date", "2")), []),
        (say({}, ("Set-Cookie", "s=1")), say({}), ["cookie missing cookie.s"]),
        (say({}), say({}, ("Set-Cookie", "s=1")), ["cookie extra cookie.s"]),
        (say({}, ("Set-Cookie", "s=1")), say({}, ("Set-Cookie", "s=2")), ["cookie cookie.s.value"]),
        (
            say({}, ("Set-Cookie", "s=1; HttpOnly; Path=/")),
            say({}, ("Set-Cookie", "s=1; Path=/a")),
            ["cookie cookie.s.httponly", "cookie cookie.s.path"],
        ),
        (say(b"<p>\n", HTML), say(b"<b>\n", HTML), ["line body line 1"]),
        (say(b"a\nb\n", HTML), say(b"a\n", HTML), ["line missing body line 2"]),
        (say(b"a\n", HTML), say(b"a\nb\n", HTML), ["line extra body line 2"]),
        (say(b"a\n", HTML), say(b"a\r\n", HTML), ["line ends body"]),
        (say(b"\0\1"), say(b"\0\2"), ["bytes body"]),
        (say({}), say(b"oops", ("Content-Type", "application/json")), ["not json body"]),
        (say({}), Reply(status=0, error="reset"), ["no reply reply"]),
        (Reply(status=0, error="a"), Reply(status=0, error="b"), []),
    ],
)  # fmt: skip
def test_each_kind(origin, target, found):
    assert kinds(origin, target) == found


def test_the_same_values_written_differently_are_told():
    spaced = Reply(status=200, headers=say({}).headers, body=b'{"a": 1}')
    tight = Reply(status=200, headers=say({}).headers, body=b'{"a":1}')
    assert kinds(spaced, tight) == ["json text body"]


def test_compression_must_be_the_same_and_bodies_are_compared_decoded():
    coded = say(gzip.compress(b"text"), HTML, ("Content-Encoding", "gzip"))
    other = say(gzip.compress(b"text", 1), HTML, ("Content-Encoding", "gzip"))
    assert kinds(coded, other) == []
    assert kinds(coded, say(b"text", HTML)) == ["compression header.Content-Encoding"]


@pytest.mark.parametrize("coding", ["gzip", "deflate", "br"])
def test_a_damaged_body_is_compared_as_it_is(coding):
    assert decode_body(say(b"not coded", ("Content-Encoding", coding))) == b"not coded"


def test_codings_are_undone_in_reverse_order():
    body = gzip.compress(zlib.compress(b"text"))
    assert decode_body(say(body, ("Content-Encoding", "deflate, gzip"))) == b"text"


def test_the_length_counts_for_head_only():
    origin, target = say(b"", ("Content-Length", "5")), say(b"", ("Content-Length", "6"))
    assert kinds(origin, target) == []
    assert kinds(origin, target, "HEAD") == ["header header.Content-Length"]


def test_static_files_keep_bytes_and_type_only():
    origin = say(b"x", CSS, ("ETag", '"1"'), ("Cache-Control", "no-cache"))
    static = Conditions(static=True)
    assert kinds(origin, say(b"x", CSS), conditions=static) == []
    assert kinds(origin, say(b"y", CSS), conditions=static) == ["line body line 1"]
    assert kinds(origin, say(b"x", HTML), conditions=static) == ["header header.Content-Type"]


def test_files_that_the_app_sends_have_no_times_of_their_own_in_the_worker():
    def send(time, tag, body=b"a{}"):
        return say(body, CSS, ("Last-Modified", time), *([("ETag", tag)] if tag else []))

    origin = send("Wed, 25 Nov 2026 03:46:02 GMT", '"1795578362.0-3"')
    assert kinds(origin, send(FILE_TIME, '"1700000000.0-3"')) == []
    assert kinds(origin, send(FILE_TIME, "")) == ["header missing header.ETag"]
    assert kinds(origin, send(FILE_TIME, '"x"', b"b{}")) == ["line body line 1"]
    other = send("Wed, 25 Nov 2026 03:46:03 GMT", '"x"')
    assert sorted(kinds(origin, other)) == ["header header.ETag", "header header.Last-Modified"]
    runtime = Path(edgelift.targets.workerd.__file__).with_name("js") / "filesystem.mjs"
    time = parsedate_to_datetime(FILE_TIME).timestamp() * 1000
    assert f"TIMESTAMP_MS = {time:_.0f};" in runtime.read_text()


def test_event_streams_are_compared_by_event():
    stream = ("Content-Type", "text/event-stream")
    origin = say(b'id: 1\ndata: {"n": 1}\n\nid: 2\ndata: x\n\n', stream, cut=True)
    target = say(b'id: 1\ndata: {"n": 2}\n\n', stream, cut=True)
    assert kinds(origin, target) == ["value body[0].data.n"]
    assert parse_events("data: a\ndata: b\n\nhalf") == [{"data": "a\nb"}]


def test_every_ignored_header_has_its_reason():
    assert all(IGNORED_HEADERS.values())


def test_a_changed_status_shows_what_the_target_said():
    (delta,) = compare_replies("GET", say({}), say({"error": "boom"}, status=500), PLAIN).deltas
    assert delta.note.startswith("200 != 500")
    assert "boom" in delta.note


@pytest.mark.parametrize(
    ("origin", "target", "same"),
    [
        ("image/svg+xml; charset=utf-8", "image/svg+xml", True),
        ("text/css; charset=utf-8", "text/css; charset=utf-8", True),
        ("text/css; charset=latin-1", "text/css; charset=utf-8", False),
        ("image/svg+xml; charset=latin-1", "image/svg+xml", False),
        ("image/svg+xml", "text/plain", False),
    ],
)
def test_static_text_without_a_charset_is_utf8(origin, target, same):
    sides = [say(b"x", ("Content-Type", value)) for value in (origin, target)]
    assert (kinds(*sides, conditions=Conditions(static=True)) == []) is same
