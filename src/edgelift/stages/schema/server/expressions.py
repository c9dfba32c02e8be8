"""Translate an expression of the origin's dialect into SQLite's, or say why that is impossible.

sqlglot parses and prints; between the two every node whose meaning differs is replaced here, and
what D1 has no function for is refused. Nothing is guessed: a node that is not known to mean the
same in SQLite ends in UnconvertibleError, and the result is loaded into the real engine afterwards.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

import sqlglot
from sqlglot import exp
from sqlglot.errors import ErrorLevel, SqlglotError

from edgelift.sources.sqlite_tokens import read_calls, tokenize
from edgelift.stages.schema.server.aggregates import join_texts
from edgelift.stages.schema.server.literals import (
    KINDS,
    TYPE,
    write_json,
    write_literal,
    write_number,
    write_text,
)
from edgelift.stages.schema.server.references import (
    KIND,
    bare_target,
    name_column,
    name_table,
    resolve_columns,
    strip_parens,
)
from edgelift.stages.schema.server.scope import NEW_UUID, NOW, Scope, UnconvertibleError
from edgelift.stages.schema.statements import convert_statement
from edgelift.targets import d1_dialect as d1
from edgelift.worker.moment_forms import TRUNCATED

Node = exp.Expr
Handler = Callable[[Node, Scope], Node]

_NOW_FUNCTIONS = frozenset(
    {"now", "transaction_timestamp", "statement_timestamp", "clock_timestamp", "sysdate",
     "localtimestamp", "localtime", "utc_timestamp"}
)  # fmt: skip
_UUID_FUNCTIONS = frozenset({"uuid_generate_v4", "uuid_generate_v1", "uuid", "gen_random_uuid"})
_RENAMED = {
    "jsonb_array_length": "json_array_length",
    "json_value": "json_extract",
    "octet_length": "octet_length",
    "character_length": "length",
    "btrim": "trim",
    "strpos": "instr",
    "date_part": "",
}
_NEXTVAL = re.compile(r"\bnextval\s*\(", re.IGNORECASE)
_PARTS = {
    "year": "%Y", "month": "%m", "day": "%d", "hour": "%H", "minute": "%M", "dow": "%w",
    "doy": "%j", "epoch": "%s",
}  # fmt: skip


def convert_expression(text: str, scope: Scope) -> str:
    """Return an expression in SQLite's dialect; raises UnconvertibleError with the reason."""
    return _print(convert_node(_parse_expression(text, scope), scope))


def convert_query(text: str, scope: Scope) -> str:
    """Return a whole query in SQLite's dialect, its tables and columns under the target's names."""
    tree = _parse(text, scope)
    if not isinstance(tree, exp.Query):
        raise UnconvertibleError("it is no plain query")
    resolve_columns(tree, scope)
    return _print(convert_node(tree, scope))


def convert_statement_text(tree: Node, scope: Scope) -> str:
    """Return a trigger's parsed INSERT, UPDATE or DELETE in SQLite's dialect."""
    if tree.args.get("with_"):
        raise UnconvertibleError("its statement begins with WITH, which SQLite's triggers have not")
    if isinstance(tree, exp.Insert) and isinstance(tree.expression, exp.Subquery):
        tree.set("expression", tree.expression.unnest())
    written = tree.this.this if isinstance(tree.this, exp.Schema) else tree.this
    bare_target(tree, written)
    return _print(convert_node(tree, scope))


def convert_default(text: str, kind: str, scope: Scope) -> str:
    """Return a default value for a column of a kind: a literal, or an expression in parentheses."""
    node = convert_node(_parse_expression(text, scope), scope)
    while isinstance(node, exp.Paren):
        node = node.this
    if isinstance(node, exp.Array) and all(isinstance(e, exp.Literal) for e in node.expressions):
        node = write_text(json.dumps([_to_json(e) for e in node.expressions]))
    if isinstance(node, exp.Literal) and node.is_string:
        node = write_literal(node.this, kind, scope)
    sql = _print(node)
    plain = isinstance(node, exp.Literal | exp.Null | exp.HexString) or (
        isinstance(node, exp.Neg) and isinstance(node.this, exp.Literal)
    )
    return sql if plain or sql == "CURRENT_DATE" else f"({sql})"


