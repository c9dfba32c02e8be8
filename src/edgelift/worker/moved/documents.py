"""Rules of documents: parts by ->, subscripts and paths, what they hold, how they are changed."""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Iterator
from typing import Any

from sqlglot import exp

from edgelift.worker.moved.builder import (
    Builder,
    Typed,
    call,
    case,
    cast,
    find_literal,
    raw,
    rule,
    text,
    wrap,
)
from edgelift.worker.moved.constants import split_search_path
from edgelift.worker.moved.failures import ServerError, refuse
from edgelift.worker.moved.kinds import (
    BOOL,
    INTEGERS,
    JSONB,
    TEXT,
    Kind,
)
from edgelift.worker.moved.scopes import Scope

Node = Any


@rule(exp.JSONExtract, exp.JSONExtractScalar)
def _extract(builder: Builder, node: Node, scope: Scope) -> Typed:
    """Return a part of a document; a chain of -> and subscripts is one path."""
    steps: list[Node] = []
    inner = node
    while isinstance(inner, exp.JSONExtract | exp.JSONExtractScalar | exp.Bracket):
        if isinstance(inner, exp.Bracket):
            steps.insert(0, read_subscript(inner))
        else:
            steps.insert(0, inner.expression)
        inner = inner.this
        while isinstance(inner, exp.Paren) and isinstance(
            inner.this, exp.JSONExtract | exp.Bracket
        ):
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
        index = given.this if isinstance(given, exp.Neg) else given
        if find_literal(index) is not None and not index.args["is_string"]:
            place = builder.look_count(index)
            step = f"[#-{place}]" if given is not index else f"[{place}]"
            if isinstance(path, exp.Literal):
                return text(path.this + step)
            return exp.DPipe(this=path, expression=text(step))
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
        name = builder.look_word(str(part.this))
        if builder.is_mysql and name.startswith("$"):
            return read_mysql_path(name)
        name = name.replace('"', '\\"')
        return f'."{name}"'
    if isinstance(part, exp.JSONPathSubscript):
        index = builder.look(exp.Literal.number(str(part.this)))
        place = int(index or 0)
        return f"[{place}]" if place >= 0 else f"[#{place}]"
    raise refuse("this path into a document")


def read_mysql_path(path: str) -> str:
    """Return the steps of a path that MySQL and SQLite read alike."""
    if not re.fullmatch(r'\$(?:\.\w+|\."[^"]*"|\[\d+\])*', path):
        raise refuse(f"the path {path} into a document")
    return path[1:]


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


def read_subscript(node: Node) -> Node:
    """Return what stands in the brackets, which sqlglot has made to count from 0."""
    if len(node.expressions) != 1:
        raise refuse("a subscript of several parts")
    index = node.expressions[0]
    if isinstance(index, exp.Neg) and isinstance(index.this, exp.Literal):
        plain = exp.Literal.number(str(int(index.this.this) - 1))
        return plain if find_literal(plain) is not None else index
    if isinstance(index, exp.Literal) and not index.args["is_string"]:
        return exp.Literal.number(str(int(index.this) + 1))
    return index


def is_document(builder: Builder, node: Node, scope: Scope) -> bool:
    """Return whether what subscripts and arrows start from is a document."""
    while isinstance(node, exp.Paren | exp.Bracket | exp.JSONExtract):
        node = node.this
    return builder.build(node, scope).kind.name in {"json", "jsonb"}


@rule(exp.JSONBExtract, exp.JSONBExtractScalar)
def _follow(builder: Builder, node: Node, scope: Scope) -> Typed:
    """Return what lies at a path: a number in it is a place or a key, whichever is met."""
    typed = builder.build(node.this, scope)
    if typed.kind.name not in {"json", "jsonb"}:
        raise refuse("#> and #>> of what is no document")
    inner = node.expression.this if isinstance(node.expression, exp.Cast) else node.expression
    given = builder.look(inner)
    if given is None:
        raise refuse("a path that is known at run time only")
    value = builder.settle(typed)
    scalar = isinstance(node, exp.JSONBExtractScalar)
    write = _scalar if scalar else _arrow
    made = [write(value.copy(), text(path)) for path in list_paths(given)]
    kind = Kind("text", form="scalar") if scalar else typed.kind
    return Typed(made[0] if len(made) == 1 else call("coalesce", *made), kind)


def list_paths(given: str) -> list[str]:
    """Return SQLite's paths that a path of PostgreSQL's may mean."""
    steps = []
    for step in split_search_path(given):
        key = f'."{step.strip()}"'
        is_place = step.strip().lstrip("-").isdigit()
        place = f"[#{step.strip()}]" if step.strip().startswith("-") else f"[{step.strip()}]"
        steps.append((place, key) if is_place else (key,))
    if sum(len(one) > 1 for one in steps) > _MOST_PLACES:
        raise refuse("a path of many numbers")
    return ["$" + "".join(chosen) for chosen in itertools.product(*steps)]


_MOST_PLACES = 3


# What documents hold


def contains(builder: Builder, whole: Typed, part: Typed) -> Typed:
    """Return jsonb's @> for a document of the statement's text, its structure as conditions."""
    constant = part.constant
    if constant is None or constant.source != "literal":
        raise refuse("@> of a document that is known at run time only")
    builder.looked.add(constant.place)
    given = builder.literals[constant.place]
    if given is None:
        raise refuse("@> of a document that is known at run time only")
    value = builder.settle(whole, JSONB)
    parts = list(_list_conditions("{v}", "$", parse_document(given), 0))
    sql = f"CASE WHEN {{v}} IS NOT NULL THEN {' AND '.join(parts)} END"
    return Typed(raw(sql, v=value), BOOL)


