"""What the lines of psycopg2's cases use: a connection, a cursor, and short ways to run."""

import datetime as dt
import decimal
import enum
import io
import uuid
from datetime import date, datetime, time, timedelta, timezone
from decimal import Decimal

import psycopg2
import psycopg2.errorcodes
import psycopg2.errors
import psycopg2.extensions
import psycopg2.extras
import psycopg2.sql
import psycopg2.tz

D = Decimal
utc = timezone.utc
ext, extras, sql = psycopg2.extensions, psycopg2.extras, psycopg2.sql
c = psycopg2.connect(URL)
c.autocommit = True
k = c.cursor()


class Colour(enum.Enum):
    RED = 1


class Level(enum.IntEnum):
    LOW = 1


def plain(value):
    """Show what has no repr of its own."""
    if isinstance(value, memoryview):
        return ("memoryview", bytes(value))
    if isinstance(value, (list, tuple)) and type(value) in (list, tuple):
        return type(value)(plain(item) for item in value)
    return value


def q(statement, arguments=None, cursor=None):
    """Run a statement: rows, types, count, tag and the state of the transaction after it."""
    run = cursor or k
    run.execute(statement, arguments)
    rows = plain(run.fetchall()) if run.description is not None else None
    types = [column.type_code for column in run.description or ()]
    return rows, types, run.rowcount, run.statusmessage, c.info.transaction_status


def v(expression, *arguments):
    """Return a single value."""
    k.execute(f"SELECT {expression}", arguments or None)
    return plain(k.fetchone()[0])


def m(value):
    """Return a value's literal."""
    return k.mogrify("%s", (value,))


def state():
    return c.info.transaction_status, c.status, c.closed
