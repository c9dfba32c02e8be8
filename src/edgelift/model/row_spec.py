"""How the rows of one table travel: a field's way from the origin's wire to SQLite, per column.

The schema stage writes it, both row engines obey it, and verification reads it, so that copy and
proof cannot disagree about what a column means.
"""

from __future__ import annotations

import msgspec


class FieldSpec(msgspec.Struct, frozen=True, kw_only=True):
    """One target column: `read` is what the origin selects for it, in its dialect.

    `op` names the conversion (`rows/ops.py` lists them with their arguments and results); `loss`
    says in words what the conversion gives up, empty when nothing; `undo` how to get it back.
    `origin` is the origin's column by its bare name, where an adapter fills it: following changes
    needs it. `folds` says that the origin compares the column's texts without regard to case or
    accents.
    """

    column: str
    read: str
    op: str
    argument: str = ""
    target_type: str = ""
    not_null: bool = False
    loss: str = ""
    undo: str = ""
    origin: str = ""
    folds: bool = False


class RowSpec(msgspec.Struct, frozen=True, kw_only=True):
    """One table: where its rows are read, where they go, and how a chunk of them is named.

    `wire` is `pgcopy` (COPY BINARY), `mysql` (text result rows) or `sqlite`. `key` are the origin's
    columns, quoted in its dialect, by which chunks are cut: the primary key or a unique index
    without NULLs; empty when the table has none. `where` filters rows, empty for all.
    """

    schema: str
    table: str
    target: str
    wire: str
    fields: tuple[FieldSpec, ...]
    key: tuple[str, ...] = ()
    where: str = ""
