"""PEP 249's constructors of dates and times."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta
from time import localtime

Date = date
Time = time
TimeDelta = timedelta
Timestamp = datetime
DateTimeDeltaType = timedelta
DateTimeType = datetime


def DateFromTicks(ticks: float) -> date:
    """Return the local date of a time in seconds since 1970."""
    return date(*localtime(ticks)[:3])


def TimeFromTicks(ticks: float) -> time:
    """Return the local time of day of a time in seconds since 1970."""
    return time(*localtime(ticks)[3:6])


def TimestampFromTicks(ticks: float) -> datetime:
    """Return the local date and time of a time in seconds since 1970."""
    return datetime(*localtime(ticks)[:6])  # noqa: DTZ001 - local time is what PEP 249 asks for
