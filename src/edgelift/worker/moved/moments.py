"""Dates, times and spans as PostgreSQL reads and writes them, for the values of moved databases."""

from __future__ import annotations

import calendar
import datetime as dt
import re
from typing import NamedTuple

from edgelift.worker.moved.failures import ServerError

EPOCH = dt.datetime(1970, 1, 1)  # noqa: DTZ001 - the file has no time zones
DAY_US = 86_400_000_000
_DATE = re.compile(r"(\d{4})-(\d{1,2})-(\d{1,2})")
_COMPACT = re.compile(r"(\d{4})(\d{2})(\d{2})(?=$|[T ])")
_AMERICAN = re.compile(r"(\d{1,2})/(\d{1,2})/(\d{4})")
_TIME = re.compile(r"(\d{1,2}):(\d{2})(?::(\d{2})(?:[.,](\d{1,9}))?)?\s*(am|pm)?", re.IGNORECASE)
_ZONE = re.compile(r"(z|utc|gmt)$|([+-])(\d{1,2})(?::?(\d{2}))?(?::?(\d{2}))?$", re.IGNORECASE)
UNITS = {
    "microsecond": (0, 0, 1), "us": (0, 0, 1), "millisecond": (0, 0, 1000), "ms": (0, 0, 1000),
    "second": (0, 0, 10**6), "sec": (0, 0, 10**6), "s": (0, 0, 10**6),
    "minute": (0, 0, 60 * 10**6), "min": (0, 0, 60 * 10**6), "m": (0, 0, 60 * 10**6),
    "hour": (0, 0, 3600 * 10**6), "hr": (0, 0, 3600 * 10**6), "h": (0, 0, 3600 * 10**6),
    "day": (0, 1, 0), "d": (0, 1, 0), "week": (0, 7, 0), "w": (0, 7, 0),
    "month": (1, 0, 0), "mon": (1, 0, 0), "year": (12, 0, 0), "yr": (12, 0, 0), "y": (12, 0, 0),
    "decade": (120, 0, 0), "century": (1200, 0, 0),
}  # fmt: skip
_PART = re.compile(r"([+-]?\d+(?:\.\d*)?)\s*([a-z]+)", re.IGNORECASE)
_CLOCK = re.compile(r"([+-]?)(\d+):(\d{2})(?::(\d{2})(?:\.(\d{1,6}))?)?")
_ISO_PART = re.compile(r"(-?\d+(?:\.\d+)?)([YMWDHS])")


class Span(NamedTuple):
    """An interval: its months and days have no fixed length until they are added to a moment."""

    months: int
    days: int
    micros: int

    @property
    def total(self) -> int:
        """Return microseconds, days of 24 hours and months of 30 days, as comparisons count."""
        return (self.months * 30 + self.days) * DAY_US + self.micros

    def negate(self) -> Span:
        """Return the span backwards."""
        return Span(-self.months, -self.days, -self.micros)


def _invalid(kind: str, text: str) -> ServerError:
    return ServerError("22007", f'invalid input syntax for type {kind}: "{text}"')


def _out_of_range(text: str) -> ServerError:
    return ServerError("22008", f'date/time field value out of range: "{text}"')


def read_moment(text: str, kind: str, now: dt.datetime) -> dt.datetime:
    """Return the moment of a text without a zone, in UTC where the text has one and `kind` too.

    `now` is what `now` and `today` mean. Raises ServerError.
    """
    rest = text.strip()
    special = _read_special(rest.lower(), now)
    if special is not None:
        return special
    found = _DATE.match(rest) or _COMPACT.match(rest)
    american = None if found else _AMERICAN.match(rest)
    if found is None and american is None:
        raise _invalid(kind, text)
    if american is not None:
        year, month, day = int(american[3]), int(american[1]), int(american[2])
        rest = rest[american.end() :]
    else:
        assert found is not None
        year, month, day = int(found[1]), int(found[2]), int(found[3])
        rest = rest[found.end() :]
    clock, offset = _read_clock(rest.lstrip("Tt "), kind, text)
    try:
        made = dt.datetime(year, month, day) + clock  # noqa: DTZ001
    except (ValueError, OverflowError):
        raise _out_of_range(text) from None
    return made - offset if kind == "timestamp with time zone" else made


