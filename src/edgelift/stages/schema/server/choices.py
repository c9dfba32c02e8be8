"""Turn edgelift.toml's [schema] into the choices that an adapter maps types by, and rewrite keys.

A rewrite follows the foreign keys in both directions: a key that becomes a UUID does so in every
table that refers to it, so that references stay references.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass

import msgspec

from edgelift.errors import UsageError
from edgelift.model.mover_settings import CastSection, RewriteSection, SchemaSection
from edgelift.model.origin_schema import OriginSchema, OriginTable
from edgelift.model.row_spec import FieldSpec
from edgelift.project import expand_variables
from edgelift.rows.ops import write_argument
from edgelift.sources.origin_database import Capabilities, Cast, Choices
from edgelift.stages.schema.server.names import Names, find_column, find_tables

Place = tuple[str, str, str]
# A column of SQLite that is kept as it is may hold anything: there each value is looked at.
_INTEGERS = frozenset({"int", "int_text", "keep"})


@dataclass(frozen=True)
class Rewrite:
    """What an integer key becomes: the op with its argument, and how to read it back."""

    op: str
    argument: str
    style: str
    undo: str


def build_choices(origin: OriginSchema, settings: SchemaSection, names: Names) -> Choices:
    """Return the choices; raises UsageError for a cast that names nothing of this database."""
    casts = []
    for section in settings.cast:
        if section.table:
            for table in find_tables(origin, section.table, "schema.cast"):
                if section.column:
                    find_column(table, section.column, "schema.cast")
        if section.to not in _OWN:
            casts.append(to_cast(section))
    for rewrite in settings.rewrite:
        if not rewrite.to.startswith("uuid"):
            for table in find_tables(origin, rewrite.table, "schema.rewrite"):
                find_column(table, rewrite.column, "schema.rewrite")
            casts.append(Cast(to=rewrite.to, table=rewrite.table, column=rewrite.column))
    return Choices(
        casts=tuple(casts),
        tables=names.tables,
        columns=names.columns,
        excluded=frozenset(names.excluded_columns),
        timestamps="sqlalchemy" if settings.timestamps == "auto" else settings.timestamps,
        uuid="text" if settings.uuid == "auto" else settings.uuid,
    )


_OWN = frozenset({"offload", "stored"})  # what the stages do themselves, not the adapter


def to_cast(section: CastSection) -> Cast:
    """Return a section as adapters know it."""
    return Cast(
        to=section.to,
        table=section.table,
        column=section.column,
        type=section.type,
        scale=section.scale,
    )


def plan_rewrites(
    origin: OriginSchema, settings: SchemaSection, style: str
) -> dict[Place, Rewrite]:
    """Return what becomes of each rewritten column, by (schema, table, column).

    Raises UsageError for a table without such a key, and when two rewrites meet in one column.
    """
    found: dict[Place, Rewrite] = {}
    links = _read_links(origin)
    for section in settings.rewrite:
        if not section.to.startswith("uuid"):
            continue
        table = find_tables(origin, section.table, "schema.rewrite")[0]
        column = section.column or _read_single_key(table)
        find_column(table, column, "schema.rewrite")
        rewrite = _to_rewrite(section, table, column, style)
        places = _follow({(table.schema, table.name, column), *_read_also(origin, section)}, links)
        for place in places:
            if place in found and found[place] != rewrite:
                raise UsageError(
                    f"edgelift.toml: two rewrites meet in {'.'.join(place)}",
                    why="foreign keys lead from both to it",
                    tip="leave one of them out; it follows the keys by itself",
                )
            found[place] = rewrite
    return found


def _read_single_key(table: OriginTable) -> str:
    if len(table.primary_key) != 1:
        raise UsageError(
            f"edgelift.toml: schema.rewrite of {table.name} names no column",
            why=f"its primary key is {', '.join(table.primary_key) or 'missing'}, not one column",
            tip="give column = the integer key to rewrite",
        )
    return table.primary_key[0]


def _read_also(origin: OriginSchema, section: RewriteSection) -> set[Place]:
    places = set()
    for name in section.also:
        place, _, column = name.rpartition(".")
        for table in find_tables(origin, place, "schema.rewrite also"):
            find_column(table, column, "schema.rewrite also")
            places.add((table.schema, table.name, column))
    return places


def _read_links(origin: OriginSchema) -> dict[Place, set[Place]]:
    """Return the columns joined by a foreign key, both ways."""
    links: dict[Place, set[Place]] = {}
    for table in origin.tables:
        for key in table.foreign_keys:
            for column, target in zip(key.columns, key.target_columns, strict=True):
                here = (table.schema, table.name, column)
                there = (key.target_schema, key.target_table, target)
                links.setdefault(here, set()).add(there)
                links.setdefault(there, set()).add(here)
    return links


def _follow(start: set[Place], links: dict[Place, set[Place]]) -> set[Place]:
    seen, waiting = set(start), list(start)
    while waiting:
        for place in links.get(waiting.pop(), ()):
            if place not in seen:
                seen.add(place)
                waiting.append(place)
    return seen


def _to_rewrite(section: RewriteSection, table: OriginTable, column: str, style: str) -> Rewrite:
    namespace = expand_variables(section.namespace)
    try:
        # Each rewritten key has a namespace of its own, so that key 7 of two tables differs.
        own = uuid.uuid5(uuid.UUID(namespace), f"{table.schema}.{table.name}.{column}")
    except ValueError as error:
        raise UsageError(
            f"edgelift.toml: schema.rewrite of {section.table} has no UUID as namespace",
            why="the variable it names holds something else",
            tip="make one: python -c 'import uuid; print(uuid.uuid4())'",
        ) from error
    words: dict[str, str | int] = {"namespace": str(own)}
    if section.to == "uuid7":
        words["base"] = section.base_ms
    words["style"] = style
    undo = (
        f"uuid7: key = ((milliseconds - {section.base_ms}) << 12) + rand_a"
        if section.to == "uuid7"
        else "uuid5: hash the keys of the origin again with the namespace and join"
    )
    return Rewrite(op=section.to, argument=write_argument(**words), style=style, undo=undo)


_OFFLOADED = {
    "blob": "hash_bytes", "text": "hash_text", "jsonb": "hash_text", "keep": "hash_bytes"
}  # fmt: skip


def offload(field: FieldSpec, capabilities: Capabilities) -> FieldSpec:
    """Return the field with the SHA-256 of its value in its place, or refused.

    The server computes it, so that large values do not travel twice.
    """
    way = _OFFLOADED.get(field.op, "")
    template: str = getattr(capabilities, way) if way else ""
    if not template:
        return msgspec.structs.replace(
            field,
            op="refused",
            argument="SCHEMA-CAST",
            loss=f"values of the conversion {field.op} are not offloaded, only bytes and texts",
            undo="",
        )
    return msgspec.structs.replace(
        field,
        read=template.format(field.read),
        op="text",
        argument="",
        target_type="CHAR(64)",
        loss="the value lies in R2, under its SHA-256, which stands here",
        undo="read the object of that name",
    )


def apply_rewrite(field: FieldSpec, rewrite: Rewrite, place: Place) -> FieldSpec:
    """Return the field with its key made a UUID; raises UsageError when it is no integer."""
    if field.op not in _INTEGERS:
        raise UsageError(
            f"edgelift.toml: schema.rewrite reaches {'.'.join(place)}, which is no integer",
            why=f"it travels by the conversion {field.op}",
            tip="rewrite integer keys only",
        )
    return msgspec.structs.replace(
        field,
        op=rewrite.op,
        argument=rewrite.argument,
        target_type="BLOB" if rewrite.style == "blob" else "TEXT",
        loss="",
        undo=rewrite.undo,
    )
