"""What holds the rows of the followed tables: the tables themselves and their partitions.

Partitions are followed under their own names, because only so the log tells that one of them was
emptied by itself.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from collections.abc import Set as AbstractSet

from edgelift.errors import OriginError
from edgelift.model.origin_schema import OriginTable
from edgelift.sources.followed_tables import FollowedTable
from edgelift.sources.postgres.connection import Connection

Name = tuple[str, str]
# A table or column that was dropped and made anew under its name has another number.
_NUMBERS = """
SELECT n.nspname || '.' || c.relname,
       c.oid || ' ' || string_agg(a.attname || ' ' || a.attnum, ', ' ORDER BY a.attnum)
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
WHERE c.relkind IN ('r', 'p') AND (n.nspname, c.relname) IN (
  SELECT s, t FROM unnest(%s::text[], %s::text[]) AS given(s, t)) GROUP BY 1, c.oid
"""


class StoredTables:
    """Tables and partitions by name, each with the table that its rows belong to."""

    def __init__(self, tables: Sequence[FollowedTable], origins: Sequence[OriginTable]) -> None:
        self._roots = {(table.origin.schema, table.origin.name): table for table in tables}
        self._tables = dict(self._roots)
        written = {f"{t.schema}.{t.name}": (t.schema, t.name) for t in origins}
        parents = {(t.schema, t.name): written.get(t.parent) for t in origins if t.parent}
        branches = set(parents.values())
        self._leaves: dict[Name, set[Name]] = {name: set() for name in self._roots}
        for partition in (t for t in origins if t.parent):
            name: Name | None = (partition.schema, partition.name)
            above = name
            while above is not None and above in parents:
                above = parents[above]
            if name is not None and above in self._roots:
                self._tables[name] = self._roots[above]
                if name not in branches:  # what is partitioned itself holds no rows
                    self._leaves[above].add(name)

    def find(self, name: Name) -> FollowedTable | None:
        """Return the table that the rows of a table or partition belong to."""
        return self._tables.get(name)

    def list_emptied(self, names: AbstractSet[Name]) -> Iterator[FollowedTable]:
        """Yield the tables that are empty when those of `names` were emptied.

        Raises OriginError when only a part of a table was.
        """
        for root, table in self._roots.items():
            gone = names & self._leaves[root]
            if root in names or (gone and gone == self._leaves[root]):
                yield table
            elif gone:
                listed = ", ".join(sorted(".".join(name) for name in gone))
                raise OriginError(
                    f"A part of the table {'.'.join(root)} was emptied while it was followed",
                    why=f"TRUNCATE of the partition {listed}: the log does not say which rows went",
                    tip="all changes before are applied; copy anew: run the same command with "
                    "--force",
                )

    def read_numbers(self, connection: Connection) -> dict[str, str]:
        """Return the server's own numbers of tables and columns; psycopg's errors go through."""
        names = list(self._tables)
        schemas, tables = [schema for schema, _ in names], [name for _, name in names]
        return dict(connection.execute(_NUMBERS, (schemas, tables)).fetchall())
