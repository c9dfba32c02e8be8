"""Dates and times: PEP 249's constructors, and what the conversions make of the server's texts."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta
from time import localtime

from MySQLdb._mysql import string_literal
from pymysql.converters import convert_date, convert_datetime, convert_timedelta

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


format_TIME = format_DATE = str  # noqa: N816 - mysqlclient's names


def format_TIMEDELTA(v: timedelta) -> str:
    """Return days, hours, minutes and seconds; mysqlclient leaves the fraction out too."""
    hours, rest = divmod(v.seconds, 3600)
    return f"{v.days} {hours}:{rest // 60}:{rest % 60}"


def format_TIMESTAMP(d: datetime) -> str:
    """Return a date and time, with its fraction where it has one and always without an offset."""
    return d.replace(tzinfo=None).isoformat(" ")


def Date_or_None(s: str) -> date | None:
    """Return a date, None for a text that is none, the zero date among them."""
    found = convert_date(s)
    return found if isinstance(found, date) else None


def DateTime_or_None(s: str) -> datetime | date | None:
    """Return a date and time, or None."""
    found = convert_datetime(s)
    return found if isinstance(found, datetime) else Date_or_None(s)


def TimeDelta_or_None(s: str) -> timedelta | None:
    """Return a TIME of the server, which may have more than 24 hours and a sign, or None."""
    found = convert_timedelta(s)
    return found if isinstance(found, timedelta) else None


def Time_or_None(s: str) -> time | None:
    """Return a time of day, or None."""
    try:
        return time.fromisoformat(s)
    except ValueError:
        return None


def DateTime2literal(d: datetime, _c: object) -> bytes:
    """Return a date and time as a literal."""
    return string_literal(format_TIMESTAMP(d))


def DateTimeDelta2literal(d: timedelta, _c: object) -> bytes:
    """Return a duration as a literal."""
    return string_literal(format_TIMEDELTA(d))
