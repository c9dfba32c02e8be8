"""PostgreSQL in the Worker: one wire-protocol core, and the modules that stand on it.

The core (`session`, `messages`, `transport`, `streams`) is used by the packages psycopg2, psycopg,
asyncpg and aiopg beside this one; `install` puts them in place for unmodified applications.
"""

from __future__ import annotations

from edgelift.worker.postgres.installing import install

__all__ = ["install"]
