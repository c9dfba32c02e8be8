"""The names that PostgreSQL gives the columns of a result (src/backend/parser/parse_target.c)."""

from __future__ import annotations

from typing import Any

from sqlglot import exp

from edgelift.worker.moved.lexing import OWN_NAME

_UNNAMED = "?column?"
_FUNCTIONS = {
    exp.CurrentTimestamp: "now", exp.Localtimestamp: "localtimestamp",
    exp.CurrentDate: "current_date", exp.Length: "length", exp.GroupConcat: "string_agg",
    exp.TimestampTrunc: "date_trunc", exp.LogicalAnd: "bool_and", exp.LogicalOr: "bool_or",
    exp.Uuid: "gen_random_uuid", exp.Rand: "random", exp.StrPosition: "position",
    exp.TimeToStr: "to_char", exp.ArrayAgg: "array_agg", exp.CurrentUser: "current_user",
    exp.CurrentVersion: "version", exp.CurrentDatabase: "current_database",
    exp.CurrentSchema: "current_schema", exp.Substring: "substring", exp.Trim: "btrim",
    exp.Exists: "exists", exp.Array: "array", exp.Case: "case", exp.Tuple: "row",
    exp.AtTimeZone: "timezone", exp.SplitPart: "split_part", exp.RowNumber: "row_number",
    exp.DenseRank: "dense_rank",
    exp.PercentRank: "percent_rank", exp.FirstValue: "first_value", exp.LastValue: "last_value",
}  # fmt: skip
_TYPES = {
    "INT": "int4", "BIGINT": "int8", "SMALLINT": "int2", "DECIMAL": "numeric", "DOUBLE": "float8",
    "FLOAT": "float4", "BOOLEAN": "bool", "CHAR": "bpchar", "VARBINARY": "bytea",
}  # fmt: skip


def name_output(node: Any) -> str:
    """Return the name of an expression that has no alias."""
    return _find_name(node) or _UNNAMED


def _find_name(node: Any) -> str:  # noqa: PLR0911 - one for each form
    if isinstance(node, exp.Column):
        identifier = node.this
        name = str(identifier.this)
        return name if identifier.args.get("quoted") else name.lower()
    if isinstance(node, exp.Paren | exp.Filter | exp.Window | exp.Bracket):
        return _find_name(node.this)
    if isinstance(node, exp.Cast):
        return _find_name(node.this) or _name_type(node.to)
    if isinstance(node, exp.Subquery):
        inner = node.this.expressions[0] if isinstance(node.this, exp.Select) else None
        return "" if inner is None else inner.alias or _find_name(inner)
    if isinstance(node, exp.Interval):
        return "interval"
    if isinstance(node, exp.Anonymous):
        return str(node.this).lower().removeprefix(OWN_NAME)
    if isinstance(node, exp.Case) and node.args.get("default") is not None:
        return _find_plain(node.args["default"]) or "case"
    if type(node) in _FUNCTIONS:
        return _FUNCTIONS[type(node)]
    if isinstance(node, exp.Func) and not isinstance(node, exp.Binary | exp.Connector):
        return str(node.sql_name()).lower()
    return ""


def _find_plain(node: Any) -> str:
    """Return the name that an ELSE gives its CASE: that of a column alone."""
    return _find_name(node) if isinstance(node, exp.Column) else ""


def _name_type(node: Any) -> str:
    kind = getattr(node, "this", None)
    if kind == exp.DType.ARRAY:
        return _name_type(node.expressions[0])
    if kind == exp.DType.USERDEFINED:
        return str(node.args.get("kind")).strip('"').lower()
    name = getattr(kind, "name", "")
    return _TYPES.get(name, name.lower())
