"""The typed catalogue of a database: tables, columns, keys, indexes, views, triggers."""

from __future__ import annotations

import msgspec


class Column(msgspec.Struct, frozen=True, kw_only=True):
    """A column: `declared` is the type as written, `default` and `generated` are SQL expressions.

    `generated_kind` is `stored` or `virtual`; `primary_key` is the 1-based position in the key, 0
    outside it.
    """

    name: str
    declared: str
    not_null: bool = False
    default: str | None = None
    generated: str | None = None
    generated_kind: str = ""
    primary_key: int = 0
    collation: str = "BINARY"


class ForeignKey(msgspec.Struct, frozen=True, kw_only=True):
    """A foreign key with its actions, in the words of SQL."""

    columns: tuple[str, ...]
    target_table: str
    target_columns: tuple[str, ...]
    on_update: str = "NO ACTION"
    on_delete: str = "NO ACTION"
    deferred: bool = False


class Index(msgspec.Struct, frozen=True, kw_only=True):
    """An index; `sql` is its statement, empty for one made by a constraint.

    An indexed expression stands in `columns` as `(expression)`.
    """

    name: str
    table: str
    columns: tuple[str, ...]
    unique: bool = False
    partial: bool = False
    sql: str = ""


class Table(msgspec.Struct, frozen=True, kw_only=True):
    """A table; `sql` is the origin's own statement, `rows` counted when it was read.

    `virtual` is the lower-case module of a virtual table (`fts5`), empty for an ordinary one; such
    a table has 0 rows when its module is not known here.
    """

    name: str
    sql: str
    columns: tuple[Column, ...]
    foreign_keys: tuple[ForeignKey, ...] = ()
    checks: tuple[str, ...] = ()
    without_rowid: bool = False
    strict: bool = False
    autoincrement: bool = False
    virtual: str = ""
    rows: int = 0

    @property
    def primary_key(self) -> tuple[str, ...]:
        """Return the key's columns in key order."""
        keyed = sorted((c.primary_key, c.name) for c in self.columns if c.primary_key)
        return tuple(name for _, name in keyed)


class SqlObject(msgspec.Struct, frozen=True, kw_only=True):
    """A view or trigger: its name, the table it belongs to (triggers) and its statement."""

    name: str
    sql: str
    table: str = ""


class Catalogue(msgspec.Struct, frozen=True, kw_only=True):
    """A whole database; `sequences` holds the AUTOINCREMENT state by table.

    Tables, indexes, views and triggers stand in the order of their creation. `shadows` are tables
    that virtual tables keep for themselves, `statistics` those that ANALYZE made.
    """

    dialect: str
    tables: tuple[Table, ...]
    indexes: tuple[Index, ...] = ()
    views: tuple[SqlObject, ...] = ()
    triggers: tuple[SqlObject, ...] = ()
    sequences: dict[str, int] = {}
    user_version: int = 0
    application_id: int = 0
    encoding: str = "UTF-8"
    shadows: tuple[str, ...] = ()
    statistics: tuple[str, ...] = ()

    def read_table(self, name: str) -> Table | None:
        """Return the table of that exact name, or None."""
        return next((table for table in self.tables if table.name == name), None)
