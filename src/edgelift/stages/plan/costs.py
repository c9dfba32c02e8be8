"""Estimates what the Worker costs a month, from Cloudflare's prices and stated assumptions."""

from __future__ import annotations

import math
import tomllib
from collections.abc import Sequence
from functools import cache
from importlib import resources

import msgspec

from edgelift.model.plan import CostLine

_DAYS_A_MONTH = 365.25 / 12
# Durable Objects are billed for 128 MB whatever they use (their pricing page).
_OBJECT_GB = 0.128
_WORDS = {
    name: number
    for names, first in (
        (("sun", "mon", "tue", "wed", "thu", "fri", "sat"), 0),
        (("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"), 1),
    )
    for number, name in enumerate(names, first)
}


class Limit(msgspec.Struct, frozen=True):
    """A limit of Cloudflare with its unit and where it was read."""

    value: int
    unit: str
    source: str


class Price(msgspec.Struct, frozen=True):
    """A price: `usd` for each `per` beyond what is `included` in a month."""

    title: str
    included: float
    per: float
    usd: float
    source: str


class Prices(msgspec.Struct, frozen=True):
    """The content of cloudflare.toml."""

    limits: dict[str, Limit]
    prices: dict[str, Price]
    assumptions: dict[str, float]


@cache
def read_prices() -> Prices:
    """Return the limits, prices and assumptions that ship with edgelift."""
    text = resources.files("edgelift.stages.plan").joinpath("cloudflare.toml").read_text("utf-8")
    return msgspec.convert(tomllib.loads(text), Prices)


def estimate_costs(
    crons: Sequence[str], d1_bytes: int | None, object_bytes: int | None = None
) -> tuple[CostLine, ...]:
    """Return the lines of a month's bill for the assumed traffic, the jobs and the data's size.

    `d1_bytes` and `object_bytes` are the sizes of what lies in D1 and in SQL objects, None for
    nothing at all.
    """
    table = read_prices()
    assumed = table.assumptions
    jobs = sum(count_runs(cron) for cron in crons)
    requests = assumed["requests"]
    amounts = {
        "base": 1.0,
        "requests": requests + jobs,
        "cpu_ms": requests * assumed["cpu_ms_per_request"] + jobs * assumed["cpu_ms_per_job"],
    }
    read = requests * assumed["rows_read_per_request"] + jobs * assumed["rows_read_per_job"]
    written = (
        requests * assumed["rows_written_per_request"] + jobs * assumed["rows_written_per_job"]
    )
    if d1_bytes is not None:
        amounts |= {
            "d1_rows_read": read,
            "d1_rows_written": written,
            "d1_storage_gb": d1_bytes / 1e9,
        }
    if object_bytes is not None:
        calls = requests * assumed["object_calls_per_request"]
        seconds = calls * assumed["object_ms_per_call"] / 1000
        amounts |= {
            "object_requests": calls,
            "object_gb_s": seconds * _OBJECT_GB,
            "object_rows_read": read,
            "object_rows_written": written,
            "object_storage_gb": object_bytes / 1e9,
        }
    return tuple(_to_line(table.prices[name], amount) for name, amount in amounts.items())


def _to_line(price: Price, amount: float) -> CostLine:
    beyond = max(amount - price.included, 0.0)
    return CostLine(
        title=price.title,
        amount=amount,
        included=price.included,
        usd=round(beyond / price.per * price.usd, 2),
        source=price.source,
    )


def count_runs(cron: str) -> float:
    """Return how often a cron expression of five fields fires in an average month."""
    minute, hour, day, month, weekday = cron.lower().split()
    times = _count(minute, 0, 59) * _count(hour, 0, 23)
    days = _DAYS_A_MONTH
    by_day = _count(day, 1, 31) * _DAYS_A_MONTH / 31
    by_weekday = _count(weekday, 0, 6) * _DAYS_A_MONTH / 7
    if day != "*" and weekday != "*":
        days = min(by_day + by_weekday, days)
    elif day != "*" or weekday != "*":
        days = by_day if day != "*" else by_weekday
    return times * days * _count(month, 1, 12) / 12


def _count(field: str, low: int, high: int) -> int:
    """Return how many values a field's list of `*`, `a`, `a-b` and `/step` allows."""
    values: set[int] = set()
    for part in field.split(","):
        span, _, step = part.partition("/")
        first, _, last = span.partition("-")
        start = low if first in {"*", "?"} else _number(first)
        end = high if first in {"*", "?"} or (step and not last) else _number(last or first)
        values |= set(range(start, end + 1, int(step or 1)))
    return len(values)


def _number(text: str) -> int:
    return _WORDS[text] if text in _WORDS else int(text)


def total_usd(lines: Sequence[CostLine]) -> float:
    """Return the sum of a bill in US dollars, exact to cents."""
    return math.fsum(line.usd for line in lines)
