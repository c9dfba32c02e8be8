"""What the app's own SQL may name of a moved database: tables, columns with types, constraints.

The schema stage writes it into the plan of the move; build ships it, and the Worker's drivers read
it (worker/moved/catalogue.py).
"""

from __future__ import annotations

import msgspec


class KnownType(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A type: `form` is how its values are stored where a type has several ways."""

    name: str
    arguments: tuple[int, ...] = ()
    element: KnownType | None = None
    labels: tuple[str, ...] = ()
    written: str = ""
    form: str = ""
    unsigned: bool = False


class KnownColumn(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A column by the target's name."""

    name: str
    type: KnownType
    not_null: bool = False
    has_default: bool = False
    generated: bool = False


class KnownKey(msgspec.Struct, frozen=True, kw_only=True):
    """A primary key, unique constraint or unique index of plain columns."""

    name: str
    columns: tuple[str, ...]
    primary: bool


class KnownReference(msgspec.Struct, frozen=True, kw_only=True):
    """A foreign key; `table` is the target's name of what it leads to."""

    name: str
    columns: tuple[str, ...]
    table: str
    keys: tuple[str, ...]


class KnownTable(msgspec.Struct, frozen=True, kw_only=True):
    """A table or a view: `name` is the target's, `schema` and `origin` the server's."""

    name: str
    schema: str
    origin: str
    columns: tuple[KnownColumn, ...]
    keys: tuple[KnownKey, ...] = ()
    references: tuple[KnownReference, ...] = ()
    checks: tuple[str, ...] = ()
    counter: str = ""
    sequence: str = ""


class Vocabulary(msgspec.Struct, frozen=True, kw_only=True):
    """A whole database; `schemas` are those whose tables need no schema in front."""

    schemas: tuple[str, ...] = ()
    tables: tuple[KnownTable, ...] = ()
    indexes: tuple[str, ...] = ()
