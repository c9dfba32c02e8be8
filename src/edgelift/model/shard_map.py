"""Which shard holds what of a database: made by data, measured before it moves, read by Workers.

`list_members` says of any database which files it becomes and how the Worker reaches each.

`worker/shard_map.py` and `targets/workerd/js/shard_map.mjs` read its JSON form.
"""

from __future__ import annotations

import msgspec


class ShardTable(msgspec.Struct, frozen=True, kw_only=True):
    """How a table is split: `way` is `column`, `through` (its foreign keys) or `replicated`."""

    table: str
    way: str
    detail: str = ""
    rows: int = 0
    bytes: int = 0


class Shard(msgspec.Struct, frozen=True, kw_only=True):
    """One shard: its tenants (`by` tenant), or its range of slots, both ends within (`by` key).

    `rows` and `bytes` are what was measured, replicated tables included; bytes are those of values,
    without indexes.
    """

    name: str
    rows: int
    bytes: int
    tenants: tuple[str, ...] = ()
    low: str = ""
    high: str = ""


class ShardMap(msgspec.Struct, frozen=True, kw_only=True):
    """The routing map: of the key, as text, either itself (tenant) or its slot decides.

    The slot is the first `SLOT_DIGITS` hexadecimal digits of the SHA-256 of the key's UTF-8. `form`
    is what keys are, `integer`, `uuid` or `text`, "" for anything else. `views` show rows of split
    tables. `counters` has the column of each table whose numbers are given out for all shards.
    """

    database: str
    by: str
    key: str
    shards: tuple[Shard, ...]
    tables: tuple[ShardTable, ...]
    max_bytes: int = 0
    form: str = ""
    views: tuple[str, ...] = ()
    counters: dict[str, str] = {}
    format: int = 1

    @property
    def split(self) -> frozenset[str]:
        """Return the tables of which each shard has a part."""
        return frozenset(table.table for table in self.tables if table.way != REPLICATED)


SLOT_DIGITS = 4
REPLICATED = "replicated"


class Member(msgspec.Struct, frozen=True, kw_only=True):
    """A file that a database became: `name` is that of the file and of its documents.

    The Worker reaches it by `binding`; `shard` is which object of the binding's class it is, ""
    for the one of the database as a whole.
    """

    name: str
    binding: str
    shard: str = ""

    @property
    def object_name(self) -> str:
        """Return the name of the member's object in the class of its binding."""
        return f"{self.binding}/{self.shard}" if self.shard else self.binding


def list_members(name: str, binding: str, strategy: str, found: ShardMap | None) -> list[Member]:
    """Return the files of a database: itself, or its shards and what gives out their numbers.

    In D1 each shard has a binding of its own, its number behind the database's; as objects they
    share the class.
    """
    if found is None:
        return [Member(name=name, binding=binding)]
    made = [
        Member(name=shard.name, binding=f"{binding}_{number}")
        if strategy == "d1"
        else Member(name=shard.name, binding=binding, shard=shard.name)
        for number, shard in enumerate(found.shards)
    ]
    if found.counters:
        made.append(Member(name=counters_name(name), binding=binding))
    return made


def counters_name(database: str) -> str:
    """Return the name of the small database that gives out the numbers of a database's shards."""
    return f"{database}-counters"
