"""Cuts a server's SQL into statements, and a statement into its shape and the values in it.

psycopg2 and PyMySQL write values into the text, so each execution is another text; the shape, with
a mark for each literal, is what is translated once. A mark is a literal of the same form: a text
of private characters, a number of the same scale, so that whatever reads SQL reads a shape too.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

# Functions that sqlglot takes for others of the same meaning; a result's column has their name.
OWN_NAME = "own_name_"
_OWN_NAMES = frozenset(
    {"char_length", "character_length", "ltrim", "rtrim", "btrim", "strpos", "array_length",
     "date_part", "json_agg", "every"}
)  # fmt: skip
MARK = "\ue000"
FIRST_NUMBER = 7_000_000_000_000
_SPACE = re.compile(r"\s+|--[^\n]*")
_HASH = re.compile(r"#[^\n]*")
_WORD = re.compile(r"[^\W\d][\w$]*")
_NUMBER = re.compile(r"(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?")
_VARIABLE = re.compile(r"@@?[\w.$]+")
_PARAMETER = re.compile(r"\$\d+")
_DOLLAR = re.compile(r"\$(?:[^\W\d]\w*)?\$")
_QUOTED = {
    "'": re.compile(r"'((?:[^']|'')*)'"),
    '"': re.compile(r'"((?:[^"]|"")*)"'),
    "`": re.compile(r"`((?:[^`]|``)*)`"),
}
_ESCAPED = {
    "'": re.compile(r"'((?:[^'\\]|''|\\.)*)'", re.DOTALL),
    '"': re.compile(r'"((?:[^"\\]|""|\\.)*)"', re.DOTALL),
}
_OPERATOR = re.compile(
    r"::|=>|\?\||\?&|@\?|@@|->>|->|#>>|#>|@>|<@|<=>|<=|>=|<>|!=|\|\||&&|:=|~\*|!~\*|!~|.", re.DOTALL
)
_SIMPLE_ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "b": "\b", "f": "\f", "0": "\0", "Z": "\x1a"}
_PG_ESCAPE = re.compile(
    r"\\(u[0-9a-fA-F]{4}|U[0-9a-fA-F]{8}|x[0-9a-fA-F]{1,2}|[0-7]{1,3}|.)", re.DOTALL
)


class LexError(ValueError):
    """A text that ends inside a literal, a name or a comment."""


class Token(NamedTuple):
    """A part of a statement, and where it stands in the text.

    `kind` is word, name, text, number, parameter or sign.
    """

    kind: str
    text: str
    value: str = ""
    start: int = 0
    end: int = 0

    @property
    def upper(self) -> str:
        """Return a word in upper case, anything else as it is."""
        return self.text.upper() if self.kind == "word" else self.text


class Shape(NamedTuple):
    """A statement with marks for its literals, and what stands behind them in order."""

    sql: str
    literals: tuple[str, ...]


def split_statements(sql: str, engine: str = "postgresql") -> list[list[Token]]:
    """Return the tokens of each statement of a text; raises LexError."""
    found: list[list[Token]] = [[]]
    for token in _scan(sql, engine):
        if token.kind == "sign" and token.text == ";":
            found.append([])
        else:
            found[-1].append(token)
    return [tokens for tokens in found if tokens]


def make_shape(tokens: list[Token]) -> Shape:
    """Return a statement's shape; equal shapes differ in the values of their literals alone."""
    parts: list[str] = []
    literals: list[str] = []
    tokens = _drop_home(tokens)
    for index, token in enumerate(tokens):
        called = index + 1 < len(tokens) and tokens[index + 1].text == "("
        if called and token.text.lower() in _OWN_NAMES:
            parts.append(OWN_NAME + token.text)
        elif token.kind == "text":
            parts.append(f"'{MARK}{len(literals)}{MARK}'")
            literals.append(token.value)
        elif token.kind == "number":
            parts.append(_mark_number(token.value, len(literals)))
            literals.append(token.value)
        else:
            parts.append(token.text)
    return Shape(" ".join(parts), tuple(literals))


def _drop_home(tokens: list[Token]) -> list[Token]:
    """Leave out the schema before PostgreSQL's own functions, where they are looked for anyway."""
    homes = [
        index
        for index, token in enumerate(tokens[:-3])
        if token.upper == "PG_CATALOG" and tokens[index + 1].text == "."
        and tokens[index + 3].text == "("
    ]  # fmt: skip
    left_out = {place for index in homes for place in (index, index + 1)}
    return [token for index, token in enumerate(tokens) if index not in left_out]


def _mark_number(text: str, index: int) -> str:
    """Return a number that stands for another of the same type: int4, int8 or a scale."""
    if "e" in text or "E" in text:
        return f"{FIRST_NUMBER + index}.e0"
    whole, point, places = text.partition(".")
    if point:
        return f"{FIRST_NUMBER + index}.{'0' * len(places)}"
    if len(whole.lstrip("0")) > 18:
        return f"{FIRST_NUMBER + index}.e0"
    return str(FIRST_NUMBER + index + (10**12 if int(whole) >= 2**31 else 0))


def read_mark(text: str, *, is_text: bool) -> int | None:
    """Return the index of the literal that a mark stands for, None for any other literal."""
    if is_text and not text[:1].isdigit():  # else sqlglot has made a text of a number
        inner = text[1:-1]
        return int(inner) if text[:1] == MARK == text[-1:] and inner.isdigit() else None
    whole = text.partition(".")[0]
    if not whole.isdigit():
        return None
    number = int(whole) - FIRST_NUMBER
    number -= 10**12 if number >= 10**12 else 0
    return number if 0 <= number < 10**9 else None


