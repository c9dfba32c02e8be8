"""Reads one SQL statement as far as the driver must know it: verb, parameters, result columns."""

from __future__ import annotations

import functools
import itertools
from dataclasses import dataclass
from typing import NamedTuple

from edgelift.worker.sqlite3.tokens import (
    BAD,
    BLOB,
    NUMBER,
    OPERATOR,
    PARAM,
    QUOTED,
    STRING,
    WORD,
    Token,
    is_trigger,
    read_tokens,
    skip_parentheses,
    split_at,
    unquote,
)  # fmt: skip

MAIN_VERBS = frozenset({"SELECT", "VALUES", "INSERT", "REPLACE", "UPDATE", "DELETE"})
QUERIES = frozenset({"SELECT", "VALUES"})
# CPython begins a transaction before these, by the first word alone (Modules/_sqlite/statement.c).
WRITES = frozenset({"INSERT", "UPDATE", "DELETE", "REPLACE"})

_END_OF_COLUMNS = frozenset(
    {"FROM", "WHERE", "GROUP", "HAVING", "WINDOW", "ORDER", "LIMIT", "UNION", "EXCEPT", "INTERSECT"}
)
_ENDS_TERMS = frozenset(
    {
        "LIMIT",
        "HAVING",
        "SELECT",
        "WHERE",
        "UNION",
        "EXCEPT",
        "INTERSECT",
        "WINDOW",
        "ROWS",
        "RANGE",
    }
)
# Words after which a name is an operand and no alias.
_BEFORE_OPERAND = frozenset(
    {
        "NOT", "AND", "OR", "IS", "IN", "LIKE", "GLOB", "REGEXP", "MATCH", "BETWEEN", "COLLATE",
        "CASE", "WHEN", "THEN", "ELSE", "ESCAPE", "DISTINCT", "FROM", "EXISTS", "ALL", "AS",
    }
)  # fmt: skip
_NO_ALIAS = frozenset({"ISNULL", "NOTNULL", "END", "NULL"})
_LITERAL_WORDS = frozenset(
    {"NULL", "TRUE", "FALSE", "CURRENT_TIME", "CURRENT_DATE", "CURRENT_TIMESTAMP"}
)
_FUNCTION_OPERATORS = frozenset({"REGEXP", "LIKE", "GLOB"})
STAR, COLUMN, EXPRESSION = "star", "column", "expression"


class Slot(NamedTuple):
    """A parameter's place: token index and its number as SQLite counts it, from 1."""

    token: int
    number: int


class ResultColumn(NamedTuple):
    """One entry of a result list: its kind, the tokens of its expression, its alias and its path.

    `path` is the (schema, table, column) of a plain column or the (table,) of a star, without what
    is not said.
    """

    kind: str
    start: int
    end: int
    alias: str | None
    path: tuple[str, ...]


