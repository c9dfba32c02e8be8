"""Rules of functions on texts and numbers."""

from __future__ import annotations

from typing import Any

from sqlglot import exp

from edgelift.worker.moved.builder import (
    Builder,
    Typed,
    call,
    case,
    cast,
    describe,
    number,
    raw,
    raw_text,
    rule,
    text,
    wrap,
)
from edgelift.worker.moved.casts import round_half_even, to_output
from edgelift.worker.moved.failures import ServerError, refuse
from edgelift.worker.moved.kinds import (
    FLOAT8,
    INT4,
    INT8,
    INTEGERS,
    NUMERIC,
    TEXT,
    UNKNOWN,
    UUID,
    Kind,
    category,
    write_kind,
)
from edgelift.worker.moved.letters import write_lower, write_upper
from edgelift.worker.moved.scopes import Scope

Node = Any


def no_function(node: Node, kinds: list[Kind]) -> ServerError:
    """Return the error of a function that does not take such values."""
    shown = ", ".join(write_kind(kind) for kind in kinds)
    return ServerError(
        "42883",
        f"function {describe(node).removesuffix('()')}({shown}) does not exist",
        H="No function matches the given name and argument types. You might need to add explicit "
        "type casts.",
    )


# Texts


def _texts(builder: Builder, nodes: list[Node], scope: Scope) -> list[Node]:
    made = []
    for node in nodes:
        typed = builder.build(node, scope)
        if category(typed.kind) != "text":
            raise no_function(node.parent, [typed.kind])
        made.append(builder.settle(typed, TEXT))
    return made


@rule(exp.Lower, exp.Upper, exp.Length)
def _one_text(builder: Builder, node: Node, scope: Scope) -> Typed:
    typed = builder.build(node.this, scope)
    if isinstance(node, exp.Length):
        if typed.kind.name == "bytea":
            return Typed(call("length", builder.settle(typed)), INT4)
        return Typed(call("length", *_texts(builder, [node.this], scope)), INT4)
    name, write = ("lower", write_lower) if isinstance(node, exp.Lower) else ("upper", write_upper)
    if typed.constant is not None and category(typed.kind) == "text":
        return Typed(builder.settle(typed, TEXT, name), TEXT)
    (value,) = _texts(builder, [node.this], scope)
    if value.find(exp.AggFunc):  # SQLite would look for its rows in the query inside
        return Typed(call(name, value), TEXT)
    return Typed(raw_text(write(value.sql(dialect="sqlite"))), TEXT)


@rule(exp.Trim)
def _trim(builder: Builder, node: Node, scope: Scope) -> Typed:
    nodes = [node.this, *([node.expression] if node.args.get("expression") else [])]
    values = _texts(builder, nodes, scope)
    if len(values) == 1:
        values.append(text(" "))
    name = {"LEADING": "ltrim", "TRAILING": "rtrim"}.get(
        str(node.args.get("position") or ""), "trim"
    )
    return Typed(call(name, *values), TEXT)


@rule(exp.Substring)
def _substring(builder: Builder, node: Node, scope: Scope) -> Typed:
    (value,) = _texts(builder, [node.this], scope)
    start = builder.build_as(node.args["start"], scope, INT4)
    first = call("max", start, number(1))
    if node.args.get("length") is None:
        return Typed(call("substr", value, first), TEXT)
    length = builder.build_as(node.args["length"], scope, INT4)
    end = exp.Add(this=wrap(start.copy()), expression=wrap(length))
    count = call("max", exp.Sub(this=exp.Paren(this=end), expression=first.copy()), number(0))
    return Typed(call("substr", value, first, count), TEXT)


@rule(exp.Left, exp.Right)
def _side(builder: Builder, node: Node, scope: Scope) -> Typed:
    (value,) = _texts(builder, [node.this], scope)
    count = builder.build_as(node.expression, scope, INT4)
    size = call("length", value.copy())
    negative = exp.LT(this=count.copy(), expression=number(0))
    rest = call("max", exp.Add(this=size, expression=wrap(count.copy())), number(0))
    wanted = case((negative, rest), default=count)
    if isinstance(node, exp.Left):
        return Typed(call("substr", value, number(1), wanted), TEXT)
    start = exp.Add(
        this=exp.Sub(this=call("length", value.copy()), expression=wrap(wanted)),
        expression=number(1),
    )
    return Typed(call("substr", value, call("max", start, number(1))), TEXT)


@rule(exp.Replace)
def _replace(builder: Builder, node: Node, scope: Scope) -> Typed:
    nodes = [node.this, node.expression, node.args["replacement"]]
    return Typed(call("replace", *_texts(builder, nodes, scope)), TEXT)


@rule(exp.StrPosition)
def _position(builder: Builder, node: Node, scope: Scope) -> Typed:
    return Typed(call("instr", *_texts(builder, [node.this, node.args["substr"]], scope)), INT4)