def parse_document(given: str) -> Any:
    """Return a document of a statement's text; raises ServerError as the server does."""
    try:
        return json.loads(given)
    except ValueError:
        raise ServerError("22P02", "invalid input syntax for type json") from None


def _quote(value: str) -> str:
    return "'" + value.replace("'", "''").replace("{", "{{").replace("}", "}}") + "'"


def _list_conditions(document: str, path: str, part: Any, depth: int) -> Iterator[str]:
    """Yield what must be true of the value at a path for it to hold a part."""
    place = f"json_type({document}, {_quote(path)})"
    if isinstance(part, dict):
        yield f"coalesce({place} = 'object', 0)"
        for key, item in part.items():
            yield from _list_conditions(document, f'{path}."{key}"', item, depth)
    elif isinstance(part, list):
        yield f"coalesce({place} = 'array', 0)"
        for item in part:
            name = f"e{depth}"
            inner = (
                f"iif({name}.type IN ('object', 'array'), {name}.value, {_ELEMENT.format(e=name)})"
            )
            wanted = " AND ".join(_list_conditions(inner, "$", item, depth + 1))
            rows = f"json_each({document}, {_quote(path)}) {name}"
            yield f"EXISTS (SELECT 1 FROM {rows} WHERE {wanted})"
    else:
        yield _compare_scalar(document, path, part, place)


_ELEMENT = (
    "CASE {e}.type WHEN 'true' THEN 'true' WHEN 'false' THEN 'false' WHEN 'null' THEN 'null' "
    "ELSE json_quote({e}.value) END"
)


def _compare_scalar(document: str, path: str, part: Any, place: str) -> str:
    if part is None or isinstance(part, bool):
        return f"coalesce({place} = '{json.dumps(part)}', 0)"
    value = f"json_extract({document}, {_quote(path)})"
    if isinstance(part, str):
        return f"coalesce({place} = 'text' AND {value} = {_quote(part)}, 0)"
    return f"coalesce({place} IN ('integer', 'real') AND {value} = {part!r}, 0)"


_HAS = (
    "EXISTS (SELECT 1 FROM json_each({v}) h WHERE CASE json_type({v}) WHEN 'object' THEN "
    "h.key = {k} ELSE h.type = 'text' AND h.value = {k} END)"
)


@rule(exp.JSONBContainsTopKey)
def _has_key(builder: Builder, node: Node, scope: Scope) -> Typed:
    value = builder.build_as(node.this, scope, JSONB)
    key = builder.build_as(node.expression, scope, TEXT)
    return Typed(raw(f"CASE WHEN {{v}} IS NOT NULL THEN {_HAS} END", v=value, k=key), BOOL)


@rule(exp.JSONBContainsAnyTopKeys, exp.JSONBContainsAllTopKeys)
def _has_keys(builder: Builder, node: Node, scope: Scope) -> Typed:
    value = builder.build_as(node.this, scope, JSONB)
    keys = builder.build(node.expression, scope)
    if keys.kind.element is None:
        raise refuse("?| and ?& of what is no array")
    has = _HAS.replace("{k}", "w.value")
    every = isinstance(node, exp.JSONBContainsAllTopKeys)
    rows = f"SELECT 1 FROM json_each({{k}}) w WHERE {'NOT ' if every else ''}{has}"
    made = f"CASE WHEN {{v}} IS NOT NULL THEN {'NOT ' if every else ''}EXISTS ({rows}) END"
    return Typed(raw(made, v=value, k=builder.settle(keys)), BOOL)


# Changed documents


def join(builder: Builder, left: Typed, right: Typed) -> Typed:
    """Return || of documents: the keys of both objects, or the elements of both arrays."""
    sides = [builder.settle(builder.coerce(side, JSONB), JSONB) for side in (left, right)]
    element = _ELEMENT.replace("json_quote({e}.value)", "{e}.j").format(e="w")
    rows = " UNION ALL ".join(
        f"SELECT {n} AS s, e.id AS i, e.key AS k, e.type AS type, CASE WHEN e.type IN "
        f"('object', 'array') THEN e.value ELSE json_quote(e.value) END AS j "
        f"FROM json_each({{{name}}}) e"
        for n, name in enumerate("lr")
    )
    objects = (
        f"SELECT json_group_object(k, json({element})) FROM (SELECT k, type, j, max(s) FROM "
        f"({rows}) GROUP BY k) w"
    )
    arrays = (
        f"SELECT json_group_array(json({element})) FROM (SELECT * FROM ({rows}) ORDER BY s, i) w"
    )
    sql = (
        "CASE WHEN json_type({l}) = 'object' AND json_type({r}) = 'object' "
        f"THEN ({objects}) WHEN {{l}} IS NOT NULL AND {{r}} IS NOT NULL THEN ({arrays}) END"
    )
    return Typed(raw(sql, l=sides[0], r=sides[1]), JSONB._replace(form="made"))


def remove(builder: Builder, document: Typed, key: Typed) -> Typed:
    """Return a document without a key, as jsonb's - does."""
    if key.kind.name not in {"text", "unknown", "varchar"}:
        raise refuse("- of a place in a document")
    made = "json_remove({v}, '$.\"' || {k} || '\"')"
    node = raw(made, v=builder.settle(document), k=builder.settle(key, TEXT))
    return Typed(node, JSONB._replace(form="made"))
