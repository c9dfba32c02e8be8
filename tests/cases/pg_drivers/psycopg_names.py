"""What the lines of psycopg's cases use: a connection and short ways to run."""

import datetime as dt
import decimal
import ipaddress
import uuid
from datetime import date, datetime, time, timedelta, timezone
from decimal import Decimal

import psycopg
from psycopg import errors, pq, rows, sql
from psycopg.types.json import Json, Jsonb
from psycopg.types.multirange import Multirange
from psycopg.types.range import Range

D = Decimal
utc = timezone.utc
c = psycopg.connect(URL, autocommit=True)


def q(statement, arguments=None, **options):
    """Run a statement: rows, types, count, tag and the state of the transaction after it."""
    run = c.execute(statement, arguments, **options)
    found = run.fetchall() if run.description is not None else None
    types = [column.type_code for column in run.description or ()]
    return found, types, run.rowcount, run.statusmessage, c.info.transaction_status.name


def v(expression, *arguments, binary=False):
    """Return a single value."""
    return c.execute(f"SELECT {expression}", arguments or None, binary=binary).fetchone()[0]


def b(expression, *arguments):
    """Return a single value that came in binary form."""
    return v(expression, *arguments, binary=True)


def state():
    return c.info.transaction_status.name, c.closed, c.pgconn.pipeline_status