def _parse_expression(text: str, scope: Scope) -> Node:
    """Return an expression's tree; parsed as a query's column, so that no word begins a command."""
    query = _parse(f"SELECT {text}", scope)
    found = query.expressions if isinstance(query, exp.Select) else []
    extra = [name for name, value in query.args.items() if value and name != "expressions"]
    if len(found) != 1 or extra or isinstance(found[0], exp.Alias | exp.Star):
        raise UnconvertibleError("it is no single expression")
    expression: Node = found[0]
    expression.pop()
    return expression


def _to_json(literal: Node) -> object:
    return literal.this if literal.is_string else json.loads(literal.this)


def _parse(text: str, scope: Scope) -> Node:
    if _NEXTVAL.search(text):
        raise UnconvertibleError("it takes the next value of a sequence, which SQLite has not")
    own = next((name for name in scope.routines if _calls(text, name)), "")
    if own:
        raise UnconvertibleError(f"it calls {own}(), a function of the origin's own")
    try:
        return sqlglot.parse_one(text, read=scope.dialect)
    except SqlglotError as error:
        reason = str(error).splitlines()[0]
        raise UnconvertibleError(f"it cannot be parsed: {reason}") from error
    except RecursionError as error:
        raise UnconvertibleError("it is nested too deeply") from error


def _calls(text: str, name: str) -> bool:
    return re.search(rf"\b{re.escape(name)}[\"`]?\s*\(", text) is not None


def _print(node: Node) -> str:
    try:
        sql = node.sql("sqlite", unsupported_level=ErrorLevel.RAISE)
    except SqlglotError as error:
        raise UnconvertibleError(str(error).splitlines()[0]) from error
    sql, _ = convert_statement(sql)
    for token, _arguments in read_calls(tokenize(sql)):
        if token.name.lower() not in d1.FUNCTIONS:
            called = token.name.lower()
            raise UnconvertibleError(f"it calls {called}(), which Cloudflare does not have")
    return sql


def convert_node(tree: Node, scope: Scope) -> Node:
    """Replace every node whose meaning differs, from the leaves up."""
    root = exp.Paren(this=tree)
    for node in reversed(list(root.walk(bfs=False))):
        handler = _HANDLERS.get(type(node))
        if handler is None or node is root:
            continue
        new = handler(node, scope)
        if new is not node:
            node.replace(new)
    result: Node = root.this
    result.pop()
    return result


def _raw(sql: str) -> Node:
    parsed: Node = sqlglot.parse_one(sql, read="sqlite")
    return parsed


def _call(name: str, *arguments: Node) -> Node:
    return exp.Anonymous(this=name, expressions=list(arguments))


def read_kind(node: Node, scope: Scope) -> str:
    """Return the kind of a translated node's values, empty where it is not known."""
    node = strip_parens(node)
    if isinstance(node, exp.Column):
        known: str = node.meta.get(KIND) or ("" if node.table else scope.kinds.get(node.name, ""))
        return known
    if isinstance(node, exp.Literal):
        return "text" if node.is_string else "number" if "." in node.this else "integer"
    if isinstance(node, exp.Cast):
        return KINDS.get(node.to.this, "")
    if isinstance(node, exp.Anonymous):
        return _RESULTS.get(str(node.this).lower(), "")
    if node.sql("sqlite").upper().startswith("STRFTIME("):
        return "timestamp"
    return next((kind for types, kind in _OF_NODES if isinstance(node, types)), "")


_OF_NODES = (
    ((exp.DPipe, exp.Lower, exp.Upper, exp.Substring, exp.Trim, exp.Concat), "text"),
    ((exp.Length,), "integer"),
    ((exp.CurrentDate, exp.TsOrDsToDate), "date"),
)

_RESULTS = {"date": "date", "strftime": "timestamp", "round": "number", "substr": "text"}


