"""Build a table for SQLite: its columns with defaults, collations and generated expressions."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import replace

import apsw

from edgelift.model.origin_schema import OriginColumn, folds_case
from edgelift.model.row_spec import FieldSpec
from edgelift.rows.ops import read_settings
from edgelift.sources.sqlite_catalogue import quote_identifier
from edgelift.stages.schema.issues import ERROR, NOTE, WARNING, Issue
from edgelift.stages.schema.server.constraints import list_constraints
from edgelift.stages.schema.server.expressions import convert_default, convert_expression
from edgelift.stages.schema.server.folding import find_beyond, judge_folding, list_folding
from edgelift.stages.schema.server.parts import (
    Part,
    TableContext,
    is_text,
    read_field_kind,
    write_toml,
)
from edgelift.stages.schema.server.scope import NEW_UUID, UnconvertibleError
from edgelift.targets import d1_dialect as d1

FOREIGN_RULE = "SCHEMA-FOREIGN-TABLE"
_OF_COLUMNS = frozenset({"generated column", "default", "identity"})


def convert_table(context: TableContext) -> list[Part]:
    """Return the table as a part with its statement, and every piece of it as a part inside."""
    pieces = [part for column in context.table.columns for part in _list_column(context, column)]
    pieces += [_refuse_broken(context, piece) for piece in list_constraints(context)]
    pieces = _settle(context, pieces)
    statement = _build_statement(context, pieces)
    table = Part(
        kind="table",
        name=context.target,
        origin=context.origin,
        sql=statement,
        comment=context.table.comment,
        issues=(*context.issues, *_judge_table(context)),
    )
    return [table, *pieces]


def _build_statement(context: TableContext, pieces: Iterable[Part]) -> str:
    kept = [part for part in pieces if part.sql and not part.refused]
    lines = [part.sql for part in kept if part.kind not in _OF_COLUMNS]
    body = ",\n  ".join(_join_columns(context, kept) + lines)
    return f"CREATE TABLE {quote_identifier(context.target)} (\n  {body}\n)"


def _settle(context: TableContext, pieces: list[Part]) -> list[Part]:
    """Return the pieces, those refused that SQLite itself does not take.

    One of them must not make the whole table fail in the real engine afterwards.
    """
    if not context.fields or not _find_fault(_build_statement(context, pieces)):
        return pieces
    return [
        _refuse_piece(piece, fault)
        if piece.sql
        and not piece.refused
        and piece.kind in _RULES
        and (fault := _find_fault(_build_statement(context, [piece])))
        else piece
        for piece in pieces
    ]


def _refuse_broken(context: TableContext, piece: Part) -> Part:
    """Return the constraint, refused where rows of the origin break it."""
    found = context.broken.get(piece.origin)
    if found is None or piece.refused or not piece.sql:
        return piece
    issue = Issue(
        found.rule, ERROR, piece.kind, piece.name,
        f"is broken by {found.count} rows at the origin, such as {found.examples}",
        "mend these rows at the origin, or accept the rule: the target then goes without it",
        refuses=True,
    )  # fmt: skip
    return replace(piece, issues=(*piece.issues, issue))


_RULES = {
    "check": "SCHEMA-CHECK",
    "default": "SCHEMA-DEFAULT",
    "generated column": "SCHEMA-GENERATED",
    "foreign key": "SCHEMA-FK-TARGET",
}


def _find_fault(statement: str) -> str:
    try:
        apsw.Connection(":memory:").execute(statement)
    except apsw.Error as error:
        return str(error)
    return ""


def _refuse_piece(piece: Part, fault: str) -> Part:
    issue = Issue(
        _RULES[piece.kind], ERROR, piece.kind, piece.name,
        f"SQLite refuses {piece.sql}: {fault}", "rewrite it at the origin, or accept the rule",
        refuses=True,
    )  # fmt: skip
    return replace(piece, issues=(*piece.issues, issue))


def _join_columns(context: TableContext, pieces: Iterable[Part]) -> list[str]:
    """Return the definition of every column that moves, with its default or expression."""
    more = {
        (part.kind, part.name): part.sql
        for part in pieces
        if part.inside and part.sql and not part.refused
    }
    lines = []
    for column in context.table.columns:
        field = context.fields.get(column.name)
        if field is None:
            continue
        name = f"{context.target}.{field.column}"
        words = [quote_identifier(field.column), _declare(context, column, field)]
        generated = more.get(("generated column", name))
        if generated:
            words.append(generated)
        elif context.rowid_column is column:
            words.append("PRIMARY KEY" + (" AUTOINCREMENT" if column.identity else ""))
        if field.not_null or column.not_null:
            words.append("NOT NULL")
        if folds_case(column.type) and is_text(field):
            words.append("COLLATE NOCASE")
        default = more.get(("default", name))
        if default and not generated:
            words.append(default)
        lines.append(" ".join(words))
    return lines


def _declare(context: TableContext, column: OriginColumn, field: FieldSpec) -> str:
    return "INTEGER" if context.rowid_column is column else field.target_type


def _list_column(context: TableContext, column: OriginColumn) -> Iterator[Part]:
    field = context.fields.get(column.name)
    if field is None:
        return
    name = f"{context.target}.{field.column}"
    origin = f"{context.origin}.{column.name}"
    if column.generated is not None:
        yield _convert_generated(context, column, name, origin)
    elif column.identity:
        yield _convert_identity(context, column, name, origin)
    elif column.default is not None:
        yield _convert_default(context, column, name, origin)


def _convert_generated(context: TableContext, column: OriginColumn, name: str, origin: str) -> Part:
    written = column.generated or ""
    field = context.fields[column.name]
    if field.column in context.stored:
        return Part(
            kind="generated column", name=name, origin=origin, inside=True,
            becomes="a plain column with the values it has, as edgelift.toml says",
        )  # fmt: skip
    try:
        sql = convert_expression(written, replace(context.scope, lasting=True))
        _check_folding(context, written, sql)
        if read_field_kind(field) == "number" and column.type.arguments[1:]:
            sql = f"ROUND({sql}, {column.type.arguments[1]})"
        if read_field_kind(field) == "integer" and _has_fractions(context, written):
            # Decimals are REAL here: 2.55 * 100 is 254.99999999999997, and no INTEGER column
            # makes that whole; both servers round when they store.
            sql = f"CAST(ROUND({sql}) AS INTEGER)"
    except UnconvertibleError as error:
        issue = Issue(
            "SCHEMA-GENERATED", ERROR, "generated column", name,
            f"is computed by {written}: {error}; its values move, but nothing computes new ones",
            "compute it in the app, or accept the rule", refuses=True,
        )  # fmt: skip
        return Part(
            kind="generated column", name=name, origin=origin, inside=True, issues=(issue,),
            becomes="a plain column",
        )  # fmt: skip
    kind = "VIRTUAL" if column.generated_kind == "virtual" else "STORED"
    return Part(
        kind="generated column", name=name, origin=origin, inside=True,
        sql=f"GENERATED ALWAYS AS ({sql}) {kind}",
        issues=tuple(judge_folding("generated column", name, sql, "its values differ for these")),
    )  # fmt: skip


def _check_folding(context: TableContext, written: str, sql: str) -> None:
    """Refuse values that SQLite would compute otherwise for the texts that are there."""
    beyond = find_beyond(context, written) if list_folding(sql) else ""
    if beyond:
        raise UnconvertibleError(f"{beyond}, and SQLite turns the case of A to Z only")


def _has_fractions(context: TableContext, written: str) -> bool:
    """Return whether an expression may give more than whole numbers: those stay exact."""
    numbers = (n for n, field in context.fields.items() if read_field_kind(field) == "number")
    named = any(re.search(rf"(?<!\w){re.escape(name)}(?!\w)", written) for name in numbers)
    return named or re.search(r"/|\d\.\d", written) is not None


def _convert_identity(context: TableContext, column: OriginColumn, name: str, origin: str) -> Part:
    if context.rowid_column is column:
        issues = tuple(_judge_sequence(context, column, name))
        return Part(
            kind="identity", name=name, origin=origin, inside=True, becomes="AUTOINCREMENT",
            issues=issues,
        )  # fmt: skip
    if column.name in context.rewritten:
        style = read_settings(*_way(context, column))["style"]
        return Part(
            kind="default", name=name, origin=origin, inside=True,
            sql=f"DEFAULT ({NEW_UUID[style]})", becomes="a random UUID for new rows",
        )  # fmt: skip
    issue = Issue(
        "SCHEMA-IDENTITY", ERROR, "identity", name,
        f"is numbered by the server ({column.identity}), but is not the table's single integer "
        "primary key: SQLite numbers only that, so inserts must give a value",
        "let the app give the value, or accept the rule", refuses=True,
    )  # fmt: skip
    return Part(kind="identity", name=name, origin=origin, inside=True, issues=(issue,))


def _way(context: TableContext, column: OriginColumn) -> tuple[str, str]:
    field = context.fields[column.name]
    return field.op, field.argument


def _judge_sequence(context: TableContext, column: OriginColumn, name: str) -> Iterator[Issue]:
    owner = f"{context.origin}.{column.name}"
    found = next((s for s in context.schema.sequences if s.owner == owner), None)
    if found is not None and found.increment != 1:
        yield Issue(
            "SCHEMA-SEQUENCE-STEP", WARNING, "identity", name,
            f"counts in steps of {found.increment} at the origin, AUTOINCREMENT in steps of 1",
        )  # fmt: skip


def _convert_default(context: TableContext, column: OriginColumn, name: str, origin: str) -> Part:
    written = column.default or ""
    field = context.fields[column.name]
    if column.name in context.rewritten:
        return _rewritten_default(written, name, origin)
    try:
        sql = convert_default(written, read_field_kind(field), context.scope)
    except UnconvertibleError as error:
        issue = Issue(
            "SCHEMA-DEFAULT", ERROR, "default", name,
            f"{written} has no counterpart: {error}; inserts must then give a value",
            "let the app give the value, or accept the rule", refuses=True,
        )  # fmt: skip
        return Part(kind="default", name=name, origin=origin, inside=True, issues=(issue,))
    issues: tuple[Issue, ...] = ()
    if "'now'" in sql or "CURRENT_" in sql or "UNIXEPOCH(" in sql:
        issues = (
            Issue(
                "SCHEMA-DEFAULT-CLOCK", NOTE, "default", name,
                f"{written} becomes {sql}: the time in UTC, to the millisecond",
            ),
        )  # fmt: skip
    return Part(
        kind="default", name=name, origin=origin, inside=True, sql=f"DEFAULT {sql}", issues=issues
    )


def _rewritten_default(written: str, name: str, origin: str) -> Part:
    if written.strip().upper() == "NULL":
        return Part(kind="default", name=name, origin=origin, inside=True, sql="DEFAULT NULL")
    issue = Issue(
        "SCHEMA-DEFAULT", ERROR, "default", name,
        f"{written} is a key that became a UUID", "let the app give the value, or accept the rule",
        refuses=True,
    )  # fmt: skip
    return Part(kind="default", name=name, origin=origin, inside=True, issues=(issue,))


def _write_exclude(context: TableContext) -> str:
    return f"[schema] exclude = [{write_toml(context.origin)}]"


def _judge_table(context: TableContext) -> Iterator[Issue]:
    table, target = context.table, context.target
    if len(context.fields) > d1.MAX_COLUMNS:
        yield Issue(
            "SCHEMA-COLUMNS", ERROR, "table", target,
            f"has {len(context.fields)} columns, Cloudflare takes {d1.MAX_COLUMNS}",
            "split it at the origin, leave columns out under [schema] exclude, or accept the rule: "
            "the table is then left out", refuses=True,
        )  # fmt: skip
    if not context.fields:
        yield Issue(
            "SCHEMA-NO-COLUMNS", ERROR, "table", target, "has no column that moves",
            f"leave it out: {_write_exclude(context)}, or accept the rule, which does the same",
            refuses=True,
        )  # fmt: skip
    if table.inherits:
        yield Issue(
            "SCHEMA-INHERITANCE", ERROR, "table", target,
            f"inherits from {', '.join(table.inherits)}: it becomes a table of its own, and a "
            "query of the parent no longer shows its rows",
            "query both tables in the app, and accept the rule",
        )  # fmt: skip
    if not table.transactional and table.kind != "foreign":
        yield Issue(
            "SCHEMA-OUTSIDE-SNAPSHOT", WARNING, "table", target,
            "lies in an engine without transactions: its rows move as they are when its turn comes",
            "change nothing in it during the copy, or make it InnoDB at the origin",
        )  # fmt: skip
    if table.kind == "foreign":
        yield Issue(
            FOREIGN_RULE, ERROR, "table", target,
            "is a window on another server, which was not asked; accepted, it is, and its rows "
            "move as they are then",
            f"leave it out: {_write_exclude(context)}, or accept the rule",
        )  # fmt: skip
    if table.kind == "materialized":
        yield Issue(
            "SCHEMA-VIEW-MATERIALIZED", WARNING, "table", target,
            "is a materialized view at the origin: its rows move as a table, which nothing "
            "refreshes", "let the app fill it anew, or leave it out under [schema] exclude",
        )  # fmt: skip
