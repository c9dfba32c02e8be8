"""Rows that name another shard's key are refused before they are sent: nobody would find them.

What a row's key is can be seen where an INSERT or UPDATE has it as a literal or a bound value. A
key that SQL computes is not seen; a foreign key to a table that is split keeps most of those out.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence

from edgelift.worker.shard_map import ShardMap
from edgelift.worker.sqlite3.fitting import Fitted, find_rows
from edgelift.worker.sqlite3.rewrite import target_table
from edgelift.worker.sqlite3.shard_rules import ShardError
from edgelift.worker.sqlite3.statement import Statement, parse
from edgelift.worker.sqlite3.tokens import (
    NUMBER,
    PARAM,
    STRING,
    Token,
    skip_parentheses,
    split_at,
    unquote,
)  # fmt: skip

_WRITES = re.compile(r"\s*(INSERT|REPLACE|UPDATE|WITH)\b", re.IGNORECASE)
_END_OF_SET = ("WHERE", "FROM", "RETURNING")
ReadColumns = Callable[[str], list[str]]


class KeyCheck:
    """Checks the rows that are written to one shard; `columns` has the key of each split table."""

    def __init__(self, routing: ShardMap, shard: str, read_columns: ReadColumns) -> None:
        self._routing = routing
        self._shard = shard
        self._read_columns = read_columns
        self._columns = {t.lower(): c.lower() for t, c in routing.columns.items()}

    def check(self, statements: Iterable[Fitted]) -> None:
        """Let statements pass whose rows belong to the shard; raises ShardError."""
        for fitted in statements:
            if not self._columns or not _WRITES.match(fitted.sql):
                continue
            statement = parse(fitted.sql)
            table = target_table(statement)
            column = self._columns.get(table.lower())
            if column is None or statement.first == "EXPLAIN":
                continue
            for value in self._read_values(statement, table, column, fitted.parameters):
                self._check_value(table, column, value)

    def _check_value(self, table: str, column: str, value: object) -> None:
        try:
            owner = self._routing.find(value, spread=True)
        except KeyError:
            return  # no key at all: the table's own rules decide
        if owner != self._shard:
            raise ShardError(
                f"a row of {table} with {column} = {str(value)[:80]!r} belongs to the shard "
                f"{owner}, but the request works on {self._shard}"
            )

    def _read_values(
        self, statement: Statement, table: str, column: str, parameters: Sequence[object]
    ) -> Iterator[object]:
        """Yield the keys that a statement shows."""
        tokens = list(statement.tokens)
        for start, end in (
            self._find_assigned(statement, tokens, column)
            if statement.verb == "UPDATE"
            else self._find_inserted(statement, tokens, table, column)
        ):
            if end - start == 1:
                yield from _read_value(tokens[start], parameters)

    def _find_inserted(
        self, statement: Statement, tokens: list[Token], table: str, column: str
    ) -> Iterator[tuple[int, int]]:
        rows = find_rows(statement)
        place = self._find_place(statement, tokens, table, column) if rows else None
        if place is None:
            return
        for start, _ in rows:
            cells = split_at(tokens, ",", start + 1, skip_parentheses(tokens, start) - 1)
            if place < len(cells):
                yield cells[place]

    def _find_place(
        self, statement: Statement, tokens: list[Token], table: str, column: str
    ) -> int | None:
        """Return which cell of a row is the key, None when a row has none."""
        values = statement.find_word("VALUES", statement.main)
        if values is None:
            return None
        if tokens[values - 1].text != ")":
            names = [name.lower() for name in self._read_columns(table)]
        else:
            opened = next(i for i in range(statement.main, values) if tokens[i].text == "(")
            listed = split_at(tokens, ",", opened + 1, values - 1)
            names = [unquote(tokens[start]).lower() for start, _ in listed]
        return names.index(column) if column in names else None

    @staticmethod
    def _find_assigned(
        statement: Statement, tokens: list[Token], column: str
    ) -> Iterator[tuple[int, int]]:
        begin = statement.find_word("SET", statement.main)
        if begin is None:
            return
        found = (statement.find_word(word, begin) for word in _END_OF_SET)
        end = min((index for index in found if index is not None), default=len(tokens))
        for start, stop in split_at(tokens, ",", begin + 1, end):
            assigns = stop - start > 2 and tokens[start + 1].text == "="
            if assigns and unquote(tokens[start]).lower() == column:
                yield start + 2, stop


def _read_value(token: Token, parameters: Sequence[object]) -> Iterator[object]:
    if token.kind == PARAM:
        value = parameters[int(token.text[1:]) - 1]
        if isinstance(value, str):
            yield value
    elif token.kind == STRING:
        yield unquote(token)
    elif token.kind == NUMBER:
        yield token.text
