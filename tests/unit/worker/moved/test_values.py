"""Values are read and written as PostgreSQL does, in text and in binary; what it refuses is refused."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal

import pytest

from edgelift.worker.moved import binary, moments
from edgelift.worker.moved.failures import ServerError
from edgelift.worker.moved.inputs import read_text
from edgelift.worker.moved.kinds import (
    BOOL,
    BYTEA,
    DATE,
    FLOAT8,
    INT4,
    INT8,
    INTERVAL,
    JSON,
    JSONB,
    NUMERIC,
    TEXT,
    TIME,
    TIMESTAMP,
    TIMESTAMPTZ,
    UUID,
    Kind,
    array_of,
    find_modifier,
    find_oid,
    from_oid,
)
from edgelift.worker.moved.outputs import divide, write_text

NOW = dt.datetime(2024, 5, 6, 7, 8, 9, 123456)  # noqa: DTZ001 - of no zone
MONEY = NUMERIC._replace(precision=10, scale=2)
MOOD = Kind("enum", labels=("sad", "ok"), form="mood")

# kind, the text that comes in, what is stored, the text that goes out
ROUND = [
    (INT4, " 42 ", 42, "42"),
    (INT8, "-9223372036854775808", -(2**63), "-9223372036854775808"),
    (BOOL, "yes", 1, "t"),
    (BOOL, "F", 0, "f"),
    (MONEY, "10.5", 10.5, "10.50"),
    (MONEY, "1.005", 1.01, "1.01"),
    (MONEY, "7", 7, "7.00"),
    (NUMERIC, "0.000001", 1e-06, "0.000001"),
    (FLOAT8, "1.50", 1.5, "1.5"),
    (FLOAT8, "1e300", 1e300, "1e+300"),
    (FLOAT8, "1e15", 1e15, "1e+15"),
    (FLOAT8, "123456789012345", 123456789012345.0, "123456789012345"),
    (FLOAT8, "0.0001", 0.0001, "0.0001"),
    (FLOAT8, "-Infinity", float("-inf"), "-Infinity"),
    (TEXT, "é'\\", "é'\\", "é'\\"),
    (Kind("varchar", length=3), "abc  ", "abc", "abc"),
    (Kind("bpchar", length=4), "ab", "ab  ", "ab  "),
    (BYTEA, "\\x00fF", b"\x00\xff", "\\x00ff"),
    (BYTEA, "a\\\\b\\001", b"a\\b\x01", "\\x615c6201"),
    (UUID, "{A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11}", "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11",
     "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"),
    (UUID._replace(form="hex"), "a0eebc999c0b4ef8bb6d6bb9bd380a11",
     "a0eebc999c0b4ef8bb6d6bb9bd380a11", "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"),
    (DATE, "2024-02-29", "2024-02-29", "2024-02-29"),
    (DATE, "2/29/2024", "2024-02-29", "2024-02-29"),
    (DATE, "20240229", "2024-02-29", "2024-02-29"),
    (DATE, "tomorrow", "2024-05-07", "2024-05-07"),
    (TIME, "12:34:56.7", "12:34:56.700000", "12:34:56.7"),
    (TIME, "1:05 pm", "13:05:00.000000", "13:05:00"),
    (TIMESTAMP, "2024-01-02T03:04:05", "2024-01-02 03:04:05.000000", "2024-01-02 03:04:05"),
    (TIMESTAMP, "2024-01-02 03:04:05.5+09", "2024-01-02 03:04:05.500000", "2024-01-02 03:04:05.5"),
    (TIMESTAMPTZ, "2024-01-02 03:04:05+05:30", "2024-01-01 21:34:05.000000",
     "2024-01-01 21:34:05+00"),
    (TIMESTAMPTZ, "2024-01-02Z", "2024-01-02 00:00:00.000000", "2024-01-02 00:00:00+00"),
    (TIMESTAMP._replace(form="unix"), "1970-01-02", 86400, "1970-01-02 00:00:00"),
    (TIMESTAMP._replace(form="django"), "2024-01-02", "2024-01-02 00:00:00", "2024-01-02 00:00:00"),
    (INTERVAL, "1 day 02:03:04.5", 93784500000, "1 day 02:03:04.5"),
    (INTERVAL, "-00:00:01", -1000000, "-00:00:01"),
    (INTERVAL._replace(form="epoch"), "90 minutes", "1970-01-01 01:30:00.000000", "01:30:00"),
    (JSON, '{"b":1, "a":2}', '{"b":1, "a":2}', '{"b":1, "a":2}'),
    (JSONB, '{"bb":1.50,"a":[true]}', '{"a": [true], "bb": 1.50}', '{"a": [true], "bb": 1.50}'),
    (MOOD, "sad", "sad", "sad"),
    (array_of(INT4), "{1,NULL,3}", "[1,null,3]", "{1,NULL,3}"),
    (array_of(TEXT), '{a,"b c","d\\"e",NULL,"NULL",""}', '["a","b c","d\\"e",null,"NULL",""]',
     '{a,"b c","d\\"e",NULL,"NULL",""}'),
    (array_of(BOOL), "{t,f}", "[true,false]", "{t,f}"),
    (array_of(INT4), "{{1,2},{3,4}}", "[[1,2],[3,4]]", "{{1,2},{3,4}}"),
    (array_of(TIMESTAMP), '{"2024-01-02 03:04:05.5"}', '["2024-01-02T03:04:05.5"]',
     '{"2024-01-02 03:04:05.5"}'),
    (array_of(MONEY), "{1.5}", "[1.5]", "{1.50}"),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "text", "stored", "written"), ROUND)
def test_texts_go_in_and_out(kind: Kind, text: str, stored: object, written: str) -> None:
    found = read_text(kind, text, NOW)
    assert (found, type(found)) == (stored, type(stored))
    assert write_text(kind, found) == written


@pytest.mark.parametrize(
    ("kind", "text"),
    [(kind, written) for kind, _text, _stored, written in ROUND
     if not kind.form and "{{" not in written],
)  # fmt: skip
def test_binary_forms_come_back(kind: Kind, text: str) -> None:
    assert read_text(kind, binary.decode(kind, binary.encode(kind, text)), NOW) == read_text(
        kind, text, NOW
    )


@pytest.mark.parametrize(
    ("kind", "text", "state", "message"),
    [
        (INT4, "abc", "22P02", 'invalid input syntax for type integer: "abc"'),
        (INT4, "2147483648", "22003", 'value "2147483648" is out of range for type integer'),
        (INT4, "", "22P02", 'invalid input syntax for type integer: ""'),
        (BOOL, "maybe", "22P02", 'invalid input syntax for type boolean: "maybe"'),
        (BOOL, "o", "22P02", 'invalid input syntax for type boolean: "o"'),
        (MONEY, "123456789", "22003", "numeric field overflow"),
        (MONEY, "x", "22P02", 'invalid input syntax for type numeric: "x"'),
        (MONEY, "NaN", "0A000", "the moved database keeps no NaN and no infinite numeric"),
        (FLOAT8, "x", "22P02", 'invalid input syntax for type double precision: "x"'),
        (Kind("varchar", length=2), "abc", "22001", "value too long for type character varying(2)"),
        (UUID, "nope", "22P02", 'invalid input syntax for type uuid: "nope"'),
        (DATE, "2024-02-30", "22008", 'date/time field value out of range: "2024-02-30"'),
        (DATE, "soon", "22007", 'invalid input syntax for type date: "soon"'),
        (TIMESTAMP, "2024-01-01 25:00", "22008", 'date/time field value out of range: "2024-01-01 25:00"'),
        (TIMESTAMPTZ, "2024-01-01 Mars", "22007",
         'invalid input syntax for type timestamp with time zone: "2024-01-01 Mars"'),
        (TIMESTAMP, "infinity", "0A000", "the moved database keeps no infinite moments"),
        (INTERVAL, "1 fortnightly", "22007", 'invalid input syntax for type interval: "1 fortnightly"'),
        (INTERVAL, "1 month", "0A000", "the moved database keeps no intervals of months and years"),
        (JSONB, "{nope}", "22P02", "invalid input syntax for type json"),
        (JSON, "", "22P02", "invalid input syntax for type json"),
        (MOOD, "angry", "22P02", 'invalid input value for enum mood: "angry"'),
        (array_of(INT4), "1,2", "22P02", 'malformed array literal: "1,2"'),
        (array_of(INT4), "[1", "22P02", 'malformed array literal: "[1"'),
        (array_of(INT4), "{a}", "22P02", 'invalid input syntax for type integer: "a"'),
        (BYTEA, "\\xf", "22023", None),
        (BYTEA, "a\\b", "22P02", None),
    ],
)  # fmt: skip
def test_what_a_type_does_not_take(kind: Kind, text: str, state: str, message: str | None) -> None:
    with pytest.raises(ServerError) as caught:
        read_text(kind, text, NOW)
    assert caught.value.sqlstate == state
    assert message is None or caught.value.message == message


@pytest.mark.parametrize(
    ("kind", "data"),
    [(INT4, b"\0"), (UUID, b"abc"), (NUMERIC, b"\0\1"), (TEXT, b"\xff"), (array_of(INT4), b"\0" * 5),
     (TIMESTAMP, b"1234567")],
)  # fmt: skip
def test_wrong_binary_values_are_refused(kind: Kind, data: bytes) -> None:
    with pytest.raises(ServerError, match="incorrect binary data format"):
        binary.decode(kind, data)


@pytest.mark.parametrize(
    ("text", "span"),
    [
        ("1 year 2 mons -3 days 04:05:06.7", (14, -3, 14706700000)),
        ("P1Y2M3DT4H5M6S", (14, 3, 14706000000)),
        ("1.5 days", (0, 1, 43200000000)),
        ("2 weeks ago", (0, -14, 0)),
        ("@ 5 minutes", (0, 0, 300000000)),
        ("10", (0, 0, 10000000)),
        ("1 days 2.500000 seconds", (0, 1, 2500000)),
    ],
)
def test_spans(text: str, span: tuple[int, int, int]) -> None:
    assert tuple(moments.read_span(text)) == span


@pytest.mark.parametrize(
    ("span", "text"),
    [((14, -3, 14706700000), "1 year 2 mons -3 days +04:05:06.7"), ((0, 0, 0), "00:00:00"),
     ((0, 1, 0), "1 day"), ((-1, 0, 0), "-1 mons"), ((0, 2, -1), "2 days -00:00:00.000001")],
)  # fmt: skip
def test_spans_are_printed(span: tuple[int, int, int], text: str) -> None:
    assert moments.write_span(moments.Span(*span)) == text


@pytest.mark.parametrize(
    ("moment", "span", "found"),
    [("2024-01-31", "1 month", "2024-02-29"), ("2024-03-31", "-1 month", "2024-02-29"),
     ("2023-12-31", "1 day", "2024-01-01")],
)  # fmt: skip
def test_months_end_where_the_day_is_missing(moment: str, span: str, found: str) -> None:
    made = moments.add_span(dt.datetime.fromisoformat(moment), moments.read_span(span))
    assert made == dt.datetime.fromisoformat(found)


@pytest.mark.parametrize(
    ("left", "right", "quotient"),
    [("5", "2", "2.5000000000000000"), ("1", "3", "0.33333333333333333333"),
     ("4", "4", "1.00000000000000000000"), ("117.50", "3", "39.1666666666666667"),
     ("10000", "3", "3333.3333333333333333"), ("0", "7", "0.00000000000000000000"),
     ("9000000005", "3", "3000000001.66666667")],
)  # fmt: skip
def test_quotients_have_the_servers_places(left: str, right: str, quotient: str) -> None:
    assert format(divide(Decimal(left), Decimal(right)), "f") == quotient


def test_a_ratio_is_put_together_after_sqlite() -> None:
    ratio = Kind("ratio", scale=2)
    assert write_text(ratio, "[117.5, 3]") == "39.1666666666666667"
    assert write_text(ratio, "[null, 0]") is None


def test_numbers_of_types() -> None:
    assert find_oid(array_of(UUID)) == 2951
    assert from_oid(1007) == array_of(INT4)
    assert from_oid(0) is None
    assert from_oid(99999) is None
    assert find_oid(MOOD) == 25
    assert find_modifier(MONEY) == (10 << 16 | 2) + 4
    assert find_modifier(Kind("varchar", length=20)) == 24
    assert find_modifier(TEXT) == -1
