"""Binary forms of dates, times and intervals for asyncpg; each also as a tuple of integers."""

from __future__ import annotations

import datetime as dt
import struct
from collections.abc import Callable
from typing import Any

_EPOCH_DATE = dt.date(2000, 1, 1)
_EPOCH = dt.datetime(2000, 1, 1)  # noqa: DTZ001 - timestamps have no zone
_EPOCH_UTC = dt.datetime(2000, 1, 1, tzinfo=dt.UTC)
_DAY_INFINITY = 0x7FFFFFFF
_INFINITY = 0x7FFFFFFFFFFFFFFF
_MICROSECOND = dt.timedelta(microseconds=1)
_LAST = dt.datetime.max  # noqa: DTZ901 - timestamps have no zone
_FIRST = dt.datetime.min  # noqa: DTZ901 - timestamps have no zone
_SECOND = 1_000_000


def encode_date(value: Any) -> bytes:
    """Return a date's form; the ends of Python's range are the infinities."""
    ordinal = value.toordinal()
    if ordinal == dt.date.max.toordinal():
        return struct.pack("!i", _DAY_INFINITY)
    if ordinal == dt.date.min.toordinal():
        return struct.pack("!i", -_DAY_INFINITY - 1)
    return struct.pack("!i", ordinal - _EPOCH_DATE.toordinal())


def decode_date(data: bytes) -> dt.date:
    """Return a date; raises ValueError for years before 1."""
    days = int.from_bytes(data, "big", signed=True)
    if days == _DAY_INFINITY:
        return dt.date.max
    if days == -_DAY_INFINITY - 1:
        return dt.date.min
    return dt.date.fromordinal(days + _EPOCH_DATE.toordinal())


def _as_datetime(value: Any) -> dt.datetime:
    if isinstance(value, dt.datetime):
        return value
    if isinstance(value, dt.date):
        return dt.datetime(value.year, value.month, value.day)  # noqa: DTZ001
    kind = type(value).__name__
    raise TypeError(f"expected a datetime.date or datetime.datetime instance, got '{kind}'")


def _pack_stamp(value: dt.datetime, epoch: dt.datetime) -> bytes:
    return struct.pack("!q", (value - epoch) // _MICROSECOND)


def _infinity_of(value: dt.datetime) -> bytes | None:
    plain = value.replace(tzinfo=None)
    if plain == _LAST:
        return struct.pack("!q", _INFINITY)
    if plain == _FIRST:
        return struct.pack("!q", -_INFINITY - 1)
    return None


def encode_stamp(value: Any) -> bytes:
    """Return a timestamp's form."""
    stamp = _as_datetime(value)
    return (stamp.tzinfo is None and _infinity_of(stamp)) or _pack_stamp(stamp, _EPOCH)


def encode_zoned_stamp(value: Any) -> bytes:
    """Return a timestamptz's form; without a zone it is local time."""
    if not isinstance(value, dt.date):
        kind = type(value).__name__
        raise TypeError(f"expected a datetime.date or datetime.datetime instance, got '{kind}'")
    stamp = _as_datetime(value)
    if stamp.tzinfo is not None or not _infinity_of(stamp):  # the ends of time have no zone
        stamp = stamp.astimezone(dt.UTC)
    return _infinity_of(stamp) or _pack_stamp(stamp, _EPOCH_UTC)


def _decode_stamp(data: bytes, epoch: dt.datetime) -> dt.datetime:
    micro = int.from_bytes(data, "big", signed=True)
    if micro == _INFINITY:
        return _LAST
    if micro == -_INFINITY - 1:
        return _FIRST
    return epoch + dt.timedelta(microseconds=micro)


def decode_stamp(data: bytes) -> dt.datetime:
    """Return a timestamp."""
    return _decode_stamp(data, _EPOCH)


def decode_zoned_stamp(data: bytes) -> dt.datetime:
    """Return a timestamptz in UTC."""
    return _decode_stamp(data, _EPOCH_UTC)


def _clock(value: Any) -> int:
    seconds = value.hour * 3600 + value.minute * 60 + value.second
    return int(seconds * _SECOND + value.microsecond)


def _read_clock(micro: int, tzinfo: Any = None) -> dt.time:
    seconds, fraction = divmod(micro, _SECOND)
    minutes, second = divmod(seconds, 60)
    hour, minute = divmod(minutes, 60)
    return dt.time(hour, minute, second, fraction, tzinfo)


def encode_time(value: Any) -> bytes:
    """Return a time's form."""
    return struct.pack("!q", _clock(value))


def decode_time(data: bytes) -> dt.time:
    """Return a time; raises ValueError for 24:00."""
    return _read_clock(int.from_bytes(data, "big", signed=True))


def encode_zoned_time(value: Any) -> bytes:
    """Return a timetz's form."""
    offset = value.tzinfo.utcoffset(None)
    return struct.pack("!qi", _clock(value), -int(offset.total_seconds()))


def decode_zoned_time(data: bytes) -> dt.time:
    """Return a timetz, its zone in whole minutes as asyncpg reads it."""
    micro, offset = struct.unpack("!qi", data)
    minutes = abs(offset) // 60
    zone = dt.timezone(dt.timedelta(minutes=-minutes if offset > 0 else minutes))
    return _read_clock(micro, zone)


def encode_interval(value: Any) -> bytes:
    """Return an interval's form."""
    days = value.days
    return struct.pack("!qii", value.seconds * _SECOND + value.microseconds, days, 0)


def decode_interval(data: bytes) -> dt.timedelta:
    """Return an interval; a year is 365 days and a month 30."""
    micro, days, months = struct.unpack("!qii", data)
    years, months = divmod(abs(months), 12) if months >= 0 else (-(-months // 12), -(-months % 12))
    return dt.timedelta(days=days + years * 365 + months * 30, microseconds=micro)


def _tuple_encoder(form: str) -> Callable[[Any], bytes]:
    layout = struct.Struct(form)

    def encode(value: Any) -> bytes:
        values = tuple(value)
        if len(values) != len(layout.unpack(bytes(layout.size))):
            raise ValueError(f"expected {len(form) - 1}-tuple, got {len(values)} elements")
        return layout.pack(*values)

    return encode


def _encode_interval_tuple(value: Any) -> bytes:
    months, days, micro = value
    return struct.pack("!qii", micro, days, months)


def _decode_interval_tuple(data: bytes) -> tuple[int, int, int]:
    micro, days, months = struct.unpack("!qii", data)
    return months, days, micro


# Types that set_type_codec can see as tuples (format="tuple"), by their OIDs.
TUPLES: dict[int, tuple[Callable[[Any], bytes], Callable[[bytes], Any]]] = {
    1082: (_tuple_encoder("!i"), lambda data: struct.unpack("!i", data)),
    1083: (_tuple_encoder("!q"), lambda data: struct.unpack("!q", data)),
    1114: (_tuple_encoder("!q"), lambda data: struct.unpack("!q", data)),
    1184: (_tuple_encoder("!q"), lambda data: struct.unpack("!q", data)),
    1266: (_tuple_encoder("!qi"), lambda data: struct.unpack("!qi", data)),
    1186: (_encode_interval_tuple, _decode_interval_tuple),
}
