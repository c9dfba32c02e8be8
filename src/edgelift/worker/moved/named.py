"""Rules of functions that are known by their names alone."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sqlglot import exp

from edgelift.worker.moved.aggregates import collect_array
from edgelift.worker.moved.builder import (
    _BARE_CALLS,
    Builder,
    Typed,
    call,
    column_node,
    describe,
    number,
    raw,
    rule,
    text,
    unify,
)
from edgelift.worker.moved.casts import as_element, to_text
from edgelift.worker.moved.constants import CLOCK, Constant
from edgelift.worker.moved.dates import find_part
from edgelift.worker.moved.documents import list_paths
from edgelift.worker.moved.failures import refuse
from edgelift.worker.moved.kinds import (
    BOOL,
    FLOAT8,
    INT4,
    INT8,
    JSON,
    JSONB,
    TEXT,
    VOID,
    Kind,
)
from edgelift.worker.moved.lexing import OWN_NAME
from edgelift.worker.moved.operators import condition
from edgelift.worker.moved.scopes import Scope

Node = Any


def _session_value(name: str) -> Callable[[Builder, Node, Scope], Typed]:
    """Return the rule of a function that tells of the session."""

    def make(builder: Builder, _node: Node, _scope: Scope) -> Typed:
        builder.is_private = True
        return Typed(text(builder.settings.get(name, "")), TEXT)

    return make


def _void(builder: Builder, node: Node, scope: Scope) -> Typed:
    """Return nothing: who takes an advisory lock has the object for himself already."""
    builder.locks = True
    for part in node.expressions:
        builder.build_as(part, scope, INT8)
    return Typed(text(""), VOID)


def _locked(builder: Builder, node: Node, scope: Scope) -> Typed:
    return Typed(number(1), BOOL) if _void(builder, node, scope) else Typed(number(0), BOOL)


def _json_length(builder: Builder, node: Node, scope: Scope) -> Typed:
    typed = builder.build(node.expressions[0], scope)
    return Typed(call("json_array_length", builder.settle(typed)), INT4)


def _array_length(builder: Builder, node: Node, scope: Scope) -> Typed:
    size = _json_length(builder, node, scope).node
    return Typed(call("nullif", size, number(0)), INT4)


def _build_object(kind: Kind) -> Callable[[Builder, Node, Scope], Typed]:
    def make(builder: Builder, node: Node, scope: Scope) -> Typed:
        values = []
        for index, part in enumerate(node.expressions):
            typed = builder.build(part, scope)
            value = builder.settle(typed)
            name = to_text(builder, typed._replace(node=value, constant=None))
            values.append(name if index % 2 == 0 else as_element(value, typed.kind))
        return Typed(call("json_object", *values), kind._replace(form="made"))

    return make


def _json_kind(builder: Builder, node: Node, scope: Scope) -> Typed:
    """Return the type of a document as PostgreSQL names it."""
    value = builder.settle(builder.build(node.expressions[0], scope))
    names = "WHEN 'integer' THEN 'number' WHEN 'real' THEN 'number' WHEN 'text' THEN 'string'"
    bools = "WHEN 'true' THEN 'boolean' WHEN 'false' THEN 'boolean'"
    return Typed(
        raw(f"CASE json_type({{v}}) {names} {bools} ELSE json_type({{v}}) END", v=value), TEXT
    )


def _json_set(builder: Builder, node: Node, scope: Scope) -> Typed:
    """Return a document with a value at a path that the statement names."""
    if len(node.expressions) != 3:
        raise refuse("jsonb_set() with a fourth argument")
    paths = list_paths(builder.look(_bare(node.expressions[1])) or "")
    if len(paths) != 1:
        raise refuse("jsonb_set() at a place of an array")
    value, new = (builder.build_as(node.expressions[place], scope, JSONB) for place in (0, 2))
    sql = "CASE WHEN {n} IS NOT NULL THEN json_set({v}, {p}, json({n})) END"
    return Typed(raw(sql, v=value, p=text(paths[0]), n=new), JSONB._replace(form="made"))


def _bare(node: Node) -> Node:
    return node.this if isinstance(node, exp.Cast) else node


def _every(builder: Builder, node: Node, scope: Scope) -> Typed:
    return Typed(exp.Min(this=condition(builder, node.expressions[0], scope)), BOOL)


def _json_agg(kind: Kind) -> Callable[[Builder, Node, Scope], Typed]:
    def make(builder: Builder, node: Node, scope: Scope) -> Typed:
        made = collect_array(builder, exp.ArrayAgg(this=node.expressions[0].copy()), scope)
        return made._replace(kind=kind._replace(form="made"))

    return make


def _clock(_builder: Builder, _node: Node, _scope: Scope) -> Typed:
    kind = Kind("timestamptz")
    return Typed(None, kind, Constant(CLOCK, 0, kind))


def _transaction_clock(_builder: Builder, _node: Node, _scope: Scope) -> Typed:
    kind = Kind("timestamptz")
    return Typed(None, kind, Constant("now", 0, kind))


def _counter(builder: Builder, node: Node, _scope: Scope) -> Typed:
    """Return the last number of a table's counter."""
    name = builder.look(node.expressions[0]) if node.expressions else None
    table = builder.catalogue.find_sequence(name or "")
    if table is None:
        raise refuse(f"{describe(node)} of a sequence that no table counts with")
    query = exp.select(column_node("", "seq")).from_(
        exp.Table(this=exp.Identifier(this="sqlite_sequence", quoted=True))
    )
    query = query.where(exp.EQ(this=column_node("", "name"), expression=text(table.name)))
    return Typed(exp.Subquery(this=query), INT8)