@dataclass(frozen=True)
class Statement:
    """A parsed statement; `sql` ends with its last token, `multiple` says that another one follows.

    `full` goes on to the semicolon: SQLite names an expression after its text with the comments
    behind it.
    """

    sql: str
    full: str
    tokens: tuple[Token, ...]
    first: str
    verb: str
    slots: tuple[Slot, ...]
    names: tuple[str | None, ...]
    multiple: bool
    main: int

    @property
    def is_query(self) -> bool:
        """Whether the statement only reads and can stand in a WITH clause."""
        return self.verb in QUERIES and self.first != "EXPLAIN"

    @property
    def is_write(self) -> bool:
        """Whether CPython takes it for DML."""
        return self.first in WRITES

    @functools.cached_property
    def columns(self) -> tuple[ResultColumn, ...]:
        """The result list of a SELECT or the RETURNING clause of a write; empty without one."""
        if self.verb == "SELECT" and self.is_query:
            return tuple(self._read_columns(*self.result_range))
        if self.returning is not None:
            return tuple(self._read_columns(self.returning + 1, len(self.tokens)))
        return ()

    @functools.cached_property
    def pieces(self) -> tuple[str, ...]:
        """The text around the parameters: one piece more than there are slots."""
        ends = [0, *(self.tokens[slot.token].end for slot in self.slots)]
        starts = [*(self.tokens[slot.token].start for slot in self.slots), len(self.sql)]
        return tuple(self.sql[a:b] for a, b in zip(ends, starts, strict=True))

    @functools.cached_property
    def functions(self) -> frozenset[str]:
        """The functions the text calls, in lower case, operators that stand for one included."""
        tokens = self.tokens
        called = {
            unquote(token).lower()
            for token, following in itertools.pairwise(tokens)
            if following.text == "(" and token.kind in {WORD, QUOTED}
        }
        words = {token.upper for token in tokens if token.kind == WORD}
        return frozenset(called | {word.lower() for word in words & _FUNCTION_OPERATORS})

    @functools.cached_property
    def collations(self) -> frozenset[str]:
        """The collations the text names, in lower case."""
        pairs = itertools.pairwise(self.tokens)
        return frozenset(unquote(b).lower() for a, b in pairs if a.upper == "COLLATE")

    @functools.cached_property
    def ordinals(self) -> frozenset[int]:
        """The tokens of parameters that begin a term of ORDER BY or GROUP BY."""
        found: set[int] = set()
        in_terms = [False]
        begins = False
        for index, token in enumerate(self.tokens):
            if token.kind == PARAM and begins:
                found.add(index)
            begins = (token.text == "," and in_terms[-1]) or token.upper == "BY"
            if token.text == "(":
                in_terms.append(False)
            elif token.text == ")" and len(in_terms) > 1:
                in_terms.pop()
            elif token.upper == "BY" or token.upper in _ENDS_TERMS:
                in_terms[-1] = token.upper == "BY"
        return frozenset(found)

    @functools.cached_property
    def result_range(self) -> tuple[int, int]:
        """The tokens of the result list of a SELECT: the leftmost one of a compound."""
        start = self.main + 1
        if start < len(self.tokens) and self.tokens[start].upper in {"DISTINCT", "ALL"}:
            start += 1
        end, depth = start, 0
        while end < len(self.tokens):
            token = self.tokens[end]
            depth += (token.text == "(") - (token.text == ")")
            distinct_from = token.upper == "FROM" and self.tokens[end - 1].upper == "DISTINCT"
            is_name = token.upper == "WINDOW" and not self._opens_windows(end)
            if depth == 0 and token.upper in _END_OF_COLUMNS and not (distinct_from or is_name):
                break
            end += 1
        return start, end

    def _opens_windows(self, index: int) -> bool:
        """Return whether WINDOW is the clause and no name: `WINDOW name AS` (tokenize.c)."""
        following = self.tokens[index + 1 : index + 3]
        return len(following) == 2 and following[1].upper == "AS" and following[1].kind == WORD

    @functools.cached_property
    def returning(self) -> int | None:
        """The index of the token RETURNING of a write, None without one."""
        if self.verb not in WRITES or self.first == "EXPLAIN":
            return None
        return self.find_word("RETURNING", self.main)

    def find_word(self, word: str, start: int, end: int | None = None) -> int | None:
        """Return the index of the last such word outside parentheses, None without one."""
        found, depth = None, 0
        for index in range(start, len(self.tokens) if end is None else end):
            token = self.tokens[index]
            depth += (token.text == "(") - (token.text == ")")
            if depth == 0 and token.kind == WORD and token.upper == word:
                found = index
        return found

    def text(self, start: int, end: int) -> str:
        """Return the SQL text of the tokens in a range, with everything between them."""
        if start >= end:
            return ""
        return self.sql[self.tokens[start].start : self.tokens[end - 1].end]

    def _read_columns(self, start: int, end: int) -> list[ResultColumn]:
        tokens = list(self.tokens)
        return [self._read_column(a, b) for a, b in split_at(tokens, ",", start, end) if a < b]

    def _read_column(self, start: int, end: int) -> ResultColumn:
        tokens = self.tokens
        if tokens[end - 1].text == "*" and tokens[end - 1].kind == OPERATOR:
            table = tuple(unquote(t) for t in tokens[start : end - 1] if t.text != ".")
            return ResultColumn(STAR, start, end, None, table[-1:])
        alias, end = self._read_alias(start, end)
        inner_start, inner_end = start, end
        while inner_end - inner_start > 2 and (
            tokens[inner_start].text == "("
            and skip_parentheses(list(tokens), inner_start) == inner_end
        ):
            inner_start, inner_end = inner_start + 1, inner_end - 1
        path = self._read_path(inner_start, inner_end)
        return ResultColumn(COLUMN if path else EXPRESSION, start, end, alias, path)

    def _read_alias(self, start: int, end: int) -> tuple[str | None, int]:
        last = self.tokens[end - 1]
        if end - start < 2 or last.kind not in {WORD, QUOTED, STRING} or last.upper in _NO_ALIAS:
            return None, end
        before = self.tokens[end - 2]
        if before.upper == "AS" and before.kind == WORD:
            return unquote(last), end - 2
        if before.upper == "OVER" and before.kind == WORD and self.tokens[end - 3].text == ")":
            return None, end  # a window's name
        ends_operand = before.text == ")" or (
            before.kind in {QUOTED, STRING, NUMBER, BLOB, PARAM}
            or (before.kind == WORD and before.upper not in _BEFORE_OPERAND)
        )
        return (unquote(last), end - 1) if ends_operand else (None, end)

    def _read_path(self, start: int, end: int) -> tuple[str, ...]:
        """Return the parts of a possibly qualified column name; empty for any other expression."""
        parts = self.tokens[start:end]
        names, dots = parts[::2], parts[1::2]
        if len(parts) not in {1, 3, 5} or any(dot.text != "." for dot in dots):
            return ()
        if any(name.kind not in {WORD, QUOTED} for name in names):
            return ()
        if names[-1].kind == WORD and names[-1].upper in _LITERAL_WORDS:
            return ()
        return tuple(unquote(name) for name in names)

    def column_text(self, column: ResultColumn) -> str:
        """Return the text SQLite names an expression after, comments behind it included."""
        end = len(self.full)
        if column.end < len(self.tokens):
            end = self.tokens[column.end].start
        return self.full[self.tokens[column.start].start : end].strip(" \t\n\r\f")


