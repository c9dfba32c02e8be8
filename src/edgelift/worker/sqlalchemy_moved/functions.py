"""Functions of PostgreSQL and MySQL in SQLite's words; those without a rule go as they are."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sqlalchemy import exc

from edgelift.worker.moment_forms import NOW, TRUNCATED

Rule = Callable[[Any, list[str], Any], str]
_TODAY = "date('now')"
_UUID = (
    "(SELECT substr(h, 1, 8) || '-' || substr(h, 9, 4) || '-4' || substr(h, 14, 3) || '-' || "
    "substr('89ab', 1 + (unicode(substr(h, 17, 1)) % 4), 1) || substr(h, 18, 3) || '-' || "
    "substr(h, 21) FROM (SELECT lower(hex(randomblob(16))) AS h))"
)
_FORMS = {"microseconds": "%Y-%m-%d %H:%M:%f", **TRUNCATED}


def _plain(text: str) -> Rule:
    """Return a rule: `text` with {0}, {1} ... where the arguments stand, {all} for all of them."""

    def rule(_fn: Any, arguments: list[str], _order: Any) -> str:
        return text.format(*arguments, all=", ".join(arguments))

    return rule


def _date_trunc(fn: Any, arguments: list[str], _order: Any) -> str:
    unit = getattr(next(iter(fn.clauses)), "value", None)
    if unit in {"week", "quarter"} and len(arguments) == 2:
        day = f"date({arguments[1]}, '-6 days', 'weekday 1')"
        if unit == "quarter":
            month = f"(CAST(strftime('%m', {arguments[1]}) AS INTEGER) - 1) % 3"
            day = f"date({arguments[1]}, 'start of month', '-' || ({month}) || ' months')"
        return f"({day} || ' 00:00:00.000000')"
    if unit not in _FORMS or len(arguments) != 2:
        raise exc.CompileError(f"date_trunc of {unit!r} has no form in SQLite")
    return f"strftime('{_FORMS[unit]}', {arguments[1]})"


def _string_agg(fn: Any, arguments: list[str], order: Any) -> str:
    clauses = list(fn.clauses)
    ordering = getattr(clauses[-1], "order_by", None)
    if ordering is None:
        return f"group_concat({', '.join(arguments)})"
    return f"group_concat({', '.join(arguments)} ORDER BY {order(ordering)})"


def _array_agg(fn: Any, arguments: list[str], order: Any) -> str:
    ordering = getattr(next(iter(fn.clauses)), "order_by", None)
    suffix = "" if ordering is None else f" ORDER BY {order(ordering)}"
    return f"json_group_array({arguments[0]}{suffix})"


def _concat_of_mysql(_fn: Any, arguments: list[str], _order: Any) -> str:
    return f"({' || '.join(arguments)})"


def _without_nulls(name: str) -> Rule:
    """Return the rule of greatest and least, which leave NULLs out in PostgreSQL."""

    def rule(_fn: Any, arguments: list[str], _order: Any) -> str:
        rows = " UNION ALL ".join(f"SELECT {argument} AS v" for argument in arguments)
        return f"(SELECT {name}(v) FROM ({rows}))"

    return rule


SHARED: dict[str, Rule] = {
    "now": _plain(NOW),
    "current_timestamp": _plain(NOW),
    "localtimestamp": _plain(NOW),
    "current_date": _plain(_TODAY),
    "char_length": _plain("length({0})"),
    "character_length": _plain("length({0})"),
    "ceil": _plain("ceil({0})"),
    "ceiling": _plain("ceil({0})"),
    "power": _plain("pow({all})"),
    "left": _plain("substr({0}, 1, {1})"),
    "right": _plain("substr({0}, -({1}))"),
    "substring": _plain("substr({all})"),
    "json_array_length": _plain("json_array_length({all})"),
}
POSTGRESQL: dict[str, Rule] = {
    **SHARED,
    "transaction_timestamp": _plain(NOW),
    "statement_timestamp": _plain(NOW),
    "clock_timestamp": _plain(NOW),
    "gen_random_uuid": _plain(_UUID),
    "uuid_generate_v4": _plain(_UUID),
    "date_trunc": _date_trunc,
    "strpos": _plain("instr({0}, {1})"),
    "btrim": _plain("trim({all})"),
    "string_agg": _string_agg,
    "array_agg": _array_agg,
    "json_agg": _array_agg,
    "bool_and": _plain("min({0})"),
    "bool_or": _plain("max({0})"),
    "every": _plain("min({0})"),
    "greatest": _without_nulls("max"),
    "least": _without_nulls("min"),
    "cardinality": _plain("json_array_length({0})"),
    "array_length": _plain("nullif(json_array_length({0}), 0)"),
    "array_append": _plain("json_insert({0}, '$[#]', {1})"),
    "array_position": _plain("(SELECT key + 1 FROM json_each({0}) WHERE value = {1} LIMIT 1)"),
    "array_remove": _plain(
        "(SELECT json_group_array(value) FROM json_each({0}) WHERE value IS NOT {1})"
    ),
    "jsonb_array_length": _plain("json_array_length({0})"),
    "random": _plain("((random() + 9223372036854775808.0) / 18446744073709551616.0)"),
    "pg_advisory_xact_lock": _plain("NULL"),  # the object serves one writer at a time
    "pg_advisory_lock": _plain("NULL"),
    "pg_advisory_unlock": _plain("1"),
}
MYSQL: dict[str, Rule] = {
    **SHARED,
    "utc_timestamp": _plain(NOW),
    "curdate": _plain(_TODAY),
    "curtime": _plain("time('now')"),
    "concat": _concat_of_mysql,
    "ifnull": _plain("ifnull({0}, {1})"),
    "if": _plain("iif({0}, {1}, {2})"),
    "year": _plain("CAST(strftime('%Y', {0}) AS INTEGER)"),
    "month": _plain("CAST(strftime('%m', {0}) AS INTEGER)"),
    "day": _plain("CAST(strftime('%d', {0}) AS INTEGER)"),
    "dayofmonth": _plain("CAST(strftime('%d', {0}) AS INTEGER)"),
    "hour": _plain("CAST(strftime('%H', {0}) AS INTEGER)"),
    "minute": _plain("CAST(strftime('%M', {0}) AS INTEGER)"),
    "dayofweek": _plain("(1 + CAST(strftime('%w', {0}) AS INTEGER))"),
    "datediff": _plain("CAST(julianday(date({0})) - julianday(date({1})) AS INTEGER)"),
    "greatest": _plain("max({all})"),
    "least": _plain("min({all})"),
    "rand": _plain("((random() + 9223372036854775808.0) / 18446744073709551616.0)"),
    "locate": _plain("instr({1}, {0})"),
    "lcase": _plain("lower({0})"),
    "ucase": _plain("upper({0})"),
    "uuid": _plain(_UUID),
    "json_unquote": _plain("({0})"),
}
RULES = {"postgresql": POSTGRESQL, "mysql": MYSQL}


def compile_function(compiler: Any, fn: Any, **kw: Any) -> str | None:
    """Return a function call in SQLite's words, None where it goes as it is."""
    rule = RULES[compiler.dialect.origin].get(fn.name.lower())
    if rule is None:
        return None
    arguments = [compiler.process(clause, **kw) for clause in _clauses(fn)]
    try:
        return rule(fn, arguments, lambda clauses: compiler.render_order(clauses, **kw))
    except IndexError:
        raise exc.CompileError(f"{fn.name} with {len(arguments)} arguments is unknown") from None


def _clauses(fn: Any) -> list[Any]:
    found = list(fn.clauses)
    return [getattr(c, "target", c) if hasattr(c, "order_by") else c for c in found]
