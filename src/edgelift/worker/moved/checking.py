"""Tells before the cut what of a driver's SQL the Worker's servers could not run.

Two depths: `find_unknown` looks at the words alone, before the origin's tables are known;
`find_problem` translates with them, as the Worker will.
"""

from __future__ import annotations

import re
from typing import Any

import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError

from edgelift.worker.moved import mysql_rules
from edgelift.worker.moved.builder import MYSQL_RULES, RULES, describe
from edgelift.worker.moved.commands import read_command
from edgelift.worker.moved.failures import ServerError
from edgelift.worker.moved.lexing import LexError, Token, make_shape, split_statements
from edgelift.worker.moved.mysql_session import COMMANDS
from edgelift.worker.moved.named import NAMED
from edgelift.worker.moved.translation import DIALECTS, Translations

_PLACES = re.compile(r"%(?:\((?P<name>\w+)\)s|(?P<plain>s)|(?P<percent>%))")
# A whole row or rows in one place: execute_values() of psycopg2, a tuple of PyMySQL.
_COMPOSED = re.compile(r"\{\w*\}|\bVALUES\s+%(?:\(\w+\))?s", re.IGNORECASE)
# A tuple of values in one place, which the drivers write with its parentheses.
_TUPLE = re.compile(r"\b(IN\s+)(%(?:\(\w+\))?s)", re.IGNORECASE)
# Parts that have no rule of their own because the rules around them read them.
_INSIDE = (
    exp.Alias, exp.Any, exp.Star, exp.Distinct, exp.Placeholder, exp.Values, exp.Unnest, exp.Order,
    exp.Ordered, exp.If, exp.Var, exp.Identifier, exp.Select, exp.SetOperation, exp.Window,
    exp.JSONPath, exp.JSONPathPart, exp.Filter, exp.TsOrDsToTimestamp,
)  # fmt: skip
_SHAPES = (exp.Query, exp.Values, exp.Insert, exp.Update, exp.Delete)


def number_places(text: str, engine: str = "postgresql", filling: str = "") -> str:
    """Return a statement with `$1` for the first `%s` or `%(name)s`, and so on, or a `filling`.

    In MySQL's texts they become NULL, which fits everywhere.
    """
    if not _PLACES.search(text):
        return text
    numbers: dict[str, int] = {}

    def replace(found: re.Match[str]) -> str:
        if found["percent"]:
            return "%"
        if filling or engine == "mysql":
            return filling or "NULL"
        key = found["name"] or f"#{len(numbers)}"
        return f"${numbers.setdefault(key, len(numbers) + 1)}"

    return _PLACES.sub(replace, _TUPLE.sub(r"\1(\2)", text))


def is_composed(text: str) -> bool:
    """Return whether parts come at run time: `{}` of psycopg2.sql and format(), `VALUES %s`."""
    return bool(_COMPOSED.search(text))


def find_unknown(text: str, engine: str) -> str:
    """Return what of a statement no rule reads, empty for nothing; its tables are not asked."""
    try:
        for tokens in split_statements(number_places(text, engine), engine):
            if engine == "mysql":
                if tokens[0].upper in COMMANDS:
                    continue
                tokens = [_begin_insert(tokens[0]), *tokens[1:]]  # noqa: PLW2901 - REPLACE is one
            if engine == "mysql" or read_command(tokens) is None:
                problem = _find_part(make_shape(tokens).sql, engine)
                if problem:
                    return problem
    except LexError as error:
        return str(error)
    except ServerError as error:
        return tell(error)
    return ""


def _begin_insert(token: Token) -> Token:
    return token._replace(text="INSERT") if token.upper == "REPLACE" else token


def _find_part(sql: str, engine: str) -> str:
    try:
        tree = sqlglot.parse_one(sql, read=DIALECTS[engine])
    except SqlglotError as error:
        return f"it cannot be read: {str(error).splitlines()[0]}"
    if not isinstance(tree, _SHAPES):
        return f"a statement of the form {type(tree).__name__}"
    for node in tree.walk():
        if isinstance(node, exp.Anonymous):
            if not _is_known_call(node, engine):
                return f"it calls {str(node.this).lower()}()"
        elif _needs_rule(node, engine):
            return f"it uses {describe(node)}"
    return ""


def _is_known_call(node: Any, engine: str) -> bool:
    name = str(node.this).lower()
    known = NAMED if engine != "mysql" else {**NAMED, **mysql_rules.NAMED, "values": None}
    return name in known or (name == "all" and isinstance(node.parent, exp.Binary))


def _needs_rule(node: Any, engine: str) -> bool:
    if engine == "mysql" and type(node) in MYSQL_RULES:
        return False
    return (
        isinstance(node, exp.Condition | exp.Func)
        and not isinstance(node, _INSIDE)
        and type(node) not in RULES
    )


def tell(error: ServerError) -> str:
    """Return why a statement was refused, without the words before it."""
    return error.message.removeprefix("the moved database cannot run this statement: ")


def find_problem(text: str, translations: Translations) -> str:
    """Return why a statement has no form over a moved database's tables, empty for none.

    Drivers that write values into the text give them types that are not known here: a problem is
    one whatever stands at their places.
    """
    places = [place for place in _PLACES.finditer(text) if not place["percent"]]
    fillings = ("", *_FILLINGS) if places else ("",)
    found = {_find_problem(number_places(text, translations.engine, f), translations)
             for f in fillings}  # fmt: skip
    return found.pop() if len(found) == 1 else ""


_FILLINGS = ("1", "'day'", "'2000-01-01'")


def _find_problem(text: str, translations: Translations) -> str:
    try:
        for tokens in split_statements(text, translations.engine):
            if translations.engine == "mysql":
                if tokens[0].upper not in COMMANDS:
                    translations.find(make_shape(tokens), (), {})
            elif read_command(tokens) is None:
                translations.find(make_shape(tokens), (), {})
    except LexError as error:
        return str(error)
    except ServerError as error:
        return tell(error)
    return ""
