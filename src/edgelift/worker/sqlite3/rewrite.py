"""Rewrites SQL so that D1 answers what SQLite would: rows as JSON, no tables of D1's own.

A row read as a JavaScript number array loses integers beyond 2^53 and the difference of 1 and 1.0;
a row read as `json_array(...)` text loses nothing (sql-in-python.md 4, python-holes.md 3).
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from edgelift.worker.sqlite3.statement import (
    COLUMN,
    EXPRESSION,
    STAR,
    ResultColumn,
    Statement,
    parse,
)  # fmt: skip
from edgelift.worker.sqlite3.tokens import (
    QUOTED,
    WORD,
    Token,
    quote_name,
    quote_text,
    skip_parentheses,
    split_at,
    unquote,
)  # fmt: skip

# The SQLite of workerd 1.20261117.1; D1 refuses the function that would tell it.
SQLITE_VERSION = "3.54.1"
# Production allows 32 arguments to a function, 100 columns to a result (D1 limits page).
_LARGEST_ARRAY = 32

QUERY_NAME = "_edgelift_query"
OWN_PREFIXES = ("_cf_", "_edgelift_")
_SCHEMA_TABLES = frozenset({"sqlite_master", "sqlite_schema"})
_TEMP_SCHEMA_TABLES = frozenset({"sqlite_temp_master", "sqlite_temp_schema"})
_NO_TABLE_ALIAS = frozenset(
    {
        "WHERE", "JOIN", "LEFT", "RIGHT", "FULL", "INNER", "CROSS", "NATURAL", "ON", "USING",
        "ORDER", "GROUP", "HAVING", "LIMIT", "UNION", "EXCEPT", "INTERSECT", "WINDOW",
        "INDEXED", "NOT",
    }
)  # fmt: skip
# Functions that D1 offers under their other name only (sqlite.org/lang_mathfunc.html).
_SYNONYMS = {"power": "pow", "ceiling": "ceil", "log10": "log"}
_BEFORE_TABLE = frozenset({"INTO", "WITH", "RECURSIVE", "FROM", "JOIN", "REFERENCES", "."})
COUNTERS = "SELECT json_array(changes(), last_insert_rowid()) AS j"


def build_cell(name: str) -> str:
    """Return the JSON-ready expression of a column.

    `||''` takes from text the mark of being JSON, which json_array would otherwise embed as an
    object; -0.0 would be printed as 0.0, and only atan2 tells them apart.
    """
    return (
        f"CASE typeof({name}) WHEN 'text' THEN {name}||'' WHEN 'real' THEN "
        f"iif({name}=0.0 AND atan2({name},-1.0)<0.0,json('-0.0'),{name}) "
        f"WHEN 'blob' THEN json_object('b',hex({name})) ELSE {name} END"
    )


@functools.cache
def build_array(count: int) -> str:
    """Return the json_array of columns c1 to c<count>; beyond 32 columns an array of arrays."""
    cells = [build_cell(f"c{number}") for number in range(1, count + 1)]
    chunks = [cells[i : i + _LARGEST_ARRAY] for i in range(0, count, _LARGEST_ARRAY)]
    arrays = [f"json_array({','.join(chunk)})" for chunk in chunks]
    return arrays[0] if len(arrays) == 1 else f"json_array({','.join(arrays)})"


def wrap_query(sql: str, count: int, *, grouped: bool = False) -> str:
    """Return the query whose rows are the rows of `sql`, each as one JSON array.

    With `grouped` its only row is the JSON array of them all, for which SQLite and the way back
    take half the time (python-holes.md 3).

    The two LIMITs keep SQLite from merging the queries, which would evaluate every expression of
    `sql` several times (select.c, flattenSubquery, restriction 13); the order of the rows stays.
    """
    names = ",".join(f"c{number}" for number in range(1, count + 1))
    inner = f"WITH {QUERY_NAME}({names}) AS (SELECT * FROM ({sql}) LIMIT -1) "
    if grouped:
        return f"{inner}SELECT json_group_array({build_array(count)}) AS j FROM {QUERY_NAME}"
    return f"{inner}SELECT {build_array(count)} AS j FROM {QUERY_NAME} LIMIT -1"


def flatten_rows(rows: Iterable[Iterable[Any]], count: int) -> list[tuple[Any, ...]]:
    """Return the cells of rows that `build_array` made."""
    if count <= _LARGEST_ARRAY:
        return list(map(tuple, rows))
    return [tuple(itertools.chain.from_iterable(row)) for row in rows]


def read_names(statement: Statement) -> list[str] | None:
    """Return the result columns' names where the text alone tells them, else None.

    A plain column is named as the table declares it (SELECT ID gives "id"), so its name must be
    asked for.
    """
    if statement.verb == "VALUES":
        return [f"column{number}" for number in range(1, _count_values(statement) + 1)]
    columns = statement.columns
    if any(c.kind == STAR or (c.kind == COLUMN and c.alias is None) for c in columns):
        return None
    return [read_name(statement, column) for column in columns]


def read_name(statement: Statement, column: ResultColumn) -> str:
    """Return a column's name by its text: alias, column name, or the text of the expression."""
    if column.alias is not None:
        return column.alias
    return column.path[-1] if column.path else statement.column_text(column)


def merge_names(statement: Statement, asked: Sequence[str]) -> list[str]:
    """Return D1's names, with the text's own where D1 was given another (inlined values)."""
    columns = statement.columns
    if len(columns) != len(asked) or any(column.kind == STAR for column in columns):
        return list(asked)
    return [
        read_name(statement, column) if column.alias or column.kind == EXPRESSION else name
        for column, name in zip(columns, asked, strict=True)
    ]


