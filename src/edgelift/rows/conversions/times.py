"""Ops of dates and times; all arithmetic is on days since 1970 and microseconds of a day."""

from __future__ import annotations

import re
from functools import lru_cache

from edgelift.rows.conversions import (
    Convert,
    Raw,
    RefusedValueError,
    Settings,
    Value,
    apply_policy,
    read_ascii,
)
from edgelift.rows.conversions.numbers import INT_MAX, INT_MIN
from edgelift.rows.ops import PGCOPY

DAY_US = 86_400_000_000
_Y2K = 10_957  # days from 1970-01-01 to PostgreSQL's epoch, 2000-01-01
_YEAR_1 = -719_162  # 0001-01-01 in days since 1970
_YEAR_10000 = 2_932_897
_MONTH_DAYS = (31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)
_DATE = re.compile(r"([0-9]{4})-([0-9]{2})-([0-9]{2})")
_TIME = re.compile(r"(-?)([0-9]{2,6}):([0-9]{2}):([0-9]{2})(?:\.([0-9]{1,6}))?")
_UNITS = {"unix": 1_000_000, "unix_ms": 1000, "unix_us": 1}
_ZERO = "0000-00-00"


def to_days(year: int, month: int, day: int) -> int:
    """Return days since 1970 of a date of the proleptic Gregorian calendar (year 0 is 1 BC)."""
    # March first, so that the leap day is a year's last: 146,097 days are 400 years.
    year -= month <= 2
    shifted = (month + 9) % 12
    in_era = year % 400
    of_year = (153 * shifted + 2) // 5 + day - 1
    return year // 400 * 146_097 + in_era * 365 + in_era // 4 - in_era // 100 + of_year - 719_468


