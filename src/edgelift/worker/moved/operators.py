"""Rules of logic and comparisons, rows and subqueries as values."""

from __future__ import annotations

from typing import Any

from sqlglot import exp

from edgelift.worker.moved.builder import (
    Builder,
    Typed,
    call,
    case,
    cast,
    choose_kind,
    fail_with,
    join_text,
    no_operator,
    number,
    raw_text,
    rule,
    text,
    wrap,
)
from edgelift.worker.moved.failures import ServerError, refuse, syntax_error
from edgelift.worker.moved.kinds import (
    BOOL,
    MOMENTS,
    TEXT,
    UNKNOWN,
    Kind,
    array_of,
    category,
    write_kind,
)
from edgelift.worker.moved.letters import write_upper
from edgelift.worker.moved.mysql_errors import make
from edgelift.worker.moved.scopes import Scope

Node = Any


SIGNS = {
    exp.EQ: "=", exp.NEQ: "<>", exp.LT: "<", exp.LTE: "<=", exp.GT: ">", exp.GTE: ">=",
    exp.Add: "+", exp.Sub: "-", exp.Mul: "*", exp.Div: "/", exp.Mod: "%",
    exp.NullSafeEQ: "IS NOT DISTINCT FROM", exp.NullSafeNEQ: "IS DISTINCT FROM",
}  # fmt: skip
_ORDERED = (exp.LT, exp.LTE, exp.GT, exp.GTE)


# Logic


def condition(builder: Builder, node: Node, scope: Scope) -> Node:
    """Return a condition; raises ServerError for what is no boolean."""
    typed = builder.build(node, scope)
    if builder.is_mysql and category(typed.kind) == "number":
        return builder.settle(typed)
    if typed.kind.name not in {"bool", "unknown"}:
        raise ServerError(
            "42804", f"argument of WHERE must be type boolean, not type {write_kind(typed.kind)}"
        )
    return builder.settle(builder.coerce(typed, BOOL), BOOL)


@rule(exp.And, exp.Or)
def _both(builder: Builder, node: Node, scope: Scope) -> Typed:
    left, right = (condition(builder, side, scope) for side in (node.this, node.expression))
    return Typed(type(node)(this=left, expression=right), BOOL)


@rule(exp.Not)
def _not(builder: Builder, node: Node, scope: Scope) -> Typed:
    return Typed(exp.Not(this=wrap(condition(builder, node.this, scope))), BOOL)


@rule(exp.Is)
def _is(builder: Builder, node: Node, scope: Scope) -> Typed:
    inner = builder.settle(builder.build(node.this, scope))
    right = node.expression
    negated = bool(node.args.get("negate"))
    if not isinstance(right, exp.Null | exp.Boolean):
        raise refuse(f"IS {right.sql()}")
    if isinstance(right, exp.Boolean):
        right = number(1 if right.this else 0)
    made: Node = exp.Is(this=wrap(inner), expression=right)
    return Typed(exp.Not(this=made) if negated else made, BOOL)


@rule(exp.Exists)
def _exists(builder: Builder, node: Node, scope: Scope) -> Typed:
    from edgelift.worker.moved.queries import build_query

    inner = node.this.this if isinstance(node.this, exp.Subquery) else node.this
    query, _columns = build_query(builder, inner, scope)
    return Typed(exp.Exists(this=query), BOOL)


# Comparisons


@rule(exp.EQ, exp.NEQ, *_ORDERED, exp.NullSafeEQ, exp.NullSafeNEQ)
def _compare(builder: Builder, node: Node, scope: Scope) -> Typed:
    right = node.expression
    if isinstance(right, exp.Any):
        return _compare_any(builder, node, right.this, scope, every=False)
    if isinstance(right, exp.Anonymous) and str(right.this).upper() == "ALL":
        return _compare_any(builder, node, right.expressions[0], scope, every=True)
    if isinstance(node.this, exp.Tuple) and isinstance(right, exp.Tuple):
        return _compare_rows(builder, node, scope)
    sides = builder.build(node.this, scope), builder.build(right, scope)
    left_node, right_node = match(builder, *sides, sign=SIGNS[type(node)])
    words = builder.is_mysql and any(side.constant is not None for side in sides)
    if isinstance(node, _ORDERED) and not words:
        left_node, right_node = _by_rank(sides, left_node, right_node)
    return Typed(make_comparison(type(node), left_node, right_node), BOOL)


