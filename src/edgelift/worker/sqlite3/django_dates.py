"""Django's date and time functions as SQL, for dates and times as Django itself writes them.

Time zones become a table of UTC offsets from the IANA data of this Python, 1970 to 2049.
"""

from __future__ import annotations

import datetime as dt
import functools
import itertools
import json
import re
import zoneinfo
from collections.abc import Callable, Mapping

from edgelift.worker.sqlite3.expressions import UNKNOWN, Argument, choose, refuse
from edgelift.worker.sqlite3.tokens import quote_text

_FIRST_YEAR, _LAST_YEAR = 1970, 2050
_ZONE = re.compile(r"[A-Za-z_]+(?:/[A-Za-z0-9_+-]+)*")
_DAY_S = 86_400
_MICROSECONDS = 1_000_000
_DATE_PARTS = frozenset(
    {"year", "month", "day", "week_day", "iso_week_day", "week", "quarter", "iso_year"}
)


@functools.cache
def list_offsets(zone: str) -> tuple[tuple[str, int], ...]:
    """Return (UTC time, offset in seconds from then on) of a zone; raises for an unknown one."""
    info = zoneinfo.ZoneInfo(zone)

    def offset(moment: int) -> int:
        utc = dt.datetime.fromtimestamp(moment, dt.UTC)
        difference = utc.astimezone(info).utcoffset()
        return int(difference.total_seconds()) if difference is not None else 0

    start = int(dt.datetime(_FIRST_YEAR, 1, 1, tzinfo=dt.UTC).timestamp())
    last = int(dt.datetime(_LAST_YEAR, 1, 1, tzinfo=dt.UTC).timestamp())
    found = [(start, offset(start))]
    for day in range(start, last, _DAY_S):
        low, high = day, day + _DAY_S
        if offset(high) == found[-1][1]:
            continue
        while high - low > 1:
            middle = (low + high) // 2
            if offset(middle) == found[-1][1]:
                low = middle
            else:
                high = middle
        found.append((high, offset(high)))
    return tuple(
        (dt.datetime.fromtimestamp(moment, dt.UTC).strftime("%Y-%m-%d %H:%M:%S"), seconds)
        for moment, seconds in found
    )


def _fraction(value: str, start: int) -> str:
    """Return the microseconds of a text whose fraction begins after `start` characters."""
    return f"CAST(substr(substr({value},{start + 2})||'000000',1,6) AS INTEGER)"


def _fraction_valid(value: str, start: int) -> str:
    return (
        f"(length({value})={start} OR (substr({value},{start + 1},1)='.' AND length({value}) "
        f"BETWEEN {start + 2} AND {start + 7} "
        f"AND substr({value},{start + 2}) NOT GLOB '*[^0-9]*'))"
    )


class Moment:
    """A date or datetime in SQL: its text, whether it is one, its local time to the second."""

    def __init__(self, value: str, *, dates: bool) -> None:
        self.value = value
        whole = f"substr({value},1,19)"
        valid = f"datetime({whole})={whole} AND {_fraction_valid(value, 19)} AND {value}>='0001'"
        self.clock = whole
        if dates:
            valid = f"(({valid}) OR (length({value})=10 AND date({value})={value}))"
            self.clock = f"substr({value}||' 00:00:00',1,19)"
        self.valid = f"typeof({value})='text' AND {valid}"

    @property
    def microseconds(self) -> str:
        """The microseconds within the second."""
        return _fraction(self.value, 19)

    def shift(self, zone: str, *, back: bool = False) -> None:
        """Move its time from UTC to a zone, or back; out of the table's range it is refused."""
        listed = list_local_offsets(zone) if back else list_offsets(zone)
        signed = [(moment, -offset if back else offset) for moment, offset in listed]
        offsets = json.dumps(signed, separators=(",", ":"))
        first, last = (f"'{year}-01-01'" for year in (_FIRST_YEAR, _LAST_YEAR))
        found = (
            f"(SELECT value->>1 FROM json_each({quote_text(offsets)}) WHERE "
            f"value->>0<={self.clock} ORDER BY key DESC LIMIT 1)"
        )
        self.valid = f"{self.valid} AND {self.value}>={first} AND {self.value}<{last}"
        self.clock = f"datetime({self.clock},{found}||' seconds')"


