"""Rules of moments: sums and differences, parts of a moment, cutting, writing by a pattern."""

from __future__ import annotations

from typing import Any

from sqlglot import exp

from edgelift.worker.moment_forms import TRUNCATED
from edgelift.worker.moved import moments
from edgelift.worker.moved.builder import (
    Builder,
    Typed,
    call,
    cast,
    join_text,
    no_operator,
    number,
    rule,
    text,
    wrap,
)
from edgelift.worker.moved.constants import NOW, Constant
from edgelift.worker.moved.failures import refuse
from edgelift.worker.moved.kinds import (
    DATE,
    INT4,
    INT8,
    INTEGERS,
    INTERVAL,
    MOMENTS,
    NUMERIC,
    TEXT,
    TIMESTAMP,
    TIMESTAMPTZ,
    UNKNOWN,
    Kind,
    category,
)
from edgelift.worker.moved.scopes import Scope

Node = Any
_PARTS = {
    "year": "%Y", "month": "%m", "day": "%d", "hour": "%H", "minute": "%M", "doy": "%j",
    "dow": "%w",
}  # fmt: skip
_PATTERN = {
    "YYYY": "%Y", "MM": "%m", "DD": "%d", "HH24": "%H", "MI": "%M", "SS": "%S", "DDD": "%j",
}  # fmt: skip


def compute_moments(builder: Builder, sign: str, left: Typed, right: Typed) -> Typed | None:
    """Return a sum or difference with moments and intervals, None for one of numbers."""
    names = (left.kind.name, right.kind.name)
    if not any(category(side.kind) == "moment" or side.kind.name in {"interval", "time"}
               for side in (left, right)):  # fmt: skip
        return None
    if sign not in "+-":
        return _multiply(builder, sign, left, right)
    if names[0] == "interval" and category(right.kind) == "moment" and sign == "+":
        return _shift(builder, "+", right, left)
    if names == ("interval", "interval"):
        return _add_spans(builder, sign, left, right)
    found = _compute_with(builder, sign, left, right)
    if found is None:
        raise no_operator(left.kind, sign, right.kind)
    return found


def _compute_with(builder: Builder, sign: str, left: Typed, right: Typed) -> Typed | None:
    """Return a moment with something added or taken from it, None where nothing fits."""
    if category(left.kind) == "moment":
        if right.kind == UNKNOWN and right.constant is not None:
            right = right._replace(kind=INTERVAL if sign == "+" else left.kind)
        if right.kind.name == "interval":
            return _shift(builder, sign, left, right)
        if category(right.kind) == "moment" and sign == "-":
            return _subtract(builder, left, right)
        if left.kind.name == "date" and right.kind.name in INTEGERS:
            return _shift_days(builder, sign, left, right)
    return None


def _shift(builder: Builder, sign: str, moment: Typed, span: Typed) -> Typed:
    direction = -1 if sign == "-" else 1
    kind = TIMESTAMP if moment.kind.name == "date" else moment.kind
    if moment.constant is not None and span.constant is not None:
        shifts = (*moment.constant.shifts, (direction, span.constant._replace(kind=INTERVAL)))
        return Typed(None, kind, moment.constant._replace(kind=kind, shifts=shifts))
    node = builder.settle(builder.coerce(moment, kind), kind)
    if span.constant is not None:
        return Typed(_shift_constant(builder, node, direction, span.constant), kind)
    return Typed(_shift_micros(node, direction, as_micros(builder.settle(span), span.kind)), kind)


def _add_spans(builder: Builder, sign: str, left: Typed, right: Typed) -> Typed:
    made = exp.Add if sign == "+" else exp.Sub
    sides = [wrap(_settle_span(builder, side)) for side in (left, right)]
    return Typed(exp.Paren(this=made(this=sides[0], expression=sides[1])), INTERVAL)


def _settle_span(builder: Builder, span: Typed) -> Node:
    """Return an interval in microseconds."""
    if span.constant is not None:
        return builder.settle(span, INTERVAL)
    return as_micros(span.node, span.kind)


def _multiply(builder: Builder, sign: str, left: Typed, right: Typed) -> Typed:
    if sign != "*" or "interval" not in {left.kind.name, right.kind.name}:
        raise refuse(f"{sign} of intervals")
    span, factor = (left, right) if left.kind.name == "interval" else (right, left)
    if category(factor.kind) != "number":
        raise no_operator(left.kind, "*", right.kind)
    product = exp.Mul(
        this=wrap(_settle_span(builder, span)), expression=wrap(builder.settle(factor))
    )
    return Typed(cast(call("round", product), "INTEGER"), INTERVAL)


def as_micros(node: Node, kind: Kind) -> Node:
    """Return a stored interval as microseconds."""
    if kind.form == "micros":
        return node
    if kind.form != "epoch":
        raise refuse("it computes with an interval that is kept as text")
    return count_micros(node)