def to_date(days: int) -> tuple[int, int, int]:
    """Return year, month, day of days since 1970; the inverse of `to_days`."""
    days += 719_468
    era, of_era = divmod(days, 146_097)
    in_era = (of_era - of_era // 1460 + of_era // 36_524 - of_era // 146_096) // 365
    of_year = of_era - (365 * in_era + in_era // 4 - in_era // 100)
    shifted = (5 * of_year + 2) // 153
    month = (shifted + 2) % 12 + 1
    return era * 400 + in_era + (month <= 2), month, of_year - (153 * shifted + 2) // 5 + 1


@lru_cache(4096)
def _write_date(days: int) -> str:
    """Return a date without its era: 44 BC is 0044."""
    year, month, day = to_date(days)
    return f"{year if year > 0 else 1 - year:04d}-{month:02d}-{day:02d}"


def _era(days: int) -> str:
    return " BC" if days < _YEAR_1 else ""


def write_time(micros: int, style: str) -> str:
    """Return HH:MM:SS.ffffff of non-negative microseconds; django leaves out a zero fraction."""
    seconds, fraction = divmod(micros, 1_000_000)
    minutes, second = divmod(seconds, 60)
    text = f"{minutes // 60:02d}:{minutes % 60:02d}:{second:02d}"
    return text if style == "django" and not fraction else f"{text}.{fraction:06d}"


def _read_signed(raw: Raw, size: int, what: str) -> int:
    assert isinstance(raw, bytes)
    if len(raw) != size:
        raise RefusedValueError(f"has {len(raw)} bytes, {what} has {size}")
    return int.from_bytes(raw, "big", signed=True)


def _judge_infinity(number: int, bits: int, settings: Settings) -> tuple[bool, str | None]:
    """Return whether the number stands for an infinity, and what the policy makes of it."""
    if number not in {2 ** (bits - 1) - 1, -(2 ** (bits - 1))}:
        return False, None
    text = "infinity" if number > 0 else "-infinity"
    return True, apply_policy(settings["infinity"], text, f"is {text}")


def _read_date(text: str) -> int | None:
    """Return the days of YYYY-MM-DD, None for MySQL's zero dates and days of no calendar."""
    match = _DATE.fullmatch(text)
    if match is None:
        raise RefusedValueError("is no date of the form YYYY-MM-DD")
    year, month, day = int(match[1]), int(match[2]), int(match[3])
    if month > 12 or day > 31:
        raise RefusedValueError("is a day that does not exist")
    if month == 0 or day == 0:
        return None
    leap = year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)
    if day > _MONTH_DAYS[month - 1] or (month == 2 and day == 29 and not leap):
        return None
    return to_days(year, month, day)


def _read_time(text: str) -> int:
    """Return the microseconds of [-]HH:MM:SS[.ffffff]."""
    match = _TIME.fullmatch(text)
    if match is None or match[3] > "59" or match[4] > "59":
        raise RefusedValueError("is no time of the form HH:MM:SS.ffffff")
    seconds = int(match[2]) * 3600 + int(match[3]) * 60 + int(match[4])
    micros = seconds * 1_000_000 + int((match[5] or "").ljust(6, "0"))
    return -micros if match[1] else micros


def _count(days: int, micros: int, settings: Settings) -> int:
    """Return the moment as an INTEGER of the style's unit."""
    total = days * DAY_US + micros
    unit = _UNITS[settings["style"]]
    if total % unit and settings["fraction"] == "refuse":
        raise RefusedValueError(f"has a fraction that {settings['style']} cannot hold")
    number = total // unit
    if not INT_MIN <= number <= INT_MAX:
        raise RefusedValueError("is outside 64 bits")
    return number


def _write_moment(days: int, micros: int | None, settings: Settings, kept: str) -> Value:
    """Return a moment in the style asked for; `kept` is its text when it is out of range."""
    style = settings["style"]
    if style in _UNITS:
        return _count(days, micros or 0, settings)
    if not _YEAR_1 <= days < _YEAR_10000:
        return apply_policy(settings["outside"], kept, "is outside the years 1 ... 9999")
    date = _write_date(days)
    return date if micros is None else f"{date} {write_time(micros, style)}"


def make_date(settings: Settings, wire: str) -> Convert:
    """Return op `date`."""
    settings = {**settings, "fraction": "refuse"}

    def convert_binary(raw: Raw) -> Value:
        number = _read_signed(raw, 4, "a date")
        infinite, made = _judge_infinity(number, 32, settings)
        if infinite:
            return made
        days = number + _Y2K
        return _write_moment(days, None, settings, _write_date(days) + _era(days))

    def convert_text(raw: Raw) -> Value:
        text = read_ascii(raw)
        days = _read_date(text)
        if days is None:
            return apply_policy(
                settings["zero"], text, "is a zero date, or a day that does not exist"
            )
        return _write_moment(days, None, settings, text)

    return convert_binary if wire == PGCOPY else convert_text


def make_timestamp(settings: Settings, wire: str) -> Convert:
    """Return op `timestamp`."""
    style = settings["style"]

    def convert_binary(raw: Raw) -> Value:
        number = _read_signed(raw, 8, "a timestamp")
        infinite, made = _judge_infinity(number, 64, settings)
        if infinite:
            return made
        days, micros = divmod(number, DAY_US)
        days += _Y2K
        kept = ""
        if style not in _UNITS:
            kept = f"{_write_date(days)} {write_time(micros, style)}{_era(days)}"
        return _write_moment(days, micros, settings, kept)

    def convert_text(raw: Raw) -> Value:
        text = read_ascii(raw)
        if text[10:11] not in {" ", "T"} or text[13:14] != ":":
            raise RefusedValueError("is no timestamp of the form YYYY-MM-DD HH:MM:SS.ffffff")
        days = _read_date(text[:10])
        micros = _read_time(text[11:])
        if micros >= DAY_US or text[11] == "-":
            raise RefusedValueError("has a time outside a day")
        if days is None:
            return apply_policy(
                settings["zero"], text, "is a zero date, or a day that does not exist"
            )
        return _write_moment(days, micros, settings, text)

    return convert_binary if wire == PGCOPY else convert_text


def _write_day_time(micros: int, settings: Settings) -> str | None:
    """Return a time of day; beyond a day and before its start the policy decides."""
    if 0 <= micros < DAY_US:
        return write_time(micros, settings["style"])
    text = "-" * (micros < 0) + write_time(abs(micros), settings["style"])
    return apply_policy(settings["outside"], text, "is outside 00:00:00 ... 23:59:59.999999")


def make_time(settings: Settings, wire: str) -> Convert:
    """Return op `time`."""

    def convert(raw: Raw) -> Value:
        if wire == PGCOPY:
            micros = _read_signed(raw, 8, "a time")
            if not 0 <= micros <= DAY_US:
                raise RefusedValueError("is a malformed time")
        else:
            micros = _read_time(read_ascii(raw))
        return _write_day_time(micros, settings)

    return convert


def make_timetz(settings: Settings, _wire: str) -> Convert:
    """Return op `timetz`: microseconds, then the zone in seconds west of Greenwich."""

    def convert(raw: Raw) -> Value:
        both = _read_signed(raw, 12, "a timetz")
        micros, zone = both >> 32, both & 0xFFFFFFFF
        east = -(zone - 2**32 if zone >= 2**31 else zone)
        if not 0 <= micros <= DAY_US or abs(east) >= 86_400:
            raise RefusedValueError("is a malformed timetz")
        text = _write_day_time(micros, settings)
        if text is None:
            return None
        hours, rest = divmod(abs(east), 3600)
        text += f"{'-' if east < 0 else '+'}{hours:02d}:{rest // 60:02d}"
        return text + (f":{rest % 60:02d}" if rest % 60 else "")

    return convert


def _part(number: int, unit: str) -> str:
    return f"{number}{unit}" if number else ""


def write_interval(months: int, days: int, micros: int) -> str:
    """Return an interval in ISO 8601 as PostgreSQL prints it: each part has its own sign."""
    sign = -1 if micros < 0 else 1
    seconds, fraction = divmod(abs(micros), 1_000_000)
    years, month = divmod(abs(months), 12)
    if months < 0:
        years, month = -years, -month
    date = _part(years, "Y") + _part(month, "M") + _part(days, "D")
    time = _part(sign * (seconds // 3600), "H") + _part(sign * (seconds // 60 % 60), "M")
    if seconds % 60 or fraction:
        digits = f".{fraction:06d}".rstrip("0") if fraction else ""
        time += f"{'-' * (sign < 0)}{seconds % 60}{digits}S"
    return "P" + date + ("T" + time if time else "") if date or time else "PT0S"


def make_interval(settings: Settings, wire: str) -> Convert:
    """Return op `interval`: microseconds, days and months in PostgreSQL, a TIME in MySQL."""
    style = settings["style"]

    def convert(raw: Raw) -> Value:
        months = days = 0
        if wire == PGCOPY:
            whole = _read_signed(raw, 16, "an interval")
            micros = whole >> 64
            days = (whole >> 32 & 0xFFFFFFFF ^ 2**31) - 2**31
            months = (whole & 0xFFFFFFFF ^ 2**31) - 2**31
        else:
            micros = _read_time(read_ascii(raw))
        if style == "iso":
            return write_interval(months, days, micros)
        if months:
            raise RefusedValueError("has months, which are no fixed time")
        total = days * DAY_US + micros
        if not INT_MIN <= total <= INT_MAX:
            raise RefusedValueError("is outside 64 bits")
        if style == "micros":
            return total
        epoch_days, rest = divmod(total, DAY_US)
        if not _YEAR_1 <= epoch_days < _YEAR_10000:
            raise RefusedValueError("leads outside the years 1 ... 9999")
        return f"{_write_date(epoch_days)} {write_time(rest, 'sqlalchemy')}"

    return convert
