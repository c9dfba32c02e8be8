"""Keys, foreign keys, checks and exclusions of a table as pieces of its statement."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Sequence
from dataclasses import replace

import msgspec

from edgelift.model.origin_schema import (
    OriginCheck,
    OriginColumn,
    OriginForeignKey,
    OriginKey,
    OriginTable,
    OriginType,
)
from edgelift.sources.sqlite_catalogue import quote_identifier
from edgelift.stages.schema.cascades import judge_round
from edgelift.stages.schema.issues import ERROR, NOTE, WARNING, Issue
from edgelift.stages.schema.server.expressions import convert_expression
from edgelift.stages.schema.server.folding import find_beyond, judge_folding
from edgelift.stages.schema.server.partitions import find_root
from edgelift.stages.schema.server.parts import Part, TableContext
from edgelift.stages.schema.server.scope import UnconvertibleError

_VALUE = re.compile(r"\bVALUE\b", re.IGNORECASE)
_ACTIONS = frozenset({"CASCADE", "SET NULL", "SET DEFAULT", "RESTRICT"})


def list_constraints(context: TableContext) -> Iterator[Part]:
    """Yield every constraint of a table as a part inside it."""
    for key in context.table.keys:
        yield _convert_key(context, key)
    for foreign in context.table.foreign_keys:
        yield _convert_foreign_key(context, foreign)
    for check in context.table.checks:
        yield _convert_check(context, check, check.expression)
    for column in context.table.columns:
        if column.name in context.fields:
            yield from _list_type_checks(context, column)
    for exclude in context.table.excludes:
        yield _refuse_exclusion(context, exclude)


def _part(context: TableContext, kind: str, name: str, *issues: Issue, sql: str = "") -> Part:
    return Part(
        kind=kind,
        name=f"{context.target}.{name}",
        origin=f"{context.origin}.{name}",
        sql=sql,
        inside=True,
        issues=issues,
    )


def _list(context: TableContext, columns: Sequence[str]) -> str:
    return ", ".join(context.name_of(column) for column in columns)


def _gone(context: TableContext, kind: str, name: str, columns: Sequence[str]) -> Part:
    missing = [column for column in columns if column not in context.fields]
    issue = Issue(
        "SCHEMA-COLUMN-GONE", ERROR, kind, f"{context.target}.{name}",
        f"needs {', '.join(missing)}, which stays behind", "move that column, or accept the rule",
        refuses=True,
    )  # fmt: skip
    return _part(context, kind, name, issue)


def _convert_key(context: TableContext, key: OriginKey) -> Part:
    kind = "primary key" if key.primary else "unique constraint"
    if not context.has(*key.columns):
        return _gone(context, kind, key.name, key.columns)
    issues = []
    if key.deferrable:
        issues.append(
            Issue(
                "SCHEMA-KEY-DEFERRED", WARNING, kind, f"{context.target}.{key.name}",
                "may be broken until the end of a transaction at the origin; SQLite checks it at "
                "each row",
            )
        )  # fmt: skip
    rowid = context.rowid_column
    if key.primary and rowid is not None:
        return replace(
            _part(context, kind, key.name, *issues), becomes="INTEGER PRIMARY KEY of its column"
        )
    word = "PRIMARY KEY" if key.primary else "UNIQUE"
    return _part(context, kind, key.name, *issues, sql=f"{word} ({_list(context, key.columns)})")


def find_equal_null_indexes(context: TableContext) -> Iterator[tuple[str, str]]:
    """Yield (name, statement) of the indexes that make NULLs equal in a unique constraint.

    For each set of its nullable columns: the rest is unique where just those are NULL.
    """
    for key in context.table.keys:
        if not key.nulls_equal or key.primary or not context.has(*key.columns):
            continue
        yield from build_equal_null_indexes(context, key.name, key.columns)


def build_equal_null_indexes(
    context: TableContext, name: str, columns: Sequence[str]
) -> Iterator[tuple[str, str]]:
    """Yield (name, statement) as `find_equal_null_indexes` does, for one list of columns."""
    nullable = [
        c for c in columns if (found := context.table.read_column(c)) and not found.not_null
    ]
    table = quote_identifier(context.target)
    number = 0
    for size in range(1, len(nullable) + 1):
        for absent in itertools.combinations(nullable, size):
            number += 1
            rest = [c for c in columns if c not in absent]
            parts = [context.name_of(c) for c in rest] or [f"{context.name_of(absent[0])} IS NULL"]
            where = " AND ".join(
                f"{context.name_of(c)} IS {'NULL' if c in absent else 'NOT NULL'}" for c in nullable
            )
            own = f"{name}_null_{number}"
            listed = ", ".join(f"({p})" if p.endswith(" IS NULL") else p for p in parts)
            head = f"CREATE UNIQUE INDEX {quote_identifier(own)} ON {table}"
            yield own, f"{head} ({listed}) WHERE {where}"


def _convert_foreign_key(context: TableContext, key: OriginForeignKey) -> Part:
    if not context.has(*key.columns):
        return _gone(context, "foreign key", key.name, key.columns)
    name = f"{context.target}.{key.name}"
    root = find_root(context.schema, (key.target_schema, key.target_table))
    if root is not None and _has_key(root, key.target_columns):
        key = msgspec.structs.replace(key, target_schema=root.schema, target_table=root.name)
    else:
        root = None
    target = context.tables.get((key.target_schema, key.target_table))
    if target is None:
        issue = Issue(
            "SCHEMA-FK-TARGET", ERROR, "foreign key", name,
            f"leads to {key.target_schema}.{key.target_table}, which stays behind",
            "move that table too, or accept the rule", refuses=True,
        )  # fmt: skip
        return _part(context, "foreign key", key.name, issue)
    columns = [
        context.target_column(key.target_schema, key.target_table, column)
        for column in key.target_columns
    ]
    sql = (
        f"FOREIGN KEY ({_list(context, key.columns)}) REFERENCES {quote_identifier(target)} "
        f"({', '.join(map(quote_identifier, columns))})"
    )
    for word, action in (("DELETE", key.on_delete), ("UPDATE", key.on_update)):
        if action.upper() in _ACTIONS:
            sql += f" ON {word} {action.upper()}"
    if key.deferrable and key.deferred:
        sql += " DEFERRABLE INITIALLY DEFERRED"
    issues = [*_judge_foreign_key(key, name)]
    pair = (context.origin, f"{key.target_schema}.{key.target_table}")
    if key.cascades and pair in context.rounds:
        issues.append(judge_round("foreign key", name))
    if root is not None:
        issues.append(
            Issue(
                "SCHEMA-FK-PARTITION", WARNING, "foreign key", name,
                f"leads to one partition of {root.schema}.{root.name} at the origin; here to all "
                "its rows",
            )
        )  # fmt: skip
    return _part(context, "foreign key", key.name, *issues, sql=sql)


def _has_key(table: OriginTable, columns: Sequence[str]) -> bool:
    """Return whether a key of the whole table names these columns, as a foreign key needs."""
    return any(set(key.columns) == set(columns) for key in table.keys)


def _judge_foreign_key(key: OriginForeignKey, name: str) -> Iterator[Issue]:
    if key.deferrable and not key.deferred:
        yield Issue(
            "SCHEMA-FK-DEFERRABLE", NOTE, "foreign key", name,
            "can be deferred by SET CONSTRAINTS at the origin; Cloudflare has PRAGMA "
            "defer_foreign_keys",
        )  # fmt: skip
    if key.match == "FULL" and len(key.columns) > 1:
        yield Issue(
            "SCHEMA-FK-MATCH", WARNING, "foreign key", name,
            "is MATCH FULL at the origin; SQLite lets a key with some NULLs pass",
        )  # fmt: skip
    if not key.validated:
        yield Issue(
            "SCHEMA-FK-UNCHECKED", WARNING, "foreign key", name,
            "is NOT VALID at the origin, so old rows may break it; data checks every row",
        )  # fmt: skip


def _convert_check(
    context: TableContext, check: OriginCheck, written: str, *, origin: str = ""
) -> Part:
    name = f"{context.target}.{check.name}"
    try:
        sql = convert_expression(written, replace(context.scope, lasting=True))
    except UnconvertibleError as error:
        issue = Issue(
            "SCHEMA-CHECK", ERROR, "check", name,
            f"{written} cannot be kept: {error}", "check it in the app, or accept the rule",
            refuses=True,
        )  # fmt: skip
        return replace(
            _part(context, "check", check.name, issue),
            origin=origin or f"{context.origin}.{check.name}",
        )
    loss = "it then takes and refuses other rows"
    issues = judge_folding("check", name, sql, loss, find_beyond(context, written))
    sql = f"CONSTRAINT {quote_identifier(check.name)} CHECK ({sql})"
    return _part(context, "check", check.name, *issues, sql=sql)


def _list_type_checks(context: TableContext, column: OriginColumn) -> Iterator[Part]:
    """Yield the checks that a column's type stands for: labels of an enum or SET, a domain's."""
    type_: OriginType | None = column.type
    field = context.fields[column.name]
    place = context.name_of(column.name)
    while type_ is not None and type_.kind == "domain":
        for check in _domain_checks(context, type_):
            written = _VALUE.sub(lambda _m: _quote(context, column.name), check.expression)
            named = OriginCheck(name=f"{field.column}_{check.name}", expression=written)
            yield _convert_check(context, named, written)
        type_ = type_.element
    if type_ is None or field.op != "text" or not type_.members:
        return
    if type_.kind == "enum":
        labels = ", ".join(_literal(label) for label in type_.members)
        sql = f"CHECK ({place} IN ({labels}))"
        if (
            type_.folds_case or type_.collation
        ):  # the column's NOCASE must not let other spellings pass
            sql = f"CHECK ({place} COLLATE BINARY IN ({labels}))"
    elif type_.name.lower() == "set":
        sql = f"CHECK ({place} COLLATE BINARY = {_build_set(place, type_.members)})"
    else:
        return
    yield _part(context, "check", f"{field.column} members", sql=sql)


def _domain_checks(context: TableContext, type_: OriginType) -> Sequence[OriginCheck]:
    found = [d for d in context.schema.types if d.type.name == type_.name and d.checks]
    return found[0].checks if found else ()


def _quote(context: TableContext, column: str) -> str:
    mark = "`" if context.scope.dialect == "mysql" else '"'
    return mark + column.replace(mark, mark * 2) + mark


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _build_set(place: str, members: Sequence[str]) -> str:
    """Return the text that a SET must be: its members in the order of the type, by commas."""
    listed = " || ".join(
        f"CASE WHEN instr(',' || {place} || ',', {_literal(f',{m},')}) THEN {_literal(f',{m}')} "
        "ELSE '' END"
        for m in members
    )
    return f"substr({listed}, 2)"


def _refuse_exclusion(context: TableContext, exclude: str) -> Part:
    name = exclude.split(" ", 1)[0]
    issue = Issue(
        "SCHEMA-EXCLUDE", ERROR, "exclusion constraint", f"{context.target}.{name}",
        f"{exclude} has no counterpart in SQLite", "check it in the app, or accept the rule",
        refuses=True,
    )  # fmt: skip
    return _part(context, "exclusion constraint", name, issue)