def make_comparison(kind: type, left: Node, right: Node) -> Node:
    """Return a comparison of nodes in SQLite's words."""
    if kind is exp.NullSafeEQ:
        return exp.Is(this=wrap(left), expression=wrap(right))
    if kind is exp.NullSafeNEQ:
        return exp.Not(this=exp.Paren(this=exp.Is(this=wrap(left), expression=wrap(right))))
    return kind(this=wrap(left), expression=wrap(right))


def match(  # noqa: PLR0911 - one for each pair of kinds
    builder: Builder, left: Typed, right: Typed, sign: str
) -> tuple[Node, Node]:
    """Return two sides as values of one kind; raises ServerError for those of none."""
    if left.kind == UNKNOWN and right.kind == UNKNOWN:
        return builder.settle(left, TEXT), builder.settle(right, TEXT)
    if left.kind == UNKNOWN:
        form = _lax(builder, right.kind)
        made = builder.settle(builder.coerce(left, right.kind), right.kind, form)
        return made, builder.settle(right)
    if right.kind == UNKNOWN:
        form = _lax(builder, left.kind)
        made = builder.settle(builder.coerce(right, left.kind), left.kind, form)
        return builder.settle(left), made
    if category(left.kind) != category(right.kind):
        if builder.is_mysql:
            return _match_lax(builder, left, right, sign)
        raise no_operator(left.kind, sign, right.kind)
    if category(left.kind) == "moment":
        kind = choose_kind([left.kind, right.kind])
        return (
            builder.settle(builder.coerce(left, kind), kind),
            builder.settle(builder.coerce(right, kind), kind),
        )
    if left.kind.name == "interval" and left.kind.form != right.kind.form:
        return _match_intervals(builder, left, right)
    nodes = []
    for typed, other in ((left, right), (right, left)):
        constant = typed.constant is not None and category(other.kind) != "number"
        nodes.append(builder.settle(typed, other.kind if constant else None))
    return nodes[0], nodes[1]


def _lax(builder: Builder, kind: Kind) -> str:
    """Return the form in which MySQL reads a text that it compares with a kind."""
    return "lax" if builder.is_mysql and (category(kind) == "number" or kind.labels) else ""


def _match_lax(builder: Builder, left: Typed, right: Typed, sign: str) -> tuple[Node, Node]:
    """Return sides of two kinds as MySQL compares them: as numbers, where one is."""
    nodes = []
    groups = {category(side.kind) for side in (left, right)}
    if not groups <= {"number", "bool", "text"}:
        raise no_operator(left.kind, sign, right.kind)
    for side in (left, right):
        node = builder.settle(side)
        nodes.append(cast(node, "REAL") if category(side.kind) == "text" else node)
    return nodes[0], nodes[1]


def _match_intervals(builder: Builder, left: Typed, right: Typed) -> tuple[Node, Node]:
    for typed, other in ((left, right), (right, left)):
        if typed.constant is not None:
            made = builder.settle(typed, other.kind)
            other_node = builder.settle(other)
            return (made, other_node) if typed is left else (other_node, made)
    raise refuse("it compares intervals of different forms")


def _by_rank(sides: tuple[Typed, Typed], left: Node, right: Node) -> tuple[Node, Node]:
    """Return enumerated sides as the places of their labels, by which the server orders them."""
    labels = next((side.kind.labels for side in sides if side.kind.labels), ())
    if not labels:
        return left, right
    return rank(left, labels), rank(right, labels)


def rank(node: Node, labels: tuple[str, ...]) -> Node:
    """Return the place of an enumerated value."""
    pairs = [(exp.EQ(this=wrap(node.copy()), expression=text(label)), number(place))
             for place, label in enumerate(labels)]  # fmt: skip
    return case(*pairs)


def _compare_rows(builder: Builder, node: Node, scope: Scope) -> Typed:
    if not isinstance(node, exp.EQ | exp.NEQ):
        raise refuse("it orders rows")
    pairs = zip(node.this.expressions, node.expression.expressions, strict=True)
    made = [
        builder.build(exp.EQ(this=left.copy(), expression=right.copy()), scope).node
        for left, right in pairs
    ]
    joined: Node = exp.Paren(this=exp.and_(*made))
    return Typed(exp.Not(this=joined) if isinstance(node, exp.NEQ) else joined, BOOL)


