"""Values are written as the move writes them in Django's style."""

from __future__ import annotations

import datetime as dt
import ipaddress
from decimal import Decimal
from uuid import UUID

import pytest

from edgelift.rows.conversions.times import write_time
from edgelift.worker.django_moved.ranges import Range
from edgelift.worker.django_moved.values import Jsonb, write_parameter

KEY = UUID("3f0b5f2e-0000-4000-8000-000000000001")
BERLIN = dt.timezone(dt.timedelta(hours=2))


@pytest.mark.parametrize(
    ("value", "written"),
    [
        (None, None),
        (True, True),
        (5, 5),
        (2**63 - 1, 2**63 - 1),
        (2**63, float(2**63)),
        (1.5, 1.5),
        ("x", "x"),
        (b"\0", b"\0"),
        (memoryview(b"\1"), b"\1"),
        (bytearray(b"\1"), b"\1"),
        (Decimal("10.50"), 10.5),
        (Decimal("10.00"), 10),
        (Decimal("12345678901234567.5"), "12345678901234567.5"),
        (dt.datetime(2024, 1, 2, 3, 4, 5), "2024-01-02 03:04:05"),  # noqa: DTZ001
        (dt.datetime(2024, 1, 2, 3, 4, 5, 60, tzinfo=BERLIN), "2024-01-02 01:04:05.000060"),
        (dt.date(2024, 1, 2), "2024-01-02"),
        (dt.time(1, 2, 3), "01:02:03"),
        (dt.time(1, 2, 3, 4), "01:02:03.000004"),
        (dt.timedelta(days=-1, microseconds=3), -86_399_999_997),
        ([1, None, "ü"], '[1,null,"ü"]'),
        ((dt.date(2024, 1, 1),), '["2024-01-01"]'),
        ({"bb": 1, "a": [1.0, 2]}, '{"a": [1.0, 2], "bb": 1}'),
        (Jsonb({"a": 0}), '{"a": 0}'),
        (Jsonb([]), "[]"),
        (Range(1, 2), "[1,2)"),
        (ipaddress.ip_address("::1"), "::1"),
        (ipaddress.ip_network("10.0.0.0/8"), "10.0.0.0/8"),
    ],
)
def test_each_kind_has_its_form(value: object, written: object) -> None:
    found = write_parameter(value)
    assert (found, type(found)) == (written, type(written))


@pytest.mark.parametrize(
    ("form", "written"), [("text", str(KEY)), ("hex", KEY.hex), ("blob", KEY.bytes)]
)
def test_uuids_have_the_form_of_the_move(form: str, written: object) -> None:
    assert write_parameter(KEY, form) == written


@pytest.mark.parametrize("microseconds", [0, 1, 3_723_000_000, 86_399_999_999])
def test_times_are_the_mover_s(microseconds: int) -> None:
    moment = dt.datetime(2024, 1, 1) + dt.timedelta(microseconds=microseconds)  # noqa: DTZ001
    assert write_parameter(moment.time()) == write_time(microseconds, "django")


def test_what_is_unknown_is_left_to_the_driver() -> None:
    thing = object()
    assert write_parameter(thing) is thing
