"""Rules of what MySQL says in its own way: functions, casts, arithmetic, comparisons of kinds."""

from __future__ import annotations

import re
from functools import partial
from typing import Any

from sqlglot import exp

from edgelift.worker.moved import moments
from edgelift.worker.moved.aggregates import build_ordered
from edgelift.worker.moved.builder import (
    MYSQL_RULES,
    RULES,
    Builder,
    Rule,
    Typed,
    call,
    case,
    cast,
    number,
    text,
    unify,
    wrap,
)
from edgelift.worker.moved.builder import rule as any_rule
from edgelift.worker.moved.casts import round_half_even, write_as_text
from edgelift.worker.moved.constants import NOW, Constant
from edgelift.worker.moved.dates import count_micros, shift_by
from edgelift.worker.moved.failures import refuse
from edgelift.worker.moved.kinds import (
    BOOL,
    BYTEA,
    DATE,
    FLOAT8,
    INT4,
    INT8,
    INTEGERS,
    MOMENTS,
    NUMERIC,
    TEXT,
    TIMESTAMP,
    UNKNOWN,
    Kind,
    category,
)
from edgelift.worker.moved.operators import condition
from edgelift.worker.moved.scopes import Scope

Node = Any
_VARCHAR = Kind("varchar")
_MOMENT = TIMESTAMP._replace(scale=0)
_PARTS = {
    exp.Year: "%Y", exp.Month: "%m", exp.Day: "%d", exp.Hour: "%H", exp.Minute: "%M",
    exp.Second: "%S",
}  # fmt: skip
_FORMATS = {
    "Y": "%Y", "m": "%m", "d": "%d", "H": "%H", "i": "%M", "s": "%S", "S": "%S", "j": "%j",
    "T": "%H:%M:%S", "%": "%%",
}  # fmt: skip


rule = partial(any_rule, rules=MYSQL_RULES)


# Numbers


@rule(exp.Boolean)
def _boolean(_builder: Builder, node: Node, _scope: Scope) -> Typed:
    return Typed(number(1 if node.this else 0), INT4)


def as_number(builder: Builder, typed: Typed) -> Typed:
    """Return a part as the number that MySQL computes with."""
    if typed.kind.name == "bool":
        return typed._replace(kind=INT4)
    if typed.kind == UNKNOWN:
        return Typed(builder.settle(typed, FLOAT8, "lax"), FLOAT8)
    if category(typed.kind) == "text":
        return Typed(cast(builder.settle(typed), "REAL"), FLOAT8)
    if category(typed.kind) != "number":
        raise refuse(f"it computes with {typed.kind.name}")
    return typed


@rule(exp.Div)
def _divide(builder: Builder, node: Node, scope: Scope) -> Typed:
    """Return a / b: a decimal of four places more, NULL for a divisor of zero."""
    sides = [as_number(builder, builder.build(s, scope)) for s in (node.this, node.expression)]
    left, right = (wrap(builder.settle(side)) for side in sides)
    made = exp.Div(this=cast(left, "REAL"), expression=right, typed=True, safe=True)
    if any(side.kind.name in {"float4", "float8"} for side in sides):
        return Typed(exp.Paren(this=made), FLOAT8)
    scale = 0 if sides[0].kind.name in INTEGERS else max(sides[0].kind.scale, 0)
    kind = NUMERIC._replace(scale=scale + 4)
    return Typed(call("round", made, number(kind.scale)), kind)


@rule(exp.IntDiv)
def _whole(builder: Builder, node: Node, scope: Scope) -> Typed:
    sides = [as_number(builder, builder.build(s, scope)) for s in (node.this, node.expression)]
    left, right = (wrap(builder.settle(side)) for side in sides)
    quotient = exp.Div(this=cast(left, "REAL"), expression=right, typed=True, safe=True)
    return Typed(cast(exp.Paren(this=quotient), "INTEGER"), INT8)


@rule(exp.Mod)
def _rest(builder: Builder, node: Node, scope: Scope) -> Typed:
    sides = [as_number(builder, builder.build(s, scope)) for s in (node.this, node.expression)]
    if any(side.kind.name not in INTEGERS for side in sides):
        raise refuse("% of numbers that are no integers")
    left, right = (wrap(builder.settle(side)) for side in sides)
    return Typed(exp.Paren(this=exp.Mod(this=left, expression=right)), INT8)


@rule(exp.Add, exp.Sub, exp.Mul)
def _compute(builder: Builder, node: Node, scope: Scope) -> Typed:
    for side, other in ((node.expression, node.this), (node.this, node.expression)):
        if isinstance(side, exp.Interval):
            sign = -1 if isinstance(node, exp.Sub) else 1
            return _shift(builder, builder.build(other, scope), side, scope, sign)
    sides = [builder.build(side, scope) for side in (node.this, node.expression)]
    if any(category(side.kind) in {"text", "bool"} for side in sides):
        left, right = (as_number(builder, side) for side in sides)
        nodes = wrap(builder.settle(left)), wrap(builder.settle(right))
        kind = FLOAT8 if FLOAT8 in {left.kind, right.kind} else INT8
        return Typed(exp.Paren(this=type(node)(this=nodes[0], expression=nodes[1])), kind)
    return RULES[type(node)](builder, node, scope)