def _setting(builder: Builder, node: Node, _scope: Scope) -> Typed:
    name = builder.look(node.expressions[0]) or ""
    builder.is_private = True
    return Typed(text(builder.settings.get(name.lower(), "")), TEXT)


def _ordered_numbers(builder: Builder, node: Node, scope: Scope) -> Typed:
    parts = [builder.build(part, scope) for part in node.expressions]
    nodes, kind = unify(builder, parts)
    return Typed(call(str(node.this).lower(), *nodes), kind)


NAMED: dict[str, Callable[[Builder, Node, Scope], Typed]] = {
    "clock_timestamp": _clock, "transaction_timestamp": _transaction_clock,
    "statement_timestamp": _transaction_clock,
    **dict.fromkeys(("pg_advisory_lock", "pg_advisory_xact_lock", "pg_advisory_lock_shared",
                     "pg_advisory_xact_lock_shared"), _void),
    **dict.fromkeys(("pg_try_advisory_lock", "pg_try_advisory_xact_lock", "pg_advisory_unlock"),
                    _locked),
    "jsonb_array_length": _json_length, "json_array_length": _json_length,
    "every": _every, "cardinality": _json_length, "array_length": _array_length,
    "jsonb_build_object": _build_object(JSONB), "json_build_object": _build_object(JSON),
    "jsonb_typeof": _json_kind, "json_typeof": _json_kind, "jsonb_set": _json_set,
    "json_agg": _json_agg(JSON), "jsonb_agg": _json_agg(JSONB), "currval": _counter,
    "current_setting": _setting, "pg_advisory_unlock_all": lambda *_a: Typed(text(""), VOID),
    "pg_backend_pid": lambda *_a: Typed(number(1), INT4),
}  # fmt: skip


@rule(exp.Anonymous)
def _anonymous(builder: Builder, node: Node, scope: Scope) -> Typed:
    found = NAMED.get(str(node.this).lower())
    if found is None:
        raise refuse(f"it calls {str(node.this).lower()}()")
    return found(builder, node, scope)


def _aggregate_json(builder: Builder, node: Node, scope: Scope) -> Typed:
    return _json_agg(JSON)(builder, exp.Anonymous(this="json_agg", expressions=[node.this]), scope)


for _told, _name in (
    (exp.CurrentVersion, "version"), (exp.CurrentDatabase, "database"),
    (exp.CurrentSchema, "schema"), (exp.CurrentUser, "user"),
):  # fmt: skip
    rule(_told)(_session_value(_name))
rule(exp.JSONArrayAgg)(_aggregate_json)


def _as_class(kind: type, *names: str, **fixed: Any) -> Callable[[Builder, Node, Scope], Typed]:
    """Return the rule of a function that is another class's by another name."""

    def make(builder: Builder, node: Node, scope: Scope) -> Typed:
        given = dict(zip(names, node.expressions, strict=False))
        return builder.build(kind(**given, **fixed), scope)

    return make


def _date_part(builder: Builder, node: Node, scope: Scope) -> Typed:
    unit, value = node.expressions
    return find_part(builder, exp.Extract(this=unit, expression=value), scope)._replace(kind=FLOAT8)


NAMED.update({
    OWN_NAME + name: made
    for name, made in {
        "char_length": _as_class(exp.Length, "this"),
        "character_length": _as_class(exp.Length, "this"),
        "ltrim": _as_class(exp.Trim, "this", "expression", position="LEADING"),
        "rtrim": _as_class(exp.Trim, "this", "expression", position="TRAILING"),
        "btrim": _as_class(exp.Trim, "this", "expression"),
        "strpos": _as_class(exp.StrPosition, "this", "substr"),
        "array_length": _array_length,
        "json_agg": _json_agg(JSON),
        "every": _every,
        "date_part": _date_part,
    }.items()
})  # fmt: skip
_BARE_CALLS.update({"session_user": _session_value("user"), "user": _session_value("user")})
