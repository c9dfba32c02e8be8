"""Rules of arrays, which the move keeps as JSON."""

from __future__ import annotations

from typing import Any

from sqlglot import exp

from edgelift.worker.moved import documents
from edgelift.worker.moved.builder import (
    Builder,
    Typed,
    call,
    column_node,
    number,
    raw,
    rule,
    table_of,
    text,
    unify,
)
from edgelift.worker.moved.casts import as_element
from edgelift.worker.moved.failures import refuse
from edgelift.worker.moved.kinds import (
    BOOL,
    INT4,
    TEXT,
    UNKNOWN,
    Kind,
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
    return Typed(call("json_array", *(as_element(one, kind) for one in nodes)), array_of(kind))


@rule(exp.ArrayContainsAll, exp.ArrayContainedBy)
def _contains(builder: Builder, node: Node, scope: Scope) -> Typed:
    sides = [builder.build(side, scope) for side in (node.this, node.expression)]
    if isinstance(node, exp.ArrayContainedBy):
        sides.reverse()
    if any(side.kind.name in {"json", "jsonb"} for side in sides):
        if sides[0].constant is not None or sides[0].kind.name not in {"json", "jsonb"}:
            raise refuse("@> in a document that is no column")
        given = node.this if isinstance(node, exp.ArrayContainedBy) else node.expression
        inner = given.this if isinstance(given, exp.Cast) else given
        return documents.contains(builder, sides[0], builder.build(inner, scope))
    whole, part = _settle_both(builder, sides)
    sql = (
        "CASE WHEN {w} IS NOT NULL AND {p} IS NOT NULL THEN NOT EXISTS (SELECT 1 FROM "
        "json_each({p}) p WHERE p.value IS NULL OR p.value NOT IN (SELECT w.value FROM "
        "json_each({w}) w WHERE w.value IS NOT NULL)) END"
    )
    return Typed(raw(sql, w=whole, p=part), BOOL)


@rule(exp.ArrayOverlaps)
def _overlaps(builder: Builder, node: Node, scope: Scope) -> Typed:
    left, right = _both_arrays(builder, node, scope)
    same = exp.EQ(this=column_node("a", "value"), expression=column_node("b", "value"))
    rows = exp.select(number(1)).from_(table_of("a", call("json_each", left)))
    rows = rows.join(table_of("b", call("json_each", right)), on=same)
    return Typed(exp.Exists(this=rows), BOOL)


def _both_arrays(builder: Builder, node: Node, scope: Scope) -> tuple[Node, Node]:
    return _settle_both(
        builder, [builder.build(side, scope) for side in (node.this, node.expression)]
    )


def _settle_both(builder: Builder, sides: list[Typed]) -> tuple[Node, Node]:
    kinds = [side.kind for side in sides if side.kind.element is not None]
    if not kinds:
        raise refuse("operators of documents (@>, <@)")
    nodes = [builder.settle(builder.coerce(side, kinds[0]), kinds[0]) for side in sides]
    return nodes[0], nodes[1]


@rule(exp.Bracket)
def _element(builder: Builder, node: Node, scope: Scope) -> Typed:
    if documents.is_document(builder, node, scope):
        return builder.build(exp.JSONExtract(
            this=node.this.copy(), expression=documents.read_subscript(node)
        ), scope)  # fmt: skip
    inner = builder.build(node.this, scope)
    if isinstance(node.expressions[0], exp.Slice):
        return _slice(builder, inner, node.expressions[0], scope)
    if inner.kind.element is None or len(node.expressions) != 1:
        raise refuse("a subscript of what is no plain array")
    index = documents.read_subscript(node)
    place = builder.build_as(index, scope, INT4)
    path = exp.DPipe(
        this=exp.DPipe(
            this=text("$["), expression=exp.Paren(this=exp.Sub(this=place, expression=number(1)))
        ),
        expression=text("]"),
    )
    return Typed(call("json_extract", builder.settle(inner), path), inner.kind.element)


def _slice(builder: Builder, array: Typed, given: Node, scope: Scope) -> Typed:
    """Return the elements of an array from one place to another."""
    if array.kind.element is None:
        raise refuse("a part of what is no array")
    bounds = [
        number(default) if bound is None else builder.build_as(bound, scope, INT4)
        for bound, default in ((given.this, 1), (given.expression, 2**31 - 1))
    ]
    rows = "SELECT value FROM json_each({v}) WHERE key + 1 BETWEEN {a} AND {b} ORDER BY key"
    sql = f"CASE WHEN {{v}} IS NOT NULL THEN (SELECT json_group_array(value) FROM ({rows})) END"
    return Typed(raw(sql, v=builder.settle(array), a=bounds[0], b=bounds[1]), array.kind)


_JOINED = (
    "(SELECT json_group_array(value) FROM (SELECT 0 AS s, key, value FROM json_each({l}) UNION ALL "
    "SELECT 1, key, value FROM json_each({r}) ORDER BY 1, 2))"
)


def join(builder: Builder, left: Typed, right: Typed) -> Typed:
    """Return || of arrays, or of an array and an element; NULL adds nothing."""
    kinds = [side.kind for side in (left, right) if side.kind.element is not None]
    kind = next((one for one in kinds if one.element != TEXT), kinds[0])
    element = kind.element
    assert element is not None
    nodes = []
    for side in (left, right):
        if side.kind.element is not None or side.kind == UNKNOWN:
            nodes.append(builder.settle(builder.coerce(side, kind), kind))
        else:
            value = builder.settle(builder.coerce(side, element), element)
            nodes.append(call("json_array", as_element(value, element)))
    sql = f"CASE WHEN {{l}} IS NOT NULL OR {{r}} IS NOT NULL THEN {_JOINED} END"
    return Typed(raw(sql, l=nodes[0], r=nodes[1]), kind)


def _array_and_element(builder: Builder, node: Node, scope: Scope) -> tuple[Node, Node, Kind]:
    array, item = builder.build(node.this, scope), builder.build(node.expression, scope)
    element = array.kind.element
    if element is None:
        raise refuse("a function of arrays on what is none")
    value = builder.settle(builder.coerce(item, element), element)
    return builder.settle(array), value, array.kind


@rule(exp.ArrayAppend)
def _append(builder: Builder, node: Node, scope: Scope) -> Typed:
    array, item, kind = _array_and_element(builder, node, scope)
    made = call("json_array", as_element(item, kind.element or TEXT))
    return Typed(raw(_JOINED, l=array, r=made), kind)


@rule(exp.ArrayRemove)
def _remove(builder: Builder, node: Node, scope: Scope) -> Typed:
    array, item, kind = _array_and_element(builder, node, scope)
    rows = "SELECT value FROM json_each({v}) WHERE value IS NOT {i} ORDER BY key"
    sql = f"CASE WHEN {{v}} IS NOT NULL THEN (SELECT json_group_array(value) FROM ({rows})) END"
    return Typed(raw(sql, v=array, i=item), kind)


@rule(exp.ArrayPosition)
def _position(builder: Builder, node: Node, scope: Scope) -> Typed:
    array, item, _kind = _array_and_element(builder, node, scope)
    sql = "(SELECT min(key) + 1 FROM json_each({v}) WHERE value IS {i})"
    return Typed(raw(sql, v=array, i=item), INT4)


@rule(exp.ArrayToString)
def _to_string(builder: Builder, node: Node, scope: Scope) -> Typed:
    array = builder.build(node.this, scope)
    if array.kind.element is None or array.kind.element.name not in _SHOWN or node.args.get("null"):
        raise refuse("array_to_string() of these values")
    mark = builder.build_as(node.expression, scope, TEXT)
    rows = "SELECT value FROM json_each({v}) WHERE value IS NOT NULL ORDER BY key"
    sql = (
        "CASE WHEN {v} IS NOT NULL THEN "
        f"coalesce((SELECT group_concat(value, {{m}}) FROM ({rows})), '') END"
    )
    return Typed(raw(sql, v=builder.settle(array), m=mark), TEXT)


_SHOWN = frozenset({"text", "varchar", "int2", "int4", "int8"})
