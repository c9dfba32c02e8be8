"""Which shard holds what of a database: made by data, measured before it moves, read by Workers.

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

    The slot is the first `SLOT_DIGITS` hexadecimal digits of the SHA-256 of the key's UTF-8.
    """

    database: str
    by: str
    key: str
    shards: tuple[Shard, ...]
    tables: tuple[ShardTable, ...]
    max_bytes: int = 0
    format: int = 1


SLOT_DIGITS = 4
