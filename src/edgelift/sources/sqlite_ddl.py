"""What SQLite's pragmas do not tell about a table, read from its DDL for the catalogue.

That is: checks, generated expressions, collations, AUTOINCREMENT and deferred foreign keys.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from edgelift.sources.sqlite_tokens import Token, find_close, split_items, tokenize

_TABLE_CONSTRAINTS = frozenset({"CONSTRAINT", "PRIMARY", "UNIQUE", "CHECK", "FOREIGN"})


@dataclass
class ParsedColumn:
    """The hidden parts of a column; `generated` is the expression without its parentheses."""

    name: str
    collation: str = "BINARY"
    generated: str | None = None


@dataclass
class ParsedTable:
    """The hidden parts of a table; `deferred` has an entry per foreign key, in written order."""

    columns: dict[str, ParsedColumn] = field(default_factory=dict)
    checks: list[str] = field(default_factory=list)
    deferred: list[bool] = field(default_factory=list)
    autoincrement: bool = False


def parse_create_table(sql: str) -> ParsedTable:
    """Return what a CREATE TABLE says beyond the pragmas; empty for another kind of statement."""
    table = ParsedTable()
    tokens = tokenize(sql)
    opening = next((i for i, token in enumerate(tokens) if token.text == "("), None)
    if opening is None or "TABLE" not in [token.upper for token in tokens[:opening]]:
        return table
    for item in split_items(tokens[opening + 1 : find_close(tokens, opening)]):
        if not item:
            continue
        column = None
        if item[0].upper not in _TABLE_CONSTRAINTS:
            column = table.columns[item[0].name.lower()] = ParsedColumn(item[0].name)
        _read_constraints(sql, item if column is None else item[1:], table, column)
    return table


def _read_constraints(  # noqa: C901 - one branch per keyword of the grammar
    sql: str, tokens: Sequence[Token], table: ParsedTable, column: ParsedColumn | None
) -> None:
    index = 0
    while index < len(tokens):
        word = tokens[index].upper
        following = tokens[index + 1] if index + 1 < len(tokens) else None
        if word == "(":
            index = find_close(tokens, index)
        elif word in {"CHECK", "AS"} and following is not None and following.text == "(":
            close = find_close(tokens, index + 1)
            expression = sql[following.end : tokens[close].start].strip()
            if word == "CHECK":
                table.checks.append(expression)
            elif column is not None:
                column.generated = expression
            index = close
        elif word == "DEFAULT" and following is not None:
            index = find_close(tokens, index + 1) if following.text == "(" else index + 1
        elif word == "COLLATE" and following is not None and column is not None:
            column.collation = following.name.upper()
            index += 1
        elif word == "CONSTRAINT":
            index += 1
        elif word == "REFERENCES":
            table.deferred.append(False)
            index += 1
        elif word == "DEFERRABLE":
            words = [token.upper for token in tokens[index + 1 : index + 3]]
            negated = index > 0 and tokens[index - 1].upper == "NOT"
            if table.deferred:
                table.deferred[-1] = not negated and words == ["INITIALLY", "DEFERRED"]
        elif word == "AUTOINCREMENT":
            table.autoincrement = True
        index += 1


def read_fts_content(sql: str) -> str | None:
    """Return the `content` option of an fts5 table's statement: None when it keeps its own.

    An empty string means that it keeps none at all, else it is the table whose content it indexes.
    """
    tokens = tokenize(sql)
    for index, token in enumerate(tokens[:-2]):
        if token.name.lower() == "content" and tokens[index + 1].text == "=":
            return tokens[index + 2].name
    return None
