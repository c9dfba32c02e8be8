"""The origin's tables as the app's SQL names them: columns with their kinds, keys, constraints."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
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


def read_catalogue(settings: Mapping[str, Any]) -> Catalogue:
    """Return the catalogue of the settings' `catalogue`: model/vocabulary.py as JSON."""
    tables = [_read_table(table) for table in settings.get("tables", ())]
    return Catalogue(
        {f"{table.schema}.{table.origin}": table for table in tables},
        tuple(settings.get("schemas") or ("public",)),
        frozenset(settings.get("indexes", ())),
    )


def _read_table(found: Mapping[str, Any]) -> Table:
    return Table(
        name=found["name"],
        schema=found["schema"],
        origin=found["origin"],
        columns=tuple(_read_column(column) for column in found["columns"]),
        keys=tuple(Key(k["name"], tuple(k["columns"]), k["primary"]) for k in found["keys"]),
        references=tuple(
            Reference(r["name"], tuple(r["columns"]), r["table"], tuple(r["keys"]))
            for r in found["references"]
        ),
        checks=tuple(found["checks"]),
        counter=found["counter"],
        sequence=found.get("sequence", ""),
    )


def _read_column(found: Mapping[str, Any]) -> Column:
    return Column(
        found["name"],
        read_kind(found["type"]),
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


def _listed(labels: Iterable[str]) -> tuple[str, ...]:
    return tuple(labels)
