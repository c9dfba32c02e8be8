"""The pieces that a server's catalogue falls into, each accounted for by itself."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field

from edgelift.model.origin_schema import OriginColumn, OriginSchema, OriginTable, OriginType
from edgelift.model.row_spec import FieldSpec, RowSpec
from edgelift.rows.ops import read_affinity, read_settings
from edgelift.sources.sqlite_catalogue import quote_identifier
from edgelift.stages.schema.issues import Issue
from edgelift.stages.schema.server.scope import Scope


@dataclass(frozen=True, kw_only=True)
class Part:
    """One object of the origin: `kind` and `name` as issues name it, `origin` its name there.

    `sql` is its statement, or its piece of the table's (`inside` a table); `table` the target's
    table that an index or trigger stands on; `becomes` says in words what became of it where no
    statement shows it.
    """

    kind: str
    name: str
    origin: str = ""
    sql: str = ""
    inside: bool = False
    table: str = ""
    becomes: str = ""
    comment: str = ""
    issues: tuple[Issue, ...] = ()

    @property
    def refused(self) -> bool:
        """Return whether it cannot exist at the target."""
        return any(issue.refuses and not issue.column for issue in self.issues)


@dataclass(frozen=True)
class Broken:
    """A rule of a table that `count` of its rows break; `examples` shows some of their values."""

    rule: str
    count: int
    examples: str


@dataclass(frozen=True, kw_only=True)
class TableContext:
    """A table under conversion: its way (`spec`, all columns), names, and what is around it.

    `fields` are by the origin's column; columns that stay behind have none. `rewritten` are the
    origin's columns whose keys become UUIDs, `chosen` the target's whose form the user chose,
    `stored` the target's generated ones that shall keep their values only; `broken` are the pieces
    by their origin's name that rows break, `beyond` the texts beyond ASCII by the origin's column,
    `rounds` the (child, parent) tables of the database whose cascades may come back to the child.
    """

    table: OriginTable
    target: str
    spec: RowSpec
    fields: Mapping[str, FieldSpec]
    schema: OriginSchema
    scope: Scope
    tables: Mapping[tuple[str, str], str]
    columns: Mapping[tuple[str, str, str], str] = field(default_factory=dict)
    rewritten: frozenset[str] = frozenset()
    chosen: frozenset[str] = frozenset()
    stored: frozenset[str] = frozenset()
    broken: Mapping[str, Broken] = field(default_factory=dict)
    beyond: Mapping[str, int] = field(default_factory=dict)
    rounds: frozenset[tuple[str, str]] = frozenset()
    issues: list[Issue] = field(default_factory=list)

    @property
    def origin(self) -> str:
        """Return the table's name at the origin."""
        return f"{self.table.schema}.{self.table.name}"

    def name_of(self, column: str) -> str:
        """Return the target's name of a column, quoted."""
        return quote_identifier(self.fields[column].column)

    def target_column(self, schema: str, table: str, column: str) -> str:
        """Return the target's name of any table's column."""
        return self.columns.get((schema, table, column), column)

    def has(self, *columns: str) -> bool:
        """Return whether all these columns move."""
        return all(column in self.fields for column in columns)

    @property
    def rowid_column(self) -> OriginColumn | None:
        """Return the column that becomes SQLite's rowid: an integer primary key of one column."""
        key = self.table.primary_key
        if len(key) != 1 or key[0] not in self.fields:
            return None
        op = self.fields[key[0]].op
        return self.table.read_column(key[0]) if op in {"int", "oid"} else None


_KINDS = {
    "int": "integer", "oid": "integer", "bool": "boolean", "float": "number",
    "decimal_real15": "number", "money": "number", "decimal_text": "decimal text",
    "decimal_scaled": "scaled", "text": "text", "int_text": "decimal text", "char": "text",
    "jsonb": "json", "blob": "blob", "wkb": "blob", "uuid": "uuid", "uuid5": "uuid",
    "uuid7": "uuid", "date": "date", "time": "time", "timetz": "time", "timestamp": "timestamp",
    "interval": "interval", "inet": "text", "macaddr": "text", "bit": "bits", "keep": "",
}  # fmt: skip


def read_field_kind(field: FieldSpec) -> str:
    """Return what a column's values are, in the words of Scope.kinds."""
    if "JSON" in field.target_type.upper():
        return "json"
    if is_counted_bit(field):
        return "integer"
    return _KINDS.get(field.op, "")


_OPAQUE_OPS = frozenset(
    {"decimal_scaled", "decimal_text", "int_text", "uuid5", "uuid7", "interval", "wkb"}
)
_OPAQUE_KINDS = frozenset({"array", "composite", "range", "multirange"})
_OPAQUE_TYPES = frozenset(
    {"inet", "cidr", "tsvector", "tsquery", "hstore", "xml", "point", "line", "lseg", "box", "path",
     "polygon", "circle", "geometry", "geography", "money", "set", "bit"}
)  # fmt: skip


def is_counted_bit(field: FieldSpec) -> bool:
    """Return whether a column of bits holds the number that MySQL takes them for."""
    return field.op == "bit" and read_settings("bit", field.argument)["style"] == "int"


def is_opaque(field: FieldSpec, type_: OriginType, scope: Scope) -> bool:
    """Return whether expressions over a column would mean something else than at the origin."""
    while type_.kind == "domain" and type_.element is not None:
        type_ = type_.element
    if is_counted_bit(field) and scope.dialect == "mysql":
        return False
    if field.op in _OPAQUE_OPS or type_.kind in _OPAQUE_KINDS or type_.name in _OPAQUE_TYPES:
        return True
    if field.op in {"timestamp", "date"}:
        style = read_settings(field.op, field.argument)["style"]
        return style not in {scope.timestamps, "iso", "sqlalchemy", "django"}
    return False


def is_text(field: FieldSpec) -> bool:
    """Return whether a column holds text that a collation compares."""
    return field.op in {"text", "char"} and read_affinity(field.target_type) == "TEXT"


def write_toml(text: str) -> str:
    """Return a text as a string of TOML: in single quotes where that needs no escapes."""
    plain = "'" not in text and text.isprintable()
    return f"'{text}'" if plain else json.dumps(text, ensure_ascii=False)
