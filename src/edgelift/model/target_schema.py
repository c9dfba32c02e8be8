"""The schema of the target as schema made it and data loads it: statements in two groups."""

from __future__ import annotations

import msgspec


class Statement(msgspec.Struct, frozen=True, kw_only=True):
    """One statement; `kind` is table, virtual table, index, view or trigger."""

    kind: str
    name: str
    sql: str


class TargetSchema(msgspec.Struct, frozen=True, kw_only=True):
    """What D1 gets of one database: `tables` before the rows, `after` behind them.

    `left_out` are names of tables that stay behind because their refusal was accepted.
    """

    database: str
    tables: tuple[Statement, ...]
    after: tuple[Statement, ...]
    left_out: tuple[str, ...] = ()
