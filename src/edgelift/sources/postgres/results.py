"""Results of libpq that are waited for here, so that waiting ends and does not hold up the rest."""

from __future__ import annotations

import select
import time

import psycopg
from psycopg import pq


def await_result(pgconn: pq.abc.PGconn, seconds: float) -> pq.abc.PGresult | None:
    """Return the result of what was sent; TimeoutError when there is none yet.

    libpq's own waiting holds the interpreter and ends never.
    """
    deadline = time.monotonic() + seconds
    while True:
        pgconn.consume_input()
        if not pgconn.is_busy():
            return pgconn.get_result()
        if time.monotonic() > deadline:
            raise TimeoutError
        select.select([pgconn.socket], [], [], 0.2)


def to_error(result: pq.abc.PGresult | None, otherwise: str) -> psycopg.Error:
    """Return the server's error, or our own words where it gave none."""
    if result is not None and result.error_field(pq.DiagnosticField.SQLSTATE):
        return psycopg.errors.error_from_result(result)
    return psycopg.OperationalError(otherwise)
