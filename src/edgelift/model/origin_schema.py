"""The catalogue of a server database as the origin has it, in the origin's own words.

Sources fill it, schema turns it into the target's tables; `Catalogue` is what comes out of that.
"""

from __future__ import annotations

import re

import msgspec


class OriginType(msgspec.Struct, frozen=True, kw_only=True):
    """A column's type: `name` is the server's bare name (`numeric`, `timestamptz`, `enum`).

    `written` is the type as the server prints it; `kind` is base, enum, domain, composite, array,
    range or multirange. `arguments` are its modifiers (precision, scale, length); `members` the
    labels of an enum or SET or the field names of a composite; `element` the type inside an array
    or range or under a domain; `charset` and `collation` are empty where they do not apply.
    `folds_case` says that texts are equal whatever their case (citext, collations that ignore it),
    `folds_more` that others may be too, as of different accents.
    """

    name: str
    written: str
    kind: str = "base"
    arguments: tuple[int, ...] = ()
    members: tuple[str, ...] = ()
    element: OriginType | None = None
    unsigned: bool = False
    charset: str = ""
    collation: str = ""
    folds_case: bool = False
    folds_more: bool = False


def folds_case(type_: OriginType) -> bool:
    """Return whether the origin compares the type's texts without regard to case.

    Only MySQL's collations say so by their names.
    """
    own = type_.charset and re.search(r"_ci(_|$)", type_.collation.lower())
    return (
        type_.folds_case
        or bool(own)
        or (type_.element is not None and type_.kind == "domain" and folds_case(type_.element))
    )


def folds_more(type_: OriginType) -> bool:
    """Return whether other texts than those of another case may be equal at the origin."""
    named = type_.charset and re.search(r"_ai(_|$)", type_.collation.lower())
    return type_.folds_more or bool(named)


class OriginColumn(msgspec.Struct, frozen=True, kw_only=True):
    """A column; `default` and `generated` are expressions in the origin's dialect.

    `identity` is empty, `always`, `by default`, `serial` or `auto_increment`; `on_update` is an
    expression that the server writes at each update (MySQL's ON UPDATE CURRENT_TIMESTAMP).
    """

    name: str
    type: OriginType
    not_null: bool = False
    default: str | None = None
    generated: str | None = None
    generated_kind: str = ""
    identity: str = ""
    sequence: str = ""
    on_update: str = ""
    comment: str = ""


class OriginKey(msgspec.Struct, frozen=True, kw_only=True):
    """A primary key or unique constraint; `nulls_equal` is PostgreSQL's NULLS NOT DISTINCT."""

    name: str
    columns: tuple[str, ...]
    primary: bool = False
    deferrable: bool = False
    deferred: bool = False
    nulls_equal: bool = False


class OriginForeignKey(msgspec.Struct, frozen=True, kw_only=True):
    """A foreign key; schema and table of its target, actions in the words of SQL."""

    name: str
    columns: tuple[str, ...]
    target_schema: str
    target_table: str
    target_columns: tuple[str, ...]
    on_update: str = "NO ACTION"
    on_delete: str = "NO ACTION"
    match: str = "SIMPLE"
    deferrable: bool = False
    deferred: bool = False
    validated: bool = True

    @property
    def cascades(self) -> bool:
        """Return whether deleting or changing the parent does so to the child's rows."""
        return "CASCADE" in {self.on_delete.upper(), self.on_update.upper()}


class OriginCheck(msgspec.Struct, frozen=True, kw_only=True):
    """A check constraint: its expression in the origin's dialect."""

    name: str
    expression: str
    validated: bool = True


class IndexPart(msgspec.Struct, frozen=True, kw_only=True):
    """One part of an index: a column or an expression; `length` is a MySQL prefix, 0 for all.

    `nulls_first` differs from `descending` only where the index says so (PostgreSQL).
    """

    column: str = ""
    expression: str = ""
    descending: bool = False
    nulls_first: bool = False
    collation: str = ""
    operator_class: str = ""
    length: int = 0


