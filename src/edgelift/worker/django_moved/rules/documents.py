"""JSON documents: containment, keys, values of paths, compared as jsonb compares them."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Iterator
from typing import Any

from django.db import models
from django.db.models import expressions
from django.db.models.fields.json import KeyTransform

_JSON = "django.db.models.fields.json."
_NUMBERS = "('integer', 'real')"
# jsonb's order of kinds, upwards: null, text, number, boolean, array, object.
_BELOW = {"number": "('null', 'text')", "text": "('null')"}
_ABOVE = {
    "number": "('true', 'false', 'array', 'object')",
    "text": "('integer', 'real', 'true', 'false', 'array', 'object')",
}
Part = tuple[str, list[Any]]


def write_path(keys: Any) -> str:
    """Return SQLite's path of keys and positions; negative ones count from the end."""
    parts = ["$"]
    for key in keys:
        try:
            number = int(key)
        except ValueError:
            parts.append(f".{json.dumps(key, ensure_ascii=False)}")
        else:
            parts.append(f"[{number}]" if number >= 0 else f"[#{number}]")
    return "".join(parts)


def holds(sql: str, params: Any, value: Any, *, loose: bool = False) -> Part:
    """Return the condition that a document (an expression of JSON text) contains a value.

    An array contains a primitive that is one of its elements; in MySQL, which is `loose`, an
    object too.
    """
    numbers = itertools.count()
    made, values = _holds(sql, list(params), value, numbers)
    if loose or not isinstance(value, dict):
        if isinstance(value, list):
            return made, values
        alias = f"e{next(numbers)}"
        inner, more = _holds_element(alias, value, numbers)
        element = f"EXISTS (SELECT 1 FROM JSON_EACH({sql}) {alias} WHERE {inner})"
        made = f"({made} OR (JSON_TYPE({sql}) = 'array' AND {element}))"
        values = [*values, *params, *params, *more]
    return made, values


def _holds(sql: str, params: list[Any], value: Any, numbers: Iterator[int]) -> Part:
    """Return the condition for JSON text."""
    if isinstance(value, dict):
        parts, values = [f"JSON_TYPE({sql}) = 'object'"], [*params]
        for key, item in value.items():
            path = write_path([]) + f".{json.dumps(str(key), ensure_ascii=False)}"
            made, more = _holds(f"({sql} -> %s)", [*params, path], item, numbers)
            parts.append(made)
            values += more
        return f"({' AND '.join(parts)})", values
    if isinstance(value, list):
        parts, values = [f"JSON_TYPE({sql}) = 'array'"], [*params]
        for item in value:
            alias = f"e{next(numbers)}"
            made, more = _holds_element(alias, item, numbers)
            parts.append(f"EXISTS (SELECT 1 FROM JSON_EACH({sql}) {alias} WHERE {made})")
            values += [*params, *more]
        return f"({' AND '.join(parts)})", values
    return _is_scalar(f"JSON_TYPE({sql})", f"JSON_EXTRACT({sql}, '$')", params, value)


def _holds_element(alias: str, value: Any, numbers: Iterator[int]) -> Part:
    if isinstance(value, dict | list):
        kind = "object" if isinstance(value, dict) else "array"
        text = f"CASE WHEN {alias}.type = '{kind}' THEN {alias}.value END"
        return _holds(f"({text})", [], value, numbers)
    return _holds_item(alias, value)


def _holds_item(alias: str, value: Any) -> Part:
    return _is_scalar(f"{alias}.type", f"{alias}.atom", [], value)


def _is_scalar(kind: str, content: str, params: list[Any], value: Any) -> Part:
    if value is None or isinstance(value, bool):
        return f"COALESCE({kind} = '{json.dumps(value)}', 0)", [*params]
    kinds = "('text')" if isinstance(value, str) else _NUMBERS
    return f"COALESCE({kind} IN {kinds} AND {content} = %s, 0)", [*params, *params, value]


def _plain_value(lookup: Any) -> tuple[bool, Any]:
    """Return whether the right side is a document of Python, and it."""
    rhs = lookup.rhs
    if isinstance(rhs, expressions.Value):
        rhs = rhs.value
    return not hasattr(rhs, "resolve_expression"), rhs


