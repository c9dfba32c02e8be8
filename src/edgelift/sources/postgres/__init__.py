"""PostgreSQL as an origin: the adapter that stages reach through `sources/origin_database.py`."""

from edgelift.sources.postgres.database import PostgresDatabase, open_postgres

__all__ = ["PostgresDatabase", "open_postgres"]
