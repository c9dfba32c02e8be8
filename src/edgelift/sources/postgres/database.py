"""The adapter of PostgreSQL: connects, reads the catalogue, maps types, takes snapshots."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from edgelift.model.activity import Activity
from edgelift.model.origin_schema import OriginSchema, OriginTable
from edgelift.model.row_spec import RowSpec
from edgelift.rows.ops import PGCOPY
from edgelift.sources.origin_database import Capabilities, Choices
from edgelift.sources.postgres.activity import read_activity
from edgelift.sources.postgres.catalogue import CatalogueReader
from edgelift.sources.postgres.connection import (
    Address,
    Connection,
    check_version,
    connect,
    to_address,
)
from edgelift.sources.postgres.errors import origin_errors
from edgelift.sources.postgres.mapping import map_table
from edgelift.sources.postgres.replication import OLDEST_FOLLOWED
from edgelift.sources.postgres.snapshot import PostgresSnapshot

_SESSION = """
SELECT current_schemas(false), scale(1::money::numeric),
       current_setting('wal_level') = 'logical' AND NOT pg_is_in_recovery()
"""


class PostgresDatabase:
    """An open PostgreSQL database; `open_postgres` makes one."""

    def __init__(self, address: Address, connection: Connection) -> None:
        self._address = address
        self._connection = connection
        self._version = check_version(connection, address)
        with origin_errors(address.place):
            row = connection.execute(_SESSION).fetchone()
        assert row is not None
        schemas, self._money_scale, is_logical = row
        self.capabilities = Capabilities(
            product="PostgreSQL",
            dialect="postgres",
            wire=PGCOPY,
            default_schemas=tuple(schemas) or ("public",),  # a role may have no search path
            joins=True,
            follows=is_logical and connection.info.server_version >= OLDEST_FOLLOWED,
            defers_keys=True,
            coarse={
                "real": "({})::numeric::float8",
                "nocase": 'lower(({})::text COLLATE "C")',
                "binary": '({})::text COLLATE "C"',
                "unix": "floor(extract(epoch FROM ({})))",
                "unix_ms": "floor(extract(epoch FROM ({})) * 1000)",
            },
            hash_bytes="encode(sha256({}), 'hex')",
            as_text="({})::text",
            hash_text="encode(sha256(convert_to(({})::text, 'UTF8')), 'hex')",
        )

    def read_schema(self) -> OriginSchema:
        """Return the whole catalogue, in a fixed number of queries."""
        if self._connection.closed:
            self._connection = connect(self._address)
        with origin_errors(self._address.place):
            reader = CatalogueReader(self._connection, self._connection.info.server_version)
            return reader.read(self._version)

    def map_table(self, table: OriginTable, choices: Choices) -> RowSpec:
        """Return the way of every column."""
        return map_table(table, choices, money_scale=self._money_scale)

    def open_snapshot(self) -> PostgresSnapshot:
        """Take a snapshot of now."""
        return PostgresSnapshot(self._address)

    def join_snapshot(self, ticket: str) -> PostgresSnapshot:
        """Read the snapshot of another connection or process; its holder must still be there."""
        return PostgresSnapshot(self._address, ticket)

    def read_activity(self) -> Activity:
        """Return what the server's statistics count of writing."""
        return read_activity(self._connection, self._address.place)

    def close(self) -> None:
        """Close the catalogue's connection; snapshots have their own."""
        self._connection.close()


@contextlib.contextmanager
def open_postgres(url: str) -> Iterator[PostgresDatabase]:
    """Connect to the database of a URL.

    Raises UsageError for a URL that cannot be read, OriginError when the server refuses,
    OriginUnavailable when it does not answer.
    """
    address = to_address(url)
    connection = connect(address)
    database = None
    try:
        database = PostgresDatabase(address, connection)
        yield database
    finally:
        connection.close()
        if database is not None:
            database.close()
