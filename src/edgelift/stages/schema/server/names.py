"""Decide what moves and under which names: exclusions, renames, schemas, clashes, reserved words.

SQLite keeps tables, views and indexes in one space of names without regard to case, and has no
schemas; so the tables of other schemas than the default become `schema__table`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from edgelift.errors import UsageError
from edgelift.model.mover_settings import SchemaSection
from edgelift.model.origin_schema import OriginSchema, OriginTable
from edgelift.stages.schema.issues import NOTE, Issue
from edgelift.targets import d1_dialect as d1

_RESERVED = ("sqlite_", d1.RESERVED_PREFIX, "_edgelift_")
Name = tuple[str, str]


@dataclass
class Names:
    """The target's names: of tables and views by (schema, name), of columns where they differ.

    `excluded_tables` and `excluded_columns` stay behind as edgelift.toml says; `issues` tell of
    names that had to change.
    """

    tables: dict[Name, str] = field(default_factory=dict)
    columns: dict[tuple[str, str, str], str] = field(default_factory=dict)
    excluded_tables: set[Name] = field(default_factory=set)
    excluded_columns: set[tuple[str, str, str]] = field(default_factory=set)
    issues: list[Issue] = field(default_factory=list)
    taken: dict[str, str] = field(default_factory=dict)

    def claim(self, kind: str, wanted: str) -> str:
        """Return a free name as near to the wanted one as possible, and take it."""
        name = f"t_{wanted}" if wanted.lower().startswith(_RESERVED) else wanted
        number = 2
        base = name
        while name.lower() in self.taken:
            name = f"{base}_{number}"
            number += 1
        self.taken[name.lower()] = kind
        if name != wanted:
            why = (
                "that beginning belongs to the engine"
                if base != wanted
                else "SQLite has one space of names, without regard to case"
            )
            self.issues.append(
                Issue("SCHEMA-NAME-CHANGED", NOTE, kind, name, f"is {wanted} at the origin: {why}")
            )
        return name


def decide_names(origin: OriginSchema, settings: SchemaSection, default: Iterable[str]) -> Names:
    """Return all names; raises UsageError for a section that names nothing of this database."""
    names = Names()
    _exclude(names, origin, settings)
    bare = set(default) or {origin.database}
    renamed = _read_renames(origin, settings)
    for (schema, name), kind in _list_relations(origin):
        if (schema, name) in names.excluded_tables:
            continue
        wanted = renamed.get((schema, name)) or (name if schema in bare else f"{schema}__{name}")
        names.tables[schema, name] = names.claim(kind, wanted)
    for table in origin.tables:
        _name_columns(names, table, settings)
    return names


def _list_relations(origin: OriginSchema) -> Iterator[tuple[Name, str]]:
    for table in origin.tables:
        if table.kind != "partition":
            yield (table.schema, table.name), "table"
    for view in origin.views:
        yield (view.schema, view.name), "view"


def _matches(pattern: str, schema: str, name: str) -> bool:
    return pattern in {name, f"{schema}.{name}", f"{schema}.*"}


def _exclude(names: Names, origin: OriginSchema, settings: SchemaSection) -> None:
    objects: list[Name] = [(o.schema, o.name) for o in origin.tables]
    objects += [(o.schema, o.name) for o in origin.views]
    objects += [(o.schema, o.name) for o in origin.routines]
    objects += [(o.schema, o.name) for o in origin.triggers]
    objects += [(o.schema, o.name) for o in origin.sequences]
    for pattern in settings.exclude:
        tables = {o for o in objects if _matches(pattern, *o)}
        place, _, column = pattern.rpartition(".")
        columns = {
            (table.schema, table.name, column)
            for table in origin.tables
            if place and _matches(place, table.schema, table.name) and table.read_column(column)
        }
        if not tables and not columns:
            raise _unknown(f"schema.exclude lists {pattern!r}", origin)
        names.excluded_tables |= tables
        names.excluded_columns |= columns if not tables else set()


def _unknown(what: str, origin: OriginSchema) -> UsageError:
    known = [f"{table.schema}.{table.name}" for table in origin.tables]
    shown = ", ".join(known[:8]) + (f" and {len(known) - 8} more" if len(known) > 8 else "")
    return UsageError(
        f"edgelift.toml: {what}, which the database has not",
        why=f"its tables are {shown or 'none'}",
        tip="write names exactly as the origin has them, as table or schema.table",
    )


def find_tables(origin: OriginSchema, place: str, what: str) -> list[OriginTable]:
    """Return the tables that `table` or `schema.table` names; raises UsageError for none."""
    found = [t for t in origin.tables if _matches(place, t.schema, t.name)]
    if not found:
        raise _unknown(f"{what} names the table {place!r}", origin)
    return found


def find_column(table: OriginTable, column: str, what: str) -> None:
    """Raise UsageError unless the table has the column."""
    if table.read_column(column) is None:
        raise UsageError(
            f"edgelift.toml: {what} names the column {table.name}.{column}, which is not there",
            why=f"the columns are {', '.join(c.name for c in table.columns)}",
            tip="write the column's name exactly as the origin has it",
        )


def _read_renames(origin: OriginSchema, settings: SchemaSection) -> dict[Name, str]:
    renamed = {}
    relations = [name for name, _ in _list_relations(origin)]
    for section in settings.rename:
        if section.column:
            continue
        found = [r for r in relations if _matches(section.table, *r)]
        if not found:
            raise _unknown(f"schema.rename names the table {section.table!r}", origin)
        renamed[found[0]] = section.to
    lower = [to.lower() for to in renamed.values()]
    if len(set(lower)) != len(lower):
        raise UsageError(
            "edgelift.toml: schema.rename gives two tables the same name",
            why=f"the new names are {', '.join(renamed.values())}",
            tip="give each its own; SQLite does not tell upper from lower case",
        )
    return renamed


def _name_columns(names: Names, table: OriginTable, settings: SchemaSection) -> None:
    if (table.schema, table.name) not in names.tables:
        return
    renamed = {}
    for section in settings.rename:
        if section.column and _matches(section.table, table.schema, table.name):
            find_column(table, section.column, "schema.rename")
            renamed[section.column] = section.to
    taken: set[str] = set()
    for column in sorted(table.columns, key=lambda c: c.name not in renamed):
        wanted = renamed.get(column.name, column.name)
        name, number = wanted, 2
        while name.lower() in taken:
            name, number = f"{wanted}_{number}", number + 1
        taken.add(name.lower())
        if name != column.name:
            names.columns[table.schema, table.name, column.name] = name
        if name != wanted:
            target = names.tables[table.schema, table.name]
            names.issues.append(
                Issue(
                    "SCHEMA-NAME-CHANGED", NOTE, "table", target,
                    f"column {name} is {column.name} at the origin: SQLite does not tell upper "
                    "from lower case", column=name,
                )
            )  # fmt: skip
