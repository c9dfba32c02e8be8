"""What the lines of asyncpg's cases use: a connection and short ways to run."""

import asyncio
import datetime as dt
import decimal
import io
import ipaddress
import uuid
from datetime import date, datetime, time, timedelta, timezone
from decimal import Decimal

import asyncpg
from asyncpg import BitString, Range

D = Decimal
utc = timezone.utc
c = None


async def open_connection():
    """Open the connection that all lines share."""
    global c
    c = await asyncpg.connect(URL)


async def v(expression, *arguments):
    """Return a single value."""
    return await c.fetchval(f"SELECT {expression}", *arguments)


async def q(statement, *arguments):
    """Run a statement: rows as tuples, and whether a transaction is open after it."""
    rows = await c.fetch(statement, *arguments)
    return [tuple(row.items()) for row in rows], c.is_in_transaction()


async def x(statement, *arguments):
    """Run a statement: its command tag, and whether a transaction is open after it."""
    return await c.execute(statement, *arguments), c.is_in_transaction()


def points(path):
    return type(path).__name__, list(path), path.is_closed