@rule(exp.Concat)
def _concat(builder: Builder, node: Node, scope: Scope) -> Typed:
    parts = [to_output(builder, builder.build(part, scope)) for part in node.expressions]
    made: Node = text("")
    for part in parts:
        made = exp.DPipe(this=made, expression=call("coalesce", part, text("")))
    return Typed(exp.Paren(this=made), TEXT)


@rule(exp.ConcatWs)
def _concat_ws(builder: Builder, node: Node, scope: Scope) -> Typed:
    """Return the values that are not NULL with a text between them."""
    first, *rest = (to_output(builder, builder.build(part, scope)) for part in node.expressions)
    made: Node = text("")
    for part in rest:
        joined = exp.DPipe(this=first.copy(), expression=wrap(part))
        made = exp.DPipe(this=made, expression=call("coalesce", exp.Paren(this=joined), text("")))
    start = exp.Add(this=call("length", first), expression=number(1))
    return Typed(call("substr", exp.Paren(this=made), start), TEXT)


@rule(exp.Pad)
def _pad(builder: Builder, node: Node, scope: Scope) -> Typed:
    (value,) = _texts(builder, [node.this], scope)
    size = builder.build_as(node.expression, scope, INT4)
    filling = node.args.get("fill_pattern")
    fill = text(" ") if filling is None else _texts(builder, [filling], scope)[0]
    missing = "substr(replace(hex(zeroblob(max({n}, 0))), '00', {f}), 1, max({n} - length({v}), 0))"
    sides = (missing, "substr({v}, 1, max({n}, 0))")
    joined = " || ".join(sides if node.args.get("is_left") else reversed(sides))
    sql = f"CASE WHEN {{v}} IS NOT NULL AND {{f}} IS NOT NULL THEN {joined} END"
    return Typed(raw(sql, v=value, n=size, f=fill), TEXT)


@rule(exp.Repeat)
def _repeat(builder: Builder, node: Node, scope: Scope) -> Typed:
    (value,) = _texts(builder, [node.this], scope)
    count = builder.build_as(node.args["times"], scope, INT4)
    return Typed(raw("replace(hex(zeroblob(max({n}, 0))), '00', {v})", v=value, n=count), TEXT)


@rule(exp.Reverse)
def _reverse(builder: Builder, node: Node, scope: Scope) -> Typed:
    (value,) = _texts(builder, [node.this], scope)
    if value.find(exp.AggFunc):
        raise refuse("reverse() of an aggregate")
    letters = (
        "(WITH RECURSIVE r(i, s) AS (SELECT length({v}), '' UNION ALL "
        "SELECT i - 1, s || substr({v}, i, 1) FROM r WHERE i > 0) SELECT s FROM r WHERE i = 0)"
    )
    return Typed(raw(letters, v=value), TEXT)


@rule(exp.Unicode)
def _code(builder: Builder, node: Node, scope: Scope) -> Typed:
    return Typed(
        raw("coalesce(unicode({v}), 0 * length({v}))", v=_texts(builder, [node.this], scope)[0]),
        INT4,
    )


@rule(exp.ByteLength)
def _bytes(builder: Builder, node: Node, scope: Scope) -> Typed:
    typed = builder.build(node.this, scope)
    if typed.kind.name != "bytea" and category(typed.kind) != "text":
        raise no_function(node, [typed.kind])
    return Typed(call("length", cast(builder.settle(typed), "BLOB")), INT4)


@rule(exp.SplitPart)
def _split_part(builder: Builder, node: Node, scope: Scope) -> Typed:
    """Return a part between separators: SQLite walks from one to the next."""
    value, mark = _texts(builder, [node.this, node.args["delimiter"]], scope)
    place = builder.build_as(node.args["part_index"], scope, INT4)
    walk = (
        "(WITH RECURSIVE p(n, part, rest) AS (SELECT 0, NULL, {v} || {m} UNION ALL "
        "SELECT n + 1, substr(rest, 1, instr(rest, {m}) - 1), substr(rest, instr(rest, {m}) + "
        "length({m})) FROM p WHERE rest <> '') SELECT coalesce(max(part), '') FROM p WHERE n = {n})"
    )
    made = "CASE WHEN {v} IS NOT NULL AND {m} IS NOT NULL AND {n} > 0 THEN " + walk + " END"
    if value.find(exp.AggFunc):
        raise refuse("split_part() of an aggregate")
    return Typed(raw(made, v=value, m=mark, n=place), TEXT)


@rule(exp.Encode)
def _encode(builder: Builder, node: Node, scope: Scope) -> Typed:
    if builder.look(node.args["charset"]) != "hex":
        raise refuse("encode() in another form than hex")
    return Typed(
        raw(
            "CASE WHEN {v} IS NOT NULL THEN lower(hex({v})) END",
            v=builder.settle(builder.build(node.this, scope)),
        ),
        TEXT,
    )