@functools.cache
def list_local_offsets(zone: str) -> tuple[tuple[str, int], ...]:
    """Return (local time, offset in seconds from then on) of a zone; raises for an unknown one.

    Of an hour that comes twice the first is meant, as in datetime without a fold.
    """
    found = list_offsets(zone)
    moved = [found[0]]
    for (_, before), (moment, after) in itertools.pairwise(found):
        local = dt.datetime.fromisoformat(moment) + dt.timedelta(seconds=max(before, after))
        moved.append((str(local), after))
    return tuple(moved)


def _read(value: Argument, zone: Argument, connection: Argument, *, dates: bool) -> Moment | None:
    """Return a moment in the zone that Django asks for, None when its name tells no table."""
    if zone.value is UNKNOWN or connection.value is UNKNOWN:
        return None
    moment = Moment(value.sql, dates=dates and not connection.value)
    if zone.value is None or zone.value == connection.value:
        return moment
    back = zone.value == "UTC"
    named = str(connection.value if back else zone.value)
    if (not back and connection.value != "UTC") or not _ZONE.fullmatch(named):
        return None
    try:
        moment.shift(named, back=back)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError):
        return None
    return moment


def _part(kind: object, moment: Moment) -> str | None:
    clock = moment.clock
    plain = {
        "year": (1, 4), "month": (6, 2), "day": (9, 2), "hour": (12, 2), "minute": (15, 2),
        "second": (18, 2),
    }  # fmt: skip
    formats = {"iso_week_day": "%u", "week": "%V", "iso_year": "%G", "week_day": "%w"}
    if kind in plain:
        start, length = plain[str(kind)]
        return f"CAST(substr({clock},{start},{length}) AS INTEGER)"
    if kind in formats:
        more = "+1" if kind == "week_day" else ""
        return f"CAST(strftime('{formats[str(kind)]}',{clock}) AS INTEGER){more}"
    if kind == "quarter":
        return f"(CAST(substr({clock},6,2) AS INTEGER)+2)/3"
    return moment.microseconds if kind == "microsecond" else None


_NONE = Argument("NULL", None)


def extract(
    kind: Argument, value: Argument, zone: Argument = _NONE, connection: Argument = _NONE
) -> str | None:
    """django_date_extract and django_datetime_extract."""
    moment = _read(value, zone, connection, dates=kind.value in _DATE_PARTS)
    part = moment and _part(kind.value, moment)
    return choose(value.sql, moment.valid, part) if moment and part else None


def _first_day(kind: object, clock: str) -> str | None:
    month = f"CAST(substr({clock},6,2) AS INTEGER)"
    return {
        "year": f"substr({clock},1,4)||'-01-01'",
        "quarter": f"substr({clock},1,5)||printf('%02d',{month}-({month}-1)%3)||'-01'",
        "month": f"substr({clock},1,7)||'-01'",
        "week": f"date({clock},'-6 days','weekday 1')",
        "day": f"substr({clock},1,10)",
    }.get(str(kind))


def truncate_date(
    kind: Argument, value: Argument, zone: Argument, connection: Argument
) -> str | None:
    """django_date_trunc."""
    moment = _read(value, zone, connection, dates=True)
    day = moment and _first_day(kind.value, moment.clock)
    return choose(value.sql, moment.valid, day) if moment and day else None


def truncate_datetime(
    kind: Argument, value: Argument, zone: Argument, connection: Argument
) -> str | None:
    """django_datetime_trunc."""
    moment = _read(value, zone, connection, dates=kind.value in _DATE_PARTS)
    if moment is None:
        return None
    day = _first_day(kind.value, moment.clock)
    rest = {"hour": (13, ":00:00"), "minute": (16, ":00"), "second": (19, "")}.get(str(kind.value))
    if day is not None:
        return choose(value.sql, moment.valid, f"{day}||' 00:00:00'")
    if rest is None:
        return None
    return choose(value.sql, moment.valid, f"substr({moment.clock},1,{rest[0]})||'{rest[1]}'")


def cast_date(value: Argument, zone: Argument, connection: Argument) -> str | None:
    """django_datetime_cast_date."""
    moment = _read(value, zone, connection, dates=False)
    if moment is None:
        return None
    return choose(value.sql, moment.valid, f"substr({moment.clock},1,10)")


def cast_time(value: Argument, zone: Argument, connection: Argument) -> str | None:
    """django_datetime_cast_time."""
    moment = _read(value, zone, connection, dates=False)
    if moment is None:
        return None
    micro = f"iif({moment.microseconds}=0,'',printf('.%06d',{moment.microseconds}))"
    return choose(value.sql, moment.valid, f"substr({moment.clock},12,8)||{micro}")


