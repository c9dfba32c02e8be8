"""Convert a whole server catalogue: every object ends as a part with its statement or its reason.

First the ways of all columns (`plan_ways`), on which the origin counts its facts; then the objects
(`convert_schema`). Nothing here touches a server.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

import msgspec

from edgelift.model.mover_settings import SchemaSection
from edgelift.model.origin_schema import OriginSchema, OriginTable
from edgelift.model.row_spec import FieldSpec, RowSpec
from edgelift.sources.origin_database import (
    Capabilities,
    Cast,
    Choices,
    OriginDatabase,
    TableFacts,
)
from edgelift.stages.schema.cascades import find_rounds
from edgelift.stages.schema.issues import ERROR, Issue
from edgelift.stages.schema.server.choices import (
    Place,
    Rewrite,
    apply_rewrite,
    build_choices,
    offload,
    plan_rewrites,
    to_cast,
)
from edgelift.stages.schema.server.folding import count_folded
from edgelift.stages.schema.server.indexes import convert_indexes
from edgelift.stages.schema.server.judge import judge_facts, judge_way
from edgelift.stages.schema.server.names import Names, decide_names
from edgelift.stages.schema.server.parts import (
    Broken,
    Part,
    TableContext,
    is_opaque,
    read_field_kind,
)
from edgelift.stages.schema.server.programs import (
    build_update_stamps,
    convert_trigger,
    convert_view,
)
from edgelift.stages.schema.server.rest import list_rest
from edgelift.stages.schema.server.scope import Scope
from edgelift.stages.schema.server.tables import convert_table
from edgelift.targets import d1_dialect as d1

Name = tuple[str, str]


@dataclass(frozen=True)
class Ways:
    """How every table travels: specs by (schema, name), under the names and choices they follow.

    `objects` are the columns whose values become files, as those values travel; `views` are read to
    compare what they show.
    """

    names: Names
    choices: Choices
    specs: Mapping[Name, RowSpec]
    rewrites: Mapping[Place, Rewrite]
    settings: SchemaSection = field(default_factory=SchemaSection)
    objects: Mapping[Name, tuple[FieldSpec, ...]] = field(default_factory=dict)
    views: tuple[RowSpec, ...] = ()

    def list_columns(self, to: str, table: OriginTable) -> frozenset[str]:
        """Return the target's columns of a table that `[[schema.cast]]` names for `to`."""
        return frozenset(
            self.choices.name_column(table, column.name)
            for column in table.columns
            for section in self.settings.cast
            if section.to == to and to_cast(section).matches(table, column.name, column.type.name)
        )


@dataclass(frozen=True)
class Converted:
    """What became of a database: parts in the order of their creation, contexts by table."""

    parts: tuple[Part, ...]
    contexts: Mapping[Name, TableContext]
    facts: Mapping[Name, TableFacts] = field(default_factory=dict)
    objects: Mapping[Name, tuple[FieldSpec, ...]] = field(default_factory=dict)


def plan_ways(
    origin: OriginSchema,
    adapter: OriginDatabase,
    settings: SchemaSection,
    names: Names | None = None,
) -> Ways:
    """Return the way of every column of every table that moves; raises UsageError for settings.

    `names` are decided here unless given.
    """
    names = names or decide_names(origin, settings, adapter.capabilities.default_schemas)
    choices = build_choices(origin, settings, names)
    rewrites = plan_rewrites(origin, settings, choices.uuid)
    ways = Ways(names, choices, {}, rewrites, settings)
    specs, objects = {}, {}
    for table in origin.tables:
        name = (table.schema, table.name)
        if name in names.tables:
            mapped = count_folded(adapter.map_table(table, choices), table)
            spec = _apply_rewrites(mapped, table, choices, rewrites)
            wanted = ways.list_columns("offload", table)
            objects[name] = tuple(f for f in spec.fields if f.column in wanted)
            specs[name] = _apply_offload(spec, wanted, adapter.capabilities)
    views = tuple(_plan_views(origin, adapter, ways))
    return replace(ways, specs=specs, objects=objects, views=views)


def _plan_views(origin: OriginSchema, adapter: OriginDatabase, ways: Ways) -> Iterator[RowSpec]:
    """Yield how the views' columns are read, those that can be; decimals as the nearest REAL."""
    casts = tuple(Cast(to="real", type=name) for name in ("numeric", "decimal"))
    choices = replace(ways.choices, casts=(*ways.choices.casts, *casts))
    for view in origin.views:
        if (view.schema, view.name) not in ways.names.tables:
            continue
        table = OriginTable(schema=view.schema, name=view.name, columns=view.typed, kind="view")
        spec = adapter.map_table(table, choices)
        fields = tuple(f for f in spec.fields if f.op != "refused")
        if fields:
            yield msgspec.structs.replace(spec, fields=fields, key=())


def _apply_offload(spec: RowSpec, wanted: frozenset[str], capabilities: Capabilities) -> RowSpec:
    """Return the spec with the values of some columns replaced by their SHA-256."""
    fields = tuple(offload(f, capabilities) if f.column in wanted else f for f in spec.fields)
    return msgspec.structs.replace(spec, fields=fields)


def _apply_rewrites(
    spec: RowSpec, table: OriginTable, choices: Choices, rewrites: Mapping[Place, Rewrite]
) -> RowSpec:
    wanted = {
        choices.name_column(table, place[2]): (place, rewrite)
        for place, rewrite in rewrites.items()
        if place[:2] == (table.schema, table.name)
    }
    fields = tuple(
        apply_rewrite(f, wanted[f.column][1], wanted[f.column][0]) if f.column in wanted else f
        for f in spec.fields
    )
    return msgspec.structs.replace(spec, fields=fields)


