"""What stands in for psycopg.pq.pq_ctypes: the classes that psycopg.pq exposes as libpq."""

from __future__ import annotations

from edgelift.worker.psycopg.cancel import PGcancel, PGcancelConn
from edgelift.worker.psycopg.conn import LIBPQ_VERSION, PGconn
from edgelift.worker.psycopg.escaping import Conninfo, Escaping
from edgelift.worker.psycopg.result import PGresult

__impl__ = "python"
__build_version__ = LIBPQ_VERSION


def version() -> int:
    """Return the version of libpq whose behaviour these classes have."""
    return LIBPQ_VERSION


__all__ = ["Conninfo", "Escaping", "PGcancel", "PGcancelConn", "PGconn", "PGresult", "version"]
