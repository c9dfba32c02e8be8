"""Rules of aggregates and windows: their kinds, their order, what is put together afterwards."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sqlglot import exp

from edgelift.worker.moved.arithmetic import round_to
from edgelift.worker.moved.builder import (
    Builder,
    Typed,
    call,
    case,
    cast,
    number,
    rule,
    text,
)
from edgelift.worker.moved.casts import as_element
from edgelift.worker.moved.dates import as_micros
from edgelift.worker.moved.failures import refuse
from edgelift.worker.moved.functions import no_function
from edgelift.worker.moved.kinds import (
    BOOL,
    FLOAT8,
    INT4,
    INT8,
    INTEGERS,
    INTERVAL,
    NUMERIC,
    TEXT,
    UNKNOWN,
    Kind,
    array_of,
    category,
)
from edgelift.worker.moved.operators import condition, rank
from edgelift.worker.moved.queries import build_window_order, fill_window
from edgelift.worker.moved.scopes import Scope

Node = Any


@rule(exp.Count)
def _count(builder: Builder, node: Node, scope: Scope) -> Typed:
    inner = node.this
    if inner is None or isinstance(inner, exp.Star):
        return Typed(exp.Count(this=exp.Star()), INT8)
    if isinstance(inner, exp.Column) and isinstance(inner.this, exp.Star):
        return Typed(exp.Count(this=exp.Star()), INT8)
    if isinstance(inner, exp.Distinct):
        return Typed(exp.Count(this=_distinct(builder, inner, scope)[0]), INT8)
    return Typed(exp.Count(this=builder.settle(builder.build(inner, scope))), INT8)


def _distinct(builder: Builder, node: Node, scope: Scope) -> tuple[Node, Kind]:
    if len(node.expressions) != 1:
        raise refuse("DISTINCT of several values in an aggregate")
    typed = builder.build(node.expressions[0], scope)
    return exp.Distinct(expressions=[builder.settle(typed)]), typed.kind


def _argument(builder: Builder, node: Node, scope: Scope) -> tuple[Node, Kind]:
    inner = node.this
    if isinstance(inner, exp.Distinct):
        return _distinct(builder, inner, scope)
    typed = builder.build(inner, scope)
    return builder.settle(typed), typed.kind


@rule(exp.Sum)
def _sum(builder: Builder, node: Node, scope: Scope) -> Typed:
    value, kind = _argument(builder, node, scope)
    if builder.is_mysql and kind.name == "bool":
        kind = INT4
    if kind.name == "interval":
        return Typed(exp.Sum(this=as_micros(value, kind)), INTERVAL)
    if category(kind) != "number":
        raise no_function(node, [kind])
    made = exp.Sum(this=value)
    if kind.name in {"int2", "int4"} and not builder.is_mysql:
        return Typed(made, INT8)
    if kind.name in {"float4", "float8"}:
        return Typed(made, kind)
    result = NUMERIC._replace(scale=0 if kind.name in INTEGERS else kind.scale)
    return Typed(made if kind.name in INTEGERS else round_to(made, result), result)


@rule(exp.Avg)
def _average(builder: Builder, node: Node, scope: Scope) -> Typed:
    value, kind = _argument(builder, node, scope)
    if kind.name == "interval":
        mean = call("round", exp.Avg(this=as_micros(value, kind)))
        return Typed(cast(mean, "INTEGER"), INTERVAL)
    if category(kind) != "number":
        raise no_function(node, [kind])
    made = exp.Avg(this=value)
    if kind.name in {"float4", "float8"}:
        return Typed(made, FLOAT8)
    scale = 0 if kind.name in INTEGERS else kind.scale
    if builder.is_mysql:
        places = NUMERIC._replace(scale=max(scale, 0) + 4)
        return Typed(call("round", made, number(places.scale)), places)
    exact = call("json_array", exp.Sum(this=value.copy()), exp.Count(this=value.copy()))
    return Typed(made, NUMERIC, exact=(exact, Kind("ratio", scale=scale)))


@rule(exp.Min, exp.Max)
def _extreme(builder: Builder, node: Node, scope: Scope) -> Typed:
    value, kind = _argument(builder, node, scope)
    if kind.labels and not builder.is_mysql:  # MySQL compares their words
        return Typed(_pick_label(type(node)(this=rank(value, kind.labels)), kind), kind)
    return Typed(type(node)(this=value), kind)


def _pick_label(place: Node, kind: Kind) -> Node:
    """Return the label at a place of an enumeration."""
    pairs = [
        exp.If(this=number(index), true=text(label)) for index, label in enumerate(kind.labels)
    ]
    return exp.Case(this=place, ifs=pairs)


@rule(exp.LogicalAnd, exp.LogicalOr)
def _truth(builder: Builder, node: Node, scope: Scope) -> Typed:
    value = condition(builder, node.this, scope)
    return Typed((exp.Min if isinstance(node, exp.LogicalAnd) else exp.Max)(this=value), BOOL)


def _ordered(builder: Builder, node: Node, scope: Scope) -> tuple[Typed, Node | None]:
    """Return an aggregate's argument, and the order that stands in its parentheses."""
    if isinstance(node, exp.Order):
        typed = builder.build(node.this, scope)
        return typed, build_window_order(builder, node, scope)
    return builder.build(node, scope), None


def _aggregate(name: str, values: list[Node], order: Node | None) -> Node:
    if order is None:
        return call(name, *values)
    first, *rest = values
    last = exp.Order(this=rest[-1] if rest else first, expressions=order.expressions)
    return call(name, *([first, *rest[:-1], last] if rest else [last]))