def is_large(text: str) -> bool:
    """Return whether a number's mark stands for one beyond 32 bits."""
    return text.isdigit() and int(text) >= FIRST_NUMBER + 10**12


def _scan(sql: str, engine: str) -> Iterator[Token]:
    position, size = 0, len(sql)
    while position < size:
        found = _SPACE.match(sql, position)
        if found is None and engine == "mysql":
            found = _HASH.match(sql, position)
        if found:
            position = found.end()
            continue
        if sql.startswith("/*", position):
            position = _skip_comment(sql, position, nests=engine == "postgresql")
            continue
        token, end = _read(sql, position, engine)
        yield token._replace(start=position, end=end)
        position = end


def _skip_comment(sql: str, start: int, *, nests: bool) -> int:
    depth, position = 1, start + 2
    while depth:
        close = sql.find("*/", position)
        if close < 0:
            raise LexError("unterminated /* comment")
        inner = sql.find("/*", position) if nests else -1
        if 0 <= inner < close:
            depth, position = depth + 1, inner + 2
        else:
            depth, position = depth - 1, close + 2
    return position


def _read(sql: str, position: int, engine: str) -> tuple[Token, int]:  # noqa: PLR0911 - one for each form
    char = sql[position]
    if char in "'\"`":
        return _read_quoted(sql, position, engine)
    if engine == "postgresql" and char == "$":
        if found := _PARAMETER.match(sql, position):
            return Token("parameter", found[0]), found.end()
        if found := _DOLLAR.match(sql, position):
            end = sql.find(found[0], found.end())
            if end < 0:
                raise LexError("unterminated dollar-quoted string")
            return Token("text", "", sql[found.end() : end]), end + len(found[0])
    if engine == "mysql" and (found := _VARIABLE.match(sql, position)):
        return Token("word", found[0]), found.end()
    if found := _NUMBER.match(sql, position):
        return Token("number", found[0], found[0]), found.end()
    if found := _WORD.match(sql, position):
        following = sql[found.end() : found.end() + 1]
        prefix = found[0].upper()
        if following == "'" and prefix in {"E", "B", "X", "N"}:
            return _read_prefixed(sql, found.end(), prefix, engine)
        return Token("word", found[0]), found.end()
    found = _OPERATOR.match(sql, position)
    assert found is not None
    return Token("sign", found[0]), found.end()


def _read_quoted(sql: str, position: int, engine: str) -> tuple[Token, int]:
    quote = sql[position]
    is_text = quote == "'" or (engine == "mysql" and quote == '"')
    patterns = _ESCAPED if engine == "mysql" and is_text else _QUOTED
    found = patterns[quote].match(sql, position)
    if found is None:
        what = "string" if is_text else "identifier"
        raise LexError(f'unterminated quoted {what} at or near "{sql[position:]}"')
    if not is_text:
        inner = found[1].replace(quote * 2, quote).replace('"', '""')
        return Token(
            "name", f'"{inner}"' if engine == "postgresql" else found[0], inner
        ), found.end()
    inner = found[1].replace(quote * 2, quote)
    if engine == "mysql":
        inner = re.sub(r"\\(.)", _read_mysql_escape, inner, flags=re.DOTALL)
    return Token("text", found[0], inner), found.end()


def _read_mysql_escape(found: re.Match[str]) -> str:
    char = found[1]
    return f"\\{char}" if char in "%_" else _SIMPLE_ESCAPES.get(char, char)


def _read_prefixed(sql: str, position: int, prefix: str, engine: str) -> tuple[Token, int]:
    pattern = _ESCAPED if prefix == "E" or engine == "mysql" else _QUOTED
    found = pattern["'"].match(sql, position)
    if found is None:
        raise LexError(f'unterminated quoted string at or near "{sql[position:]}"')
    inner = found[1].replace("''", "'")
    if prefix == "E":
        inner = _PG_ESCAPE.sub(_read_pg_escape, inner)
    if prefix == "X" and engine == "mysql":
        inner = bytes.fromhex(inner).decode("utf-8", "surrogateescape")
    return Token("text", found[0], inner), found.end()


def _read_pg_escape(found: re.Match[str]) -> str:
    text = found[1]
    if text[0] in "uU":
        return chr(int(text[1:], 16))
    if text[0] == "x" and len(text) > 1:
        return chr(int(text[1:], 16))
    if text[0] in "01234567":
        return chr(int(text, 8) & 255)
    return {"n": "\n", "t": "\t", "r": "\r", "b": "\b", "f": "\f"}.get(text, text)


def read_written(sql: str, tokens: list[Token]) -> list[str]:
    """Return the texts of a SELECT's expressions, which MySQL names their columns by."""
    found: list[str] = []
    depth, start = 0, 1
    while start < len(tokens) and tokens[start].upper in {"DISTINCT", "ALL"}:
        start += 1
    first = start
    for index in range(start, len(tokens) + 1):
        token = tokens[index] if index < len(tokens) else None
        ends = token is None or (depth == 0 and token.upper in _AFTER_SELECT)
        if ends or (token is not None and depth == 0 and token.text == ","):
            found.append(_write_out(sql, tokens[first:index]))
            first = index + 1
        if ends:
            break
        assert token is not None
        depth += {"(": 1, ")": -1}.get(token.text, 0)
    return found


def _write_out(sql: str, tokens: list[Token]) -> str:
    if len(tokens) == 1 and tokens[0].kind == "text":
        return tokens[0].value
    return sql[tokens[0].start : tokens[-1].end] if tokens else ""


_AFTER_SELECT = frozenset(
    {"FROM", "WHERE", "GROUP", "HAVING", "ORDER", "LIMIT", "UNION", "FOR", "WINDOW"}
)
