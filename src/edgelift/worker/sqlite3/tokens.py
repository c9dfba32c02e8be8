"""Cuts SQL text into SQLite's tokens; every rewriting of the driver works on tokens."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

# Kinds of tokens. BAD is text that SQLite's own tokenizer refuses; it is passed on for D1 to
# refuse.
SPACE, COMMENT, STRING, BLOB, QUOTED, PARAM, NUMBER, WORD, OPERATOR, BAD = (
    "space", "comment", "string", "blob", "quoted", "param", "number", "word", "operator", "bad",
)  # fmt: skip

# Lexical rules: sqlite.org/lang_expr.html and src/tokenize.c (characters from 0x80 on belong to
# words).
_TOKEN = re.compile(
    r"""
      (?P<space>[ \t\n\f\r]+)
    | (?P<comment>--[^\n]*|/\*(?:.*?\*/|.*\Z))
    | (?P<blob>[xX]'(?:[0-9a-fA-F]{2})*')
    | (?P<string>'(?:[^']|'')*')
    | (?P<quoted>"(?:[^"]|"")*"|`(?:[^`]|``)*`|\[[^\]]*\])
    | (?P<param>\?[0-9]*|[:@\#][A-Za-z0-9_$\u0080-\U0010ffff]+
        |\$(?:[A-Za-z0-9_$\u0080-\U0010ffff]|::)+(?:\([^)\s]*\))?)
    |
    (?P<number>0[xX][0-9a-fA-F]+|(?:[0-9][0-9_]*(?:\.[0-9_]*)?|\.[0-9][0-9_]*)(?:[eE][+-]?[0-9]+)?)
    | (?P<word>[A-Za-z_\u0080-\U0010ffff][A-Za-z0-9_$\u0080-\U0010ffff]*) |
    (?P<operator>->>|->|\|\||<<|>>|<=|>=|==|!=|<>|[-+*/%&|~<>=(),.;]) | (?P<bad>['"`\[].*\Z|.)
    """,
    re.VERBOSE | re.DOTALL,
)


class Token(NamedTuple):
    """A token and where it lies in the text; `upper` has a word's text in capitals."""

    kind: str
    text: str
    start: int
    end: int
    upper: str


def read_tokens(sql: str) -> list[Token]:
    """Return the tokens of `sql` without white space and comments."""
    found = []
    for match in _TOKEN.finditer(sql):
        kind = match.lastgroup or BAD
        if kind in {SPACE, COMMENT}:
            continue
        text = match.group()
        upper = text.upper() if kind == WORD else text
        found.append(Token(kind, text, match.start(), match.end(), upper))
    return found


def quote_name(name: str) -> str:
    """Return a name as a quoted identifier."""
    return '"' + name.replace('"', '""') + '"'


def quote_text(text: str) -> str:
    """Return text (without NUL) as a string literal."""
    return "'" + text.replace("'", "''") + "'"


def unquote(token: Token) -> str:
    """Return the name or the text that a token stands for."""
    text = token.text
    if token.kind == QUOTED and text[0] == "[":
        return text[1:-1]
    if token.kind in {QUOTED, STRING}:
        return text[1:-1].replace(text[0] * 2, text[0])
    return text


def split_at(tokens: list[Token], separator: str, start: int, end: int) -> list[tuple[int, int]]:
    """Return the index ranges between `separator`s outside parentheses in tokens[start:end]."""
    ranges = []
    depth, first = 0, start
    for index in range(start, end):
        text = tokens[index].text
        depth += (text == "(") - (text == ")")
        if text == separator and depth == 0:
            ranges.append((first, index))
            first = index + 1
    ranges.append((first, end))
    return ranges


def skip_parentheses(tokens: list[Token], index: int) -> int:
    """Return the index after the parenthesis that closes the one at `index`."""
    depth = 0
    while index < len(tokens):
        text = tokens[index].text
        depth += (text == "(") - (text == ")")
        index += 1
        if depth == 0:
            break
    return index


def is_trigger(tokens: Sequence[Token]) -> bool:
    """Return whether a statement makes a trigger; a table may have the name too."""
    words = [token.upper for token in tokens[:6]]
    if words[:1] == ["EXPLAIN"]:
        words = words[3:] if words[1:3] == ["QUERY", "PLAN"] else words[1:]
    if words[1:2] in (["TEMP"], ["TEMPORARY"]):
        del words[1]
    return words[:2] == ["CREATE", "TRIGGER"]


def split_statements(sql: str) -> Iterator[str]:
    """Yield a script's statements without the semicolon; a trigger's body stays in one piece."""
    statement: list[Token] = []
    for token in read_tokens(sql):
        if (
            token.text != ";"
            or token.kind != OPERATOR
            or (statement and _is_open_trigger(statement))
        ):
            statement.append(token)
        elif statement:
            yield sql[statement[0].start : statement[-1].end]
            statement = []
    if statement:
        yield sql[statement[0].start : statement[-1].end]


def _is_open_trigger(statement: list[Token]) -> bool:
    """Return whether a semicolon after these tokens lies inside a trigger."""
    if not is_trigger(statement):
        return False
    return not (len(statement) > 1 and statement[-1].upper == "END" and statement[-2].text == ";")


def complete_statement(statement: str) -> bool:
    """Return whether the text ends with a complete statement."""
    tokens = read_tokens(statement)
    if not tokens or tokens[-1].text != ";" or _ends_in_comment(statement, tokens[-1].end):
        return False
    last: list[Token] = []
    for token in tokens[:-1]:
        if token.text == ";" and not _is_open_trigger(last):
            last = []
        else:
            last.append(token)
    return not _is_open_trigger(last)


def _ends_in_comment(sql: str, start: int) -> bool:
    """Return whether a comment that nothing closes is among the comments from `start` on."""
    comments = (m.group() for m in _TOKEN.finditer(sql, start) if m.lastgroup == COMMENT)
    return any(c.startswith("/*") and not (len(c) > 3 and c.endswith("*/")) for c in comments)
