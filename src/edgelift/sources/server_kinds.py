"""What the result columns of a server's SQL text are: SQLite tells numbers and texts alone.

Drivers of servers give decimals, moments, truth values and documents by the column's type. For a
text whose columns can be followed to tables the kinds are found before the cut, and the Worker's
dialect reads them so. Kinds are those of `read_columns`.
"""

from __future__ import annotations

from collections.abc import Mapping

import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError

from edgelift.model.move_plan import MovePlan
from edgelift.model.row_spec import FieldSpec
from edgelift.rows.ops import read_settings
from edgelift.sources.server_sql import DIALECTS

Columns = Mapping[str, Mapping[str, str]]
_TRUE_OR_FALSE = (exp.Predicate, exp.And, exp.Or, exp.Not, exp.Exists)
_SAME = (exp.Sum, exp.Min, exp.Max, exp.Coalesce, exp.Paren, exp.Neg, exp.Abs)
_PLAIN = {
    "bool": "boolean", "date": "date", "time": "time", "interval": "interval", "jsonb": "jsonb",
}  # fmt: skip
_IN_UTC = "its values are in UTC"  # what PostgreSQL's mapping says of timestamptz


def read_columns(plan: MovePlan) -> dict[str, dict[str, str]]:
    """Return the kinds of a moved database's columns by table, those alone that need reading.

    They are `numeric:2`, `boolean`, `timestamp`, `timestamptz`, `date`, `time`, `interval`,
    `jsonb` and `array`.
    """
    found = {}
    for table in plan.tables:
        kinds = {field.column: _read_kind(field) for field in table.spec.fields}
        found[table.spec.target] = kinds
    return found


def read_uuid_style(plan: MovePlan) -> str:
    """Return the form of a moved database's UUIDs: `text`, `hex` or `blob`.

    Without any column of that type it is that of the ORMs, which then keep 32 digits in texts.
    """
    fields = [field for table in plan.tables for field in table.spec.fields]
    styles = [read_settings(f.op, f.argument)["style"] for f in fields if f.op == "uuid"]
    return styles[0] if styles else ("hex" if plan.dialect == "mysql" else "text")


def _read_kind(field: FieldSpec) -> str:
    if field.read.startswith("to_json("):
        return "array"
    if field.op == "timestamp":
        return "timestamptz" if field.undo == _IN_UTC else "timestamp"
    if field.op == "decimal_real15":
        _, bracket, rest = field.target_type.partition("(")
        scale = rest.rstrip(")").split(",")[-1].strip() if "," in rest else "0"
        return f"numeric:{scale}" if bracket else "numeric"
    return _PLAIN.get(field.op, "")


def read_kinds(text: str, engine: str, columns: Columns) -> list[str]:
    """Return the kind of each result column of a text, "" for plain ones; [] when unknown."""
    try:
        tree = sqlglot.parse_one(text, read=DIALECTS[engine])
    except SqlglotError:
        return []
    if not isinstance(tree, exp.Select) or (any(tree.find_all(exp.Star)) and _has_star(tree)):
        return []
    tables = {
        table.alias_or_name: columns.get(table.name, {}) for table in tree.find_all(exp.Table)
    }
    kinds = [_find_kind(projection.unalias(), tables) for projection in tree.expressions]
    return kinds if any(kinds) else []


def _has_star(tree: exp.Select) -> bool:
    return any(projection.is_star for projection in tree.expressions)


def _find_kind(node: exp.Expr, tables: Columns) -> str:
    if isinstance(node, exp.Column):
        places = [tables.get(node.table, {})] if node.table else list(tables.values())
        found = [place[node.name] for place in places if node.name in place]
        return found[0] if len(found) == 1 else ""
    if isinstance(node, _TRUE_OR_FALSE) and not isinstance(node, exp.Column):
        return "boolean"
    if isinstance(node, exp.Filter | exp.Window):
        return _find_kind(node.this, tables)
    if isinstance(node, _SAME):
        return _find_kind(node.this, tables)
    if isinstance(node, exp.Mul | exp.Add | exp.Sub):
        sides = [_find_kind(side, tables) for side in (node.left, node.right)]
        return _combine(node, *sides)
    return ""


def _combine(node: exp.Expr, left: str, right: str) -> str:
    scales = [int(kind.partition(":")[2]) for kind in (left, right) if kind.startswith("numeric:")]
    if not scales:
        return ""
    return f"numeric:{sum(scales) if isinstance(node, exp.Mul) else max(scales)}"
