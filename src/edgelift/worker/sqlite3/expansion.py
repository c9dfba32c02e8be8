"""Writes calls of Django's own functions as plain SQL, so that no table must be brought to Python.

Django registers the functions of its SQLite backend in Python (django/db/backends/sqlite3/
_functions.py). Where the arguments allow it (django_dates.py, django_texts.py), a call becomes an
expression of the same value; what such an expression cannot tell raises `malformed JSON` when it
meets it, and the statement runs on a copy.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from edgelift.worker.sqlite3.callbacks import Callbacks
from edgelift.worker.sqlite3.django_dates import DATES
from edgelift.worker.sqlite3.django_texts import TEXTS
from edgelift.worker.sqlite3.expressions import UNKNOWN, Argument
from edgelift.worker.sqlite3.statement import Statement, parse
from edgelift.worker.sqlite3.tokens import (
    NUMBER,
    PARAM,
    QUOTED,
    STRING,
    WORD,
    skip_parentheses,
    split_at,
    unquote,
)  # fmt: skip
from edgelift.worker.sqlite3.values import Value

_MODULE = "django.db.backends.sqlite3._functions"
_RULES: Mapping[str, Callable[..., str | None]] = {**DATES, **TEXTS}
# D1 limits page: 100,000 bytes of SQL; the query is wrapped on its way.
_LARGEST = 60_000
# An argument is written several times, so it must have one value and belong to no other query.
_UNSTEADY = frozenset(
    {"random", "randomblob", "rand", "changes", "last_insert_rowid", "uuidv4", "uuidv7"}
)
_GROUPING = frozenset(
    {"sum", "count", "avg", "total", "group_concat", "string_agg", "json_group_array"}
)
_NO_EXPRESSION = frozenset({"SELECT", "OVER", "DISTINCT"})


class _Call(NamedTuple):
    name: str
    start: int
    end: int


class _Unexpanded(Exception):
    """A call has no expression."""


def expand_calls(
    statement: Statement, values: Sequence[Value], callbacks: Callbacks
) -> Statement | None:
    """Return the statement with each call in Python as an expression, None where one has none.

    The parameters keep their numbers.
    """
    needed = statement.functions & callbacks.functions.keys()
    if statement.collations & callbacks.collations.keys() or not needed <= _RULES.keys():
        return None
    if not all(_is_django(callbacks, name) for name in needed):
        return None
    writer = _Writer(statement, values, needed)
    try:
        text = writer.write(0, len(statement.tokens))
    except _Unexpanded:
        return None
    return parse(text) if len(text) <= _LARGEST else None


def _is_django(callbacks: Callbacks, name: str) -> bool:
    return all(
        getattr(made.work, "__module__", "") == _MODULE
        for made in callbacks.functions[name].values()
    )


class _Writer:
    """Writes ranges of a statement's tokens, calls among them as expressions."""

    def __init__(
        self, statement: Statement, values: Sequence[Value], names: frozenset[str]
    ) -> None:
        self.statement = statement
        self.values = values
        self.names = names
        self.numbers = {slot.token: slot.number for slot in statement.slots}

    def write(self, start: int, end: int) -> str:
        """Return the text of a range."""
        if start >= end:
            return ""
        sql, tokens = self.statement.sql, self.statement.tokens
        parts: list[str] = []
        position, index = tokens[start].start, start
        while index < end:
            token = tokens[index]
            call = self._find_call(index, end)
            if call is not None:
                parts += [sql[position : token.start], self._expand(call)]
                index, position = call.end, tokens[call.end - 1].end
                continue
            if index in self.numbers:
                parts += [sql[position : token.start], f"?{self.numbers[index]}"]
                position = token.end
            index += 1
        return "".join([*parts, sql[position : tokens[end - 1].end]])

    def _find_call(self, index: int, end: int) -> _Call | None:
        tokens = self.statement.tokens
        token = tokens[index]
        if token.kind not in {WORD, QUOTED} or index + 1 >= end or tokens[index + 1].text != "(":
            return None
        name = unquote(token).lower()
        if name not in self.names:
            return None
        return _Call(name, index + 1, skip_parentheses(list(tokens), index + 1))

    def _expand(self, call: _Call) -> str:
        tokens = list(self.statement.tokens)
        ranges = split_at(tokens, ",", call.start + 1, call.end - 1)
        arguments = [self._read_argument(a, b) for a, b in ranges if a < b]
        try:
            text = _RULES[call.name](*arguments)
        except TypeError:
            text = None  # as many arguments as SQLite will refuse
        if text is None or len(text) > _LARGEST:
            raise _Unexpanded
        return f"({text})"

    def _read_argument(self, start: int, end: int) -> Argument:
        tokens = self.statement.tokens[start:end]
        if len(tokens) == 1:
            return Argument(self.write(start, end), self._read_constant(start))
        inside = {token.upper for token in tokens if token.kind == WORD}
        called = parse(self.statement.text(start, end)).functions
        if inside & _NO_EXPRESSION or called & (_UNSTEADY | _GROUPING):
            raise _Unexpanded
        return Argument(f"({self.write(start, end)})", UNKNOWN)

    def _read_constant(self, index: int) -> Any:
        token = self.statement.tokens[index]
        if token.kind == PARAM:
            return self.values[self.numbers[index] - 1]
        if token.kind == STRING:
            return unquote(token)
        if token.upper == "NULL":
            return None
        if token.kind == NUMBER and token.text.isdecimal():
            return int(token.text)
        return UNKNOWN
