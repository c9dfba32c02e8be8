"""Write down what the app's own SQL may name of the origin, for the drivers of the Worker."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from edgelift.model.move_plan import TableMove
from edgelift.model.origin_schema import OriginColumn, OriginSchema, OriginTable, OriginType
from edgelift.model.row_spec import FieldSpec, RowSpec
from edgelift.model.vocabulary import (
    KnownColumn,
    KnownKey,
    KnownReference,
    KnownTable,
    KnownType,
    Vocabulary,
)

_FORMED = frozenset({"timestamp", "timestamptz", "interval", "uuid", "date"})
_EPOCH = {"sqlalchemy": "epoch"}


def build_vocabulary(
    origin: OriginSchema, moves: Iterable[TableMove], views: Iterable[RowSpec]
) -> Vocabulary:
    """Return the tables and views that moved, by the names of both sides."""
    listed = list(moves)
    targets = {(move.spec.schema, move.spec.table): move.spec.target for move in listed}
    tables = [
        _describe(origin, table, move, targets)
        for move in listed
        if (table := origin.read_table(move.spec.schema, move.spec.table)) is not None
    ]
    seen = [_describe_view(origin, view) for view in views]
    return Vocabulary(
        schemas=tuple(dict.fromkeys(schema for (schema, name), t in targets.items() if t == name)),
        tables=tuple(tables + [view for view in seen if view is not None]),
        indexes=tuple(index.name for table in origin.tables for index in table.indexes),
    )


def _describe(
    origin: OriginSchema,
    table: OriginTable,
    move: TableMove,
    targets: dict[tuple[str, str], str],
) -> KnownTable:
    fields = {field.origin or field.column: field for field in move.spec.fields}
    computed = {field.origin or field.column: field for field in move.computed}
    names = {name: field.column for name, field in {**fields, **computed}.items()}
    columns = [
        _describe_column(column, {**fields, **computed}[column.name], move.rowid_column)
        for column in table.columns
        if column.name in names
    ]
    counter = move.counter.rpartition(".")[2]
    return KnownTable(
        name=move.spec.target,
        schema=table.schema,
        origin=table.name,
        columns=tuple(columns),
        keys=tuple(_list_keys(table, names)),
        references=tuple(_list_references(table, names, targets)),
        checks=tuple(check.name for check in table.checks),
        counter=names.get(counter, ""),
        sequence=_find_sequence(origin, move.counter),
    )


def _find_sequence(origin: OriginSchema, counter: str) -> str:
    return next(
        (f"{s.schema}.{s.name}" for s in origin.sequences if counter and s.owner == counter), ""
    )


def _describe_column(column: OriginColumn, field: FieldSpec, rowid: str) -> KnownColumn:
    return KnownColumn(
        name=field.column,
        type=describe_type(column.type, field),
        not_null=column.not_null,
        has_default=column.default is not None or bool(column.identity) or field.column == rowid,
        generated=column.generated is not None,
    )


def describe_type(kind: OriginType, field: FieldSpec | None = None) -> KnownType:
    """Return a type under all domains, with the form that the move gave its values."""
    while kind.kind == "domain" and kind.element is not None:
        kind = kind.element
    if kind.kind == "array" and kind.element is not None:
        return KnownType(name="array", element=describe_type(kind.element))
    if kind.kind == "enum":
        return KnownType(name="enum", labels=kind.members, written=kind.written)
    return KnownType(
        name=kind.name if kind.kind == "base" else "text",
        arguments=kind.arguments,
        form=_read_form(kind.name, field) if field is not None else "",
        unsigned=kind.unsigned,
        labels=kind.members if kind.kind == "base" else (),
    )


def _read_form(name: str, field: FieldSpec) -> str:
    if name not in _FORMED:
        return ""
    settings = dict(part.partition("=")[::2] for part in field.argument.split())
    style = settings.get("style", "")
    if name == "interval":
        return _EPOCH.get(style, style or "micros")
    return "" if style in {"sqlalchemy", "iso", "text"} else style


def _list_keys(table: OriginTable, names: dict[str, str]) -> Iterator[KnownKey]:
    for key in table.keys:
        if all(column in names for column in key.columns):
            columns = tuple(names[column] for column in key.columns)
            yield KnownKey(name=key.name, columns=columns, primary=key.primary)
    for index in table.indexes:
        columns = tuple(names.get(part.column, "") for part in index.parts)
        if index.unique and all(columns):
            yield KnownKey(name=index.name, columns=columns, primary=False)


def _list_references(
    table: OriginTable, names: dict[str, str], targets: dict[tuple[str, str], str]
) -> Iterator[KnownReference]:
    for reference in table.foreign_keys:
        target = targets.get((reference.target_schema, reference.target_table))
        if target is not None and all(column in names for column in reference.columns):
            yield KnownReference(
                name=reference.name,
                columns=tuple(names[column] for column in reference.columns),
                table=target,
                keys=reference.target_columns,
            )


def _describe_view(origin: OriginSchema, spec: RowSpec) -> KnownTable | None:
    view = next((v for v in origin.views if v.schema == spec.schema and v.name == spec.table), None)
    if view is None or not view.typed:
        return None
    fields = {field.column: field for field in spec.fields}
    columns = tuple(
        KnownColumn(name=column.name, type=describe_type(column.type, fields.get(column.name)))
        for column in view.typed
    )
    return KnownTable(name=spec.target, schema=view.schema, origin=view.name, columns=columns)