class OriginIndex(msgspec.Struct, frozen=True, kw_only=True):
    """An index outside constraints; `method` is btree, hash, gin, gist, brin, fulltext, spatial."""

    name: str
    parts: tuple[IndexPart, ...]
    unique: bool = False
    method: str = "btree"
    where: str = ""
    include: tuple[str, ...] = ()
    nulls_equal: bool = False
    written: str = ""


class OriginTable(msgspec.Struct, frozen=True, kw_only=True):
    """A table; `kind` is table, partitioned, partition, foreign, materialized or unlogged.

    `parent` is the partitioned table of a partition, `inherits` the parents of PostgreSQL's
    inheritance; `row_estimate` and `size_bytes` are the server's own estimates. Without
    `transactional` its rows are not those of a snapshot but of the time they are read at. `local`
    are the names of a partition's keys, checks and indexes that its parent has not, `rows` the
    condition by which rows lie in it.
    """

    schema: str
    name: str
    columns: tuple[OriginColumn, ...]
    kind: str = "table"
    keys: tuple[OriginKey, ...] = ()
    foreign_keys: tuple[OriginForeignKey, ...] = ()
    checks: tuple[OriginCheck, ...] = ()
    indexes: tuple[OriginIndex, ...] = ()
    excludes: tuple[str, ...] = ()
    parent: str = ""
    partition_bound: str = ""
    inherits: tuple[str, ...] = ()
    comment: str = ""
    row_estimate: int = 0
    size_bytes: int = 0
    transactional: bool = True
    local: tuple[str, ...] = ()
    rows: str = ""

    @property
    def primary_key(self) -> tuple[str, ...]:
        """Return the primary key's columns in key order, empty without one."""
        return next((key.columns for key in self.keys if key.primary), ())

    def read_column(self, name: str) -> OriginColumn | None:
        """Return the column of that exact name, or None."""
        return next((column for column in self.columns if column.name == name), None)


class OriginView(msgspec.Struct, frozen=True, kw_only=True):
    """A view: its query in the origin's dialect; `typed` are its columns with their types.

    A materialized view is one only before it holds rows; then it is a table of that kind.
    """

    schema: str
    name: str
    query: str
    columns: tuple[str, ...] = ()
    materialized: bool = False
    check_option: str = ""
    typed: tuple[OriginColumn, ...] = ()
    comment: str = ""


class OriginTrigger(msgspec.Struct, frozen=True, kw_only=True):
    """A trigger: `events` of insert, update, delete, truncate; `body` as the server prints it."""

    schema: str
    table: str
    name: str
    timing: str
    events: tuple[str, ...]
    level: str
    body: str
    routine: str = ""
    columns: tuple[str, ...] = ()
    when: str = ""
    enabled: bool = True


class OriginRoutine(msgspec.Struct, frozen=True, kw_only=True):
    """A function, procedure, aggregate or event; `body` as the server prints it."""

    schema: str
    name: str
    kind: str
    language: str
    body: str


class OriginSequence(msgspec.Struct, frozen=True, kw_only=True):
    """A sequence's state: `last` is the last value given out, None when none was.

    `owner` is the column it belongs to as `schema.table.column`, empty when it stands alone.
    """

    schema: str
    name: str
    last: int | None
    start: int = 1
    increment: int = 1
    owner: str = ""


class OriginTypeDefinition(msgspec.Struct, frozen=True, kw_only=True):
    """A named type of the database; `checks` are those of a domain."""

    schema: str
    type: OriginType
    checks: tuple[OriginCheck, ...] = ()
    not_null: bool = False
    default: str | None = None


class OriginSchema(msgspec.Struct, frozen=True, kw_only=True):
    """A whole server database; `others` are objects that have no struct here: (kind, name)."""

    dialect: str
    version: str
    database: str
    tables: tuple[OriginTable, ...]
    views: tuple[OriginView, ...] = ()
    triggers: tuple[OriginTrigger, ...] = ()
    routines: tuple[OriginRoutine, ...] = ()
    sequences: tuple[OriginSequence, ...] = ()
    types: tuple[OriginTypeDefinition, ...] = ()
    others: tuple[tuple[str, str], ...] = ()

    def read_table(self, schema: str, name: str) -> OriginTable | None:
        """Return the table of that schema and exact name, or None."""
        return next((t for t in self.tables if t.schema == schema and t.name == name), None)
