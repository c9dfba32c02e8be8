"""Rules of casts: what `value::type` is in SQLite, and how values are written as texts there."""

from __future__ import annotations

from typing import Any

from sqlglot import exp

from edgelift.worker.moved.builder import (
    Builder,
    Typed,
    call,
    case,
    cast,
    is_null,
    join_text,
    number,
    raw,
    rule,
    text,
    wrap,
)
from edgelift.worker.moved.failures import ServerError, refuse
from edgelift.worker.moved.kinds import (
    INTEGERS,
    INTERVAL,
    MOMENTS,
    NUMERIC,
    TEXT,
    TEXTS,
    UNKNOWN,
    Kind,
    array_of,
    category,
    write_kind,
)
from edgelift.worker.moved.scopes import Scope

Node = Any
_D = exp.DType
_NAMES = {
    _D.INT: "int4", _D.BIGINT: "int8", _D.SMALLINT: "int2", _D.DOUBLE: "float8", _D.FLOAT: "float4",
    _D.TEXT: "text", _D.BOOLEAN: "bool", _D.DATE: "date", _D.TIMESTAMP: "timestamp",
    _D.TIMESTAMPTZ: "timestamptz", _D.TIME: "time", _D.UUID: "uuid", _D.JSON: "json",
    _D.JSONB: "jsonb", _D.VARBINARY: "bytea", _D.NAME: "name", _D.INET: "inet",
}  # fmt: skip


def read_type(builder: Builder, node: Node) -> Kind:
    """Return the kind that a type's name in a statement means; raises ServerError."""
    kind = getattr(node, "this", None)
    arguments = [
        builder.look(part.this)
        for part in node.expressions or ()
        if isinstance(part, exp.DataTypeParam)
    ]
    sizes = [int(part) for part in arguments if part]
    if kind == _D.ARRAY:
        return array_of(read_type(builder, node.expressions[0]))
    if kind == _D.DECIMAL:
        return Kind("numeric", sizes[0], sizes[1] if len(sizes) > 1 else 0) if sizes else NUMERIC
    if kind in {_D.VARCHAR, _D.CHAR}:
        name = "varchar" if kind == _D.VARCHAR else "bpchar"
        length = sizes[0] if sizes else -1 if name == "varchar" else 1
        return Kind(name, length=length)
    if kind == _D.INTERVAL:
        return INTERVAL
    if kind in _NAMES:
        return Kind(_NAMES[kind])
    if kind == _D.USERDEFINED:
        return _find_named(builder, str(node.args.get("kind") or "").strip('"'))
    raise refuse(f"it casts to {node.sql()}")


def _find_named(builder: Builder, name: str) -> Kind:
    """Return an enumeration of the database, or a type that has a text of its own."""
    bare = name.rpartition(".")[2].lower()
    if bare == "citext":
        return TEXT
    for table in builder.catalogue.tables.values():
        for column in table.columns:
            if column.kind.labels and column.kind.form.rpartition(".")[2] == bare:
                return column.kind
    raise ServerError("42704", f'type "{name}" does not exist')


@rule(exp.Cast)
def _cast(builder: Builder, node: Node, scope: Scope) -> Typed:
    if isinstance(node.to, exp.Interval):
        raise refuse("an interval of a unit")
    kind = read_type(builder, node.to)
    if kind.element is not None and isinstance(node.this, exp.Array):
        items = [builder.build_as(item, scope, kind.element) for item in node.this.expressions]
        return Typed(call("json_array", *(as_element(one, kind.element) for one in items)), kind)
    inner = builder.build(node.this, scope)
    if is_null(inner):
        return Typed(inner.node, kind)
    if inner.constant is not None:
        return _cast_constant(builder, inner, kind)
    return convert(inner, kind)


def _cast_constant(builder: Builder, inner: Typed, kind: Kind) -> Typed:
    constant = inner.constant
    assert constant is not None
    if constant.shifts or constant.source in {"now", "clock"}:
        return Typed(None, kind, constant._replace(kind=kind)) if (
            category(kind) == "moment" or kind.name == "time"
        ) else Typed(builder.bind(constant, kind), kind)  # fmt: skip
    if constant.source == "parameter" and inner.kind == UNKNOWN:
        builder.parameters.setdefault(constant.place, kind._replace(length=-1))
        constant = constant._replace(kind=kind)
    if kind.name == "interval" or category(kind) == "moment":
        return Typed(None, kind, constant._replace(kind=kind))
    return Typed(builder.bind(constant, kind, "cut" if kind.length >= 0 else ""), kind)


def convert(inner: Typed, kind: Kind) -> Typed:
    """Return a computed value as another kind; raises ServerError where there is no such form."""
    given = inner.kind
    if kind.length >= 0 and category(given) == "text" and given.name != "enum":
        return Typed(call("substr", inner.node, number(1), number(kind.length)), kind)
    if given.name == kind.name and (kind.name != "numeric" or kind.scale in {-1, given.scale}):
        return inner._replace(kind=kind if kind.length < 0 else given)
    if category(kind) == "text" and kind.name != "enum":
        return Typed(write_as_text(inner.node, given), kind)
    found = _convert(inner.node, given, kind)
    if found is None:
        raise refuse(f"it casts {write_kind(given)} to {write_kind(kind)}")
    return Typed(found, kind)


def _convert(node: Node, given: Kind, kind: Kind) -> Node | None:  # noqa: PLR0911 - one for each form
    if category(given) == "number":
        return _convert_number(node, given, kind)
    if given.name == "bool" and kind.name in INTEGERS:
        return node
    if category(given) == "moment":
        return _convert_moment(node, given, kind)
    if given.form == "scalar":  # of a document
        if kind.name in INTEGERS:
            return cast(call("round", wrap(node)), "INTEGER")
        return cast(node, "REAL") if category(kind) == "number" else _keep(node, kind)
    if category(given) == "text":
        return node if kind.name in {"enum", "json", "jsonb"} else None
    if {given.name, kind.name} == {"json", "jsonb"} or (given.element and kind.element):
        return node
    return None