# Texts beyond this are seldom run twice, and their tokens would fill the isolate's memory.
LONGEST_KEPT_TEXT = 10_000
KEPT_TEXTS = 256


def parse(sql: str) -> Statement:
    """Return the first statement of `sql`; without any, one with an empty verb."""
    return _read(sql) if len(sql) > LONGEST_KEPT_TEXT else _read_once(sql)


def _read(sql: str) -> Statement:
    tokens = read_tokens(sql)
    start = 0
    while start < len(tokens) and tokens[start].text == ";":
        start += 1
    tokens = tokens[start:]
    end = _find_end(tokens)
    multiple = len(tokens) > end + 1
    full = sql[: tokens[end].start] if end < len(tokens) else sql
    tokens = tokens[:end]
    first = tokens[0].upper if tokens else ""
    main = _find_main(tokens, first)
    slots, names = _read_slots(tokens)
    return Statement(
        sql=sql[: tokens[-1].end] if tokens else "",
        full=full,
        tokens=tuple(tokens),
        first=first,
        verb=tokens[main].upper if tokens else "",
        slots=slots,
        names=names,
        multiple=multiple,
        main=main,
    )


_read_once = functools.lru_cache(maxsize=KEPT_TEXTS)(_read)


def _find_end(tokens: list[Token]) -> int:
    """Return the index of the semicolon that ends the first statement, or the number of tokens."""
    whole = is_trigger(tokens)
    for index, token in enumerate(tokens):
        if token.text != ";" or token.kind != OPERATOR:
            continue
        if not whole or (tokens[index - 1].upper == "END" and tokens[index - 2].text == ";"):
            return index
    return len(tokens)


def _find_main(tokens: list[Token], first: str) -> int:
    """Return the index of the word that says what the statement does, behind WITH and EXPLAIN."""
    if first not in {"WITH", "EXPLAIN"}:
        return 0
    depth = 0
    for index, token in enumerate(tokens):
        depth += (token.text == "(") - (token.text == ")")
        if depth == 0 and token.kind == WORD and token.upper in MAIN_VERBS:
            return index
    return 0


def _read_slots(tokens: list[Token]) -> tuple[tuple[Slot, ...], tuple[str | None, ...]]:
    """Return the parameters, numbered as SQLite does (sqlite.org/lang_expr.html#varparam)."""
    slots: list[Slot] = []
    names: list[str | None] = []
    numbers: dict[str, int] = {}
    for index, token in enumerate(tokens):
        if token.kind != PARAM:
            continue
        text = token.text
        if text == "?":
            number = len(names) + 1
        elif text[0] == "?":
            number = int(text[1:])
        else:
            number = numbers.setdefault(text, len(names) + 1)
        if number < 1 or number > MAX_NUMBER:
            number = 1 if number < 1 else MAX_NUMBER
        names.extend([None] * (number - len(names)))
        if text != "?":
            names[number - 1] = text
        slots.append(Slot(index, number))
    return tuple(slots), tuple(names)


MAX_NUMBER = 32766  # SQLITE_MAX_VARIABLE_NUMBER


def has_bad_token(statement: Statement) -> bool:
    """Return whether SQLite's tokenizer would refuse a part of the statement."""
    return any(token.kind == BAD for token in statement.tokens)
