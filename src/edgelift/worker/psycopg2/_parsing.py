"""Reads PostgreSQL's text forms of values as psycopg2 does: dates, intervals, arrays, bytes."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable
from typing import Any

from edgelift.worker.postgres import arrays

from ._errors import DataError

_NUMBER = r"([+-]?\d+)"
_INTERVAL = re.compile(
    rf"(?:{_NUMBER} years? ?)?(?:{_NUMBER} mons? ?)?(?:{_NUMBER} days? ?)?"
    r"(?:([+-])?(\d+):(\d+):(\d+)(?:\.(\d+))?)?"
)
_WHOLE = re.compile(r"-?\d+")
_INT_MAX = 2**31 - 1
_STAMP = re.compile(
    r"(\d{4,})-(\d\d)-(\d\d)(?:[ T](\d\d):(\d\d)(?::(\d\d)(?:\.(\d+))?)?)?"
    r"(?:([+-])(\d\d)(?::?(\d\d))?(?::(\d\d))?)?( BC)?"
)
_CLOCK = re.compile(
    r"(\d\d):(\d\d)(?::(\d\d)(?:\.(\d+))?)?(?:([+-])(\d\d)(?::?(\d\d))?(?::(\d\d))?)?"
)
ZoneFactory = Any


def _micro(digits: str | None) -> int:
    return int(digits[:6].ljust(6, "0")) if digits else 0


def _offset(sign: str, hours: str, minutes: str | None, seconds: str | None) -> dt.timedelta:
    size = dt.timedelta(hours=int(hours), minutes=int(minutes or 0), seconds=int(seconds or 0))
    return -size if sign == "-" else size


def _split_stamp(text: str) -> re.Match[str]:
    match = _STAMP.fullmatch(text)
    if match is None:
        raise DataError("unable to parse time")
    if match[12] or len(match[1]) > 4:
        year = -int(match[1]) if match[12] else int(match[1])
        raise ValueError(f"year {year} is out of range")
    return match


def parse_date(text: str) -> dt.date:
    """Return a date; infinities are the ends of Python's range, as in psycopg2."""
    if text.endswith("infinity"):
        return dt.date.min if text[0] == "-" else dt.date.max
    if len(text) == 10:
        return dt.date.fromisoformat(text)
    match = _split_stamp(text)
    return dt.date(int(match[1]), int(match[2]), int(match[3]))


def parse_stamp(text: str, zone: ZoneFactory = None) -> dt.datetime:
    """Return a timestamp; `zone` makes a time zone of its offset, None leaves it naive."""
    if text.endswith("infinity"):
        edge = dt.datetime.min if text[0] == "-" else dt.datetime.max  # noqa: DTZ901
        return edge if zone is None else edge.replace(tzinfo=make_zone(zone, dt.timedelta(0)))
    if len(text) < 19:
        return _parse_odd_stamp(text, zone)
    try:
        found = dt.datetime.fromisoformat(text)
    except ValueError:
        return _parse_odd_stamp(text, zone)
    if found.tzinfo is None or zone is dt.timezone:
        return found
    offset = found.utcoffset()
    return found.replace(tzinfo=None if zone is None else make_zone(zone, offset))


def _parse_odd_stamp(text: str, zone: ZoneFactory) -> dt.datetime:
    """Return a timestamp that Python does not read by itself, or say why there is none."""
    match = _split_stamp(text)
    if match[6] is None:
        raise DataError("unable to parse time")
    year, month, day, hour, minute, second = (int(part or 0) for part in match.groups()[:6])
    tzinfo = None
    if match[8] and zone is not None:
        tzinfo = make_zone(zone, _offset(match[8], match[9], match[10], match[11]))
    carry = dt.timedelta(minutes=1) if second >= 60 else dt.timedelta(0)
    second = 0 if carry else second
    value = dt.datetime(year, month, day, hour, minute, second, _micro(match[7]), tzinfo)
    return value + carry if carry else value


def make_zone(factory: ZoneFactory, offset: dt.timedelta | None) -> Any:
    """Return the time zone of an offset, made by a cursor's `tzinfo_factory`."""
    if isinstance(factory, dt.tzinfo):
        return factory
    return factory(offset)


def parse_time(text: str, zone: ZoneFactory = None) -> dt.time:
    """Return a time of day; 24:00 becomes 00:00, which is what Python has."""
    match = _CLOCK.fullmatch(text)
    if match is None or match[3] is None:
        raise DataError("unable to parse time")
    hour, minute, second = (int(part or 0) for part in match.groups()[:3])
    if second >= 60:
        minute, second = minute + 1, 0
    tzinfo = None
    if match[5] and zone is not None:
        tzinfo = make_zone(zone, _offset(match[5], match[6], match[7], match[8]))
    return dt.time(hour % 24, minute, second, _micro(match[4]), tzinfo)


def parse_interval(text: str) -> dt.timedelta:
    """Return an interval of style `postgres`: a year is 365 days and a month 30."""
    if _WHOLE.fullmatch(text):  # as Redshift writes them
        return dt.timedelta(microseconds=int(text))
    if any(int(number) > _INT_MAX for number in re.findall(r"\d+", text)):
        raise OverflowError("interval component too big")
    match = _INTERVAL.fullmatch(text)
    if match is None:
        raise NotSupportedInterval(f"iso_8601 intervalstyle currently not supported: {text!r}")
    years, months, days, sign, hours, minutes, seconds, fraction = match.groups()
    clock = dt.timedelta(
        hours=int(hours or 0),
        minutes=int(minutes or 0),
        seconds=int(seconds or 0),
        microseconds=_micro(fraction),
    )
    total_days = int(years or 0) * 365 + int(months or 0) * 30 + int(days or 0)
    return dt.timedelta(days=total_days) + (-clock if sign == "-" else clock)


class NotSupportedInterval(ValueError):
    """The interval is written in a style that psycopg2 does not read."""


_ESCAPE = re.compile(rb"\\([0-7]{3}|\\)")


def parse_bytes(text: str) -> memoryview:
    """Return a bytea, in hexadecimal or in the older escaped form."""
    if text.startswith("\\x"):
        return memoryview(bytes.fromhex(text[2:]))
    raw = text.encode("latin-1")
    plain = _ESCAPE.sub(lambda m: b"\\" if m[1] == b"\\" else bytes([int(m[1], 8)]), raw)
    return memoryview(plain)


def parse_array(text: str, convert: Callable[[str | None], Any]) -> Any:
    """Return an array as nested lists of converted items."""
    try:
        return arrays.parse_array(text, convert)
    except arrays.ArrayError as error:
        raise DataError(str(error)) from None