def _compare_any(builder: Builder, node: Node, inner: Node, scope: Scope, *, every: bool) -> Typed:
    """Return `x = ANY (array)` over json_each; a subquery is IN."""
    while isinstance(inner, exp.Paren):
        inner = inner.this
    plain = exp.NEQ if every else exp.EQ
    if isinstance(inner, exp.Subquery | exp.Select):
        if not isinstance(node, plain):
            raise refuse("it compares with ANY or ALL rows of a query")
        made = builder.build(exp.In(this=node.this.copy(), query=inner.copy()), scope)
        return Typed(exp.Not(this=made.node) if every else made.node, BOOL)
    left, items = builder.build(node.this, scope), builder.build(inner, scope)
    if left.kind == UNKNOWN and items.kind.element is not None:
        left = builder.coerce(left, items.kind.element)
    array = builder.settle(items, array_of(TEXT if left.kind == UNKNOWN else left.kind))
    element = (items.kind.element or left.kind) if items.constant is None else left.kind
    rows = each(array, read_element(element))
    side = builder.settle(left)
    if isinstance(node, plain):
        made_in: Node = exp.In(this=wrap(side), query=exp.Subquery(this=rows))
        return Typed(exp.Not(this=made_in) if every else made_in, BOOL)
    value = read_element(element)
    where = make_comparison(type(node), side, value)
    if every:
        where = exp.Not(this=exp.Paren(this=where))
    rows = each(array, number(1)).where(where)
    found: Node = exp.Exists(this=rows)
    known = exp.Not(this=exp.Is(this=wrap(array.copy()), expression=exp.Null()))
    return Typed(case((known, exp.Not(this=found) if every else found)), BOOL)


def each(array: Node, value: Node) -> Any:
    """Return a query of the elements of a stored array."""
    return exp.select(value).from_(call("json_each", array))


def read_element(element: Kind) -> Node:
    """Return what an element of a stored array is as a value of its own."""
    value = exp.Column(this=exp.Identifier(this="value", quoted=False))
    if element.name in MOMENTS:
        spaced = call("replace", value, text("T"), text(" "))
        plain = call("substr", spaced, number(1), number(19))
        fraction = call("substr", call("replace", spaced, text("+00:00"), text("")), number(21))
        padded = call(
            "substr", exp.DPipe(this=fraction, expression=text("000000")), number(1), number(6)
        )
        return exp.DPipe(this=join_text(plain, "."), expression=padded)
    return value


@rule(exp.In)
def _in(builder: Builder, node: Node, scope: Scope) -> Typed:
    if node.args.get("query") is not None:
        return _in_query(builder, node, scope)
    if not node.expressions:
        raise syntax_error('syntax error at or near ")"')
    if isinstance(node.this, exp.Tuple):
        rows = [exp.EQ(this=node.this.copy(), expression=row.copy()) for row in node.expressions]
        made = [builder.build(row, scope).node for row in rows]
        return Typed(exp.Paren(this=exp.or_(*made)), BOOL)
    left = builder.build(node.this, scope)
    items = [builder.build(item, scope) for item in node.expressions]
    known = [part.kind for part in (left, *items) if part.kind != UNKNOWN]
    if known and len({category(kind) for kind in known}) == 1:
        # As the server does: values of no type are read as the type that all have together.
        kind = choose_kind(known)
        left, *items = (
            builder.coerce(part, kind) if part.kind == UNKNOWN else part for part in (left, *items)
        )
    nodes = []
    side: Node = None
    for item in items:
        if side is None:
            side, made = match(builder, left, item, "=")
        else:
            made = match(builder, left._replace(constant=None, node=side), item, "=")[1]
        nodes.append(made)
    return Typed(exp.In(this=wrap(side), expressions=nodes), BOOL)


def _in_query(builder: Builder, node: Node, scope: Scope) -> Typed:
    from edgelift.worker.moved.queries import build_query

    query = node.args["query"]
    inner = query.this if isinstance(query, exp.Subquery) else query
    made, columns = build_query(builder, inner, scope)
    if isinstance(node.this, exp.Tuple):
        parts = [builder.build(part, scope) for part in node.this.expressions]
        nodes = [
            builder.settle(builder.coerce(part, kind), kind)
            for part, (_name, kind) in zip(parts, columns, strict=True)
        ]
        side: Node = exp.Tuple(expressions=nodes)
    else:
        left = builder.build(node.this, scope)
        if left.kind != UNKNOWN and category(left.kind) != category(columns[0][1]):
            raise no_operator(left.kind, "=", columns[0][1])
        side = wrap(builder.settle(builder.coerce(left, columns[0][1]), columns[0][1]))
    return Typed(exp.In(this=side, query=exp.Subquery(this=made)), BOOL)


@rule(exp.Between)
def _between(builder: Builder, node: Node, scope: Scope) -> Typed:
    low = exp.GTE(this=node.this.copy(), expression=node.args["low"].copy())
    high = exp.LTE(this=node.this.copy(), expression=node.args["high"].copy())
    if node.args.get("symmetric"):
        raise refuse("BETWEEN SYMMETRIC")
    made = [builder.build(part, scope).node for part in (low, high)]
    return Typed(exp.Paren(this=exp.and_(*made)), BOOL)


