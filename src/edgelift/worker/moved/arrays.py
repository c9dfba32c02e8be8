"""Rules of arrays, which the move keeps as JSON."""

from __future__ import annotations

from typing import Any

from sqlglot import exp

from edgelift.worker.moved.builder import (
    Builder,
    Typed,
    call,
    column_node,
    number,
    rule,
    table_of,
    text,
    unify,
)
from edgelift.worker.moved.failures import refuse
from edgelift.worker.moved.kinds import (
    BOOL,
    INT4,
    array_of,
)
from edgelift.worker.moved.scopes import Scope

Node = Any


@rule(exp.Array)
def _array(builder: Builder, node: Node, scope: Scope) -> Typed:
    if len(node.expressions) == 1 and isinstance(node.expressions[0], exp.Select | exp.Subquery):
        raise refuse("ARRAY of a query")
    parts = [builder.build(item, scope) for item in node.expressions]
    nodes, kind = unify(builder, parts)
    if kind.element is not None:
        nodes = [call("json", one) for one in nodes]
    return Typed(call("json_array", *nodes), array_of(kind))


@rule(
    exp.ArrayContainsAll,
    exp.ArrayContainedBy if hasattr(exp, "ArrayContainedBy") else exp.ArrayOverlaps,
)
def _contains(builder: Builder, node: Node, scope: Scope) -> Typed:
    whole, part = _both_arrays(builder, node, scope)
    inner = exp.select(column_node("w", "value")).from_(table_of("w", call("json_each", whole)))
    found = exp.In(this=column_node("p", "value"), query=exp.Subquery(this=inner))
    missing = exp.select(number(1)).from_(table_of("p", call("json_each", part)))
    missing = missing.where(exp.Not(this=found))
    return Typed(exp.Not(this=exp.Exists(this=missing)), BOOL)


@rule(exp.ArrayOverlaps)
def _overlaps(builder: Builder, node: Node, scope: Scope) -> Typed:
    left, right = _both_arrays(builder, node, scope)
    same = exp.EQ(this=column_node("a", "value"), expression=column_node("b", "value"))
    rows = exp.select(number(1)).from_(table_of("a", call("json_each", left)))
    rows = rows.join(table_of("b", call("json_each", right)), on=same)
    return Typed(exp.Exists(this=rows), BOOL)


def _both_arrays(builder: Builder, node: Node, scope: Scope) -> tuple[Node, Node]:
    sides = [builder.build(side, scope) for side in (node.this, node.expression)]
    kinds = [side.kind for side in sides if side.kind.element is not None]
    if not kinds:
        raise refuse("operators of documents (@>, <@)")
    nodes = [builder.settle(builder.coerce(side, kinds[0]), kinds[0]) for side in sides]
    return nodes[0], nodes[1]


@rule(exp.Bracket)
def _element(builder: Builder, node: Node, scope: Scope) -> Typed:
    inner = builder.build(node.this, scope)
    if inner.kind.element is None or len(node.expressions) != 1:
        raise refuse("a subscript of what is no plain array")
    index = node.expressions[0]
    if isinstance(index, exp.Literal):  # sqlglot counts from 0, the server from 1
        index = exp.Literal.number(str(int(index.this) + 1))
    place = builder.build_as(index, scope, INT4)
    path = exp.DPipe(
        this=exp.DPipe(
            this=text("$["), expression=exp.Paren(this=exp.Sub(this=place, expression=number(1)))
        ),
        expression=text("]"),
    )
    return Typed(call("json_extract", builder.settle(inner), path), inner.kind.element)
