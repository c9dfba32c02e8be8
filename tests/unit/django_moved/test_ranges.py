"""Ranges of contrib.postgres are read from the move's text and written as PostgreSQL prints them."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal

import pytest

from edgelift.worker.django_moved.ranges import NumericRange, Range, read_range, write_range


@pytest.mark.parametrize(
    ("value", "kind", "text"),
    [
        (Range(1, 5), "int4range", "[1,5)"),
        (Range(1, 5, "[]"), "int4range", "[1,6)"),
        (Range(1, 5, "(]"), "int8range", "[2,6)"),
        (Range(None, 5), "int4range", "(,5)"),
        (Range(1, None, "(]"), "int4range", "[2,)"),
        (Range(None, None, "[]"), "int4range", "(,)"),
        (Range(3, 3), "int4range", "empty"),
        (Range(3, 3, "[]"), "numrange", "[3,3]"),
        (Range(empty=True), "numrange", "empty"),
        (Range(Decimal("1.5"), Decimal("2.50"), "(]"), "numrange", "(1.5,2.50]"),
        (
            Range(dt.date(2024, 2, 28), dt.date(2024, 2, 29), "[]"),
            "daterange",
            "[2024-02-28,2024-03-01)",
        ),
        (
            Range(dt.datetime(2024, 1, 1, 1, tzinfo=dt.timezone(dt.timedelta(hours=1))), None),
            "tstzrange",
            '["2024-01-01 00:00:00+00",)',
        ),
        (
            Range(None, dt.datetime(2024, 1, 1, 0, 0, 0, 500000)),  # noqa: DTZ001
            "tsrange",
            '(,"2024-01-01 00:00:00.5")',
        ),
    ],
)
def test_as_the_server_prints_them(value: Range, kind: str, text: str) -> None:
    assert write_range(value, kind) == text


def test_ends_in_the_wrong_order_are_refused() -> None:
    with pytest.raises(ValueError, match="lower bound"):
        write_range(Range(5, 1), "int4range")
    with pytest.raises(ValueError, match="bound flags"):
        Range(1, 2, "<>")


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("[1,5)", NumericRange(1, 5)),
        ("(,5]", NumericRange(None, 5, "(]")),
        ("empty", NumericRange(empty=True)),
        ('["1","5"]', NumericRange(1, 5, "[]")),
    ],
)
def test_they_are_read(text: str, value: Range) -> None:
    found = read_range(text, NumericRange, int)
    assert (found, type(found)) == (value, NumericRange)


@pytest.mark.parametrize("text", ["", "[1", "1,5", "[1,5}", "[1,2,3)", "nothing"])
def test_what_is_no_range_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="no range"):
        read_range(text, NumericRange, int)


@pytest.mark.parametrize(
    ("value", "inside", "outside"),
    [
        (Range(1, 5), [1, 4], [0, 5]),
        (Range(1, 5, "(]"), [2, 5], [1, 6]),
        (Range(None, 5), [-9, 4], [5]),
        (Range(1, None), [1, 99], [0]),
        (Range(empty=True), [], [0, 1]),
    ],
)
def test_what_lies_in_them(value: Range, inside: list[int], outside: list[int]) -> None:
    assert all(number in value for number in inside)
    assert not any(number in value for number in outside)


def test_what_is_told_of_them() -> None:
    value, nothing = Range(1, None, "[)"), Range(empty=True)
    told = (value.isempty, value.lower_inc, value.upper_inc, value.lower_inf, value.upper_inf)
    assert told == (False, True, False, False, True)
    assert (nothing.isempty, nothing.lower_inc, nothing.upper_inf, bool(nothing)) == (
        True,
        False,
        False,
        False,
    )
    assert (str(value), repr(value), repr(nothing)) == (
        "[1, None)", "Range(1, None, '[)')", "Range(empty=True)",
    )  # fmt: skip
    assert hash(Range(1, 2)) == hash(Range(1, 2))
    assert Range(1, 2) != Range(1, 2, "[]")
    assert Range(1, 2) != "[1,2)"