def _encode(lookup: Any, value: Any) -> Any:
    encoder = getattr(lookup.lhs.output_field, "encoder", None)
    return json.loads(json.dumps(value, cls=encoder))


def _compile_left(lookup: Any, compiler: Any) -> Any:
    if isinstance(lookup.lhs, KeyTransform):
        return as_json(lookup.lhs, compiler)
    return compiler.compile(lookup.lhs)


def contains(node: Any, compiler: Any, connection: Any) -> Any:
    """Return @>."""
    lhs, params = _compile_left(node, compiler)
    plain, value = _plain_value(node)
    if plain:
        loose = connection.origin == "mysql"
        sql, values = holds(lhs, params, _encode(node, value), loose=loose)
        return f"({lhs} IS NOT NULL AND {sql})", (*params, *values)
    rhs, rhs_params = node.process_rhs(compiler, connection)
    return _generic((lhs, params), (rhs, rhs_params))


def contained(node: Any, compiler: Any, connection: Any) -> Any:
    """Return <@."""
    lhs, params = _compile_left(node, compiler)
    plain, value = _plain_value(node)
    if plain:
        rhs, rhs_params = "%s", (json.dumps(_encode(node, value), ensure_ascii=False),)
    else:
        rhs, rhs_params = node.process_rhs(compiler, connection)
    return _generic((rhs, rhs_params), (lhs, params))


def _generic(whole: Any, part: Any) -> Any:
    """Return @> of two documents that only the database knows.

    Each value of the part is looked for at its path, elements of arrays at any position.
    """
    same = (
        "(a.type = b.type OR (a.type IN ('integer', 'real') AND b.type IN ('integer', 'real'))) "
        "AND (b.type IN ('object', 'array') OR a.atom IS b.atom)"
    )
    place = "(a.fullkey = b.fullkey OR (TYPEOF(b.key) = 'integer' AND a.path = b.path))"
    held = f"SELECT 1 FROM JSON_TREE({whole[0]}) a WHERE {same} AND {place}"
    missing = f"SELECT 1 FROM JSON_TREE({part[0]}) b WHERE NOT EXISTS ({held})"
    known = f"{whole[0]} IS NOT NULL AND {part[0]} IS NOT NULL"
    return f"({known} AND NOT EXISTS ({missing}))", (*whole[1], *part[1], *part[1], *whole[1])


def as_json(node: Any, compiler: Any) -> Any:
    """Return the JSON text at a path, None where there is none."""
    sql, params, keys = node.preprocess_lhs(compiler, compiler.connection)
    return f"({sql} -> %s)", (*params, write_path(keys))


def _has_keys(joined: str) -> Any:
    def rule(node: Any, compiler: Any, connection: Any) -> Any:
        """Return ?, ?| or ?&: keys of an object, texts of an array."""
        keys = node.rhs if isinstance(node.rhs, list | tuple) else [node.rhs]
        if connection.origin != "postgresql" or any(not isinstance(k, str | int) for k in keys):
            return None
        path_of = isinstance(node.lhs, KeyTransform)
        sql, params = as_json(node.lhs, compiler) if path_of else compiler.compile(node.lhs)
        parts, values = [], []
        for key in keys:
            path = f"$.{json.dumps(str(key), ensure_ascii=False)}"
            parts.append(
                f"(JSON_TYPE({sql}, %s) IS NOT NULL OR (JSON_TYPE({sql}) = 'array' AND EXISTS "
                f"(SELECT 1 FROM JSON_EACH({sql}) e WHERE e.type = 'text' AND e.atom = %s)))"
            )
            values += [*params, path, *params, *params, str(key)]
        return f"({joined.join(parts)})" if parts else "0 = 1", tuple(values)

    return rule


def _key(node: Any, compiler: Any, connection: Any) -> Any:
    """Return the value of a path, its JSON word where SQLite has no such value."""
    sql, params, keys = node.preprocess_lhs(compiler, connection)
    path = write_path(keys)
    made = (
        f"(CASE WHEN JSON_TYPE({sql}, %s) IN ('null', 'false', 'true') "
        f"THEN JSON_TYPE({sql}, %s) ELSE JSON_EXTRACT({sql}, %s) END)"
    )
    return made, (*params, path) * 3


