"""Put the parts together: mapping, statements, the plan by which data copies, what is missing."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

import msgspec

from edgelift.model.findings import Level
from edgelift.model.move_plan import TableMove
from edgelift.model.origin_schema import OriginSchema, OriginTable
from edgelift.model.row_spec import FieldSpec
from edgelift.model.target_schema import Statement, TargetSchema
from edgelift.sources.origin_database import TableFacts
from edgelift.stages.schema.issues import Issue
from edgelift.stages.schema.mapping import (
    CONVERTED,
    LEFT_OUT,
    REFUSED,
    WITH_LOSS,
    ColumnMapping,
    DatabaseMapping,
    ObjectMapping,
)
from edgelift.stages.schema.server.names import Names
from edgelift.stages.schema.server.parts import Part, TableContext

_OWN = frozenset({"table", "index", "view", "trigger"})
_STAYS = ("excluded", "left out")


def list_gone(parts: Iterable[Part]) -> frozenset[str]:
    """Return the target's names of tables that cannot exist."""
    return frozenset(part.name for part in parts if part.kind == "table" and part.refused)


def build_mapping(
    database: str,
    parts: Iterable[Part],
    contexts: Mapping[tuple[str, str], TableContext],
    accepted: frozenset[str],
) -> DatabaseMapping:
    """Return what became of every object, a table's columns with it."""
    listed = list(parts)
    gone = list_gone(listed)
    by_target = {context.target: context for context in contexts.values()}
    objects = []
    for part in listed:
        found = _map_part(part, gone, accepted)
        context = by_target.get(part.name) if part.kind == "table" else None
        if context is not None:
            columns = tuple(_map_columns(context, part.issues, accepted))
            found = msgspec.structs.replace(found, columns=columns)
        objects.append(found)
    return DatabaseMapping(database=database, objects=tuple(objects))


def _map_part(part: Part, gone: frozenset[str], accepted: frozenset[str]) -> ObjectMapping:
    refusing = {issue.rule for issue in part.issues if issue.refuses and not issue.column}
    own = part.kind in _OWN and not part.inside
    statement = part.sql if own else ""
    outcome = _outcome_of(part.issues)
    if refusing:
        outcome = LEFT_OUT if refusing <= accepted else REFUSED
        statement = ""
    elif part.becomes.startswith(_STAYS) or part.table in gone:
        outcome, statement = LEFT_OUT, ""
    return ObjectMapping(
        kind=part.kind,
        name=part.name,
        outcome=outcome,
        rules=tuple(dict.fromkeys(issue.rule for issue in part.issues)),
        statement=statement,
        origin=part.origin,
        becomes=part.becomes,
        comment=part.comment,
    )


def _outcome_of(issues: Iterable[Issue]) -> str:
    return WITH_LOSS if any(issue.level is not Level.NOTE for issue in issues) else CONVERTED


def _map_columns(
    context: TableContext, issues: Iterable[Issue], accepted: frozenset[str]
) -> Iterator[ColumnMapping]:
    listed = list(issues)
    by_target = {field.column: field for field in context.spec.fields}
    for column in context.table.columns:
        name = context.columns.get((context.table.schema, context.table.name, column.name))
        field = by_target.get(name or column.name)
        if field is None:
            continue
        own = [issue for issue in listed if issue.column == field.column]
        refusing = {issue.rule for issue in own if issue.refuses}
        outcome = _outcome_of(own)
        if refusing:
            outcome = LEFT_OUT if refusing <= accepted else REFUSED
        yield ColumnMapping(
            name=field.column,
            declared=field.target_type,
            outcome=outcome,
            rules=tuple(dict.fromkeys(issue.rule for issue in own)),
            origin=f"{context.origin}.{column.name}",
            written=column.type.written,
            read=field.read,
            op=f"{field.op} {field.argument}".strip(),
            loss=field.loss,
            undo=field.undo,
            comment=column.comment,
        )


