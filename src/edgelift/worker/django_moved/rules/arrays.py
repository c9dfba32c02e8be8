"""contrib.postgres over JSON text: arrays, hstore; what has no form there is refused by name."""

from __future__ import annotations

from typing import Any

from django.db import models
from django.db.models.expressions import Func, Value
from django.db.utils import NotSupportedError

from edgelift.worker.django_moved.postgres_fields import write_items
from edgelift.worker.django_moved.rules import documents

_ARRAY = "django.contrib.postgres.fields.array."
_HSTORE = "django.contrib.postgres.fields.hstore."
_LOOKUPS = "django.contrib.postgres.lookups."
_RANGES = "django.contrib.postgres.fields.ranges."


def _compile_array(lookup: Any, compiler: Any, connection: Any) -> Any:
    """Return the right side of a lookup as JSON text."""
    field, rhs = lookup.lhs.output_field, lookup.rhs
    if isinstance(rhs, Func) and rhs.extra.get("function") == "ARRAY":
        sources = rhs.get_source_expressions()
        if all(isinstance(source, Value) for source in sources):
            values = [source.value for source in sources]
            return "%s", (write_items(field, values, connection, prepared=True),)
        parts = [compiler.compile(source) for source in sources]
        params = tuple(param for _, listed in parts for param in listed)
        return f"JSON_ARRAY({', '.join(sql for sql, _ in parts)})", params
    if isinstance(rhs, list | tuple):
        return "%s", (write_items(field, list(rhs), connection),)
    return compiler.compile(rhs)


def _both(node: Any, compiler: Any, connection: Any) -> Any:
    return compiler.compile(node.lhs), _compile_array(node, compiler, connection)


def _holds_all(whole: Any, part: Any) -> Any:
    held = f"SELECT value FROM JSON_EACH({whole[0]}) WHERE value IS NOT NULL"
    sql = (
        f"({whole[0]} IS NOT NULL AND {part[0]} IS NOT NULL AND NOT EXISTS (SELECT 1 FROM "
        f"JSON_EACH({part[0]}) e WHERE e.value IS NULL OR e.value NOT IN ({held})))"
    )
    return sql, (*whole[1], *part[1], *part[1], *whole[1])


def _contains(node: Any, compiler: Any, connection: Any) -> Any:
    left, right = _both(node, compiler, connection)
    return _holds_all(left, right)


def _contained(node: Any, compiler: Any, connection: Any) -> Any:
    left, right = _both(node, compiler, connection)
    return _holds_all(right, left)


def _overlap(node: Any, compiler: Any, connection: Any) -> Any:
    left, right = _both(node, compiler, connection)
    sql = (
        f"EXISTS (SELECT 1 FROM JSON_EACH({left[0]}) e WHERE e.value IN "
        f"(SELECT value FROM JSON_EACH({right[0]})))"
    )
    return sql, (*left[1], *right[1])


def _exact(node: Any, compiler: Any, connection: Any) -> Any:
    left, right = _both(node, compiler, connection)
    return f"{left[0]} = {right[0]}", (*left[1], *right[1])


def _length(node: Any, compiler: Any, connection: Any) -> Any:
    sql, params = compiler.compile(node.get_source_expressions()[0])
    return f"JSON_ARRAY_LENGTH({sql})", params


def _index(node: Any, compiler: Any, connection: Any) -> Any:
    sql, params = compiler.compile(node.get_source_expressions()[0])
    return f"JSON_EXTRACT({sql}, %s)", (*params, f"$[{node.index - 1}]")


def _slice(node: Any, compiler: Any, connection: Any) -> Any:
    sql, params = compiler.compile(node.get_source_expressions()[0])
    last = "" if node.end is None else f" AND key < {int(node.end)}"
    rows = (
        f"SELECT value FROM JSON_EACH({sql}) WHERE key >= {int(node.start) - 1}{last} ORDER BY key"
    )
    made = f"(SELECT JSON_GROUP_ARRAY(value) FROM ({rows}))"
    return f"CASE WHEN {sql} IS NOT NULL THEN {made} END", (*params, *params)


def _subquery(node: Any, compiler: Any, connection: Any) -> Any:
    """Return ARRAY(SELECT ...)."""
    sql, params = node.query.as_sql(compiler, connection)
    inner = sql[1:-1] if sql.startswith("(") and sql.endswith(")") else sql
    is_json = isinstance(node.output_field.base_field, models.JSONField)
    value = "JSON(v)" if is_json else "v"
    return f"(WITH s(v) AS ({inner}) SELECT JSON_GROUP_ARRAY({value}) FROM s)", params