def _cast(node: Node, scope: Scope) -> Node:
    inner, target = strip_parens(node.this), node.args["to"]
    kind = KINDS.get(target.this, "")
    if not kind:
        raise UnconvertibleError(f"it casts to {target.sql(scope.dialect)}")
    if isinstance(inner, exp.Null):
        return inner
    if isinstance(inner, exp.Literal) and inner.is_string:
        if inner.this == "now" and kind == "date":  # PostgreSQL keeps it as text until it runs
            return _clock(exp.CurrentDate(), scope)
        if target.this is TYPE.ARRAY:
            element = target.expressions[0].this if target.expressions else None
            return write_json(inner.this, scope, KINDS.get(element, "text") if element else "text")
        return write_literal(inner.this, kind, scope)
    if isinstance(inner, exp.Array) and target.this is TYPE.ARRAY:
        return inner if inner.expressions else write_text("[]")
    return _cast_value(node.this, kind, target, scope)


def _cast_value(value: Node, kind: str, target: Node, scope: Scope) -> Node:
    known = read_kind(value, scope)
    exact = kind == "number" and bool(target.expressions)
    if (kind == known and not exact) or (kind == "number" and known == "integer"):
        return value
    if kind == "text" and known not in {"timestamp", "date", "boolean", "blob", "uuid"}:
        return exp.cast(value, "TEXT", dialect="sqlite")
    if kind == "integer":
        rounded = value if known in {"text", "boolean"} else _call("round", value)
        return exp.cast(rounded, "INTEGER", dialect="sqlite")
    if kind == "number":
        scale = [part.this.name for part in target.expressions][1:]
        return _call("round", value, write_number(scale[0])) if scale else exp.cast(value, "REAL")
    if kind == "date" and known in {"", "timestamp"} and not scope.timestamps.startswith("unix"):
        return _call("date", value)
    if kind == "json":
        return value
    raise UnconvertibleError(f"it casts {known or 'a value'} to {target.sql(scope.dialect)}")


def _check_lasting(what: str, scope: Scope) -> None:
    if scope.lasting:
        raise UnconvertibleError(f"it asks for {what}, which SQLite allows in defaults only")


def _clock(node: Node, scope: Scope) -> Node:
    _check_lasting("the time", scope)
    return node


def _now(_node: Node, scope: Scope) -> Node:
    _check_lasting("the time", scope)
    return _raw(NOW[scope.timestamps])


def _boolean(node: Node, _scope: Scope) -> Node:
    return write_number("1" if node.this else "0")


def _uuid(_node: Node, scope: Scope) -> Node:
    _check_lasting("a random value", scope)
    return _raw(NEW_UUID[scope.uuid])


def _anonymous(node: Node, scope: Scope) -> Node:
    name = str(node.this).lower()
    if name in _NOW_FUNCTIONS:
        return _now(node, scope)
    if name in _UUID_FUNCTIONS:
        return _uuid(node, scope)
    if name == "json_unquote":
        inner: Any = strip_parens(node.expressions[0])
        if isinstance(inner, exp.JSONExtract):
            return exp.JSONExtractScalar(this=inner.this, expression=inner.expression)
    if name == "timezone" and len(node.expressions) == 2:
        zone, moment = (strip_parens(part) for part in node.expressions)
        if zone.name.lower() == "utc" and moment.sql("sqlite") == _raw(NOW[scope.timestamps]).sql(
            "sqlite"
        ):
            now: Node = moment
            return now
        raise UnconvertibleError("it converts between time zones")
    renamed = _RENAMED.get(name)
    return _call(renamed, *node.expressions) if renamed else node


def _like(node: Node, scope: Scope) -> Node:
    pattern = strip_parens(node.expression)
    if not (isinstance(pattern, exp.Literal) and pattern.is_string):
        raise UnconvertibleError("it compares with a LIKE pattern that is no literal")
    folded = isinstance(node, exp.ILike) or not scope.is_case_sensitive
    new = (
        exp.Like(this=node.this, expression=pattern)
        if folded
        else exp.Glob(this=node.this, expression=write_text(_to_glob(pattern.this)))
    )
    if folded and "\\" in pattern.this:
        return exp.Escape(this=new, expression=write_text("\\"))
    return exp.Not(this=new) if node.args.get("negate") else new