def count_columns(statement: Statement) -> int | None:
    """Return how many columns a query gives, None when a star hides it."""
    if statement.verb == "VALUES":
        return _count_values(statement)
    if any(column.kind == STAR for column in statement.columns):
        return None
    return len(statement.columns)


def _count_values(statement: Statement) -> int:
    """Return the number of cells in the first row of VALUES."""
    tokens = list(statement.tokens)
    end = skip_parentheses(tokens, statement.main + 1)
    return len(split_at(tokens, ",", statement.main + 2, end - 1))


Edit = tuple[int, int, str]


def apply_edits(sql: str, edits: Sequence[Edit]) -> str:
    """Return the text with the given (start, end, replacement) spans replaced."""
    parts, position = [], 0
    for start, end, replacement in sorted(edits):
        parts += [sql[position:start], replacement]
        position = end
    return "".join([*parts, sql[position:]])


def adapt_text(statement: Statement) -> Statement:
    """Return the statement as the Worker's SQLite must see it.

    Schema tables are filtered, sqlite_version() is answered, OR ROLLBACK becomes OR ABORT (the
    connection rolls back itself).
    """
    edits: list[Edit] = []
    tokens = statement.tokens
    for index, token in enumerate(tokens):
        if token.kind not in {WORD, QUOTED}:
            continue
        name = unquote(token).lower()
        if name == "sqlite_version" and [t.text for t in tokens[index + 1 : index + 3]] == [
            "(",
            ")",
        ]:
            edits.append((token.start, tokens[index + 2].end, quote_text(SQLITE_VERSION)))
        elif name in _SYNONYMS and _is_call(statement, index):
            edits.append((token.start, token.end, _SYNONYMS[name]))
        elif rolls_back(tokens, index):
            # SQLite would end the transaction beneath the runtime, which then resets the database.
            edits.append((token.start, token.end, "ABORT"))
        elif name in _SCHEMA_TABLES or name in _TEMP_SCHEMA_TABLES:
            edit = _edit_schema_table(tokens, index, name)
            edits += [edit] if edit else []
    return parse(apply_edits(statement.sql, edits)) if edits else statement


def _is_call(statement: Statement, index: int) -> bool:
    """Return whether the word is a function's and not that of a table with its columns."""
    tokens = statement.tokens
    if index + 1 >= len(tokens) or tokens[index + 1].text != "(" or statement.first == "CREATE":
        return False
    before = tokens[index - 1] if index else None
    return before is None or before.upper not in _BEFORE_TABLE


def rolls_back(tokens: Sequence[Token], index: int) -> bool:
    """Return whether the token is the ROLLBACK of INSERT OR ROLLBACK or UPDATE OR ROLLBACK."""
    return (
        tokens[index].upper == "ROLLBACK"
        and index > 1
        and tokens[index - 1].upper == "OR"
        and tokens[index - 2].upper in {"INSERT", "UPDATE"}
    )


def _edit_schema_table(tokens: Sequence[Token], index: int, name: str) -> Edit | None:
    first = index
    if index > 1 and tokens[index - 1].text == ".":
        first = index - 2
    before = tokens[first - 1] if first else None
    if before is None or (before.upper not in {"FROM", "JOIN"} and before.text != ","):
        return None
    following = tokens[index + 1] if index + 1 < len(tokens) else None
    has_alias = following is not None and (
        following.kind == QUOTED
        or (following.kind == WORD and following.upper not in _NO_TABLE_ALIAS)
    )
    temporary = name in _TEMP_SCHEMA_TABLES or unquote(tokens[first]).lower() == "temp"
    condition = "0" if temporary else " AND ".join(_hides(prefix) for prefix in OWN_PREFIXES)
    query = f"(SELECT type,name,tbl_name,rootpage,sql FROM sqlite_master WHERE {condition})"
    alias = "" if has_alias else f" AS {name}"
    return tokens[first].start, tokens[index].end, query + alias


def _hides(prefix: str) -> str:
    return f"substr(tbl_name,1,{len(prefix)})<>{quote_text(prefix)}"


ReadColumns = Callable[[str], Sequence[str]]


def wrap_returning(statement: Statement, read_columns: ReadColumns) -> tuple[Statement, list[str]]:
    """Return the write with RETURNING made one JSON array, and the names of its columns.

    `read_columns(table)` gives the columns of a table for `*`.
    """
    assert statement.returning is not None
    expressions: list[str] = []
    names: list[str] = []
    for column in statement.columns:
        if column.kind == STAR:
            found = read_columns(target_table(statement))
            expressions += [quote_name(name) for name in found]
            names += found
        else:
            expressions.append(statement.text(column.start, column.end))
            names.append(read_name(statement, column))
    inner = ", ".join(f"{text} AS c{number}" for number, text in enumerate(expressions, 1))
    clause = (
        f"RETURNING (SELECT {build_array(len(names))} FROM (SELECT {inner} LIMIT -1) LIMIT -1) AS j"
    )
    start = statement.tokens[statement.returning].start
    return parse(statement.sql[:start] + clause), names


def target_table(statement: Statement) -> str:
    """Return the table that a write changes, "" when the text does not say so as expected."""
    tokens = statement.tokens
    index = statement.main + 1
    if statement.verb in {"INSERT", "REPLACE"}:
        into = statement.find_word("INTO", index)
        index = into + 1 if into is not None else index
    else:
        skipped = {"OR", "ROLLBACK", "ABORT", "REPLACE", "FAIL", "IGNORE", "FROM"}
        while index < len(tokens) and tokens[index].kind == WORD and tokens[index].upper in skipped:
            index += 1
    if index + 2 < len(tokens) and tokens[index + 1].text == ".":
        index += 2
    return unquote(tokens[index]) if index < len(tokens) else ""
