"""What stands in the way of following a PostgreSQL database: settings, rights, unnamed rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from edgelift.model.origin_schema import OriginTable
from edgelift.sources.change_feed import FollowProblem
from edgelift.sources.postgres.connection import Connection

OLDEST_FOLLOWED = 140000  # binary values and messages of pgoutput came with 14


def check_following(connection: Connection, tables: Sequence[OriginTable]) -> list[FollowProblem]:
    """Return what stands in the way: the server's settings, the role's rights, tables without key.

    psycopg's errors go through.
    """
    found = []
    if connection.info.server_version < OLDEST_FOLLOWED:
        found.append(FollowProblem("", "the server is older than 14", "copy without following"))
    row = connection.execute(
        "SELECT current_setting('wal_level'), rolreplication OR rolsuper, "
        "current_setting('max_replication_slots')::int - (SELECT count(*) FROM "
        "pg_replication_slots), pg_is_in_recovery() FROM pg_roles WHERE rolname = current_user"
    ).fetchone()
    assert row is not None
    wal_level, may_replicate, free_slots, is_standby = row
    if is_standby:
        tip = "follow its primary: a publication cannot be made here"
        return [*found, FollowProblem("", "the server is a standby, which is read-only", tip)]
    if wal_level != "logical":
        found.append(
            FollowProblem(
                "",
                f"wal_level is {wal_level}",
                "set wal_level = logical in postgresql.conf and restart the server",
            )
        )
    if not may_replicate:
        found.append(FollowProblem("", "the user may not replicate", "ALTER ROLE user REPLICATION"))
    if free_slots < 1:
        found.append(
            FollowProblem("", "no replication slot is free", "raise max_replication_slots")
        )
    wanted = {(table.schema, table.name) for table in tables}
    for schema, root, *stored in connection.execute(_STORED).fetchall():
        if (schema, root) in wanted:
            found += _check_stored(_Stored(*stored))
    return found


# What holds the rows of a table: itself, or its partitions; whether an index names its rows, and
# those of the table above it. Neither a deferrable key nor the table's own setting counts there.
_STORED = """
SELECT n.nspname, c.relname, s.relnamespace::regnamespace || '.' || quote_ident(s.relname),
       s.relkind, s.relpersistence, s.relreplident, EXISTS (SELECT FROM pg_index i
         WHERE i.indrelid = s.oid AND i.indimmediate AND i.indisvalid AND CASE s.relreplident
           WHEN 'd' THEN i.indisprimary WHEN 'i' THEN i.indisreplident ELSE false END),
       EXISTS (SELECT FROM pg_index i WHERE i.indrelid = c.oid AND i.indimmediate
         AND CASE c.relreplident WHEN 'i' THEN i.indisreplident ELSE i.indisprimary END)
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
CROSS JOIN LATERAL (SELECT c.oid AS oid WHERE c.relkind = 'r' UNION ALL
  SELECT t.relid FROM pg_partition_tree(c.oid) t WHERE c.relkind = 'p' AND t.isleaf
  AND t.relid <> c.oid) AS held
JOIN pg_class s ON s.oid = held.oid
WHERE c.relkind IN ('r', 'p')
ORDER BY 1, 2, 3
"""


@dataclass(frozen=True)
class _Stored:
    """A row of the query above."""

    name: str
    kind: str
    persistence: str
    identity: str
    has_index: bool
    root_has_index: bool


def _check_stored(stored: _Stored) -> list[FollowProblem]:
    name = stored.name
    if stored.kind == "f":
        tip = "copy it again after the writers stopped"
        return [FollowProblem(name, "it lies on another server", tip)]
    if stored.persistence == "u":
        return [FollowProblem(name, "it is unlogged", f"ALTER TABLE {name} SET LOGGED")]
    if stored.identity == "f" or (stored.has_index and stored.root_has_index):
        return []
    if stored.has_index:
        why = "its rows are named by a key that the whole table does not have"
        return [FollowProblem(name, why, f"ALTER TABLE {name} REPLICA IDENTITY FULL")]
    return [
        FollowProblem(
            name,
            "it has no replica identity, such as a primary key that is not deferrable: updates and "
            "deletes would fail at the origin",
            f"ALTER TABLE {name} REPLICA IDENTITY FULL",
        )
    ]
