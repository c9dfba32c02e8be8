"""SQL texts in a server's dialect, put into SQLite's words before the cut, or told why not.

A text is read by sqlglot, every part that means another thing in SQLite is replaced by one that
means the same, and what is then left over of the server is a reason to refuse it. Used by plan,
which tells, and by build, which gives the translations to the Worker.
"""

from __future__ import annotations

import functools
import itertools
import re
from collections.abc import Callable
from typing import Any, NamedTuple

import apsw
import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError

from edgelift.sources.sqlite_tokens import tokenize
from edgelift.worker.moment_forms import NOW, TRUNCATED

Node = Any  # sqlglot's classes keep their parts in dictionaries

DIALECTS = {"postgresql": "postgres", "mysql": "mysql"}
_BEGINS = re.compile(
    r"^\s*(?:--[^\n]*\n\s*)*(SELECT|INSERT|UPDATE|DELETE|REPLACE|WITH|VALUES)\b", re.IGNORECASE
)
_GOES_ON = re.compile(r"\b(from|into|set|values|as|select)\b", re.IGNORECASE)
_INTEGERS = {exp.DataType.Type.INT, exp.DataType.Type.BIGINT, exp.DataType.Type.SMALLINT}
_NUMBERS = {
    exp.DataType.Type.FLOAT, exp.DataType.Type.DOUBLE, exp.DataType.Type.DECIMAL,
}  # fmt: skip
_TEXTS = {exp.DataType.Type.TEXT, exp.DataType.Type.VARCHAR, exp.DataType.Type.CHAR}
# Casts to these say what the value is already, in the form that the move gave it.
_KEPT = {
    exp.DataType.Type.JSON, exp.DataType.Type.JSONB, exp.DataType.Type.UUID,
    exp.DataType.Type.USERDEFINED, exp.DataType.Type.TIMESTAMP, exp.DataType.Type.TIMESTAMPTZ,
    exp.DataType.Type.BOOLEAN,
}  # fmt: skip
_WORDS_BEFORE_PARENTHESES = frozenset(
    [
        "AND",
        "OR",
        "NOT",
        "IN",
        "AS",
        "ON",
        "FROM",
        "SELECT",
        "WHERE",
        "VALUES",
        "USING",
        "OVER",
        "BY",
        "WHEN",
        "THEN",
        "ELSE",
        "EXISTS",
        "FILTER",
        "WITH",
        "UNION",
        "ALL",
        "EXCEPT",
        "INTERSECT",
        "CONFLICT",
        "INTO",
        "SET",
        "LIMIT",
        "OFFSET",
        "HAVING",
        "CASE",
        "JOIN",
        "DISTINCT",
        "RETURNING",
        "INTEGER",
        "REAL",
        "TEXT",
        "NUMERIC",
        "PARTITION",
        "ORDER",
        "GROUP",
        "BETWEEN",
        "LIKE",
        "GLOB",
        "IS",
        "MATERIALIZED",
        "KEY",
    ]
)
_SPECIAL = frozenset({"CAST", "RAISE", "COALESCE", "IIF", "NULLIF"})
# Of SQLite but not among the functions that D1 and SQL objects allow; see assess's rules.
_MISSING = frozenset(
    {"POWER", "CEILING", "LOG10", "SOUNDEX", "MEDIAN", "PERCENTILE", "LOAD_EXTENSION"}
)


class Translation(NamedTuple):
    """What became of a text: its new form, or the problem that keeps it from having one."""

    text: str
    problem: str = ""


def is_query(text: str) -> bool:
    """Return whether a literal of the app's source is a statement on rows, and not prose."""
    found = _BEGINS.match(text)
    return bool(found and _GOES_ON.search(text, found.end())) and (
        found[1].isupper() or found[1].islower() if found else False
    )


@functools.lru_cache(maxsize=4096)
def translate_sql(text: str, engine: str) -> Translation:
    """Return a statement of PostgreSQL or MySQL (`engine`) in SQLite's words."""
    try:
        parsed = sqlglot.parse(text, read=DIALECTS[engine])
    except SqlglotError as error:
        return Translation(text, f"it cannot be read: {_first_line(error)}")
    if len(parsed) != 1 or parsed[0] is None:
        return Translation(text, "it is not one statement")
    try:
        tree = parsed[0].transform(functools.partial(_replace, engine=engine))
        made = tree.sql(
            dialect="sqlite", unsupported_level=sqlglot.ErrorLevel.RAISE, comments=False
        )
    except (SqlglotError, _KeptError) as error:
        return Translation(text, _first_line(error))
    problem = _find_rest(tree, made)
    if problem:
        return Translation(text, problem)
    return Translation(made if not _is_same(text, made) else text)