def build_ordered(
    builder: Builder,
    name: str,
    node: Node,
    scope: Scope,
    rest: list[Node],
    as_text: Callable[[Builder, Typed], Node],
) -> Typed:
    """Return an aggregate of texts with the order that stands in its parentheses."""
    typed, order = _ordered(builder, node, scope)
    value = builder.settle(typed, TEXT) if typed.kind == UNKNOWN else as_text(builder, typed)
    return Typed(_aggregate(name, [value, *rest], order), TEXT)


@rule(exp.GroupConcat)
def _string_agg(builder: Builder, node: Node, scope: Scope) -> Typed:
    inner = node.this
    if isinstance(inner, exp.Distinct):
        raise refuse("string_agg of DISTINCT values")
    typed, order = _ordered(builder, inner, scope)
    if category(typed.kind) != "text":
        raise no_function(node, [typed.kind, UNKNOWN])
    separator = builder.build_as(node.args["separator"], scope, TEXT)
    return Typed(_aggregate("group_concat", [builder.settle(typed, TEXT), separator], order), TEXT)


@rule(exp.ArrayAgg)
def collect_array(builder: Builder, node: Node, scope: Scope) -> Typed:
    """Return array_agg: the array of the values, NULL for none."""
    if isinstance(node.this, exp.Distinct):
        raise refuse("array_agg of DISTINCT values")
    typed, order = _ordered(builder, node.this, scope)
    value = as_element(builder.settle(typed), typed.kind)
    made = _aggregate("json_group_array", [value], order)
    empty = exp.EQ(this=exp.Count(this=exp.Star()), expression=number(0))
    return Typed(case((empty, exp.Null()), default=made), array_of(typed.kind))


@rule(exp.Filter)
def _filter(builder: Builder, node: Node, scope: Scope) -> Typed:
    inner = builder.build(node.this, scope)
    where = exp.Where(this=condition(builder, node.expression.this, scope))

    def narrow(made: Node) -> Node:
        return exp.Filter(this=made.copy(), expression=where.copy())

    exact = inner.exact and (_each_aggregate(inner.exact[0], narrow), inner.exact[1])
    return inner._replace(node=_each_aggregate(inner.node, narrow), exact=exact)


def _each_aggregate(node: Node, change: Callable[[Node], Node]) -> Node:
    """Return a node with each of its aggregates changed."""
    names = {"group_concat", "json_group_array", "json_group_object"}
    if isinstance(node, exp.AggFunc) or (isinstance(node, exp.Anonymous) and node.name in names):
        return change(node)
    made = node.copy()
    found = False
    for part in list(made.find_all(exp.AggFunc, exp.Anonymous, bfs=False)):
        inside = part.find_ancestor(exp.Filter, exp.Window)
        if inside is None and (isinstance(part, exp.AggFunc) or part.name in names):
            part.replace(change(part))
            found = True
    if not found:
        raise refuse("FILTER or OVER of this aggregate")
    return made


# Windows


@rule(exp.Window)
def _window(builder: Builder, node: Node, scope: Scope) -> Typed:
    inner = builder.build(node.this, scope)
    made = exp.Window(over=node.args.get("over"))
    if node.args.get("alias") is not None:
        made.set("alias", node.args["alias"].copy())
    fill_window(builder, node, scope, made)

    def spread(part: Node) -> Node:
        window = made.copy()
        window.set("this", part.copy())
        return window

    if isinstance(node.this, _PLACES):
        place = spread(inner.node)
        if builder.is_mysql and isinstance(node.this, exp.PercentRank | exp.CumeDist):
            place = call("round", place, number(10))
        return inner._replace(node=place)
    exact = inner.exact and (_each_aggregate(inner.exact[0], spread), inner.exact[1])
    return inner._replace(node=_each_aggregate(inner.node, spread), exact=exact)


_PLACES = (
    exp.RowNumber, exp.Rank, exp.DenseRank, exp.Lag, exp.Lead, exp.FirstValue, exp.LastValue,
    exp.NthValue, exp.Ntile, exp.PercentRank, exp.CumeDist, exp.Filter,
)  # fmt: skip


@rule(exp.RowNumber, exp.Rank, exp.DenseRank)
def _place(_builder: Builder, node: Node, _scope: Scope) -> Typed:
    return Typed(type(node)(), INT8)


@rule(exp.PercentRank, exp.CumeDist)
def _share(_builder: Builder, node: Node, _scope: Scope) -> Typed:
    return Typed(call("percent_rank" if isinstance(node, exp.PercentRank) else "cume_dist"), FLOAT8)


@rule(exp.Ntile)
def _ntile(builder: Builder, node: Node, scope: Scope) -> Typed:
    kind = INT8 if builder.is_mysql else INT4
    return Typed(call("ntile", builder.build_as(node.this, scope, INT4)), kind)


@rule(exp.Lag, exp.Lead, exp.FirstValue, exp.LastValue)
def _neighbour(builder: Builder, node: Node, scope: Scope) -> Typed:
    typed = builder.build(node.this, scope)
    names = {exp.Lag: "lag", exp.Lead: "lead", exp.FirstValue: "first_value"}
    values = [builder.settle(typed)]
    if node.args.get("offset") is not None:
        values.append(builder.build_as(node.args["offset"], scope, INT4))
    if node.args.get("default") is not None:
        values.append(builder.build_as(node.args["default"], scope, typed.kind))
    return Typed(call(names.get(type(node), "last_value"), *values), typed.kind)