def _is_hstore(node: Any) -> bool:
    return type(node.lhs.output_field).__name__ == "HStoreField"


def _has_keys(joined: str) -> Any:
    def rule(node: Any, compiler: Any, connection: Any) -> Any:
        sql, params = compiler.compile(node.lhs)
        keys = node.rhs if isinstance(node.rhs, list | tuple) else [node.rhs]
        parts = [f"JSON_TYPE({sql}, %s) IS NOT NULL"] * len(keys)
        values = [value for key in keys for value in (*params, _path(key))]
        return f"({joined.join(parts)})" if parts else "0 = 1", tuple(values)

    return rule


def _path(key: Any) -> str:
    return "$" + documents.write_path([f"k{key}"])[1:].replace('"k', '"', 1)


def _hstore_key(node: Any, compiler: Any, connection: Any) -> Any:
    sql, params = compiler.compile(node.get_source_expressions()[0])
    return f"JSON_EXTRACT({sql}, %s)", (*params, _path(node.key_name))


def _list(column: str) -> Any:
    def rule(node: Any, compiler: Any, connection: Any) -> Any:
        sql, params = compiler.compile(node.get_source_expressions()[0])
        return f"(SELECT JSON_GROUP_ARRAY({column}) FROM JSON_EACH({sql}))", params

    return rule


def _contains_pairs(node: Any, compiler: Any, connection: Any) -> Any:
    return (
        documents.contains(node, compiler, connection)
        if _is_hstore(node)
        else refuse(node, compiler, connection)
    )


def _contained_pairs(node: Any, compiler: Any, connection: Any) -> Any:
    return (
        documents.contained(node, compiler, connection)
        if _is_hstore(node)
        else refuse(node, compiler, connection)
    )


def refuse(node: Any, compiler: Any, connection: Any) -> Any:
    """Raise NotSupportedError: the node has no form in SQLite."""
    name = type(node).__name__
    raise NotSupportedError(f"{name} of PostgreSQL has no form in the moved database.")


_RANGE_PARTS = (
    "RangeStartsWith", "RangeEndsWith", "IsEmpty", "LowerInclusive", "LowerInfinite",
    "UpperInclusive", "UpperInfinite", "DateTimeRangeContains", "RangeContainedBy",
)  # fmt: skip
RULES = {
    f"{_ARRAY}ArrayContains": _contains,
    f"{_ARRAY}ArrayContainedBy": _contained,
    f"{_ARRAY}ArrayOverlap": _overlap,
    f"{_ARRAY}ArrayExact": _exact,
    f"{_ARRAY}ArrayLenTransform": _length,
    f"{_ARRAY}IndexTransform": _index,
    f"{_ARRAY}SliceTransform": _slice,
    f"{_HSTORE}KeyTransform": _hstore_key,
    f"{_HSTORE}KeysTransform": _list("key"),
    f"{_HSTORE}ValuesTransform": _list("value"),
    f"{_LOOKUPS}DataContains": _contains_pairs,
    f"{_LOOKUPS}ContainedBy": _contained_pairs,
    f"{_LOOKUPS}HasKey": _has_keys(" AND "),
    f"{_LOOKUPS}HasKeys": _has_keys(" AND "),
    f"{_LOOKUPS}HasAnyKeys": _has_keys(" OR "),
    "django.contrib.postgres.expressions.ArraySubquery": _subquery,
    **dict.fromkeys(
        (
            *(f"{_RANGES}{name}" for name in _RANGE_PARTS),
            f"{_LOOKUPS}Overlap", f"{_LOOKUPS}Unaccent", f"{_LOOKUPS}SearchLookup",
            f"{_LOOKUPS}TrigramSimilar", f"{_LOOKUPS}TrigramWordSimilar",
            f"{_LOOKUPS}TrigramStrictWordSimilar",
            "django.db.models.lookups.PostgresOperatorLookup",
            "django.contrib.postgres.aggregates.statistics.StatAggregate",
            "django.contrib.postgres.search.SearchVector",
            "django.contrib.postgres.search.SearchQuery",
            "django.contrib.postgres.search.SearchRank",
            "django.contrib.postgres.search.SearchHeadline",
            "django.contrib.postgres.search.TrigramBase",
        ),
        refuse,
    ),
}  # fmt: skip