@rule(exp.Like, exp.ILike)
def _like(builder: Builder, node: Node, scope: Scope) -> Typed:
    left = builder.build(node.this, scope)
    if left.kind != UNKNOWN and category(left.kind) != "text":
        raise no_operator(left.kind, "~~", UNKNOWN)
    side = wrap(builder.settle(left, TEXT))
    pattern = builder.build(node.expression, scope)
    mark = node.args.get("mark", "\\")
    made = _make_like(builder, node, side, pattern, mark)
    return Typed(exp.Not(this=made) if node.args.get("negate") else made, BOOL)


def _make_like(builder: Builder, node: Node, side: Node, pattern: Typed, mark: str) -> Node:
    if builder.is_mysql or isinstance(node, exp.ILike):
        sql = wrap(builder.settle(pattern, TEXT, "like" if builder.is_mysql else "upper"))
        if not builder.is_mysql:
            side = raw_text(write_upper(side.sql(dialect="sqlite")))
            if pattern.constant is None:
                sql = raw_text(write_upper(sql.sql(dialect="sqlite")))
        made = exp.Like(this=side, expression=sql)
        return exp.Escape(this=made, expression=text(mark))
    if pattern.constant is not None:
        return exp.Glob(this=side, expression=builder.settle(pattern, TEXT, f"glob{mark}"))
    return exp.Glob(this=side, expression=_glob_of(pattern.node, mark))


def _glob_of(pattern: Node, mark: str) -> Node:
    """Return a computed LIKE pattern as GLOB's; private characters keep what is escaped."""
    steps = [
        (mark * 2, "\ue003"), (f"{mark}%", "\ue004"), (f"{mark}_", "\ue005"), ("[", "[[]"),
        ("*", "[*]"), ("?", "[?]"), ("%", "*"), ("_", "?"), ("\ue003", mark), ("\ue004", "%"),
        ("\ue005", "_"),
    ]  # fmt: skip
    made = wrap(pattern)
    for old, new in steps if mark else steps[3:8]:
        made = call("replace", made, text(old), text(new))
    return made


@rule(exp.Escape)
def _escape(builder: Builder, node: Node, scope: Scope) -> Typed:
    mark = builder.look(node.expression)
    if mark is None or len(mark) != 1 or not isinstance(node.this, exp.Like | exp.ILike):
        raise refuse(f"LIKE ... ESCAPE {mark!r}")
    inner = node.this.copy()
    inner.set("mark", mark)
    return builder.build(inner, scope)


@rule(exp.Tuple)
def _tuple(builder: Builder, node: Node, _scope: Scope) -> Typed:
    if not node.expressions:
        raise syntax_error('syntax error at or near ")"')
    if builder.is_mysql:
        raise make(1241, "Operand should contain 1 column(s)")
    raise refuse("a row stands where a value is wanted")


@rule(exp.Subquery)
def _subquery(builder: Builder, node: Node, scope: Scope) -> Typed:
    from edgelift.worker.moved.queries import build_query

    query, columns = build_query(builder, node.this, scope)
    if len(columns) != 1:
        raise ServerError("42601", "subquery must return only one column")
    return Typed(exp.Subquery(this=_take_one(node.this, query)), columns[0][1])


def _take_one(source: Node, query: Node) -> Node:
    """Return a query that is an error where it has more than one row, as a value must not."""
    limit = source.args.get("limit")
    once = limit is not None and isinstance(limit.expression, exp.Literal)
    if once or not isinstance(query, exp.Select) or _is_one_row(source):
        return query
    query.expressions[0].set("alias", exp.Identifier(this="v", quoted=True))
    several = exp.GT(this=exp.Count(this=exp.Star()), expression=number(1))
    value = exp.Max(this=exp.Column(this=exp.Identifier(this="v", quoted=True)))
    picked = case((several, fail_with("21000")), default=value)
    return exp.select(picked).from_(query.subquery("w"))


def _is_one_row(source: Node) -> bool:
    """Return whether a query has one row whatever its tables hold."""
    if not isinstance(source, exp.Select) or source.args.get("group") is not None:
        return False
    if source.args.get("from_") is None:
        return True
    inner = source.expressions[0].unalias() if source.expressions else source
    return isinstance(inner, exp.AggFunc) or (
        isinstance(inner, exp.Coalesce | exp.Cast | exp.Round)
        and isinstance(inner.this, exp.AggFunc)
    )
