"""The throttle and the meter, by a clock of the test's own."""

from __future__ import annotations

import pytest

from edgelift.model.move_plan import TableMove
from edgelift.model.row_spec import RowSpec
from edgelift.stages.data.server.copy import choose_rows
from edgelift.stages.data.server.throttle import Meter, Throttle, format_time


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


def test_bytes_pass_at_their_rate() -> None:
    clock = Clock()
    throttle = Throttle(bytes_per_s=1000, clock=clock, sleep=clock.sleep)
    assert list(throttle.pass_bytes([b"x" * 500] * 10)) == [b"x" * 500] * 10
    assert clock.now == pytest.approx(105)


def test_rows_pass_at_their_rate_and_chunks_are_small() -> None:
    clock = Clock()
    throttle = Throttle(rows_per_s=200, clock=clock, sleep=clock.sleep)
    assert throttle.choose_rows(50_000) == 200
    for _ in range(5):
        throttle.pass_rows(200)
    assert clock.now == pytest.approx(105)


def test_slow_work_owes_nothing() -> None:
    clock = Clock()
    throttle = Throttle(rows_per_s=100, clock=clock, sleep=clock.sleep)
    throttle.pass_rows(100)
    clock.now += 10
    before = clock.now
    throttle.pass_rows(1)
    assert clock.now - before == pytest.approx(0.01)


def test_without_a_limit_nothing_waits() -> None:
    throttle = Throttle(sleep=lambda _s: pytest.fail("it waited"))
    assert list(throttle.pass_bytes([b"a"])) == [b"a"]
    throttle.pass_rows(10**9)
    assert throttle.choose_rows(7) == 7


def test_the_meter_tells_speed_and_time_left() -> None:
    clock, told = Clock(), []
    meter = Meter("rows", 1000, lambda *what: told.append(what), clock)
    meter.skip(500)
    meter.add(0)
    clock.now += 2
    meter.add(100)
    assert told[-1] == ("rows, 50 rows/s, 8 s left", 600, 1000)
    clock.now += 1
    meter.add(900)
    assert told[-1][1:] == (1500, 1500)  # more rows came than were counted before


@pytest.mark.parametrize(
    ("seconds", "text"), [(3, "3 s"), (89, "89 s"), (600, "10 min"), (7800, "2 h 10 min")]
)
def test_times_for_people(seconds: float, text: str) -> None:
    assert format_time(seconds) == text


@pytest.mark.parametrize(
    ("rows", "size", "wanted", "chosen"),
    [(0, 0, 500, 500), (1000, 100_000, 500, 500), (1000, 10**9, 500, 67), (3, 10**10, 500, 1)],
)
def test_chunks_of_large_rows_have_fewer(rows: int, size: int, wanted: int, chosen: int) -> None:
    spec = RowSpec(schema="s", table="t", target="t", wire="pgcopy", fields=())
    assert choose_rows(TableMove(spec=spec, rows=rows, bytes=size), wanted) == chosen
