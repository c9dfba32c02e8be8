"""Rules of documents: parts by -> and ->>, as documents and as texts."""

from __future__ import annotations

from typing import Any

from sqlglot import exp

from edgelift.worker.moved.builder import (
    Builder,
    Typed,
    call,
    case,
    cast,
    rule,
    text,
    wrap,
)
from edgelift.worker.moved.failures import refuse
from edgelift.worker.moved.kinds import (
    INTEGERS,
    TEXT,
    Kind,
)
from edgelift.worker.moved.scopes import Scope

Node = Any


@rule(exp.JSONExtract, exp.JSONExtractScalar)
def _extract(builder: Builder, node: Node, scope: Scope) -> Typed:
    """Return a part of a document; a chain of -> is one path."""
    steps: list[Node] = []
    inner = node
    while isinstance(inner, exp.JSONExtract | exp.JSONExtractScalar):
        steps.insert(0, inner.expression)
        inner = inner.this
        while isinstance(inner, exp.Paren) and isinstance(inner.this, exp.JSONExtract):
            inner = inner.this
    typed = builder.build(inner, scope)
    if typed.kind.name not in {"json", "jsonb"}:
        raise refuse("-> and ->> of what is no document")
    path: Node = text("$")
    for step in steps:
        path = _step(builder, path, step, scope)
    value = builder.settle(typed)
    if isinstance(node, exp.JSONExtractScalar):
        return Typed(_scalar(value, path), Kind("text", form="scalar"))
    return Typed(_arrow(value, path), typed.kind)


def _step(builder: Builder, path: Node, given: Node, scope: Scope) -> Node:
    """Return a path with one step more; known ones are one text."""
    if not isinstance(given, exp.JSONPath):
        key = builder.build(given, scope)
        if key.kind.name in INTEGERS:
            raise refuse("-> with a computed place")
        return exp.DPipe(this=path, expression=_key(builder.settle(key, TEXT)))
    for part in given.expressions[1:]:
        step = _path_part(builder, part)
        if isinstance(path, exp.Literal):
            path = text(path.this + step)
        else:
            path = exp.DPipe(this=path, expression=text(step))
    return path


def _path_part(builder: Builder, part: Node) -> str:
    if isinstance(part, exp.JSONPathKey):
        name = builder.look_word(str(part.this)).replace('"', '\\"')
        return f'."{name}"'
    if isinstance(part, exp.JSONPathSubscript):
        index = builder.look(exp.Literal.number(str(part.this)))
        place = int(index or 0)
        return f"[{place}]" if place >= 0 else f"[#{place}]"
    raise refuse("this path into a document")


def _key(name: Node) -> Node:
    return exp.DPipe(this=exp.DPipe(this=text('."'), expression=wrap(name)), expression=text('"'))


def _arrow(value: Node, path: Node) -> Node:
    """Return the part of a document as a document: SQLite's -> operator by its function."""
    kind = call("json_type", value, path)
    quoted = call("json_quote", call("json_extract", value.copy(), path.copy()))
    plain = case(
        (exp.EQ(this=kind.copy(), expression=text("true")), text("true")),
        (exp.EQ(this=kind.copy(), expression=text("false")), text("false")),
        default=quoted,
    )
    return case((exp.Is(this=kind, expression=exp.Null()), exp.Null()), default=plain)


def _scalar(value: Node, path: Node) -> Node:
    kind = call("json_type", value, path)
    return case(
        (exp.EQ(this=kind.copy(), expression=text("true")), text("true")),
        (exp.EQ(this=kind.copy(), expression=text("false")), text("false")),
        default=cast(call("json_extract", value.copy(), path.copy()), "TEXT"),
    )
