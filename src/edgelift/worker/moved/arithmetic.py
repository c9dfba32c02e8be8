"""Rules of arithmetic with the server's types, and of texts that are joined."""

from __future__ import annotations

from typing import Any

from sqlglot import exp

from edgelift.worker.moved import arrays, documents
from edgelift.worker.moved.builder import (
    Builder,
    Typed,
    call,
    case,
    cast,
    combine_numbers,
    fail_with,
    no_operator,
    number,
    rule,
    wrap,
)
from edgelift.worker.moved.casts import to_text
from edgelift.worker.moved.failures import ServerError, refuse
from edgelift.worker.moved.kinds import (
    INT4,
    INTEGERS,
    NUMERIC,
    TEXT,
    UNKNOWN,
    Kind,
    category,
)
from edgelift.worker.moved.operators import SIGNS
from edgelift.worker.moved.scopes import Scope

Node = Any


# Arithmetic


@rule(exp.Neg)
def _negative(builder: Builder, node: Node, scope: Scope) -> Typed:
    inner = builder.build(node.this, scope)
    kind = INT4 if inner.kind == UNKNOWN else inner.kind
    return Typed(exp.Neg(this=wrap(builder.settle(builder.coerce(inner, kind), kind))), kind)


@rule(exp.Add, exp.Sub, exp.Mul, exp.Div, exp.Mod)
def _compute(builder: Builder, node: Node, scope: Scope) -> Typed:
    from edgelift.worker.moved.dates import compute_moments

    left, right = builder.build(node.this, scope), builder.build(node.expression, scope)
    sign = SIGNS[type(node)]
    if sign == "-" and left.kind.name == "jsonb":
        return documents.remove(builder, left, right)
    moment = compute_moments(builder, sign, left, right)
    if moment is not None:
        return moment
    if left.kind == UNKNOWN and right.kind == UNKNOWN:
        raise ServerError("42725", f"operator is not unique: unknown {sign} unknown")
    left, right = _fit_numbers(builder, left, right)
    if builder.is_mysql:
        left, right = (
            side._replace(kind=INT4) if side.kind.name == "bool" else side for side in (left, right)
        )
    for side in (left, right):
        if category(side.kind) != "number":
            raise no_operator(left.kind, sign, right.kind)
    kind = combine_numbers(left.kind, right.kind)
    nodes = wrap(builder.settle(left)), wrap(builder.settle(right))
    return _MAKERS.get(sign, _plain)(type(node), nodes, (left.kind, right.kind), kind)


def _fit_numbers(builder: Builder, left: Typed, right: Typed) -> tuple[Typed, Typed]:
    if left.kind == UNKNOWN:
        left = builder.coerce(left, right.kind)
    if right.kind == UNKNOWN:
        right = builder.coerce(right, left.kind)
    return left, right


def _plain(made: type, nodes: tuple[Node, Node], _kinds: tuple[Kind, Kind], kind: Kind) -> Typed:
    node = made(this=nodes[0], expression=nodes[1])
    return Typed(round_to(node, kind) if kind.name == "numeric" else exp.Paren(this=node), kind)


def _product(made: type, nodes: tuple[Node, Node], kinds: tuple[Kind, Kind], kind: Kind) -> Typed:
    if kind.name == "numeric":
        scales = [0 if one.name in INTEGERS else one.scale for one in kinds]
        kind = NUMERIC if -1 in scales else NUMERIC._replace(scale=sum(scales))
    return _plain(made, nodes, kinds, kind)


def guard(node: Node) -> Node:
    """Return a divisor that raises an error where it is zero."""
    zero = exp.EQ(this=node.copy(), expression=number(0))
    return case((zero, fail_with("22012")), default=node)


def _quotient(_made: type, nodes: tuple[Node, Node], kinds: tuple[Kind, Kind], kind: Kind) -> Typed:
    left, right = nodes[0], wrap(guard(nodes[1]))
    if kind.name in INTEGERS:
        return Typed(exp.Paren(this=_divide(left, right)), kind)
    real = exp.Paren(this=_divide(cast(left, "REAL"), right))
    if kind.name != "numeric":
        return Typed(real, kind)
    scale = 0 if kinds[0].name in INTEGERS else kinds[0].scale
    exact = call("json_array", left.copy(), right.copy())
    return Typed(real, NUMERIC, exact=(exact, Kind("ratio", scale=scale)))


def _divide(left: Node, right: Node) -> Node:
    return exp.Div(this=left, expression=right, typed=True, safe=True)


def _rest(_made: type, nodes: tuple[Node, Node], _kinds: tuple[Kind, Kind], kind: Kind) -> Typed:
    if kind.name == "numeric" and kind.scale >= 0:
        unit = 10**kind.scale
        sides = [cast(call("round", exp.Mul(this=side, expression=number(unit))), "INTEGER")
                 for side in (nodes[0], wrap(guard(nodes[1])))]  # fmt: skip
        whole = exp.Mod(this=sides[0], expression=sides[1])
        part = exp.Div(
            this=cast(exp.Paren(this=whole), "REAL"), expression=number(unit), typed=True, safe=True
        )
        return Typed(round_to(exp.Paren(this=part), kind), kind)
    if kind.name not in INTEGERS:
        raise refuse("% of numbers that are no integers")
    node = exp.Mod(this=nodes[0], expression=wrap(guard(nodes[1])))
    return Typed(exp.Paren(this=node), kind)


_MAKERS: dict[str, Any] = {"*": _product, "/": _quotient, "%": _rest}


def round_to(node: Node, kind: Kind) -> Node:
    """Return a numeric result at its places: doubles are off by less than half of the last one."""
    if kind.scale < 0:
        return exp.Paren(this=node)
    return call("round", node, number(kind.scale))


# Texts


@rule(exp.DPipe)
def _join(builder: Builder, node: Node, scope: Scope) -> Typed:
    sides = [builder.build(side, scope) for side in (node.this, node.expression)]
    if any(side.kind.element is not None for side in sides):
        return arrays.join(builder, *sides)
    if any(side.kind.name == "jsonb" for side in sides):
        return documents.join(builder, *sides)
    nodes = [wrap(to_text(builder, side)) for side in sides]
    return Typed(exp.Paren(this=exp.DPipe(this=nodes[0], expression=nodes[1])), TEXT)