def build_target(mapping: DatabaseMapping) -> TargetSchema:
    """Return the statements of everything that moves: tables first, the rest after the rows."""
    kept = [o for o in mapping.objects if o.statement]
    statements = [Statement(kind=o.kind, name=o.name, sql=o.statement) for o in kept]
    return TargetSchema(
        database=mapping.database,
        tables=tuple(s for s in statements if s.kind == "table"),
        after=tuple(s for s in statements if s.kind != "table"),
        left_out=tuple(
            o.name
            for o in mapping.objects
            if o.kind == "table" and o.outcome in {LEFT_OUT, REFUSED}
        ),
    )


def build_moves(
    contexts: Mapping[tuple[str, str], TableContext],
    parts: Iterable[Part],
    facts: Mapping[tuple[str, str], TableFacts],
    objects: Mapping[tuple[str, str], tuple[FieldSpec, ...]],
) -> tuple[TableMove, ...]:
    """Return how each table that can exist is copied."""
    listed = list(parts)
    gone = list_gone(listed)
    computed = {
        part.name
        for part in listed
        if part.kind == "generated column" and part.sql and not part.refused
    }
    return tuple(
        _build_move(context, computed, facts.get(name), objects.get(name, ()))
        for name, context in contexts.items()
        if context.target not in gone
    )


def _build_move(
    context: TableContext,
    computed: set[str],
    facts: TableFacts | None,
    objects: tuple[FieldSpec, ...],
) -> TableMove:
    def is_computed(field: FieldSpec) -> bool:
        return f"{context.target}.{field.column}" in computed

    fields = list(context.fields.values())
    rowid = context.rowid_column
    key = context.table.primary_key
    spec = msgspec.structs.replace(
        context.spec, fields=tuple(f for f in fields if not is_computed(f))
    )
    return TableMove(
        spec=spec,
        computed=tuple(f for f in fields if is_computed(f)),
        key=tuple(context.fields[c].column for c in key) if context.has(*key) else (),
        rowid_column=context.fields[rowid.name].column if rowid else "",
        counter=f"{context.origin}.{rowid.name}" if rowid and rowid.identity else "",
        objects=tuple(f for f in objects if any(f.column == own.column for own in fields)),
        rows=facts.rows if facts else 0,
        bytes=facts.total_bytes if facts else 0,
    )


def list_objects(origin: OriginSchema) -> list[str]:
    """Return the origin's names of everything that must be accounted for."""
    names = [f"{t.schema}.{t.name}" for t in origin.tables]
    names += [name for table in origin.tables for name in _list_pieces(table)]
    names += [f"{v.schema}.{v.name}" for v in origin.views]
    names += [f"{t.schema}.{t.table} {t.name}" for t in origin.triggers]
    names += [f"{r.schema}.{r.name}" for r in origin.routines]
    names += [f"{s.schema}.{s.name}" for s in origin.sequences]
    names += [f"{d.schema}.{d.type.name}" for d in origin.types]
    return names + [name for _kind, name in origin.others]


def _list_pieces(table: OriginTable) -> Iterator[str]:
    """Yield a table's keys, checks and indexes; of a partition those that its parent has not."""
    place = f"{table.schema}.{table.name}"
    if table.kind == "partition":
        yield from (f"{place}.{name}" for name in table.local)
        return
    yield from (f"{place}.{column.name}" for column in table.columns)
    yield from (f"{place}.{key.name}" for key in table.keys)
    yield from (f"{place}.{key.name}" for key in table.foreign_keys)
    yield from (f"{place}.{check.name}" for check in table.checks)
    yield from (f"{place} {index.name}" for index in table.indexes)
    yield from (f"{place}.{exclude.split(' ', 1)[0]}" for exclude in table.excludes)


def find_unaccounted(origin: OriginSchema, mapping: DatabaseMapping, names: Names) -> list[str]:
    """Return the origin's objects that the mapping does not know."""
    known = {found.origin for found in mapping.objects}
    known |= {column.origin for found in mapping.objects for column in found.columns}
    excluded = tuple(f"{schema}.{name}" for schema, name in names.excluded_tables)
    return [
        name
        for name in list_objects(origin)
        if name not in known
        and not any(name == e or name.startswith((f"{e}.", f"{e} ")) for e in excluded)
    ]