# Moments


@rule(exp.CurrentTimestamp, exp.UtcTimestamp)
def _now(_builder: Builder, _node: Node, _scope: Scope) -> Typed:
    return Typed(None, _MOMENT, Constant(NOW, 0, _MOMENT))


def _moment(builder: Builder, node: Node, scope: Scope) -> tuple[Node, Kind]:
    while isinstance(node, exp.TsOrDsToDate | exp.TsOrDsToTimestamp) and not node.args.get(
        "format"
    ):
        node = node.this
    typed = builder.build(node, scope)
    if typed.kind == UNKNOWN:
        typed = builder.coerce(typed, TIMESTAMP)
    if category(typed.kind) != "moment":
        raise refuse("a function of moments of what is none")
    return builder.settle(typed), typed.kind


@rule(*_PARTS)
def _part(builder: Builder, node: Node, scope: Scope) -> Typed:
    value, _kind = _moment(builder, node.this, scope)
    return Typed(cast(call("strftime", text(_PARTS[type(node)]), value), "INTEGER"), INT4)


@rule(exp.TsOrDsToDate)
def _day(builder: Builder, node: Node, scope: Scope) -> Typed:
    inner = builder.build(node.this, scope)
    if inner.constant is not None:
        return Typed(None, DATE, inner.constant._replace(kind=DATE))
    return Typed(call("substr", builder.settle(inner), number(1), number(10)), DATE)


@rule(exp.TimeToStr)
def _format(builder: Builder, node: Node, scope: Scope) -> Typed:
    value, _kind = _moment(builder, node.this, scope)
    pattern = builder.look(node.args["format"]) or ""
    made = ""
    for found in re.finditer(r"%(.)|([^%]+)", pattern, re.DOTALL):
        if found[2]:
            made += found[2]
        elif found[1] in _FORMATS:
            made += _FORMATS[found[1]]
        else:
            raise refuse(f"DATE_FORMAT with %{found[1]}")
    return Typed(call("strftime", text(made), value), Kind("varchar"))


@rule(exp.DateAdd, exp.DateSub)
def _date_add(builder: Builder, node: Node, scope: Scope) -> Typed:
    inner = builder.build(node.this, scope)
    if inner.kind == UNKNOWN:
        inner = builder.coerce(inner, _MOMENT)
    interval = exp.Interval(this=node.expression, unit=node.args["unit"])
    return _shift(builder, inner, interval, scope, 1 if isinstance(node, exp.DateAdd) else -1)


def _shift(builder: Builder, moment: Typed, interval: Node, scope: Scope, sign: int) -> Typed:
    unit = str(interval.args["unit"].name) if interval.args.get("unit") else ""
    size = moments.UNITS.get(unit.lower())
    if size is None or size[0]:
        raise refuse(f"an interval of {unit or 'no unit'}")
    micros = size[1] * moments.DAY_US + size[2]
    count = builder.build_as(interval.this, scope, INT8, "lax")
    product = exp.Paren(this=exp.Mul(this=wrap(count), expression=number(micros)))
    made = shift_by(builder, moment, product, sign)
    if moment.kind.name == "date" and not size[2]:
        return Typed(call("substr", made.node, number(1), number(10)), DATE)
    return made


@rule(exp.DateDiff)
def _difference(builder: Builder, node: Node, scope: Scope) -> Typed:
    days = []
    for side in (node.this, node.expression):
        value, _kind = _moment(builder, side, scope)
        days.append(call("julianday", call("substr", value, number(1), number(10))))
    return Typed(cast(exp.Paren(this=exp.Sub(this=days[0], expression=days[1])), "INTEGER"), INT8)


# Texts


@rule(exp.Concat)
def _concat(builder: Builder, node: Node, scope: Scope) -> Typed:
    """Return CONCAT, which is NULL where one of its values is."""
    made: Node = None
    for part in node.expressions:
        typed = builder.build(part, scope)
        value = builder.settle(typed, TEXT) if typed.kind == UNKNOWN else _as_text(builder, typed)
        made = wrap(value) if made is None else exp.DPipe(this=made, expression=wrap(value))
    return Typed(exp.Paren(this=made), Kind("varchar"))


def _as_text(builder: Builder, typed: Typed) -> Node:
    if typed.constant is not None:
        return builder.settle(typed, TEXT)
    if typed.kind.name == "bool":
        return cast(typed.node, "TEXT")
    if typed.kind.name in MOMENTS:
        size = 19 if typed.kind.scale <= 0 else 20 + typed.kind.scale
        return call("substr", typed.node, number(1), number(size))
    return write_as_text(typed.node, typed.kind)