def _shift_constant(builder: Builder, node: Node, direction: int, constant: Constant) -> Node:
    """Return a column's moment shifted by an interval of the statement's text."""
    if constant.source != "literal":
        return _shift_micros(node, direction, builder.bind(constant, INTERVAL, "span"))
    builder.looked.add(constant.place)
    value = builder.literals[constant.place]
    span = moments.read_span(value or "0")
    if span.months:
        raise refuse("it shifts a column's moment by months")
    total = span.total * direction
    if total % 10**6:
        return _shift_micros(node, direction, builder.bind(constant, INTERVAL, "span"))
    moved = call("strftime", text("%Y-%m-%d %H:%M:%S"), node, text(f"{total // 10**6:+d} seconds"))
    return exp.Paren(this=exp.DPipe(this=moved, expression=call("substr", node.copy(), number(20))))


def shift_by(builder: Builder, moment: Typed, micros: Node, direction: int) -> Typed:
    """Return a moment shifted by computed microseconds."""
    kind = TIMESTAMP if moment.kind.name == "date" else moment.kind
    node = builder.settle(builder.coerce(moment, kind), kind)
    if moment.kind.name == "date" and moment.constant is None:
        node = builder.settle(builder.coerce(moment, kind))
    return Typed(_shift_micros(node, direction, micros), kind)


def _shift_micros(node: Node, direction: int, micros: Node) -> Node:
    """Return a moment shifted by microseconds, by its count of them since the epoch."""
    made = exp.Add if direction > 0 else exp.Sub
    total = exp.Paren(this=made(this=wrap(count_micros(node)), expression=wrap(micros)))
    seconds = exp.Div(this=total, expression=number(10**6), typed=True, safe=True)
    rest = exp.Mod(this=total.copy(), expression=number(10**6))
    whole = call("strftime", text("%Y-%m-%d %H:%M:%S."), exp.Paren(this=seconds), text("unixepoch"))
    return exp.Paren(
        this=exp.DPipe(this=whole, expression=call("printf", text("%06d"), exp.Paren(this=rest)))
    )


def count_micros(node: Node) -> Node:
    """Return a stored moment as microseconds since 1970."""
    seconds = cast(call("strftime", text("%s"), node), "INTEGER")
    fraction = cast(call("substr", node.copy(), number(21), number(6)), "INTEGER")
    product = exp.Mul(this=seconds, expression=number(10**6))
    return exp.Paren(this=exp.Add(this=product, expression=fraction))


def _subtract(builder: Builder, left: Typed, right: Typed) -> Typed:
    if left.kind.name == right.kind.name == "date":
        days = [call("julianday", builder.settle(side)) for side in (left, right)]
        difference = exp.Sub(this=days[0], expression=days[1])
        return Typed(cast(exp.Paren(this=difference), "INTEGER"), INT4)
    kind = TIMESTAMPTZ if "timestamptz" in {left.kind.name, right.kind.name} else TIMESTAMP
    nodes = [
        count_micros(builder.settle(builder.coerce(side, kind), kind)) for side in (left, right)
    ]
    return Typed(exp.Paren(this=exp.Sub(this=nodes[0], expression=nodes[1])), INTERVAL)


def _shift_days(builder: Builder, sign: str, left: Typed, right: Typed) -> Typed:
    days = builder.settle(right)
    count = exp.Neg(this=wrap(days)) if sign == "-" else days
    modifier = exp.DPipe(this=call("printf", text("%+d"), count), expression=text(" days"))
    return Typed(call("date", builder.settle(left), modifier), DATE)


def _moment(builder: Builder, node: Node, scope: Scope) -> tuple[Node, Kind]:
    typed = builder.build(node, scope)
    if typed.kind == UNKNOWN:
        typed = builder.coerce(typed, TIMESTAMPTZ)
    return builder.settle(typed), typed.kind


@rule(exp.Extract)
def _extract(builder: Builder, node: Node, scope: Scope) -> Typed:
    """Return a part of a moment: numeric from EXTRACT, double precision from date_part."""
    found = find_part(builder, node, scope)
    return Typed(cast(found.node, "INTEGER"), INT8) if builder.is_mysql else found


