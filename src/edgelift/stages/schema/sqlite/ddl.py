"""Change a CREATE TABLE where SQLite has no ALTER for it: types, defaults, counters, references.

All else of the text stays as the origin wrote it.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from edgelift.sources.sqlite_tokens import Token, find_close, split_items, tokenize

_CONSTRAINTS = frozenset(
    {"CONSTRAINT", "PRIMARY", "NOT", "NULL", "UNIQUE", "CHECK", "DEFAULT", "COLLATE", "REFERENCES",
     "GENERATED", "AS"}
)  # fmt: skip
_OF_TABLE = frozenset({"CONSTRAINT", "PRIMARY", "UNIQUE", "CHECK", "FOREIGN"})
_ACTIONS = {"SET": 2, "NO": 2, "CASCADE": 1, "RESTRICT": 1}


@dataclass(frozen=True, kw_only=True)
class ColumnEdit:
    """What changes of a column; `type` None keeps the type, `default` None the default.

    An empty `default` takes it away. `plain` makes a generated column one that holds its values,
    `counts` False takes AUTOINCREMENT away, `filled` adds NOT NULL.
    """

    type: str | None = None
    default: str | None = None
    plain: bool = False
    counts: bool = True
    filled: bool = False


Span = tuple[int, int, str]


def edit_table(
    sql: str, edits: Mapping[str, ColumnEdit], orphans: Collection[str] = frozenset()
) -> str:
    """Return the statement with its columns changed, and without foreign keys to `orphans`.

    Columns are by their names; parents in lower case.
    """
    tokens = tokenize(sql)
    opening = next((i for i, token in enumerate(tokens) if token.text == "("), None)
    if opening is None or (not edits and not orphans):
        return sql
    body = tokens[opening + 1 : find_close(tokens, opening)]
    by_name = {name.lower(): edit for name, edit in edits.items()}
    spans: list[Span] = []
    items = [item for item in split_items(body) if item]
    gone = [item for item in items if _is_orphan(item, orphans)]
    for item in items:
        if item in gone or item[0].upper in _OF_TABLE:
            continue
        edit = by_name.get(item[0].name.lower())
        spans += _edit_column(item, edit) if edit is not None else []
        spans += _cut_references(item, orphans)
    spans += [_cut_item(items, item) for item in gone]
    return _replace(sql, spans)


def _replace(sql: str, spans: Sequence[Span]) -> str:
    for start, end, text in sorted(spans, reverse=True):
        sql = sql[:start] + text + sql[end:]
    return sql


def _cut_item(items: Sequence[Sequence[Token]], item: Sequence[Token]) -> Span:
    """Return the span of an item with the comma before it: a constraint is never the first."""
    before = items[list(items).index(item) - 1]
    return before[-1].end, item[-1].end, ""


def _edit_column(item: Sequence[Token], edit: ColumnEdit) -> list[Span]:
    spans: list[Span] = []
    name, end = item[0], item[-1].end
    if edit.type is not None:
        typed = 1
        while typed < len(item) and item[typed].upper not in _CONSTRAINTS:
            typed = find_close(item, typed) + 1 if item[typed].text == "(" else typed + 1
        spans.append((name.end, item[typed - 1].end, f" {edit.type}"))
    more = ""
    if edit.filled and not _find(item, "NOT", "NULL"):
        more += " NOT NULL"
    if edit.default is not None:
        spans += _cut_default(item)
        more += f" DEFAULT {edit.default}" if edit.default else ""
    if not edit.counts:
        spans += [(item[i - 1].end, item[i].end, "") for i in _find(item, "AUTOINCREMENT")]
    if edit.plain:
        spans += _cut_generated(item)
    return [*spans, (end, end, more)] if more else spans


def _find(item: Sequence[Token], *words: str) -> list[int]:
    """Return the places outside of parentheses where these words stand one after the other."""
    found, depth = [], 0
    for index, token in enumerate(item):
        depth += {"(": 1, ")": -1}.get(token.text, 0)
        if not depth and [t.upper for t in item[index : index + len(words)]] == list(words):
            found.append(index)
    return found


def _cut_default(item: Sequence[Token]) -> list[Span]:
    spans = []
    for index in _find(item, "DEFAULT"):
        last = index + 1
        if item[last].text == "(":
            last = find_close(item, last)
        elif item[last].text in {"+", "-"}:
            last += 1
        spans.append((item[index - 1].end, item[last].end, ""))
    return spans


def _cut_generated(item: Sequence[Token]) -> list[Span]:
    for index in _find(item, "AS"):
        if index + 1 == len(item) or item[index + 1].text != "(":
            continue
        first = index - 2 if index > 2 and item[index - 2].upper == "GENERATED" else index
        last = find_close(item, index + 1)
        if last + 1 < len(item) and item[last + 1].upper in {"STORED", "VIRTUAL"}:
            last += 1
        return [(item[first - 1].end, item[last].end, "")]
    return []


def _is_orphan(item: Sequence[Token], orphans: Collection[str]) -> bool:
    if item[0].upper not in {"CONSTRAINT", "FOREIGN"}:
        return False
    return bool(_find(item, "FOREIGN", "KEY")) and any(
        item[i + 1].name.lower() in orphans for i in _find(item, "REFERENCES")
    )


def _cut_references(item: Sequence[Token], orphans: Collection[str]) -> list[Span]:
    spans = []
    for index in _find(item, "REFERENCES"):
        if item[index + 1].name.lower() not in orphans:
            continue
        first = index - 2 if index > 2 and item[index - 2].upper == "CONSTRAINT" else index
        spans.append((item[first - 1].end, item[_end_of_key(item, index + 2) - 1].end, ""))
    return spans


def _end_of_key(item: Sequence[Token], index: int) -> int:
    """Return the place behind a foreign key's actions and its deferral."""
    if index < len(item) and item[index].text == "(":
        index = find_close(item, index) + 1
    while index < len(item):
        word = item[index].upper
        following = item[index + 1].upper if index + 1 < len(item) else ""
        if word == "ON":
            index += 2 + _ACTIONS.get(item[index + 2].upper, 1)
        elif word == "MATCH":
            index += 2
        elif word == "DEFERRABLE" or (word, following) == ("NOT", "DEFERRABLE"):
            index += 1 if word == "DEFERRABLE" else 2
            if index < len(item) and item[index].upper == "INITIALLY":
                index += 2
        else:
            break
    return index