@rule(exp.Length)
def _length(builder: Builder, node: Node, scope: Scope) -> Typed:
    typed = builder.build(node.this, scope)
    value = builder.settle(typed, TEXT) if typed.kind == UNKNOWN else _as_text(builder, typed)
    return Typed(call("length", cast(value, "BLOB") if node.args.get("binary") else value), INT8)


@rule(exp.Introducer)
def _introduced(builder: Builder, node: Node, scope: Scope) -> Typed:
    inner = builder.build(node.expression, scope)
    if str(node.this).lower() == "_binary" and inner.constant is not None:
        return Typed(None, BYTEA, inner.constant._replace(kind=BYTEA))
    return inner


@rule(exp.GroupConcat)
def _group_concat(builder: Builder, node: Node, scope: Scope) -> Typed:
    inner = node.this
    distinct = isinstance(inner, exp.Distinct) or isinstance(
        getattr(inner, "this", None), exp.Distinct
    )
    if distinct:
        raise refuse("GROUP_CONCAT of DISTINCT values")
    separator = node.args.get("separator")
    marks = [text(",") if separator is None else builder.build_as(separator, scope, TEXT)]
    return build_ordered(builder, "group_concat", inner, scope, marks, _as_text)


# Choices and casts


@rule(exp.If)
def _if(builder: Builder, node: Node, scope: Scope) -> Typed:
    when = condition(builder, node.this, scope)
    parts = [builder.build(node.args["true"], scope)]
    if node.args.get("false") is not None:
        parts.append(builder.build(node.args["false"], scope))
    nodes, kind = unify(builder, parts)
    return Typed(case((when, nodes[0]), default=nodes[1] if len(nodes) > 1 else None), kind)


@rule(exp.Cast)
def _cast(builder: Builder, node: Node, scope: Scope) -> Typed:
    wanted = node.to.this
    inner = builder.build(node.this, scope)
    if wanted in {exp.DType.BIGINT, exp.DType.UBIGINT, exp.DType.INT}:
        value = as_number(builder, inner)
        settled = builder.settle(value)
        is_float = value.kind.name in {"float4", "float8"}
        rounded = round_half_even(settled) if is_float else call("round", wrap(settled))
        rounded = settled if value.kind.name in INTEGERS else rounded
        return Typed(cast(rounded, "INTEGER"), INT8)
    if wanted in {exp.DType.CHAR, exp.DType.VARCHAR, exp.DType.TEXT}:
        value = builder.settle(inner, TEXT) if inner.kind == UNKNOWN else _as_text(builder, inner)
        return Typed(value, Kind("varchar"))
    if wanted == exp.DType.DATE:
        return _day(builder, exp.TsOrDsToDate(this=node.this), scope)
    return RULES[exp.Cast](builder, node, scope)


# By name


def _last_id(builder: Builder, _node: Node, _scope: Scope) -> Typed:
    builder.is_private = True
    return Typed(number(int(builder.settings.get("last_id", "0"))), INT8)


def _found_rows(builder: Builder, _node: Node, _scope: Scope) -> Typed:
    builder.is_private = True
    return Typed(number(int(builder.settings.get("found_rows", "0"))), INT8)


def _unix(builder: Builder, node: Node, scope: Scope) -> Typed:
    if not node.expressions:
        value = builder.settle(_now(builder, node, scope), _MOMENT)
    else:
        value, _kind = _moment(builder, node.expressions[0], scope)
    micros = exp.Div(this=count_micros(value), expression=number(10**6), typed=True, safe=True)
    return Typed(cast(exp.Paren(this=micros), "INTEGER"), INT8)


def _unquote(builder: Builder, node: Node, scope: Scope) -> Typed:
    inner = node.expressions[0]
    if isinstance(inner, exp.JSONExtract):
        scalar = exp.JSONExtractScalar(this=inner.this.copy(), expression=inner.expression.copy())
        return builder.build(scalar, scope)
    raise refuse("json_unquote() of what is no part of a document")


NAMED: dict[str, Rule] = {
    "now": _now, "sysdate": _now, "last_insert_id": _last_id, "found_rows": _found_rows,
    "connection_id": lambda *_a: Typed(number(1), INT8), "unix_timestamp": _unix,
    "json_unquote": _unquote,
}  # fmt: skip


@rule(exp.Anonymous)
def _named(builder: Builder, node: Node, scope: Scope) -> Typed:
    found = NAMED.get(str(node.this).lower())
    if found is not None:
        return found(builder, node, scope)
    return RULES[exp.Anonymous](builder, node, scope)


@rule(exp.SessionParameter)
def _variable(builder: Builder, node: Node, _scope: Scope) -> Typed:
    builder.is_private = True
    name = str(node.this.name if hasattr(node.this, "name") else node.this).lower()
    value = builder.settings.get(name.rpartition(".")[2], "")
    return Typed(number(int(value)), INT8) if value.isdigit() else Typed(text(value), _VARCHAR)


__all__ = ["BOOL", "as_number"]
