"""Rules of choices: CASE, COALESCE, NULLIF, GREATEST, LEAST."""

from __future__ import annotations

from typing import Any

from sqlglot import exp

from edgelift.worker.moved.builder import (
    Builder,
    Typed,
    call,
    case,
    column_node,
    rule,
    unify,
)
from edgelift.worker.moved.casts import write_as_text
from edgelift.worker.moved.kinds import (
    EXACT,
    NUMERIC,
    TEXT,
    UNKNOWN,
)
from edgelift.worker.moved.operators import condition, match
from edgelift.worker.moved.scopes import Scope

Node = Any


@rule(exp.Case)
def _case(builder: Builder, node: Node, scope: Scope) -> Typed:
    subject = node.args.get("this")
    whens, parts = [], []
    for branch in node.args["ifs"]:
        when = branch.this
        if subject is not None:
            when = exp.EQ(this=subject.copy(), expression=when.copy())
        whens.append(condition(builder, when, scope))
        parts.append(builder.build(branch.args["true"], scope))
    default = node.args.get("default")
    if default is not None:
        parts.append(builder.build(default, scope))
    nodes, kind = unify(builder, parts)
    shown = None if builder.is_mysql else show_places(nodes, parts)

    def choose(values: list[Node]) -> Node:
        last = values.pop() if default is not None else None
        return case(*zip([w.copy() for w in whens], values, strict=True), default=last)

    exact = None if shown is None else (choose(shown), NUMERIC)
    return Typed(choose(nodes), kind, exact=exact)


@rule(exp.Coalesce)
def _coalesce(builder: Builder, node: Node, scope: Scope) -> Typed:
    parts = [builder.build(part, scope) for part in (node.this, *node.expressions)]
    nodes, kind = unify(builder, parts)
    if len(nodes) == 1:
        return Typed(nodes[0], kind)
    shown = None if builder.is_mysql else show_places(nodes, parts)
    exact = None if shown is None else (call("coalesce", *shown), NUMERIC)
    return Typed(call("coalesce", *nodes), kind, exact=exact)


def show_places(nodes: list[Node], parts: list[Typed]) -> list[Node] | None:
    """Return numbers as texts with their own places, None where all have the same."""
    kinds = {(part.kind.name, part.kind.scale) for part in parts if part.kind != UNKNOWN}
    if len(kinds) < 2 or not any(name == "numeric" for name, _scale in kinds):
        return None
    if any(part.kind.name not in EXACT and part.kind != UNKNOWN for part in parts):
        return None
    return [
        node.copy() if part.kind == UNKNOWN else write_as_text(node.copy(), part.kind)
        for node, part in zip(nodes, parts, strict=True)
    ]


@rule(exp.Nullif)
def _nullif(builder: Builder, node: Node, scope: Scope) -> Typed:
    sides = [builder.build(side, scope) for side in (node.this, node.expression)]
    left, right = match(builder, sides[0], sides[1], "=")
    kind = sides[0].kind if sides[0].kind != UNKNOWN else TEXT
    return Typed(call("nullif", left, right), kind)


@rule(exp.Greatest, exp.Least)
def _extreme(builder: Builder, node: Node, scope: Scope) -> Typed:
    """Return the extreme of what is not NULL: SQLite's max(a, b) is NULL if one of them is."""
    parts = [builder.build(part, scope) for part in (node.this, *node.expressions)]
    nodes, kind = unify(builder, parts)
    if len(nodes) == 1:
        return Typed(nodes[0], kind)
    name = "max" if isinstance(node, exp.Greatest) else "min"
    if builder.is_mysql:
        return Typed(call(name, *nodes), kind)
    rows = " UNION ALL ".join(["SELECT NULL"] * len(nodes))
    query: Any = exp.maybe_parse(rows, dialect="sqlite")
    for select, value in zip(query.find_all(exp.Select), nodes, strict=True):
        select.set("expressions", [exp.alias_(value, "v", quoted=True)])
    picked = exp.select(call(name, column_node("", "v"))).from_(query.subquery("w"))
    return Typed(exp.Subquery(this=picked), kind)
