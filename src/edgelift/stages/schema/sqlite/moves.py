"""How each table of a rewritten SQLite file is copied, and how its views are compared."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import msgspec

from edgelift.model.catalogue import Catalogue, Table
from edgelift.model.move_plan import TableMove
from edgelift.model.row_spec import FieldSpec, RowSpec
from edgelift.rows.ops import SQLITE
from edgelift.sources.origin_database import TableFacts
from edgelift.sources.sqlite_catalogue import quote_identifier
from edgelift.sources.sqlite_ddl import read_fts_content
from edgelift.sources.sqlite_origin.catalogue import SCHEMA, name_counter
from edgelift.stages.schema.sqlite.edits import is_rowid
from edgelift.stages.schema.sqlite.rewriting import Rewriting
from edgelift.stages.schema.sqlite.scratch import Scratch

_ALIASES = ("rowid", "_rowid_", "oid")


@dataclass(frozen=True)
class Rows:
    """Which rows of a table move: `spec` with what names them first, and what stays computed."""

    spec: RowSpec
    computed: tuple[FieldSpec, ...]
    key: tuple[str, ...]
    rowid_column: str


def plan_rows(rewriting: Rewriting, table: Table) -> Rows:
    """Return how a table's rows are read; its row numbers come along where it has them."""
    ways, name = rewriting.ways, (SCHEMA, table.name)
    stored = ways.list_columns("stored", rewriting.read_table(table.name))
    generated = {c.name for c in table.columns if c.generated_kind}
    fields = tuple(found for found in ways.specs[name].fields if found.op != "refused")
    computed = tuple(f for f in fields if f.origin in generated and f.column not in stored)
    plain = tuple(f for f in fields if f not in computed)
    by_origin = {found.origin: found for found in plain}
    number = next((c for c in table.columns if is_rowid(table, c, rewriting.catalogue)), None)
    key = [by_origin[c].column for c in table.primary_key if c in by_origin]
    named = tuple(key) if len(key) == len(table.primary_key) else ()
    spec = ways.specs[name]
    if number and number.name in by_origin and by_origin[number.name].op in {"keep", "int"}:
        own = by_origin[number.name]
        spec = msgspec.structs.replace(spec, fields=plain, key=(own.read,))
        return Rows(spec, computed, (own.column,), own.column if own.op == "keep" else "")
    alias = _find_alias(table, fields)
    if alias:
        row = FieldSpec(column=alias, read=alias, op="keep", origin=alias)
        spec = msgspec.structs.replace(spec, fields=(row, *plain), key=(alias,))
        return Rows(spec, computed, named or (alias,), alias)
    keys = tuple(map(quote_identifier, table.primary_key)) if table.without_rowid else ()
    return Rows(msgspec.structs.replace(spec, fields=plain, key=keys), computed, named, "")


def _find_alias(table: Table, fields: tuple[FieldSpec, ...]) -> str:
    """Return the name of the row number, at the origin and at the target; empty when none is."""
    if table.without_rowid or table.virtual not in {"", "fts5"}:
        return ""
    taken = {column.name.lower() for column in table.columns}
    taken |= {found.column.lower() for found in fields}
    return next((alias for alias in _ALIASES if alias not in taken), "")


def holds_rows(table: Table) -> bool:
    """Return whether rows must be copied: not for an index over another table's content."""
    indexes = table.virtual == "fts5" and read_fts_content(table.sql) is not None
    return table.virtual != "fts5vocab" and not indexes


def build_moves(
    rewriting: Rewriting, kept: set[str], facts: Mapping[str, TableFacts]
) -> tuple[TableMove, ...]:
    """Return how each table that is kept (names at the target) is copied; `facts` by its origin."""
    moves = []
    for table in rewriting.catalogue.tables:
        if rewriting.name(table.name) not in kept or not holds_rows(table):
            continue
        rows = plan_rows(rewriting, table)
        objects = rewriting.ways.objects.get((SCHEMA, table.name), ())
        known = facts.get(table.name)
        moves.append(
            TableMove(
                spec=rows.spec,
                computed=rows.computed,
                key=rows.key,
                rowid_column=rows.rowid_column,
                counter=name_counter(table) if _counts(rewriting, table) else "",
                objects=objects,
                numbered=not table.without_rowid,
                rows=table.rows,
                bytes=known.total_bytes if known else 0,
            )
        )
    return tuple(moves)


def _counts(rewriting: Rewriting, table: Table) -> bool:
    """Return whether AUTOINCREMENT goes on at the target."""
    key = "".join(table.primary_key)
    form = rewriting.forms.get((table.name, key))
    return table.autoincrement and (form is None or form.op == "int")


def list_finishing(catalogue: Catalogue, kept: set[str]) -> tuple[str, ...]:
    """Return what is run behind the rows: search indexes over other tables, statistics."""
    found = [
        f"INSERT INTO main.{name} ({name}) VALUES ('rebuild')"
        for table in catalogue.tables
        if table.name in kept and table.virtual == "fts5" and read_fts_content(table.sql)
        for name in [quote_identifier(table.name)]
    ]
    return (*found, "ANALYZE main") if catalogue.statistics else tuple(found)


def build_views(rewriting: Rewriting, kept: set[str]) -> tuple[RowSpec, ...]:
    """Return how the rows of views are read at the origin, in the form that they have here.

    A column that a view only passes on has the form of the column behind it.
    """
    origin = Scratch(rewriting.catalogue)
    specs = []
    for view in rewriting.catalogue.views:
        if view.name in kept and view.name not in origin.aside:
            fields = tuple(_list_view_fields(rewriting, origin, view.name))
            specs.append(
                RowSpec(
                    schema=SCHEMA, table=view.name, target=view.name, wire=SQLITE, fields=fields
                )
            )  # fmt: skip
    return tuple(specs)


def _list_view_fields(rewriting: Rewriting, origin: Scratch, view: str) -> Iterator[FieldSpec]:
    query = f"SELECT * FROM main.{quote_identifier(view)} LIMIT 0"
    before = origin.describe(query)
    after = rewriting.scratch.describe(query)
    for (name, table, column), (new, _, _) in zip(before, after, strict=True):
        form = rewriting.forms.get((table, column))
        read = quote_identifier(name)
        if form is None:
            yield FieldSpec(column=new, read=read, op="keep")
        else:
            own = form.read.replace(quote_identifier(form.origin), read)
            yield msgspec.structs.replace(form, column=new, read=own)