def find_part(builder: Builder, node: Node, scope: Scope) -> Typed:
    """Return a part of a moment or an interval as EXTRACT gives it."""
    given = node.this
    unit = builder.look(given) if isinstance(given, exp.Literal) else builder.look_word(given.name)
    unit = (unit or "").lower().rstrip("s") if unit != "" else ""
    value, kind = _moment(builder, node.expression, scope)
    if kind.name == "interval":
        if unit != "epoch":
            raise refuse(f"EXTRACT of an interval's {unit}")
        micros = as_micros(value, kind)
        seconds = exp.Div(
            this=cast(micros, "REAL"), expression=number(10**6), typed=True, safe=True
        )
        return Typed(exp.Paren(this=seconds), NUMERIC._replace(scale=6))
    if kind.name == "time":
        raise refuse("EXTRACT of a time of day")
    if unit == "epoch":
        full = join_text(value, " 00:00:00.000000") if kind.name == "date" else value
        micros = exp.Div(
            this=cast(count_micros(full), "REAL"), expression=number(10**6), typed=True, safe=True
        )
        return Typed(
            exp.Paren(this=micros), NUMERIC._replace(scale=0 if kind.name == "date" else 6)
        )
    if unit == "second" and kind.name in MOMENTS:
        return Typed(cast(call("substr", value, number(18)), "REAL"), NUMERIC._replace(scale=6))
    if unit == "isodow":
        day = cast(call("strftime", text("%w"), value), "INTEGER")
        shifted = exp.Mod(
            this=exp.Paren(this=exp.Add(this=day, expression=number(6))), expression=number(7)
        )
        made = exp.Add(this=exp.Paren(this=shifted), expression=number(1))
        return Typed(exp.Paren(this=made), NUMERIC._replace(scale=0))
    if unit == "quarter":
        month = cast(call("strftime", text("%m"), value), "INTEGER")
        added = exp.Paren(this=exp.Add(this=month, expression=number(2)))
        return Typed(
            exp.Paren(this=exp.Div(this=added, expression=number(3), typed=True, safe=True)),
            NUMERIC._replace(scale=0),
        )
    form = _PARTS.get(unit)
    if form is None:
        raise refuse(f"EXTRACT of the {unit}")
    return Typed(cast(call("strftime", text(form), value), "INTEGER"), NUMERIC._replace(scale=0))


@rule(exp.TimestampTrunc)
def _truncate(builder: Builder, node: Node, scope: Scope) -> Typed:
    unit = builder.look_word(node.text("unit")).lower().rstrip("s")
    value, kind = _moment(builder, node.this, scope)
    if kind.name == "date":
        value, kind = join_text(value, " 00:00:00.000000"), TIMESTAMPTZ
    if kind.name not in MOMENTS:
        raise refuse("date_trunc of an interval")
    if unit == "week":
        day = cast(call("strftime", text("%w"), value.copy()), "INTEGER")
        back = exp.Mod(
            this=exp.Paren(this=exp.Add(this=day, expression=number(6))), expression=number(7)
        )
        modifier = exp.DPipe(
            this=exp.Paren(this=exp.Neg(this=exp.Paren(this=back))), expression=text(" days")
        )
        return Typed(call("strftime", text(TRUNCATED["day"]), value, modifier), kind)
    form = TRUNCATED.get(unit)
    if form is None:
        raise refuse(f"date_trunc to the {unit}")
    return Typed(call("strftime", text(form), value), kind)


@rule(exp.TimeToStr)
def _write(builder: Builder, node: Node, scope: Scope) -> Typed:
    """Return to_char of a moment for patterns of whole numbers."""
    value, kind = _moment(builder, node.this, scope)
    if category(kind) != "moment":
        raise refuse("to_char of what is no moment")
    pattern = builder.look(node.args["format"]) or ""
    made, rest = "", pattern
    while rest:
        word = next(
            (
                name
                for name in ("YYYY", "HH24", "DDD", "MM", "DD", "MI", "SS")
                if rest.startswith(name)
            ),
            "",
        )
        if not word and rest[0].isalpha():
            raise refuse(f"to_char with the pattern {pattern!r}")
        made += _PATTERN[word] if word else rest[0].replace("%", "%%")
        rest = rest[len(word) or 1 :]
    return Typed(call("strftime", text(made), value), TEXT)


@rule(exp.AtTimeZone)
def _at_zone(builder: Builder, node: Node, scope: Scope) -> Typed:
    zone = builder.look(node.args["zone"])
    if (zone or "").upper() not in {"UTC", "GMT", "Z", "ETC/UTC"}:
        raise refuse(f"AT TIME ZONE {zone!r}: moments are kept in UTC")
    typed = builder.build(node.this, scope)
    kind = TIMESTAMP if typed.kind.name == "timestamptz" else TIMESTAMPTZ
    if typed.constant is not None:
        return Typed(None, kind, typed.constant._replace(kind=kind))
    if typed.kind.name == "date":
        return Typed(join_text(typed.node, " 00:00:00.000000"), TIMESTAMP)
    return typed._replace(kind=kind)


@rule(exp.CurrentTimestamp)
def _now(_builder: Builder, _node: Node, _scope: Scope) -> Typed:
    kind = Kind("timestamptz")
    return Typed(None, kind, Constant(NOW, 0, kind))


@rule(exp.Localtimestamp)
def _local(_builder: Builder, _node: Node, _scope: Scope) -> Typed:
    return Typed(None, TIMESTAMP, Constant(NOW, 0, TIMESTAMP))


@rule(exp.CurrentDate)
def _today(_builder: Builder, _node: Node, _scope: Scope) -> Typed:
    return Typed(None, DATE, Constant(NOW, 0, DATE))


@rule(exp.Interval)
def _interval(builder: Builder, node: Node, scope: Scope) -> Typed:
    inner = builder.build(node.this, scope)
    if inner.constant is None or node.args.get("unit") is not None:
        raise refuse("an interval with its unit outside of the text")
    return Typed(None, INTERVAL, inner.constant._replace(kind=INTERVAL))