def _read_special(word: str, now: dt.datetime) -> dt.datetime | None:
    today = now.replace(hour=0, minute=0, second=0, microsecond=0)
    return {
        "now": now,
        "today": today,
        "tomorrow": today + dt.timedelta(days=1),
        "yesterday": today - dt.timedelta(days=1),
        "epoch": EPOCH,
    }.get(word)


def _read_clock(rest: str, kind: str, text: str) -> tuple[dt.timedelta, dt.timedelta]:
    """Return the time of day, which rounds into the next one, and the offset of its zone."""
    clock = dt.timedelta()
    if rest:
        found = _TIME.match(rest)
        if found:
            clock = _read_time(found, text)
            rest = rest[found.end() :].strip()
    offset = dt.timedelta()
    if rest:
        zone = _ZONE.fullmatch(rest)
        if zone is None:
            raise _invalid(kind, text)
        if zone[2]:
            offset = dt.timedelta(
                hours=int(zone[3]), minutes=int(zone[4] or 0), seconds=int(zone[5] or 0)
            )
            offset = -offset if zone[2] == "-" else offset
    return clock, offset


def _read_time(found: re.Match[str], text: str) -> dt.timedelta:
    hour, minute, second = int(found[1]), int(found[2]), int(found[3] or 0)
    if found[5]:
        hour = hour % 12 + (12 if found[5].lower() == "pm" else 0)
    if hour > 24 or minute > 59 or second > 60 or (hour == 24 and (minute or second)):
        raise _out_of_range(text)
    micros = round(float(f"0.{found[4] or 0}") * 10**6)
    return dt.timedelta(hours=hour, minutes=minute, seconds=second, microseconds=micros)


def read_time(text: str) -> dt.time:
    """Return the time of day of a text, of a moment too; raises ServerError."""
    kind = "time"
    rest = text.strip()
    found = _DATE.match(rest)
    if found:
        rest = rest[found.end() :].lstrip("Tt ")
    clock = _TIME.match(rest)
    if clock is None:
        raise _invalid(kind, text)
    made = _read_time(clock, text)
    if made >= dt.timedelta(days=1):
        raise ServerError("0A000", "the moved database does not keep the time 24:00:00")
    return (EPOCH + made).time()


def read_span(text: str) -> Span:
    """Return an interval of a text, PostgreSQL's, SQL's or ISO 8601's; raises ServerError."""
    rest = text.strip()
    if rest[:1] in {"P", "p"}:
        return _read_iso(rest.upper(), text)
    total = [0.0, 0.0, 0.0]
    sign = 1
    if rest.lower().endswith(" ago"):
        sign, rest = -1, rest[:-4]
    rest = rest.lstrip("@ ")
    clock = _CLOCK.search(rest)
    if clock:
        rest = rest[: clock.start()] + " " + rest[clock.end() :]
        micros = (int(clock[2]) * 3600 + int(clock[3]) * 60 + int(clock[4] or 0)) * 10**6
        micros += int((clock[5] or "").ljust(6, "0") or 0)
        total[2] += -micros if clock[1] == "-" else micros
    matched = list(_PART.finditer(rest))
    left = _PART.sub("", rest).strip()
    if left:
        if matched or clock or not re.fullmatch(r"[+-]?\d+(\.\d+)?", left):
            raise _invalid("interval", text)
        total[2] += float(left) * 10**6
    elif not matched and not clock:
        raise _invalid("interval", text)
    for part in matched:
        _add_part(total, part[1], part[2].lower(), text)
    return Span(*(sign * value for value in _spill(total)))


