"""Finds the declared types of result columns, which D1 does not tell, for PARSE_DECLTYPES.

A column's type is known when the text says which table it comes from: directly, through an alias, a
subquery or a WITH clause. Everything else has no type, as in SQLite.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from edgelift.worker.sqlite3.rewrite import read_name, target_table
from edgelift.worker.sqlite3.statement import STAR, ResultColumn, Statement, parse
from edgelift.worker.sqlite3.tokens import QUOTED, WORD, Token, skip_parentheses, unquote
from edgelift.worker.sqlite3.transport import Database

Column = tuple[str, str]
_END_OF_SOURCES = frozenset(
    {"WHERE", "GROUP", "HAVING", "WINDOW", "ORDER", "LIMIT", "UNION", "EXCEPT", "INTERSECT"}
)
_JOIN_WORDS = frozenset({"JOIN", "LEFT", "RIGHT", "FULL", "INNER", "OUTER", "CROSS", "NATURAL"})


class Source(NamedTuple):
    """One term of a FROM clause: the name its columns are reached by, and the columns."""

    name: str
    columns: Sequence[Column]


def read_types(statement: Statement, database: Database) -> list[str]:
    """Return the declared type of each result column, "" where there is none."""
    if statement.returning is not None:
        sources = [_read_table(target_table(statement), database, {})]
        return [declared for _, declared in _resolve(statement, sources)]
    return [declared for _, declared in _read_query(statement, database, {})]


def _read_query(
    statement: Statement, database: Database, known: Mapping[str, Sequence[Column]]
) -> list[Column]:
    known = {**known, **_read_with(statement, database, known)}
    start = statement.result_range[1]
    if start >= len(statement.tokens) or statement.tokens[start].upper != "FROM":
        return _resolve(statement, [])
    return _resolve(statement, _read_sources(statement, start + 1, database, known))


def _resolve(statement: Statement, sources: Sequence[Source]) -> list[Column]:
    found: list[Column] = []
    for column in statement.columns:
        if column.kind == STAR:
            wanted = [s for s in sources if not column.path or s.name == column.path[0].lower()]
            found += [pair for source in wanted for pair in source.columns]
        else:
            found.append((read_name(statement, column), _find_type(column, sources)))
    return found


def _find_type(column: ResultColumn, sources: Sequence[Source]) -> str:
    if not column.path:
        return ""
    name = column.path[-1].lower()
    for source in sources:
        if len(column.path) > 1 and source.name != column.path[-2].lower():
            continue
        for candidate, declared in source.columns:
            if candidate.lower() == name:
                return declared
    return ""


def _read_with(
    statement: Statement, database: Database, known: Mapping[str, Sequence[Column]]
) -> dict[str, Sequence[Column]]:
    """Return the columns of each common table of a WITH clause."""
    tables: dict[str, Sequence[Column]] = {}
    if statement.first != "WITH":
        return tables
    tokens = list(statement.tokens)
    index = 2 if tokens[1].upper == "RECURSIVE" else 1
    while index < statement.main:
        name = unquote(tokens[index]).lower()
        index += 1
        names: list[str] = []
        if tokens[index].text == "(":
            end = skip_parentheses(tokens, index)
            names = [unquote(t) for t in tokens[index + 1 : end - 1] if t.text != ","]
            index = end
        while tokens[index].text != "(":
            index += 1
        end = skip_parentheses(tokens, index)
        inner = parse(statement.text(index + 1, end - 1))
        columns = _read_query(inner, database, {**known, **tables})
        renamed = [(names[i] if i < len(names) else c, d) for i, (c, d) in enumerate(columns)]
        tables[name] = renamed
        index = end + 1
    return tables


def _read_sources(
    statement: Statement, start: int, database: Database, known: Mapping[str, Sequence[Column]]
) -> list[Source]:
    tokens = list(statement.tokens)
    sources: list[Source] = []
    index, expected = start, True
    while index < len(tokens):
        token = tokens[index]
        if token.upper in _END_OF_SOURCES:
            break
        if token.text == "," or token.upper in _JOIN_WORDS:
            index, expected = index + 1, True
        elif not expected:
            index = skip_parentheses(tokens, index) if token.text == "(" else index + 1
        elif token.text == "(":
            end = skip_parentheses(tokens, index)
            inner = parse(statement.text(index + 1, end - 1))
            if inner.is_query:
                alias, following = _read_alias(tokens, end)
                sources.append(Source(alias, _read_query(inner, database, known)))
                index = following
            else:
                sources += _read_sources(inner, 0, database, known)
                index = end
            expected = False
        else:
            index, expected = _skip_name(tokens, index), False
            table = unquote(tokens[index - 1])
            alias, index = _read_alias(tokens, index)
            source = _read_table(table, database, known)
            sources.append(Source(alias or source.name, source.columns))
    return sources


def _skip_name(tokens: Sequence[Token], index: int) -> int:
    if index + 2 < len(tokens) and tokens[index + 1].text == ".":
        return index + 3
    return index + 1


def _read_alias(tokens: Sequence[Token], index: int) -> tuple[str, int]:
    """Return the alias at `index` in lower case ("" without one) and the index after it."""
    if index < len(tokens) and tokens[index].upper == "AS":
        index += 1
    if index < len(tokens):
        token = tokens[index]
        reserved = _END_OF_SOURCES | _JOIN_WORDS | {"ON", "USING", "INDEXED", "NOT"}
        if token.kind == QUOTED or (token.kind == WORD and token.upper not in reserved):
            return unquote(token).lower(), index + 1
    return "", index


def _read_table(table: str, database: Database, known: Mapping[str, Sequence[Column]]) -> Source:
    name = table.lower()
    return Source(name, known[name] if name in known else database.read_table(table))