def _time_valid(value: str) -> str:
    whole = f"substr({value},1,8)"
    return f"typeof({value})='text' AND time({whole})={whole} AND {_fraction_valid(value, 8)}"


def extract_time(kind: Argument, value: Argument) -> str | None:
    """django_time_extract."""
    places = {"hour": 1, "minute": 4, "second": 7}
    if kind.value in places:
        part = f"CAST(substr({value.sql},{places[str(kind.value)]},2) AS INTEGER)"
    elif kind.value == "microsecond":
        part = _fraction(value.sql, 8)
    else:
        return None
    return choose(value.sql, _time_valid(value.sql), part)


def truncate_time(
    kind: Argument, value: Argument, zone: Argument, connection: Argument
) -> str | None:
    """django_time_trunc of a time or a datetime."""
    rest = {"hour": (2, ":00:00"), "minute": (5, ":00"), "second": (8, "")}.get(str(kind.value))
    moment = _read(value, zone, connection, dates=False)
    if rest is None or moment is None:
        return None
    time = f"substr({value.sql},1,{rest[0]})||'{rest[1]}'"
    text = f"substr({moment.clock},12,{rest[0]})||'{rest[1]}'"
    inner = f"CASE WHEN {_time_valid(value.sql)} THEN {time} ELSE {text} END"
    return choose(value.sql, f"({_time_valid(value.sql)}) OR ({moment.valid})", inner)


def subtract_times(left: Argument, right: Argument) -> str:
    """django_time_diff: microseconds."""

    def count(value: str) -> str:
        seconds = "+".join(
            f"CAST(substr({value},{start},2) AS INTEGER)*{factor}"
            for start, factor in ((1, 3600), (4, 60), (7, 1))
        )
        return f"(({seconds})*{_MICROSECONDS}+{_fraction(value, 8)})"

    valid = f"{_time_valid(left.sql)} AND {_time_valid(right.sql)}"
    return _choose_both(left, right, valid, f"{count(left.sql)}-{count(right.sql)}")


def _choose_both(left: Argument, right: Argument, valid: str, result: str) -> str:
    return (
        f"CASE WHEN {left.sql} IS NULL OR {right.sql} IS NULL THEN NULL WHEN {valid} "
        f"THEN {result} ELSE {refuse(f'{left.sql}||{right.sql}')} END"
    )


def subtract_datetimes(left: Argument, right: Argument) -> str:
    """django_timestamp_diff: microseconds."""
    first, second = Moment(left.sql, dates=False), Moment(right.sql, dates=False)
    seconds = f"(unixepoch({first.clock})-unixepoch({second.clock}))"
    result = f"{seconds}*{_MICROSECONDS}+{first.microseconds}-{second.microseconds}"
    return _choose_both(left, right, f"{first.valid} AND {second.valid}", result)


def add_duration(connector: Argument, left: Argument, right: Argument) -> str | None:
    """django_format_dtdelta of a datetime and an integer number of microseconds."""
    sign = str(connector.value).strip()
    if sign not in {"+", "-"}:
        return None
    moment = Moment(left.sql, dates=False)
    total = f"({moment.microseconds}{sign}({right.sql}))"
    micro = f"((({total})%{_MICROSECONDS}+{_MICROSECONDS})%{_MICROSECONDS})"
    seconds = f"((({total})-{micro})/{_MICROSECONDS})"
    clock = f"datetime({moment.clock},{seconds}||' seconds')"
    valid = f"{moment.valid} AND typeof({right.sql})='integer' AND {clock}>='0001'"
    ending = f"iif({micro}=0,'',printf('.%06d',{micro}))"
    return _choose_both(left, right, valid, f"{clock}||{ending}")


DATES: Mapping[str, Callable[..., str | None]] = {
    "django_date_extract": extract,
    "django_datetime_extract": extract,
    "django_date_trunc": truncate_date,
    "django_datetime_trunc": truncate_datetime,
    "django_datetime_cast_date": cast_date,
    "django_datetime_cast_time": cast_time,
    "django_time_extract": extract_time,
    "django_time_trunc": truncate_time,
    "django_time_diff": subtract_times,
    "django_timestamp_diff": subtract_datetimes,
    "django_format_dtdelta": add_duration,
}
