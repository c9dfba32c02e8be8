"""The origin's tables as the app's SQL names them: columns with their kinds, keys, constraints."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from edgelift.worker.moved.kinds import INTERVAL, TEXT, Kind, array_of


class Column(NamedTuple):
    """A column; `has_default` tells that a value comes by itself, `generated` that none may."""

    name: str
    kind: Kind
    not_null: bool = False
    has_default: bool = False
    generated: bool = False


class Key(NamedTuple):
    """A primary key, a unique constraint or a unique index of plain columns."""

    name: str
    columns: tuple[str, ...]
    primary: bool = False


class Reference(NamedTuple):
    """A foreign key: `table` and `keys` are what it leads to."""

    name: str
    columns: tuple[str, ...]
    table: str
    keys: tuple[str, ...]
    actions: str = ""


@dataclass(frozen=True)
class Table:
    """A table; `name` is the moved one's, `schema` and `origin` what the server calls it.

    `counter` is the column that a sequence of the server, or AUTO_INCREMENT, fills.
    """

    name: str
    schema: str
    origin: str
    columns: tuple[Column, ...]
    keys: tuple[Key, ...] = ()
    references: tuple[Reference, ...] = ()
    checks: tuple[str, ...] = ()
    counter: str = ""
    sequence: str = ""
    folds: bool = False

    def find_folded(self, name: str) -> Column | None:
        """Return the column of a name in any case, where that is how the server finds it."""
        lower = name.lower()
        return next((c for c in self.columns if self.folds and c.name.lower() == lower), None)

    def find_column(self, name: str) -> Column | None:
        """Return the column of a name, None without one."""
        return next((column for column in self.columns if column.name == name), None)


@dataclass
class Catalogue:
    """All tables of a moved database, by the names that SQL may use."""

    tables: dict[str, Table] = field(default_factory=dict)
    schemas: tuple[str, ...] = ("public",)
    indexes: frozenset[str] = frozenset()

    def find(self, schema: str, name: str) -> Table | None:
        """Return the table that a name with or without its schema means."""
        schemas = (schema,) if schema else self.schemas
        found = (self.tables.get(f"{one}.{name}") for one in schemas)
        return next((table for table in found if table is not None), None)

    def find_stored(self, name: str) -> Table | None:
        """Return the table that SQLite knows by a name."""
        return next((t for t in self.tables.values() if t.name == name), None)

    def find_sequence(self, name: str) -> Table | None:
        """Return the table whose counter a sequence of the server was."""
        wanted = name.replace('"', "").rpartition(".")[2]
        return next(
            (t for t in self.tables.values() if t.sequence.rpartition(".")[2] == wanted), None
        )


def read_catalogue(settings: Mapping[str, Any], engine: str = "postgresql") -> Catalogue:
    """Return the catalogue of the settings' `catalogue`: model/vocabulary.py as JSON."""
    read_type = read_mysql_kind if engine == "mysql" else read_kind
    tables = [_read_table(table, read_type) for table in settings.get("tables", ())]
    return Catalogue(
        {f"{table.schema}.{table.origin}": table for table in tables},
        tuple(settings.get("schemas") or ("public",)),
        frozenset(settings.get("indexes", ())),
    )


def _read_table(found: Mapping[str, Any], read_type: Callable[[Any], Kind]) -> Table:
    return Table(
        name=found["name"],
        schema=found["schema"],
        origin=found["origin"],
        columns=tuple(_read_column(column, read_type) for column in found["columns"]),
        keys=tuple(Key(k["name"], tuple(k["columns"]), k["primary"]) for k in found["keys"]),
        references=tuple(
            Reference(
                r["name"], tuple(r["columns"]), r["table"], tuple(r["keys"]), r.get("actions", "")
            )
            for r in found["references"]
        ),
        checks=tuple(found["checks"]),
        counter=found["counter"],
        sequence=found.get("sequence", ""),
        folds=read_type is read_mysql_kind,
    )


def _read_column(found: Mapping[str, Any], read_type: Callable[[Any], Kind]) -> Column:
    return Column(
        found["name"],
        read_type(found["type"]),
        found.get("not_null", False),
        found.get("has_default", False),
        found.get("generated", False),
    )


def read_kind(found: Mapping[str, Any]) -> Kind:
    """Return the kind of a type as the settings tell it."""
    name, arguments = found["name"], list(found.get("arguments", ()))
    if found.get("element") is not None:
        return array_of(read_kind(found["element"]))
    if name == "numeric" and arguments:
        return Kind("numeric", arguments[0], arguments[1] if len(arguments) > 1 else 0)
    if name in {"varchar", "bpchar"}:
        return Kind(name, length=arguments[0] if arguments else -1)
    if name == "enum":
        return Kind("enum", labels=_listed(found.get("labels", ())), form=found.get("written", ""))
    if name == "interval":
        return INTERVAL._replace(form=found.get("form", "micros"))
    return Kind(name, form=found.get("form", "")) if name else TEXT


_MYSQL = {
    "tinyint": "int2", "smallint": "int2", "mediumint": "int4", "int": "int4", "bigint": "int8",
    "year": "int2", "float": "float4", "double": "float8", "char": "varchar",
    "varchar": "varchar", "tinytext": "text", "text": "text", "mediumtext": "text",
    "longtext": "text", "set": "text", "binary": "bytea", "varbinary": "bytea", "tinyblob": "bytea",
    "blob": "bytea", "mediumblob": "bytea", "longblob": "bytea", "date": "date", "json": "json",
    "uuid": "uuid", "bit": "bytea",
}  # fmt: skip


def read_mysql_kind(found: Mapping[str, Any]) -> Kind:
    """Return the kind of a type of MySQL; `form` keeps its own name where the wire tells it."""
    name, arguments = found["name"], list(found.get("arguments", ()))
    if name == "decimal":
        first, second = [*arguments, 10, 0][:2] if len(arguments) < 2 else arguments[:2]
        return Kind("numeric", first, second if len(arguments) != 1 else 0)
    if name in {"datetime", "timestamp", "time"}:
        places = arguments[0] if arguments else 0
        return Kind("time" if name == "time" else "timestamp", scale=places)
    if name == "enum":
        return Kind("enum", labels=_listed(found.get("labels", ())), form="enum")
    kind = Kind(_MYSQL.get(name, "text"))
    if kind.name in {"int2", "int4", "int8"}:
        return kind._replace(form=f"{name} unsigned" if found.get("unsigned") else name)
    if kind.name == "varchar":
        return kind._replace(length=arguments[0] if arguments else -1)
    return kind._replace(form=name) if kind.name == "bytea" else kind


def _listed(labels: Iterable[str]) -> tuple[str, ...]:
    return tuple(labels)