def _key_text(node: Any, compiler: Any, connection: Any) -> Any:
    """Return ->>: the text of a value, NULL for JSON's null."""
    sql, params, keys = node.preprocess_lhs(compiler, connection)
    path = write_path(keys)
    made = (
        f"(CASE JSON_TYPE({sql}, %s) WHEN 'null' THEN NULL WHEN 'true' THEN 'true' WHEN 'false' "
        f"THEN 'false' WHEN 'text' THEN JSON_EXTRACT({sql}, %s) ELSE {sql} -> %s END)"
    )
    return made, (*params, path) * 3


def _compare(sign: str) -> Callable[[Any, Any, Any], Any]:
    """Return <, <=, > or >= of a path: kinds have an order too."""

    def rule(node: Any, compiler: Any, connection: Any) -> Any:
        plain, value = _plain_value(node)
        number = isinstance(value, int | float) and not isinstance(value, bool)
        if connection.origin != "postgresql" or not plain or not (number or isinstance(value, str)):
            return None
        if isinstance(value, str):
            try:
                value = json.loads(value)  # what get_prep_value has made of it
            except ValueError:
                return None
            number = isinstance(value, int | float) and not isinstance(value, bool)
            if not number and not isinstance(value, str):
                return None
        sql, params, keys = node.lhs.preprocess_lhs(compiler, connection)
        path = write_path(keys)
        own, name = (_NUMBERS, "number") if number else ("('text')", "text")
        others = (_ABOVE if ">" in sign else _BELOW)[name]
        kind = f"JSON_TYPE({sql}, %s)"
        made = f"(({kind} IN {own} AND JSON_EXTRACT({sql}, %s) {sign} %s) OR {kind} IN {others})"
        return made, (*params, path, *params, path, value, *params, path)

    return rule


def _make_json(node: Any, compiler: Any, connection: Any) -> Any:
    """Return JSON_OBJECT or JSON_ARRAY with truth values and moments as the server writes them."""
    if connection.origin != "postgresql":
        return None
    copy = node.copy()
    copy.set_source_expressions([_Element(s) for s in node.get_source_expressions()])
    function = "JSON_OBJECT" if type(node).__name__ == "JSONObject" else "JSON_ARRAY"
    return copy.as_sql(compiler, connection, function=function)


_AS_JSON = frozenset({"ArrayField", "HStoreField"})


class _Element(expressions.ExpressionWrapper):
    """A part of a document under construction."""

    def __init__(self, inner: Any) -> None:
        super().__init__(inner, output_field=getattr(inner, "output_field", None))

    def as_sql(self, compiler: Any, connection: Any) -> Any:
        """Write it as JSON has it."""
        sql, params = compiler.compile(self.expression)
        field = getattr(self.expression, "output_field", None)
        if isinstance(field, models.BooleanField):
            text = f"JSON(CASE WHEN {sql} THEN 'true' WHEN NOT {sql} THEN 'false' ELSE 'null' END)"
            return text, (*params, *params)
        if isinstance(field, models.DateTimeField):
            return f"(REPLACE({sql}, ' ', 'T') || '+00:00')", params
        as_json = isinstance(field, models.JSONField) or type(field).__name__ in _AS_JSON
        return (f"JSON({sql})", params) if as_json else (sql, params)


RULES = {
    f"{_JSON}DataContains": contains,
    f"{_JSON}ContainedBy": contained,
    f"{_JSON}HasKey": _has_keys(" AND "),
    f"{_JSON}HasKeys": _has_keys(" AND "),
    f"{_JSON}HasAnyKeys": _has_keys(" OR "),
    f"{_JSON}HasKeyOrArrayIndex": lambda _node, _compiler, _connection: None,
    f"{_JSON}KeyTransform": _key,
    f"{_JSON}KeyTextTransform": _key_text,
    f"{_JSON}KeyTransformLt": _compare("<"),
    f"{_JSON}KeyTransformLte": _compare("<="),
    f"{_JSON}KeyTransformGt": _compare(">"),
    f"{_JSON}KeyTransformGte": _compare(">="),
    "django.db.models.functions.json.JSONObject": _make_json,
    "django.db.models.functions.json.JSONArray": _make_json,
}