def _to_glob(pattern: str) -> str:
    """Return a LIKE pattern as one of GLOB, which tells upper from lower case as LIKE may."""
    parts = re.findall(r"\\.|.", pattern, re.DOTALL)
    special = {"%": "*", "_": "?", "*": "[*]", "?": "[?]", "[": "[[]"}
    return "".join(
        special.get(part[1], part[1]) if part.startswith("\\") and part[1] in "*?["
        else part[1] if part.startswith("\\") and len(part) == 2
        else special.get(part, part)
        for part in parts
    )  # fmt: skip


_UNCOUNTABLE = frozenset({"date", "timestamp", "time", "json", "uuid", "blob", "bits"})


def _calculate(node: Node, scope: Scope) -> Node:
    """Refuse to add or subtract what SQLite would take for the number it begins with."""
    for side in (node.this, node.expression):
        kind = read_kind(side, scope)
        if kind in _UNCOUNTABLE:
            raise UnconvertibleError(f"it calculates with a {kind}")
    return node


_FORMATS = re.compile(r"(%[YmdHMSjw%]|[^%])*")  # what Python's strftime and SQLite's both know


def _format_time(node: Node, scope: Scope) -> Node:
    layout = strip_parens(node.args["format"])
    if scope.timestamps.startswith("unix") or not _FORMATS.fullmatch(layout.name):
        raise UnconvertibleError(f"it writes a time as {layout.name!r}")
    return _call("strftime", write_text(layout.name), node.this)


def _collate(node: Node, _scope: Scope) -> Node:
    name = node.expression.name
    if name in {"C", "POSIX", "ucs_basic"} or name.endswith("_bin"):
        return exp.Collate(this=node.this, expression=exp.Var(this="BINARY"))
    raise UnconvertibleError(f"it sorts by the collation {name}")


def _compare(node: Node, _scope: Scope) -> Node:
    """Turn `= ANY (ARRAY[...])` into IN and `<> ALL (ARRAY[...])` into NOT IN."""
    right = node.expression
    if isinstance(node, exp.EQ):
        inner = strip_parens(right.this) if isinstance(right, exp.Any) else None
    elif isinstance(right, exp.Anonymous) and str(right.this).upper() == "ALL":
        inner = strip_parens(right.expressions[0])
    else:
        inner = strip_parens(right.this) if isinstance(right, exp.All) else None
    if inner is None:
        return node
    if not isinstance(inner, exp.Array):
        raise UnconvertibleError("it compares with the members of an array")
    found = exp.In(this=node.this, expressions=list(inner.expressions))
    return found if isinstance(node, exp.EQ) else exp.Not(this=found)


def _refuse(reason: str) -> Handler:
    def refuse(_node: Node, _scope: Scope) -> Node:
        raise UnconvertibleError(reason)

    return refuse


def _extract(node: Node, scope: Scope) -> Node:
    return _read_part(strip_parens(node.this).name.lower(), node.expression, scope)


def _named_part(node: Node, scope: Scope) -> Node:
    inner = node.this
    if isinstance(inner, exp.TsOrDsToDate):
        inner = inner.this
    return _read_part(type(node).__name__.lower(), inner, scope)


def _read_part(part: str, value: Node, scope: Scope) -> Node:
    if part not in _PARTS or scope.timestamps.startswith("unix"):
        raise UnconvertibleError(f"it takes the part {part!r} of a time")
    read = _call("strftime", write_text(_PARTS[part]), value)
    return exp.cast(read, "INTEGER", dialect="sqlite")


def _truncate(node: Node, scope: Scope) -> Node:
    unit = strip_parens(node.args["unit"]).name.lower()
    if unit not in TRUNCATED or scope.timestamps.startswith("unix"):
        raise UnconvertibleError(f"it truncates a time to {unit}")
    return _call("strftime", write_text(TRUNCATED[unit]), node.this)