class _KeptError(ValueError):
    """A part of a text has no form in SQLite."""


def _first_line(error: Exception) -> str:
    return str(error).splitlines()[0].strip().rstrip(".")


def _is_same(first: str, second: str) -> bool:
    return [t.text.upper() for t in tokenize(first)] == [t.text.upper() for t in tokenize(second)]


def _replace(node: Node, engine: str) -> Node:
    """Return a node in SQLite's words; raises _KeptError where there are none."""
    for kind, rule in _RULES:
        if isinstance(node, kind):
            return rule(node, engine)
    return node


def _refuse(what: str) -> Callable[[Node, str], Node]:
    def rule(_node: Node, _engine: str) -> Node:
        raise _KeptError(what)

    return rule


def _make(text: str) -> Node:
    return sqlglot.parse_one(text, read="sqlite")


def _now(_node: Node, _engine: str) -> Node:
    return _make(NOW)


def _cast(node: Node, _engine: str) -> Node:
    kind, value = node.to.this, node.this
    if kind in _INTEGERS:
        if isinstance(value, exp.Literal | exp.Count | exp.Length):
            return exp.cast(value, "INT")
        return exp.cast(exp.func("ROUND", value), "INT")
    if kind in _NUMBERS:
        return exp.cast(value, "REAL")
    if kind in _TEXTS:
        return exp.cast(value, "TEXT")
    if kind == exp.DataType.Type.DATE:
        return exp.Anonymous(this="date", expressions=[value])
    if kind in _KEPT:
        return value
    raise _KeptError(f"it casts to {node.to.sql()}")


def _like(node: Node, engine: str) -> Node:
    if engine == "mysql":
        return node
    if isinstance(node.parent, exp.Escape):
        raise _KeptError("LIKE ... ESCAPE looks at case in PostgreSQL and not in SQLite")
    pattern = node.expression
    if isinstance(pattern, exp.Literal) and "\\" not in pattern.this:
        text = re.sub(r"[\[*?]", lambda found: f"[{found.group()}]", pattern.this)
        text = text.replace("%", "*").replace("_", "?")
        return exp.Glob(this=node.this, expression=exp.Literal.string(text))
    made: Node = pattern
    for old, new in (("[", "[[]"), ("*", "[*]"), ("?", "[?]"), ("%", "*"), ("_", "?")):
        words = [made, exp.Literal.string(old), exp.Literal.string(new)]
        made = exp.Anonymous(this="replace", expressions=words)
    return exp.Glob(this=node.this, expression=made)


def _ilike(node: Node, _engine: str) -> Node:
    return exp.Like(this=node.this, expression=node.expression)


def _table(node: Node, _engine: str) -> Node:
    schema = node.text("db")
    if schema in {"information_schema", "pg_catalog", "mysql", "performance_schema"}:
        raise _KeptError(f"it reads the server's own catalogue {schema}")
    if schema:
        name = node.name if schema == "public" else f"{schema}__{node.name}"
        node.set("db", None)
        node.set("this", exp.to_identifier(name))
    if node.name.startswith(("pg_", "sqlite_")):
        raise _KeptError(f"it reads the server's own catalogue {node.name}")
    return node


def _select(node: Node, _engine: str) -> Node:
    node.set("locks", None)  # the object serves one transaction at a time
    return node


def _on_conflict(node: Node, _engine: str) -> Node:
    keys = [
        key.this if isinstance(key, exp.Ordered) else key
        for key in node.args.get("conflict_keys") or []
    ]
    if node.args.get("constraint") is not None:
        raise _KeptError("it names the constraint of a conflict")
    made = exp.OnConflict(
        conflict_keys=keys,
        action=exp.var("DO NOTHING" if not node.expressions else "DO UPDATE"),
        expressions=node.expressions,
        index_predicate=node.args.get("index_predicate"),
        where=node.args.get("where"),
    )
    for call in list(made.find_all(exp.Anonymous)):
        if call.name.upper() == "VALUES" and len(call.expressions) == 1:  # MySQL's VALUES(column)
            call.replace(exp.column(call.expressions[0].name, table="excluded"))
    return made


