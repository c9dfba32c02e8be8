"""What changes in the text of a table whose columns get another form: types, defaults, counters."""

from __future__ import annotations

from collections.abc import Iterator

import apsw
import msgspec

from edgelift.model.catalogue import Catalogue, Column, Table
from edgelift.model.row_spec import FieldSpec, RowSpec
from edgelift.rows.conversions import RefusedValueError
from edgelift.rows.ops import SQLITE, read_affinity, read_settings
from edgelift.rows.plan import build_plan
from edgelift.sources.sqlite_catalogue import quote_identifier
from edgelift.sources.sqlite_origin.chunks import write_literal
from edgelift.sources.sqlite_origin.connection import add_functions
from edgelift.sources.sqlite_tokens import tokenize
from edgelift.stages.schema.issues import ERROR, Issue
from edgelift.stages.schema.server.scope import NEW_UUID
from edgelift.stages.schema.sqlite.ddl import ColumnEdit, edit_table
from edgelift.stages.schema.sqlite.rewriting import Rewriting

_KEYS = frozenset({"uuid5", "uuid7"})
_STRICT = frozenset({"TEXT", "INTEGER", "REAL", "BLOB"})
_NOW = frozenset({"CURRENT_TIMESTAMP", "DATETIME('NOW')", "CURRENT_DATE"})
_CLOCKS = {
    "unix": "(unixepoch())",
    "unix_ms": "(CAST(unixepoch('subsec') * 1000 AS INTEGER))",
}


class UnfitError(Exception):
    """A default that an op does not take; its text says why."""


def edit_statements(rewriting: Rewriting) -> dict[str, str]:
    """Return the statements by name, with types, defaults and references changed."""
    statements = rewriting.scratch.read_statements()
    for table in rewriting.catalogue.tables:
        target = rewriting.name(table.name)
        if table.virtual or rewriting.is_gone(table.name) or target not in statements:
            continue
        orphans = {
            key.target_table.lower()
            for key in table.foreign_keys
            for other in rewriting.catalogue.tables
            if other.name.lower() == key.target_table.lower() and rewriting.is_gone(other.name)
        }
        for parent in sorted(orphans):
            rewriting.issues.append(
                Issue(
                    "SCHEMA-FK-TARGET",
                    ERROR,
                    "table",
                    target,
                    f"has a foreign key to {parent}, which stays behind",
                    "accept the rule: the table then moves without that foreign key",
                )
            )
        edits = {
            rewriting.name_column(table.name, column.name): edit
            for column in table.columns
            if (edit := plan_edit(rewriting, table, column)) is not None
        }
        statements[target] = edit_table(statements[target], edits, orphans)
    return statements


def is_rowid(table: Table, column: Column, catalogue: Catalogue) -> bool:
    """Return whether a column is SQLite's row number under another name."""
    if table.without_rowid or table.virtual or table.primary_key != (column.name,):
        return False
    # INTEGER PRIMARY KEY DESC is none: it has an index of its own.
    indexed = any(
        i.table == table.name and not i.sql and i.columns == (column.name,)
        for i in catalogue.indexes
    )
    return column.declared.upper() == "INTEGER" and not indexed


def plan_edit(rewriting: Rewriting, table: Table, column: Column) -> ColumnEdit | None:
    """Return what changes in a column's text, None for nothing."""
    stored = rewriting.ways.list_columns("stored", rewriting.read_table(table.name))
    plain = bool(column.generated_kind) and rewriting.name_column(table.name, column.name) in stored
    form = rewriting.forms.get((table.name, column.name))
    if form is None or (column.generated_kind and not plain):
        return ColumnEdit(plain=True) if plain else None
    number = is_rowid(table, column, rewriting.catalogue) and form.op != "int"
    defaults = list(_convert_default(rewriting, table, column, form))
    return ColumnEdit(
        type=_choose_type(rewriting, table, form),
        default=defaults[0] if defaults else None,
        plain=plain,
        counts=not number,
        filled=number,
    )


def _choose_type(rewriting: Rewriting, table: Table, form: FieldSpec) -> str:
    if not table.strict:
        return form.target_type
    affinity = read_affinity(form.target_type)
    if affinity in _STRICT:
        return affinity
    rewriting.issues.append(
        Issue(
            "SCHEMA-CAST",
            ERROR,
            "table",
            rewriting.name(table.name),
            f"column {form.column}: a STRICT table has no type {form.target_type}",
            "cast it to real, scaled or text",
            column=form.column,
            refuses=True,
        )
    )
    return "ANY"


def _convert_default(
    rewriting: Rewriting, table: Table, column: Column, form: FieldSpec
) -> Iterator[str]:
    """Yield the default in the column's new form, "" to take it away; nothing where it stays."""
    style = read_settings(form.op, form.argument).get("style", "")
    default = column.default
    if default is None:
        if form.op in _KEYS and table.primary_key == (column.name,):
            yield f"({NEW_UUID[style]})"
        return
    if _strip(default) in _NOW and style in _CLOCKS and form.op == "timestamp":
        yield _CLOCKS[style]
        return
    try:
        yield convert_constant(default, form)
    except UnfitError as error:
        rewriting.issues.append(
            Issue(
                "SCHEMA-DEFAULT",
                ERROR,
                "table",
                rewriting.name(table.name),
                f"column {form.column}: its default {default} has no such form: {error}",
                "accept the rule: the app then gives the value",
                column=form.column,
            )
        )
        yield ""


def _strip(default: str) -> str:
    text = default.strip().upper()
    while text.startswith("(") and text.endswith(")"):
        text = text[1:-1].strip()
    return text.replace(" ", "")


def convert_constant(default: str, form: FieldSpec) -> str:
    """Return a constant default through its column's own conversion; raises UnfitError."""
    if any(token.kind in {"word", "quoted"} for token in tokenize(default)):
        if default.strip().upper() in {"NULL", "(NULL)"}:
            return "NULL"
        raise UnfitError("it is no constant")
    db = apsw.Connection(":memory:")
    add_functions(db)
    read = form.read.replace(quote_identifier(form.origin), f"({default})")
    own = msgspec.structs.replace(form, read=read)
    try:
        found = db.execute(f"SELECT {read}").fetchone()
        plan = build_plan(RowSpec(schema="", table="", target="t", wire=SQLITE, fields=(own,)))
        assert found is not None
        value = None if found[0] is None else plan.converts[0](found[0])
    except (apsw.Error, RefusedValueError) as error:
        raise UnfitError(str(error)) from error
    if isinstance(value, str):
        return "'" + value.replace("'", "''") + "'"
    return "NULL" if value is None else write_literal(value)
