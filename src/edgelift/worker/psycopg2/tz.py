"""psycopg2.tz: time zones of a fixed offset, kept for applications that name them."""

from __future__ import annotations

import datetime as dt
import time
from typing import Any, ClassVar, Self

ZERO = dt.timedelta(0)


class FixedOffsetTimezone(dt.tzinfo):
    """A time zone of a fixed offset, in minutes or as a timedelta; equal ones are one object."""

    _name: str | None = None
    _offset = ZERO
    _cache: ClassVar[dict[Any, Any]] = {}

    def __init__(self, offset: Any = None, name: str | None = None) -> None:
        if offset is not None:
            self._offset = (
                offset if isinstance(offset, dt.timedelta) else dt.timedelta(minutes=offset)
            )
        if name is not None:
            self._name = name

    def __new__(cls, offset: Any = None, name: str | None = None) -> Self:
        """Return the one object of these arguments."""
        key = (offset, name)
        found = cls._cache.get(key)
        if found is None:
            found = cls._cache[key] = super().__new__(cls)
        return found

    def __repr__(self) -> str:
        return f"psycopg2.tz.FixedOffsetTimezone(offset={self._offset!r}, name={self._name!r})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, FixedOffsetTimezone) and self._offset == other._offset

    def __hash__(self) -> int:
        return hash(self._offset)

    def __getinitargs__(self) -> tuple[Any, ...]:
        return self._offset, self._name

    def utcoffset(self, when: dt.datetime | None) -> dt.timedelta:
        """Return the offset."""
        return self._offset

    def tzname(self, when: dt.datetime | None) -> str:
        """Return the name, or one made of the offset."""
        if self._name is not None:
            return self._name
        minutes, seconds = divmod(self._offset.total_seconds(), 60)
        hours, minutes = divmod(minutes, 60)
        text = f"{int(hours):+03d}"
        if minutes or seconds:
            text += f":{int(minutes):02d}"
        return text + f":{int(seconds):02d}" if seconds else text

    def dst(self, when: dt.datetime | None) -> dt.timedelta:
        """Return zero."""
        return ZERO


STDOFFSET = dt.timedelta(seconds=-time.timezone)
DSTOFFSET = dt.timedelta(seconds=-time.altzone) if time.daylight else STDOFFSET


class LocalTimezone(dt.tzinfo):
    """The machine's time zone."""

    def utcoffset(self, when: dt.datetime | None) -> dt.timedelta:
        """Return the offset at a time."""
        return DSTOFFSET if when is not None and self._is_dst(when) else STDOFFSET

    def dst(self, when: dt.datetime | None) -> dt.timedelta:
        """Return what daylight saving adds."""
        return DSTOFFSET - STDOFFSET if when is not None and self._is_dst(when) else ZERO

    def tzname(self, when: dt.datetime | None) -> str:
        """Return the zone's name at a time."""
        return time.tzname[when is not None and self._is_dst(when)]

    @staticmethod
    def _is_dst(when: dt.datetime) -> bool:
        fields = (when.year, when.month, when.day, when.hour, when.minute, when.second)
        return time.localtime(time.mktime((*fields, when.weekday(), 0, -1))).tm_isdst > 0


LOCAL = LocalTimezone()
