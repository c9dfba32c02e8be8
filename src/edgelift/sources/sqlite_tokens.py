"""A tokenizer for SQLite's SQL, by which the catalogue reads DDL and the schema stage judges it.

The rules are those of SQLite's own tokenizer (https://www.sqlite.org/draft/tokenreq.html): any
character from U+0080 up belongs to a name, a name may be quoted in three ways, comments and white
space separate.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

_TOKEN = re.compile(
    r"""
    (?P<space>[\s\x00]+|--[^\n]*|/\*.*?(?:\*/|\Z))
  | (?P<blob>[xX]'[0-9a-fA-F]*')
  | (?P<string>'(?:[^']|'')*')
  | (?P<quoted>"(?:[^"]|"")*"|`(?:[^`]|``)*`|\[[^\]]*\])
  | (?P<number>0[xX][0-9a-fA-F]+|(?:\d[\d_]*\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)
  | (?P<word>[A-Za-z_\x80-\U0010ffff][A-Za-z0-9_$\x80-\U0010ffff]*)
  | (?P<variable>[?:@$#][A-Za-z0-9_$\x80-\U0010ffff]*)
  | (?P<operator>->>|->|\|\||<<|>>|<=|>=|==|!=|<>|.)
    """,
    re.VERBOSE | re.DOTALL,
)


class Token(NamedTuple):
    """A token: its kind (a group of the pattern above), its text, and where it stands."""

    kind: str
    text: str
    start: int
    end: int

    @property
    def upper(self) -> str:
        """Return the text in upper case for a bare word or operator, else an empty string."""
        return self.text.upper() if self.kind in {"word", "operator"} else ""

    @property
    def name(self) -> str:
        """Return the identifier or string that the token stands for, without its quotes."""
        if self.kind == "quoted":
            quote = self.text[0]
            inner = self.text[1:-1]
            return inner if quote == "[" else inner.replace(quote * 2, quote)
        if self.kind == "string":
            return self.text[1:-1].replace("''", "'")
        return self.text


def tokenize(sql: str) -> list[Token]:
    """Return the tokens of a statement without comments and white space."""
    return [
        Token(match.lastgroup or "", match.group(), match.start(), match.end())
        for match in _TOKEN.finditer(sql)
        if match.lastgroup != "space"
    ]


def find_close(tokens: Sequence[Token], opening: int) -> int:
    """Return the index of the parenthesis that closes the one at `opening`, else the last one."""
    depth = 0
    for index in range(opening, len(tokens)):
        if tokens[index].text == "(":
            depth += 1
        elif tokens[index].text == ")":
            depth -= 1
            if depth == 0:
                return index
    return len(tokens) - 1


def split_items(tokens: Sequence[Token]) -> Iterator[Sequence[Token]]:
    """Yield the parts of a token list between its outermost commas."""
    start = depth = 0
    for index, token in enumerate(tokens):
        if token.text == "(":
            depth += 1
        elif token.text == ")":
            depth -= 1
        elif token.text == "," and depth == 0:
            yield tokens[start:index]
            start = index + 1
    yield tokens[start:]


_NOT_CALLS = frozenset({
    "ALL", "AND", "AS", "BETWEEN", "BY", "CASE", "CAST", "CHECK", "COLLATE", "CONFLICT", "DEFAULT",
    "DISTINCT", "ELSE", "ESCAPE", "EXCEPT", "EXISTS", "FILTER", "FROM", "GROUP", "HAVING",
    "IN", "INDEX", "INSERT", "INTERSECT", "INTO", "IS", "ISNULL", "JOIN", "KEY", "LIMIT",
    "MATCH", "MATERIALIZED", "NOT", "NOTNULL", "NULL", "OF", "OFFSET", "ON", "OR", "ORDER",
    "OVER", "PARTITION", "PRIMARY", "RAISE", "REFERENCES", "REGEXP", "RETURNING", "SELECT",
    "SET", "TABLE", "THEN", "UNION", "UNIQUE", "UPDATE", "USING", "VALUES", "VIEW", "WHEN",
    "WHERE", "WITH",
})  # fmt: skip


_BEFORE_NAMES = frozenset(
    {"AS", "INTO", "TABLE", "REFERENCES", "UPDATE", "VIEW", "OVER", "WINDOW", "."}
)


_CTE = (["("], ["NOT"], ["MATERIALIZED"])  # what stands behind `name (columns) AS` in WITH


def read_calls(tokens: Sequence[Token]) -> list[tuple[Token, int]]:
    """Return every function call as (token of its name, number of arguments).

    A table-valued function and the operator REGEXP, which calls a function, count too. Names that
    the grammar makes something else (a table with its columns after INTO or REFERENCES, a common
    table expression, a type) are left out.
    """
    calls = []
    for index, token in enumerate(tokens[:-1]):
        if token.upper == "REGEXP":
            calls.append((token, 2))
            continue
        if tokens[index + 1].text != "(" or token.kind not in {"word", "quoted"}:
            continue
        before = tokens[index - 1].upper if index else ""
        if token.upper in _NOT_CALLS or before in _BEFORE_NAMES:
            continue
        close = find_close(tokens, index + 1)
        after = [token.upper for token in tokens[close + 1 : close + 3]]
        if before in {"WITH", "RECURSIVE", ","} and after[:1] == ["AS"] and after[1:] in _CTE:
            continue
        inner = tokens[index + 2 : close]
        calls.append((token, sum(1 for _ in split_items(inner)) if inner else 0))
    return calls
