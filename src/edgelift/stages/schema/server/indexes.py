"""Indexes of the origin as SQLite's: columns, expressions, prefixes, conditions, equal NULLs."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from edgelift.model.origin_schema import IndexPart, OriginIndex, folds_case
from edgelift.sources.sqlite_catalogue import quote_identifier
from edgelift.stages.schema.issues import ERROR, NOTE, WARNING, Issue
from edgelift.stages.schema.server.constraints import (
    build_equal_null_indexes,
    find_equal_null_indexes,
)
from edgelift.stages.schema.server.expressions import convert_expression
from edgelift.stages.schema.server.folding import find_beyond, judge_folding
from edgelift.stages.schema.server.names import Names
from edgelift.stages.schema.server.parts import Broken, Part, TableContext
from edgelift.stages.schema.server.scope import UnconvertibleError

_ORDERED = frozenset({"btree", "hash", ""})
_BINARY = frozenset({"", "C", "POSIX", "default", "ucs_basic"})


def convert_indexes(context: TableContext, names: Names) -> Iterator[Part]:
    """Yield every index of a table, and those that a constraint with equal NULLs needs."""
    for index in context.table.indexes:
        yield from _convert_index(context, index, names)
    for name, sql in find_equal_null_indexes(context):
        claimed = names.claim("index", name)
        yield Part(
            kind="index", name=claimed, table=context.target,
            origin=f"{context.origin} NULLS NOT DISTINCT",
            sql=sql.replace(quote_identifier(name), quote_identifier(claimed), 1),
        )  # fmt: skip


def _convert_index(context: TableContext, index: OriginIndex, names: Names) -> Iterator[Part]:
    clash = index.name.lower() in names.taken
    name = names.claim("index", f"{context.target}_{index.name}" if clash else index.name)
    origin = f"{context.origin} {index.name}"
    part = Part(kind="index", name=name, origin=origin, table=context.target)
    if index.method.lower() not in _ORDERED:
        yield _drop_special(part, index)
        return
    try:
        columns = [_convert_part(context, index, piece) for piece in index.parts]
        where = (
            f" WHERE {convert_expression(index.where, replace(context.scope, lasting=True))}"
            if index.where
            else ""
        )
    except UnconvertibleError as error:
        yield _refuse(part, index, str(error))
        return
    unique = "UNIQUE " if index.unique else ""
    sql = (
        f"CREATE {unique}INDEX {quote_identifier(name)} ON {quote_identifier(context.target)} "
        f"({', '.join(columns)}){where}"
    )
    broken = context.broken.get(origin)
    if broken is not None:
        yield _refuse_broken(part, broken)
        return
    issues = [*_judge(index, name), *(_judge_case(context, index, name, sql) if unique else ())]
    yield replace(part, sql=sql, issues=tuple(issues))
    plain = all(piece.column for piece in index.parts)
    if index.nulls_equal and index.unique and plain and not index.where:
        own = [piece.column for piece in index.parts]
        for wanted, statement in build_equal_null_indexes(context, name, own):
            claimed = names.claim("index", wanted)
            yield Part(
                kind="index", name=claimed, table=context.target,
                origin=f"{origin} NULLS NOT DISTINCT",
                sql=statement.replace(quote_identifier(wanted), quote_identifier(claimed), 1),
            )  # fmt: skip


def _convert_part(context: TableContext, index: OriginIndex, piece: IndexPart) -> str:
    if piece.column:
        if piece.column not in context.fields:
            raise UnconvertibleError(f"it needs {piece.column}, which stays behind")
        sql = context.name_of(piece.column)
        if piece.length and index.unique:
            sql = f"substr({sql}, 1, {piece.length})"
            column = context.table.read_column(piece.column)
            if column is not None and folds_case(column.type):
                sql += " COLLATE NOCASE"  # an expression has not its column's
    else:
        sql = f"({convert_expression(piece.expression, replace(context.scope, lasting=True))})"
    return f"{sql} DESC" if piece.descending else sql


def _drop_special(part: Part, index: OriginIndex) -> Part:
    method = index.method.lower()
    if index.unique:
        return _refuse(part, index, f"SQLite has no index by {method}")
    asks = "a search by MATCH needs an fts5 table" if method == "fulltext" else "it serves speed"
    issue = Issue(
        "SCHEMA-INDEX-METHOD", WARNING, "index", part.name,
        f"is a {method} index, which SQLite has not; it is left out ({asks})",
    )  # fmt: skip
    return replace(part, issues=(issue,), becomes="left out")


def _refuse(part: Part, index: OriginIndex, reason: str) -> Part:
    unique = "; it is unique, so nothing would refuse a repetition" if index.unique else ""
    issue = Issue(
        "SCHEMA-INDEX", ERROR if index.unique else WARNING, "index", part.name,
        f"cannot be kept: {reason}{unique}", "make one that SQLite can have, or accept the rule",
        refuses=index.unique,
    )  # fmt: skip
    return replace(part, issues=(issue,), becomes="left out")


def _refuse_broken(part: Part, broken: Broken) -> Part:
    issue = Issue(
        broken.rule, ERROR, "index", part.name,
        f"is broken by {broken.count} values at the origin, such as {broken.examples}",
        "mend these rows at the origin, or accept the rule: the target then goes without it",
        refuses=True,
    )  # fmt: skip
    return replace(part, issues=(issue,), becomes="left out")


def _judge_case(context: TableContext, index: OriginIndex, name: str, sql: str) -> Iterator[Issue]:
    beyond = find_beyond(context, " ".join(piece.expression for piece in index.parts))
    loss = "it lets texts stand side by side that differ in the case of such letters"
    yield from judge_folding("index", name, sql, loss, beyond)


def _judge(index: OriginIndex, name: str) -> Iterator[Issue]:
    lost = []
    if index.include:
        lost.append(f"INCLUDE ({', '.join(index.include)})")
    if any(piece.nulls_first != piece.descending for piece in index.parts):
        lost.append("the place of NULLs in its order")
    if any(piece.length for piece in index.parts) and not index.unique:
        lost.append("prefix lengths: whole columns are indexed")
    odd = sorted({p.collation for p in index.parts} - _BINARY)
    if odd:
        lost.append(f"the collation {', '.join(odd)}")
    if lost:
        yield Issue(
            "SCHEMA-INDEX-PLAIN", NOTE, "index", name,
            f"is kept without {'; '.join(lost)}: that serves speed, not answers",
        )  # fmt: skip
    if (
        index.nulls_equal
        and index.unique
        and (index.where or not all(p.column for p in index.parts))
    ):
        yield Issue(
            "SCHEMA-NULLS-EQUAL", ERROR, "index", name,
            "treats NULLs as equal over expressions or a condition; SQLite lets them repeat",
            "check it in the app, or accept the rule",
        )  # fmt: skip
