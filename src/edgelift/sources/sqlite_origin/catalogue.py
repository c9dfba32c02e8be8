"""The catalogue of a SQLite file in the words of servers' catalogues, for what plans by those."""

from __future__ import annotations

import re

from edgelift.model.catalogue import Catalogue, Column, ForeignKey, Table
from edgelift.model.origin_schema import (
    OriginCheck,
    OriginColumn,
    OriginForeignKey,
    OriginKey,
    OriginSchema,
    OriginSequence,
    OriginTable,
    OriginTrigger,
    OriginType,
    OriginView,
)

SCHEMA = "main"
_DECLARED = re.compile(r"\s*(?P<name>[^(]*?)\s*(?:\((?P<arguments>[^)]*)\).*)?", re.DOTALL)


def to_origin_schema(catalogue: Catalogue) -> OriginSchema:
    """Return the catalogue with every statement in it, so that its hash tells any change."""
    return OriginSchema(
        dialect="sqlite",
        version="",
        database=SCHEMA,
        tables=tuple(_to_table(table, catalogue) for table in catalogue.tables),
        views=tuple(
            OriginView(schema=SCHEMA, name=view.name, query=view.sql) for view in catalogue.views
        ),
        triggers=tuple(
            OriginTrigger(
                schema=SCHEMA, table=t.table, name=t.name, timing="", events=(), level="",
                body=t.sql,
            )
            for t in catalogue.triggers
        ),
        sequences=tuple(
            OriginSequence(
                schema=SCHEMA, name=table.name, last=catalogue.sequences.get(table.name),
                owner=name_counter(table),
            )
            for table in catalogue.tables
            if table.autoincrement
        ),
        others=(
            *(("table", table.sql) for table in catalogue.tables),
            *(("index", index.sql) for index in catalogue.indexes if index.sql),
        ),
    )  # fmt: skip


def name_counter(table: Table) -> str:
    """Return the column behind a table's AUTOINCREMENT as sequences name it."""
    return f"{SCHEMA}.{table.name}.{''.join(table.primary_key)}"


def _to_table(table: Table, catalogue: Catalogue) -> OriginTable:
    unique = [
        index for index in catalogue.indexes
        if index.table == table.name and index.unique and not index.partial
    ]  # fmt: skip
    primary = [OriginKey(name="primary key", columns=table.primary_key, primary=True)]
    return OriginTable(
        schema=SCHEMA,
        name=table.name,
        columns=tuple(_to_column(column, table) for column in table.columns),
        keys=(
            *(primary if table.primary_key else ()),
            *(OriginKey(name=index.name, columns=index.columns) for index in unique),
        ),
        foreign_keys=tuple(
            found
            for number, key in enumerate(table.foreign_keys)
            if (found := _to_foreign_key(number, key, catalogue)) is not None
        ),
        checks=tuple(
            OriginCheck(name=f"check {number}", expression=check)
            for number, check in enumerate(table.checks, 1)
        ),
        row_estimate=table.rows,
    )


def _to_column(column: Column, table: Table) -> OriginColumn:
    found = _DECLARED.fullmatch(column.declared)
    name = found["name"].lower() if found else column.declared.lower()
    written = re.findall(r"-?\d+", (found["arguments"] or "") if found else "")
    return OriginColumn(
        name=column.name,
        type=OriginType(
            name=name, written=column.declared, arguments=tuple(map(int, written)),
            collation="" if column.collation == "BINARY" else column.collation,
        ),
        not_null=column.not_null,
        default=column.default,
        generated=column.generated,
        generated_kind=column.generated_kind,
        identity="autoincrement" if table.autoincrement and column.primary_key else "",
    )  # fmt: skip


def _to_foreign_key(number: int, key: ForeignKey, catalogue: Catalogue) -> OriginForeignKey | None:
    """Return a key whose parent is there; one without columns of its own means the parent's key."""
    wanted = key.target_table.lower()
    parent = next((t for t in catalogue.tables if t.name.lower() == wanted), None)
    if parent is None:
        return None
    names = {column.name.lower(): column.name for column in parent.columns}
    targets = tuple(names.get(c.lower(), c) for c in key.target_columns) or parent.primary_key
    if len(targets) != len(key.columns):
        return None
    return OriginForeignKey(
        name=f"foreign key {number + 1}",
        columns=key.columns,
        target_schema=SCHEMA,
        target_table=parent.name,
        target_columns=targets,
        on_update=key.on_update,
        on_delete=key.on_delete,
        deferred=key.deferred,
    )
