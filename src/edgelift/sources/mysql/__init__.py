"""MySQL and MariaDB as origins: `open_mysql` gives the adapter that origin_database.py describes.

Read-only: sessions are UTC, in utf8mb4 and without surprises of sql_mode; a snapshot is InnoDB's
own; rows leave the server as text-protocol packets, undecoded, for the row engines.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from edgelift.model.activity import Activity
from edgelift.model.origin_schema import OriginSchema, OriginTable
from edgelift.model.row_spec import RowSpec
from edgelift.rows.ops import MYSQL
from edgelift.sources.mysql import catalogue, mapping, snapshot
from edgelift.sources.mysql.activity import read_activity
from edgelift.sources.mysql.connection import MySqlSession
from edgelift.sources.mysql.replication import check_following
from edgelift.sources.mysql.url import MySqlPlace, read_place
from edgelift.sources.origin_database import Capabilities, Choices, SnapshotReader

_BYTES = "CAST(CONVERT({} USING utf8mb4) AS BINARY)"
_COARSE = {
    "real": "({} + 0e0)",
    # TIS-620 knows no capitals but A to Z: its LOWER leaves every other byte alone.
    "nocase": f"LOWER(CONVERT({_BYTES} USING tis620)) COLLATE tis620_bin",
    "binary": _BYTES,
    "unix": "FLOOR(TIMESTAMPDIFF(MICROSECOND, '1970-01-01', {}) / 1000000)",
    "unix_ms": "FLOOR(TIMESTAMPDIFF(MICROSECOND, '1970-01-01', {}) / 1000)",
}
# The others follow a language: Turkish tells I from i, Czech cH from ch, Danish aA from aa.
_COARSER = (
    r"(utf8(mb3|mb4)?|ucs2|utf16(le)?|utf32|ascii|latin1)_"
    r"(general|unicode(_520)?|0900_a[is]|uca1400(_nopad)?_a[is]|swedish|german[12])(_nopad)?_ci"
)


class MySqlDatabase:
    """An open MySQL or MariaDB database (sources/origin_database.py:OriginDatabase)."""

    def __init__(self, place: MySqlPlace) -> None:
        self._place = place
        self.session = MySqlSession(place)
        version = self.session.version
        self.capabilities = Capabilities(
            product="MariaDB" if version.mariadb else "MySQL",
            dialect="mysql",
            wire=MYSQL,
            identifier_quote="`",
            default_schemas=(place.database,),
            follows=not check_following(self.session, ()),
            trusts_rules=False,
            pads_texts=True,
            coarse=_COARSE,
            coarser_collations=_COARSER,
            hash_bytes="SHA2({}, 256)",
            as_text="CAST({} AS CHAR CHARACTER SET utf8mb4) COLLATE utf8mb4_bin",
            hash_text="SHA2(CONVERT({} USING utf8mb4), 256)",
        )

    def read_schema(self) -> OriginSchema:
        """Return the whole catalogue."""
        return catalogue.read_schema(self.session)

    def map_table(self, table: OriginTable, choices: Choices) -> RowSpec:
        """Return the way of every column, generated ones too, in the table's order."""
        return mapping.map_table(table, choices, self.session.version)

    def open_snapshot(self, connections: int = 1) -> SnapshotReader:
        """Take a snapshot; with more connections, threads of this process may join it."""
        return snapshot.take_snapshot(lambda: MySqlSession(self._place), connections)

    def join_snapshot(self, ticket: str) -> SnapshotReader:
        """Read the snapshot of another connection of this process."""
        return snapshot.join_snapshot(ticket)

    def read_activity(self) -> Activity:
        """Return what the server keeps of the last writes."""
        return read_activity(self.session, self._place.database)

    def close(self) -> None:
        """Close the connection; snapshots keep their own."""
        self.session.close()


@contextlib.contextmanager
def open_mysql(url: str) -> Iterator[MySqlDatabase]:
    """Connect to the database of a URL, for the time of a with block."""
    database = MySqlDatabase(read_place(url))
    try:
        yield database
    finally:
        database.close()