def _length(node: Node, _scope: Scope) -> Node:
    return _call("octet_length", node.this) if node.args.get("binary") else node


def _left(node: Node, _scope: Scope) -> Node:
    return _call("substr", node.this, write_number("1"), node.expression)


def _right(node: Node, _scope: Scope) -> Node:
    return _call("substr", node.this, exp.Neg(this=node.expression))


def _concat(node: Node, scope: Scope) -> Node:
    if scope.dialect == "mysql":  # any NULL makes NULL there
        first, *rest = node.expressions
        for part in rest:
            first = exp.DPipe(this=first, expression=part)
        return exp.Paren(this=first)
    return _call("concat", *node.expressions)


def _introducer(node: Node, _scope: Scope) -> Node:
    written: Node = node.expression
    return written


def _interval(node: Node, _scope: Scope) -> Node:
    raise UnconvertibleError(f"it calculates with the interval {node.sql()}")


def _bits(node: Node, scope: Scope) -> Node:
    if scope.dialect == "postgres":
        return write_text(node.this)
    return write_number(str(int(node.this or "0", 2)))


_HANDLERS: dict[type[Node], Handler] = {
    exp.Cast: _cast,
    exp.TryCast: _cast,
    exp.CurrentTimestamp: _now,
    exp.Localtimestamp: _now,
    exp.CurrentDatetime: _now,
    exp.CurrentDate: _clock,
    exp.CurrentTime: _clock,
    exp.Rand: _refuse("it asks for a random number between 0 and 1"),
    exp.Boolean: _boolean,
    exp.Uuid: _uuid,
    exp.Anonymous: _anonymous,
    exp.Like: _like,
    exp.ILike: _like,
    exp.EQ: _compare,
    exp.NEQ: _compare,
    exp.RegexpLike: _refuse("it matches a regular expression, which Cloudflare cannot"),
    exp.RegexpILike: _refuse("it matches a regular expression, which Cloudflare cannot"),
    exp.SimilarTo: _refuse("it matches with SIMILAR TO, which Cloudflare cannot"),
    exp.CurrentUser: _refuse("it asks for the database user, which Cloudflare has not"),
    exp.ArrayContainsAll: _refuse("it compares arrays or ranges"),
    exp.ArrayContainedBy: _refuse("it compares arrays or ranges"),
    exp.ArrayOverlaps: _refuse("it compares arrays or ranges"),
    exp.AtTimeZone: _refuse("it converts between time zones"),
    exp.Lateral: _refuse("it joins laterally"),
    exp.Bracket: _refuse("it takes a part of an array"),
    exp.Interval: _interval,
    exp.Extract: _extract,
    exp.Year: _named_part,
    exp.Month: _named_part,
    exp.Day: _named_part,
    exp.TimestampTrunc: _truncate,
    exp.DateTrunc: _truncate,
    exp.Length: _length,
    exp.Left: _left,
    exp.Right: _right,
    exp.Concat: _concat,
    exp.GroupConcat: join_texts,
    exp.Introducer: _introducer,
    exp.Column: name_column,
    exp.Table: name_table,
    exp.BitString: _bits,
    exp.Add: _calculate,
    exp.Sub: _calculate,
    exp.Mul: _calculate,
    exp.Div: _calculate,
    exp.Mod: _calculate,
    exp.TimeToStr: _format_time,
    exp.Collate: _collate,
    **dict.fromkeys(
        (
            exp.DateAdd,
            exp.DateSub,
            exp.DatetimeAdd,
            exp.DatetimeSub,
            exp.TimestampAdd,
            exp.TimestampSub,
            exp.DateDiff,
            exp.TimestampDiff,
            exp.DatetimeDiff,
            exp.TsOrDsAdd,
            exp.TsOrDsDiff,
            exp.TimeAdd,
            exp.TimeSub,
            exp.AddMonths,
        ),
        _refuse("it calculates with dates"),
    ),
    exp.Xor: _refuse("it uses XOR, which SQLite has not"),
    exp.Hex: _refuse("it calls hex(), which means something else for numbers"),
}
