"""Compares calls of Django's functions on workerd with the functions themselves, run in a suite's environment.

An argument n takes every n-th call only. Prints what differs and how many calls were answered without a copy.
"""

import itertools
import json
import sqlite3 as real
import sys

import django
from django.conf import settings
from django.db.backends.sqlite3 import _functions
from sqlite_transport import driver, put_in_place

from edgelift.worker.sqlite3 import connection as connections

TIMES = (
    "2024-02-29 23:59:59", "2024-03-31 00:30:00.5", "2024-03-31 01:00:00", "2024-10-27 00:59:59.999999",
    "1999-12-31 23:00:00.000001", "1970-01-01 00:00:00", "2049-12-31 22:00:00", "1955-06-01 10:00:00",
    "0001-01-01 00:00:00", "9999-12-31 23:59:59", "2024-01-01", "2021-01-03", "2020-12-28", "10:20:30",
    "10:20:30.25", "23:59:59.999999", "2024-02-30 00:00:00", "2024-01-01T10:00:00", "x", 5, 1.5, None,
    "2024-01-01 10:00:00+02:00", "2024-01-01 10:00", b"\0",
)  # fmt: skip
ZONES = (
    (None, None), ("UTC", "UTC"), ("Europe/Berlin", "UTC"), ("Australia/Lord_Howe", "UTC"), ("+05:30", "UTC"),
    ("America/New_York-03:00", "UTC"), ("Nowhere/Land", "UTC"), ("Asia/Kathmandu", None), ("UTC", "Europe/Rome"),
)  # fmt: skip
PARTS = (
    "year", "month", "day", "hour", "minute", "second", "microsecond", "week_day", "iso_week_day", "week",
    "quarter", "iso_year", "nothing",
)  # fmt: skip
CUTS = ("year", "quarter", "month", "week", "day", "hour", "minute", "second", "nothing")
NUMBERS = (0, 1, -1, 3_600_000_000, -86_400_000_001, 7, 1.5, "2", None, 2**62)
TEXTS = ("", "a", "é🙂x", "long text", None, 5)


def list_moments(value):
    for part in PARTS:
        yield "django_date_extract(?, ?)", (part, value)
        yield "django_time_extract(?, ?)", (part, value)
    for zones in ZONES:
        yield "django_datetime_cast_date(?, ?, ?)", (value, *zones)
        yield "django_datetime_cast_time(?, ?, ?)", (value, *zones)
        for part in PARTS:
            yield "django_datetime_extract(?, ?, ?, ?)", (part, value, *zones)
        for cut, name in itertools.product(CUTS, ("date", "datetime", "time")):
            yield f"django_{name}_trunc(?, ?, ?, ?)", (cut, value, *zones)


def list_differences(value):
    for other in TIMES:
        yield "django_time_diff(?, ?)", (value, other)
        yield "django_timestamp_diff(?, ?)", (value, other)
    for sign, number in itertools.product((" + ", "-"), NUMBERS):
        yield "django_format_dtdelta(?, ?, ?)", (sign, value, number)
    for sign, number in itertools.product("*/", (0, 7, 1.5, None)):
        yield "django_format_dtdelta(?, ?, ?)", (sign, value, number)


def list_calls():
    for value in TIMES:
        yield from list_moments(value)
        yield from list_differences(value)
    for left, right in itertools.product(NUMBERS, NUMBERS):
        yield "BITXOR(?, ?)", (left, right)
    for number in NUMBERS:
        yield "SIGN(?)", (number,)
        yield "COT(?)", (number,)
    for text, number in itertools.product(TEXTS, (0, 1, 3, 12, -1, None, "2", 1.5)):
        yield "REPEAT(?, ?)", (text, number)
        for fill in TEXTS:
            yield "LPAD(?, ?, ?)", (text, number, fill)
            yield "RPAD(?, ?, ?)", (text, number, fill)


def ask(connection, sql, values):
    try:
        found = connection.execute(f"SELECT {sql}", values).fetchone()[0]
    except (real.Error, OverflowError) as error:
        return type(error).__name__, str(error)
    return type(found).__name__, found


def differ(expected, seen):
    if expected[0] == seen[0] == "float":
        return abs(expected[1] - seen[1]) > abs(expected[1]) * 1e-15
    return expected != seen


def main():
    settings.configure()
    put_in_place({"/suite/main.db": "DB_0"})
    copies = []
    run_locally = connections.run_locally
    connections.run_locally = lambda *given: copies.append(1) or run_locally(*given)
    reference, lifted = real.connect(":memory:"), driver.connect("/suite/main.db")
    for connection in (reference, lifted):
        _functions.register(connection)
    different, without, count = [], 0, 0
    step = int(sys.argv[1]) if sys.argv[1:] else 1
    for sql, values in itertools.islice(list_calls(), 0, None, step):
        copies.clear()
        expected, seen = ask(reference, sql, values), ask(lifted, sql, values)
        count += 1
        without += not copies
        if differ(expected, seen):
            different.append([sql, repr(values), repr(expected), repr(seen)])
    print(
        json.dumps(
            {"django": django.__version__, "calls": count, "sql": without, "different": different}
        )
    )


main()
