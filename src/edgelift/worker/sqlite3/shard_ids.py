"""Numbers of AUTOINCREMENT columns, given out for all shards of a database together.

SQLite counts in each file for itself, and has no steps by which files could keep out of each
other's way. So what an origin's sequence was is here the counter of one small database beside the
shards, with their schema and without rows: before an INSERT its numbers are taken from there and
written into the statement. As with a sequence, a number once taken is used up, whatever becomes of
its row, and no two shards ever hold the same.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

from edgelift.worker.sqlite3.errors import OperationalError
from edgelift.worker.sqlite3.fitting import Fitted, find_rows
from edgelift.worker.sqlite3.rewrite import target_table
from edgelift.worker.sqlite3.statement import Statement, parse
from edgelift.worker.sqlite3.tokens import (
    NUMBER,
    PARAM,
    WORD,
    quote_name,
    quote_text,
    skip_parentheses,
    split_at,
    unquote,
)  # fmt: skip

Edit = tuple[int, int, str]
_INSERTS = re.compile(r"\s*(INSERT|REPLACE|WITH)\b", re.IGNORECASE)


class Counters(Protocol):
    """Where numbers come from (sharded.py)."""

    def take(self, table: str, count: int) -> int:
        """Return the first of `count` numbers, which nobody else gets."""

    def raise_to(self, table: str, number: int) -> None:
        """Let the numbers go on behind one that the app chose itself."""


class Source:
    """What writes numbers into the INSERTs of one shard.

    `columns` has the counted column of each table, `count_rows` counts the rows of a query with the
    statement's own values, `read_columns` gives a table's columns.
    """

    def __init__(
        self,
        columns: Mapping[str, str],
        counters: Counters,
        read_columns: Callable[[str], list[str]],
        count_rows: Callable[[Fitted], int],
    ) -> None:
        self._columns = {table.lower(): (table, column) for table, column in columns.items()}
        self._counters = counters
        self._read_columns = read_columns
        self._count_rows = count_rows

    def number(self, statements: Sequence[Fitted]) -> list[Fitted]:
        """Return the statements with numbers; each table is asked for all of its at once."""
        drafts = [self._draft(fitted) for fitted in statements]
        wanted: dict[str, int] = {}
        for draft in drafts:
            if draft is not None and draft.count:
                wanted[draft.table] = wanted.get(draft.table, 0) + draft.count
        first = {table: self._counters.take(table, count) for table, count in wanted.items()}
        written = []
        for fitted, draft in zip(statements, drafts, strict=True):
            if draft is None or not draft.count:
                written.append(fitted)
                continue
            written.append(Fitted(draft.write(first[draft.table]), fitted.parameters))
            first[draft.table] += draft.count
        for draft in drafts:
            if draft is not None and draft.largest:
                self._counters.raise_to(draft.table, draft.largest)
        return written

    def _draft(self, fitted: Fitted) -> _Draft | None:
        if not _INSERTS.match(fitted.sql):
            return None
        statement = parse(fitted.sql)
        if statement.verb not in {"INSERT", "REPLACE"} or statement.first == "EXPLAIN":
            return None
        known = self._columns.get(target_table(statement).lower())
        if known is None:
            return None
        return _Draft(statement, fitted, *known, self._read_columns, self._count_rows)


class _Draft:
    """An INSERT into a counted table: how many numbers it needs, and where they are written."""

    def __init__(
        self,
        statement: Statement,
        fitted: Fitted,
        table: str,
        column: str,
        read_columns: Callable[[str], list[str]],
        count_rows: Callable[[Fitted], int],
    ) -> None:
        self.table = table
        self.statement = statement
        self.tokens = list(statement.tokens)
        self.largest = 0
        self.places: list[tuple[int, int, str]] = []  # start, end, text behind the number
        self.edits: list[Edit] = []
        self.query: tuple[int, int] | None = None
        self.column = quote_name(column)
        self._sql = fitted.sql
        self._read(column, read_columns)
        self.count = len(self.places)
        if self.query is not None:
            start, end = (self.tokens[self.query[0]].start, self.tokens[self.query[1] - 1].end)
            asked = Fitted(f"SELECT count(*) FROM ({self._sql[start:end]})", fitted.parameters)
            if any(t.kind == PARAM for t in self.tokens[: self.query[0]]) or any(
                t.kind == PARAM for t in self.tokens[self.query[1] :]
            ):
                raise _refuse(table)
            self.count = count_rows(asked)

    def _read(self, column: str, read_columns: Callable[[str], list[str]]) -> None:
        tokens, index = self.tokens, self._find_body()
        listed: list[str] | None = None
        opened = index
        if tokens[index].text == "(" and tokens[index + 1].upper not in {"SELECT", "VALUES"}:
            index = skip_parentheses(tokens, index)
            ranges = split_at(tokens, ",", opened + 1, index - 1)
            listed = [unquote(tokens[start]).lower() for start, _ in ranges]
        word = tokens[index].upper
        if word == "DEFAULT":
            edit = f"({self.column}) VALUES ("
            self.places = [(tokens[index].start, tokens[index + 1].end, ")")]
            self.edits = [(tokens[index].start, tokens[index].start, edit)]
            return
        names = listed if listed is not None else [n.lower() for n in read_columns(self.table)]
        place = names.index(column.lower()) if column.lower() in names else None
        if place is None:
            opening = tokens[opened].end
            self.edits = [(opening, opening, f"{self.column}, ")]
        if word == "VALUES":
            self._read_rows(place)
        elif place is None:
            self.query = index, self._find_query_end(index)
        # A query that gives the column itself gives the app's own numbers.

    def _find_body(self) -> int:
        """Return the index of what follows the table's name and alias."""
        tokens = self.tokens
        into = self.statement.find_word("INTO", self.statement.main)
        index = (into if into is not None else self.statement.main) + 2
        while tokens[index].text == ".":
            index += 2
        if tokens[index].upper == "AS":
            index += 2
        return index

    def _read_rows(self, place: int | None) -> None:
        for start, _ in find_rows(self.statement):
            end = skip_parentheses(self.tokens, start)
            if place is None:
                opening = self.tokens[start].end
                self.places.append((opening, opening, ", "))
                continue
            first, last = split_at(self.tokens, ",", start + 1, end - 1)[place]
            token = self.tokens[first]
            if last - first == 1 and token.upper == "NULL" and token.kind == WORD:
                self.places.append((token.start, token.end, ""))
            elif last - first == 1 and token.kind == NUMBER and token.text.isdigit():
                self.largest = max(self.largest, int(token.text))

    def _find_query_end(self, start: int) -> int:
        depth = 0
        for index in range(start, len(self.tokens)):
            token = self.tokens[index]
            depth += (token.text == "(") - (token.text == ")")
            if depth == 0 and token.kind == WORD:
                ends = token.upper == "RETURNING" or (
                    token.upper == "ON" and self.tokens[index + 1].upper == "CONFLICT"
                )
                if ends:
                    return index
        return len(self.tokens)

    def write(self, first: int) -> str:
        """Return the text with its numbers, `first` and those behind it."""
        edits = list(self.edits)
        if self.query is not None:
            start, end = self.tokens[self.query[0]].start, self.tokens[self.query[1] - 1].end
            inner = self._sql[start:end]
            text = f"SELECT {first - 1} + row_number() OVER (), * FROM ({inner}) WHERE true"
            edits.append((start, end, text))
        for number, (start, end, behind) in enumerate(self.places, first):
            edits.append((start, end, f"{number}{behind}"))
        text, position = "", 0
        for start, end, new in sorted(edits):
            text += self._sql[position:start] + new
            position = end
        return text + self._sql[position:]


def _refuse(table: str) -> Exception:
    return OperationalError(
        f"INSERT ... SELECT into {table} has values outside of its query: its numbers cannot be "
        "given out for all shards together; insert rows of VALUES"
    )


def write_take(table: str, count: int) -> str:
    """Return the statement that takes numbers from a counter and gives the last of them."""
    name = quote_text(table)
    return f"UPDATE sqlite_sequence SET seq = seq + {count} WHERE name = {name} RETURNING seq"


def write_raise(table: str, number: int) -> str:
    """Return the statement that raises a counter, never lowers it."""
    name = quote_text(table)
    return f"UPDATE sqlite_sequence SET seq = max(seq, {number}) WHERE name = {name}"