def _add_part(total: list[float], number: str, unit: str, text: str) -> None:
    known = UNITS.get(unit) or UNITS.get(unit.removesuffix("s"))
    if known is None:
        known = {"centuries": (1200, 0, 0)}.get(unit)
    if known is None:
        raise _invalid("interval", text)
    for index, size in enumerate(known):
        total[index] += float(number) * size


def _spill(total: list[float]) -> tuple[int, int, int]:
    """Return whole months, days and microseconds; parts of one go into the next."""
    months = int(total[0])
    days_float = total[1] + (total[0] - months) * 30
    days = int(days_float)
    return months, days, round(total[2] + (days_float - days) * DAY_US)


def _read_iso(rest: str, text: str) -> Span:
    date, _, clock = rest[1:].partition("T")
    total = [0.0, 0.0, 0.0]
    for part, units in ((date, "YMWD"), (clock, "HMS")):
        if _ISO_PART.sub("", part):
            raise _invalid("interval", text)
        for found in _ISO_PART.finditer(part):
            if found[2] not in units:
                raise _invalid("interval", text)
            unit = {"M": "minute" if units == "HMS" else "month"}.get(found[2], found[2].lower())
            _add_part(total, found[1], unit, text)
    return Span(*_spill(total))


def add_span(moment: dt.datetime, span: Span) -> dt.datetime:
    """Return a moment later by a span; a month that is too short for the day ends it."""
    if span.months:
        count = moment.year * 12 + moment.month - 1 + span.months
        year, month = divmod(count, 12)
        if not 1 <= year <= 9999:
            raise ServerError("22008", "timestamp out of range")
        last = calendar.monthrange(year, month + 1)[1]
        moment = moment.replace(year=year, month=month + 1, day=min(moment.day, last))
    try:
        return moment + dt.timedelta(days=span.days, microseconds=span.micros)
    except OverflowError:
        raise ServerError("22008", "timestamp out of range") from None


def write_fraction(micros: int) -> str:
    """Return parts of a second as the server prints them, nothing for none."""
    return f".{micros:06d}".rstrip("0") if micros else ""


def write_span(span: Span) -> str:
    """Return an interval in the style `postgres`: `1 year 2 mons -3 days +04:05:06.7`."""
    parts: list[str] = []
    negative = False
    for size, word in ((_quotient(span.months, 12), "year"), (_rest(span.months, 12), "mon"),
                       (span.days, "day")):  # fmt: skip
        if size:
            plus = "+" if negative and size > 0 else ""
            parts.append(f"{plus}{size} {word}{'' if size == 1 else 's'}")
            negative = size < 0
    if span.micros or not parts:
        seconds, micros = divmod(abs(span.micros), 10**6)
        sign = "-" if span.micros < 0 else "+" if negative else ""
        hours, seconds = divmod(seconds, 3600)
        clock = f"{hours:02d}:{seconds // 60:02d}:{seconds % 60:02d}{write_fraction(micros)}"
        parts.append(sign + clock)
    return " ".join(parts)


def _quotient(number: int, by: int) -> int:
    return abs(number) // by * (-1 if number < 0 else 1)


def _rest(number: int, by: int) -> int:
    return number - _quotient(number, by) * by


def split_micros(micros: int) -> Span:
    """Return stored microseconds as days and the rest: the moved form has both in one."""
    days = _quotient(micros, DAY_US)
    return Span(0, days, micros - days * DAY_US)


def round_moment(stored: str, places: int) -> str:
    """Return a stored moment with so many places of a second, rounded as the server does."""
    step = 10 ** (6 - places)
    moment = dt.datetime.fromisoformat(stored)
    rest = moment.microsecond % step
    moment -= dt.timedelta(microseconds=rest)
    if rest * 2 >= step:
        moment += dt.timedelta(microseconds=step)
    return moment.isoformat(" ", "microseconds")