# Numbers


@rule(exp.Abs)
def _absolute(builder: Builder, node: Node, scope: Scope) -> Typed:
    typed = builder.build(node.this, scope)
    kind = FLOAT8 if typed.kind == UNKNOWN else typed.kind
    return Typed(call("abs", builder.settle(builder.coerce(typed, kind), kind)), kind)


@rule(exp.Round)
def _round(builder: Builder, node: Node, scope: Scope) -> Typed:
    typed = builder.build(node.this, scope)
    value = builder.settle(typed)
    decimals = node.args.get("decimals")
    if typed.kind.name in {"float4", "float8"}:
        if decimals is not None:
            raise no_function(node, [typed.kind, INT4])
        made = round_half_even(value)
        return Typed(raw("{v} + 0.0", v=made) if builder.is_mysql else made, FLOAT8)
    places = 0 if decimals is None else builder.look_count(decimals)
    if places < 0:
        raise refuse("round to tens")
    return Typed(call("round", value, number(places)), NUMERIC._replace(scale=places))


@rule(exp.Sign)
def _sign(builder: Builder, node: Node, scope: Scope) -> Typed:
    typed = builder.build(node.this, scope)
    if builder.is_mysql:
        return Typed(call("sign", builder.settle(typed)), INT4)
    kind = NUMERIC._replace(scale=0) if typed.kind.name == "numeric" else FLOAT8
    return Typed(call("sign", builder.settle(typed)), kind)


@rule(exp.BitwiseAnd, exp.BitwiseOr)
def _bits(builder: Builder, node: Node, scope: Scope) -> Typed:
    sides = [builder.build(side, scope) for side in (node.this, node.expression)]
    known = [side.kind for side in sides if side.kind != UNKNOWN]
    if builder.is_mysql or not known or any(kind.name not in INTEGERS for kind in known):
        raise refuse("bits of what are no integers")
    kind = max(known, key=lambda one: ("int2", "int4", "int8").index(one.name))
    nodes = [wrap(builder.settle(builder.coerce(side, kind), kind)) for side in sides]
    return Typed(exp.Paren(this=type(node)(this=nodes[0], expression=nodes[1])), kind)


@rule(exp.Ceil, exp.Floor)
def _whole(builder: Builder, node: Node, scope: Scope) -> Typed:
    typed = builder.build(node.this, scope)
    value = builder.settle(typed)
    floats = typed.kind.name in {"float4", "float8"} or typed.kind.name in INTEGERS
    down = cast(value, "INTEGER")
    sign = exp.LT if isinstance(node, exp.Floor) else exp.GT
    beyond = sign(this=wrap(value.copy()), expression=down.copy())
    step = number(1 if isinstance(node, exp.Ceil) else -1)
    made = case((beyond, exp.Add(this=down.copy(), expression=exp.Paren(this=step))), default=down)
    if builder.is_mysql:
        return Typed(made, FLOAT8 if typed.kind.name in {"float4", "float8"} else INT8)
    if isinstance(node, exp.Ceil) and typed.kind.name in {"float4", "float8"}:
        made = raw("iif(({m}) = 0, {v} * 0.0, {m})", m=made, v=value)
    return Typed(made, FLOAT8 if floats else NUMERIC._replace(scale=0))


@rule(exp.Rand)
def _random(_builder: Builder, _node: Node, _scope: Scope) -> Typed:
    spread = exp.BitwiseAnd(this=call("random"), expression=number(2**53 - 1))
    made = exp.Div(
        this=cast(exp.Paren(this=spread), "REAL"), expression=number(2**53), typed=True, safe=True
    )
    return Typed(exp.Paren(this=made), FLOAT8)


@rule(exp.Uuid)
def _uuid(_builder: Builder, _node: Node, _scope: Scope) -> Typed:
    made: Node = None
    for size, before in ((4, ""), (2, "-"), (2, "-4"), (2, "-"), (6, "-")):
        part = call("lower", call("hex", call("randomblob", number(size))))
        if before == "-4":
            part = call("substr", part, number(2))
        elif size == 2 and made is not None and "-4" in made.sql():
            nibble = call(
                "substr",
                text("89ab"),
                exp.Add(
                    this=exp.BitwiseAnd(this=call("random"), expression=number(3)),
                    expression=number(1),
                ),
                number(1),
            )
            part = exp.DPipe(this=nibble, expression=call("substr", part, number(2)))
        joined = (
            part
            if made is None
            else exp.DPipe(this=exp.DPipe(this=made, expression=text(before)), expression=part)
        )
        made = joined
    return Typed(exp.Paren(this=made), UUID)