def _keep(node: Node, kind: Kind) -> Node | None:
    return node if kind.name in {"uuid", "date", "enum"} else None


def _convert_number(node: Node, given: Kind, kind: Kind) -> Node | None:
    if kind.name in INTEGERS:
        if given.name in INTEGERS:
            return node
        is_float = given.name in {"float4", "float8"}
        rounded = round_half_even(node) if is_float else call("round", wrap(node))
        return cast(rounded, "INTEGER")
    if kind.name in {"float4", "float8"}:
        return cast(node, "REAL")
    if kind.name == "numeric":
        return call("round", node, number(kind.scale)) if kind.scale >= 0 else node
    if kind.name == "bool" and given.name in INTEGERS:
        return exp.Paren(this=exp.NEQ(this=wrap(node), expression=number(0)))
    return None


def _convert_moment(node: Node, given: Kind, kind: Kind) -> Node | None:
    if kind.name == "date":
        return call("substr", node, number(1), number(10))
    if kind.name in MOMENTS:
        return join_text(node, " 00:00:00.000000") if given.name == "date" else node
    if kind.name == "time" and given.name != "date":
        return call("substr", node, number(12))
    return None


def round_half_even(node: Node) -> Node:
    """Return a double rounded as C's rint does, with the sign of its zero."""
    even = "CASE WHEN abs({v} - round({v})) = 0.5 THEN 2.0 * round({v} / 2.0) ELSE round({v}) END"
    return raw(f"iif(({even}) = 0, {{v}} * 0.0, {even})", v=node)


def as_element(node: Node, kind: Kind) -> Node:
    """Return a value as json_group_array must be given it for what to_json would write."""
    if kind.name == "bool":
        made = case((node, text("true")), default=text("false"))
        known = exp.Not(this=exp.Is(this=wrap(node.copy()), expression=exp.Null()))
        return call("json", case((known, made), default=text("null")))
    if kind.element is not None or kind.name in {"json", "jsonb"}:
        return call("json", node)
    return node


def to_text(builder: Builder, typed: Typed) -> Node:
    """Return a part as the text that the server's || and concat make of it."""
    if typed.kind == UNKNOWN or typed.constant is not None:
        return builder.settle(typed, TEXT)
    return write_as_text(typed.node, typed.kind)


def to_output(builder: Builder, typed: Typed) -> Node:
    """Return a part as the text that the server prints, as concat() takes it: `t` for true."""
    if typed.kind.name == "bool" and typed.constant is None:
        negative = exp.Not(this=wrap(typed.node.copy()))
        return case((typed.node, text("t")), (negative, text("f")))
    return to_text(builder, typed)


def write_as_text(node: Node, kind: Kind) -> Node:  # noqa: PLR0911 - one for each form
    """Return the text that the server prints of a value, as a cast does: `true` for true."""
    if kind.name in TEXTS or kind.name in {"enum", "unknown", "uuid", "date", "json", "jsonb"}:
        return node
    if kind.name in INTEGERS:
        return cast(node, "TEXT")
    if kind.name == "bool":
        negative = exp.Not(this=wrap(node.copy()))
        return case((node, text("true")), (negative, text("false")))
    if kind.name == "numeric" and kind.scale >= 0:
        return raw(f"CASE WHEN {{v}} IS NOT NULL THEN printf('%.{kind.scale}f', {{v}}) END", v=node)
    if kind.name in MOMENTS or kind.name == "time":
        start = 20 if kind.name in MOMENTS else 9
        whole = exp.EQ(this=call("substr", node, number(start)), expression=text(".000000"))
        short = call("substr", node.copy(), number(1), number(start - 1))
        made = case((whole, short), default=call("rtrim", node.copy(), text("0")))
        return join_text(made, "+00") if kind.name == "timestamptz" else made
    if kind.name in {"float4", "float8", "numeric"}:
        integer = cast(node.copy(), "INTEGER")
        whole = exp.EQ(this=wrap(node), expression=integer)
        return case((whole, cast(integer.copy(), "TEXT")), default=cast(node.copy(), "TEXT"))
    if kind.element is not None:
        return _write_array(node)
    raise refuse(f"it makes a text of {write_kind(kind)}")


def _write_array(node: Node) -> Node:
    """Return a stored array of one dimension as the server prints it."""
    value = exp.Column(this=exp.Identifier(this="value", quoted=False))
    special = exp.Or(
        this=exp.Glob(this=value.copy(), expression=text('*[{}", \\]*')),
        expression=exp.In(this=call("upper", value.copy()), expressions=[text(""), text("NULL")]),
    )
    escaped = call("replace", value.copy(), text("\\"), text("\\\\"))
    escaped = call("replace", escaped, text('"'), text('\\"'))
    quoted = exp.DPipe(this=exp.DPipe(this=text('"'), expression=escaped), expression=text('"'))
    empty = exp.Is(this=value.copy(), expression=exp.Null())
    shown = case((empty, text("NULL")), (special, quoted), default=value)
    items = exp.select(call("group_concat", shown, text(","))).from_(call("json_each", node))
    joined = exp.DPipe(
        this=exp.DPipe(
            this=text("{"), expression=call("coalesce", exp.Subquery(this=items), text(""))
        ),
        expression=text("}"),
    )
    known = exp.Not(this=exp.Is(this=wrap(node.copy()), expression=exp.Null()))
    return case((known, exp.Paren(this=joined)))