_PARTS = {
    "year": "%Y", "month": "%m", "day": "%d", "hour": "%H", "minute": "%M", "second": "%S",
    "doy": "%j", "dow": "%w", "epoch": "%s",
}  # fmt: skip


def _strftime(form: str, value: Node) -> Node:
    return exp.Anonymous(this="strftime", expressions=[exp.Literal.string(form), value])


def _extract(node: Node, _engine: str) -> Node:
    form = _PARTS.get(node.name.lower())
    if form is None:
        raise _KeptError(f"it takes {node.name.lower()} out of a moment")
    return exp.cast(_strftime(form, node.expression), "INT")


def _truncate(node: Node, _engine: str) -> Node:
    form = TRUNCATED.get(node.text("unit").lower())
    if form is None:
        raise _KeptError(f"it cuts a moment to the {node.text('unit').lower()}")
    return _strftime(form, node.this)


def _year(node: Node, _engine: str) -> Node:
    form = {exp.Year: "%Y", exp.Month: "%m", exp.Day: "%d"}[type(node)]
    return exp.cast(_strftime(form, node.this), "INT")


def _concat(node: Node, engine: str) -> Node:
    if engine != "mysql":  # PostgreSQL's concat leaves NULLs out, as SQLite's does
        return node
    parts = node.expressions
    made: Node = parts[0]
    for part in parts[1:]:
        made = exp.DPipe(this=made, expression=part)
    return exp.paren(made)


def _call(node: Node, _engine: str) -> Node:
    return _make(NOW) if node.name.lower() == "now" else node


Rule = Callable[[Node, str], Node]
_RULES: tuple[tuple[type | tuple[type, ...], Rule], ...] = (
    ((exp.CurrentTimestamp,), _now),
    (exp.OnConflict, _on_conflict),
    (exp.Extract, _extract),
    ((exp.DateTrunc, exp.TimestampTrunc), _truncate),
    ((exp.Year, exp.Month, exp.Day), _year),
    (exp.Concat, _concat),
    (exp.Anonymous, _call),
    (exp.CurrentDate, lambda _node, _engine: _make("date('now')")),
    ((exp.Cast, exp.TryCast), _cast),
    (exp.ILike, _ilike),
    (exp.Like, _like),
    (exp.Table, _table),
    (exp.Select, _select),
    (exp.Interval, _refuse("it computes with intervals")),
    ((exp.ArrayContainsAll, exp.ArrayOverlaps),
     _refuse("it uses operators of arrays and documents (@>, <@)")),
    ((exp.RegexpLike, exp.RegexpILike), _refuse("it uses regular expressions")),
    (exp.Array, _refuse("it builds an array")),
    ((exp.Any, exp.All), _refuse("it compares with ANY or ALL")),
    (exp.AtTimeZone, _refuse("it converts time zones")),
    (exp.Unnest, _refuse("it takes an array apart")),
    (exp.Lateral, _refuse("it has a LATERAL join")),
    ((exp.JSONBContains, exp.JSONBExtract, exp.JSONExtract, exp.JSONExtractScalar),
     _refuse("it uses operators of documents")),
)  # fmt: skip


@functools.cache
def list_functions() -> frozenset[str]:
    """Return the functions that D1 and SQL objects know, in upper case."""
    db = apsw.Connection(":memory:")
    found = {row[0].upper() for row in db.execute("SELECT name FROM pragma_function_list")}
    db.close()
    return frozenset(found | _SPECIAL) - _MISSING


def _find_rest(tree: Node, made: str) -> str:
    """Return what of the server is left in a translated text, empty for nothing."""
    tokens = tokenize(made)
    known = list_functions()
    tables = {table.name.upper() for table in tree.find_all(exp.Table)}
    tables |= {cte.alias.upper() for cte in tree.find_all(exp.CTE)}
    for token, following in itertools.pairwise(tokens):
        if token.kind != "word" or following.text != "(" or token.upper in tables:
            continue
        if token.upper not in known and token.upper not in _WORDS_BEFORE_PARENTHESES:
            return f"it calls {token.text.lower()}(), which SQLite has not"
    return ""