def convert_schema(
    origin: OriginSchema,
    ways: Ways,
    facts: Mapping[Name, TableFacts],
    capabilities: Capabilities,
    broken: Mapping[str, Broken] | None = None,
) -> Converted:
    """Return every object of the catalogue with its statement for D1, or why it has none.

    `broken` are constraints by their origin's name that rows break.
    """
    base = Scope(
        dialect=capabilities.dialect,
        default_schemas=capabilities.default_schemas or (origin.database,),
        timestamps=ways.choices.timestamps,
        uuid=ways.choices.uuid,
        tables=ways.names.tables,
        routines=frozenset(
            r.name.partition("(")[0] for r in origin.routines if r.kind != "procedure"
        ),
    )
    contexts = {
        (table.schema, table.name): _build_context(
            table, origin, ways, base, facts.get((table.schema, table.name)), broken or {}
        )
        for table in origin.tables
        if (table.schema, table.name) in ways.specs
    }
    rounds = find_rounds(
        (context.origin, f"{key.target_schema}.{key.target_table}")
        for context in contexts.values()
        for key in context.table.foreign_keys
        if key.cascades
    )
    contexts = {name: replace(context, rounds=rounds) for name, context in contexts.items()}
    parts: list[Part] = []
    for context in contexts.values():
        parts += convert_table(context)
    for context in contexts.values():
        parts += convert_indexes(context, ways.names)
    base = replace(base, relations={name: c.scope for name, c in contexts.items()})
    parts += [
        convert_view(view, ways.names.tables[view.schema, view.name], base)
        for view in origin.views
        if (view.schema, view.name) in ways.names.tables
    ]
    triggers = [
        part
        for t in origin.triggers
        for part in convert_trigger(t, origin, contexts)
        if not {(t.schema, t.name), (t.schema, t.table)} & ways.names.excluded_tables
    ]
    triggers += [part for context in contexts.values() for part in build_update_stamps(context)]
    parts += triggers
    parts += list_rest(origin, ways.names, contexts, triggers)
    parts += _list_excluded(origin, ways.names)
    return Converted(tuple(map(_judge_part, parts)), contexts, facts, ways.objects)


def _build_context(
    table: OriginTable,
    origin: OriginSchema,
    ways: Ways,
    base: Scope,
    facts: TableFacts | None,
    broken: Mapping[str, Broken],
) -> TableContext:
    """Return the table with the columns that can travel, and everything said about the others."""
    spec = ways.specs[table.schema, table.name]
    fields = {
        column.name: found
        for column in table.columns
        for found in spec.fields
        if found.column == ways.choices.name_column(table, column.name)
        and ways.choices.keeps(table, column.name)
    }
    whole = TableContext(
        table=table,
        target=spec.target,
        spec=spec,
        fields=fields,
        schema=origin,
        scope=base,
        tables=ways.names.tables,
        columns=ways.names.columns,
        rewritten=frozenset(
            place[2] for place in ways.rewrites if place[:2] == (table.schema, table.name)
        ),
        chosen=frozenset(
            f.column
            for name, f in fields.items()
            if (column := table.read_column(name)) is not None
            and ways.choices.find_cast(table, name, column.type.name) is not None
        ),
        stored=ways.list_columns("stored", table),
        broken=broken,
        beyond={
            name: facts.columns[f.column].non_ascii
            for name, f in fields.items()
            if facts is not None and f.column in facts.columns
        },
        issues=[i for i in ways.names.issues if i.name == spec.target and i.kind == "table"],
    )
    whole.issues.extend(judge_way(whole, facts))
    if facts is not None:
        whole.issues.extend(judge_facts(whole, facts))
    gone = {issue.column for issue in whole.issues if issue.refuses and issue.column}
    kept = {name: f for name, f in fields.items() if f.column not in gone}
    scope = replace(
        base,
        columns={name: f.column for name, f in kept.items()},
        kinds={f.column: read_field_kind(f) for f in kept.values()},
        opaque=frozenset(
            column.name
            for column in table.columns
            if column.name not in kept or is_opaque(kept[column.name], column.type, base)
        ),
        tables={},
    )
    return replace(whole, fields=kept, scope=scope)


def _judge_part(part: Part) -> Part:
    """Add what the statement itself breaks: its size, its LIKE patterns."""
    size = len(part.sql.encode())
    if part.inside or size <= d1.MAX_STATEMENT_BYTES:
        return part
    issue = Issue(
        "SCHEMA-STATEMENT-SIZE", ERROR, part.kind, part.name,
        f"its statement has {size} bytes, Cloudflare takes {d1.MAX_STATEMENT_BYTES}",
        "shorten it at the origin, or accept the rule: it is then left out", refuses=True,
    )  # fmt: skip
    return replace(part, issues=(*part.issues, issue))


def _list_excluded(origin: OriginSchema, names: Names) -> list[Part]:
    gone = names.excluded_tables
    parts = [
        Part(kind=kind, name=f"{o[0]}.{o[1]}", origin=f"{o[0]}.{o[1]}", becomes="excluded")
        for kind, listed in (
            ("table", [(t.schema, t.name) for t in origin.tables if t.kind != "partition"]),
            ("view", [(v.schema, v.name) for v in origin.views]),
        )
        for o in listed
        if o in gone
    ]
    parts += [
        Part(
            kind="trigger", name=f"{t.table}_{t.name}", origin=f"{t.schema}.{t.table} {t.name}",
            becomes="excluded",
        )
        for t in origin.triggers
        if {(t.schema, t.name), (t.schema, t.table)} & gone
    ]  # fmt: skip
    parts += [
        Part(kind="column", name=".".join(place), origin=".".join(place), becomes="excluded")
        for place in sorted(names.excluded_columns)
    ]
    return parts
