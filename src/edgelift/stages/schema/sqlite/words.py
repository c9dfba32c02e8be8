"""Give a view its new names by its words, where SQLite could not: joins by USING and NATURAL.

Such a join names columns of two tables at once, of which ALTER TABLE renames one after the other.
What comes out is compiled by SQLite, and `data` compares the rows that the view shows.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping

import apsw

from edgelift.sources.sqlite_catalogue import quote_identifier
from edgelift.sources.sqlite_origin.catalogue import SCHEMA
from edgelift.sources.sqlite_tokens import tokenize
from edgelift.stages.schema.issues import WARNING, Issue
from edgelift.stages.schema.sqlite.rewriting import USED, Rewriting


def restore_views(rewriting: Rewriting) -> Iterator[Issue]:
    """Put back the views that renaming lost, those that work under their new words."""
    columns, tables = read_columns(rewriting), read_tables(rewriting)
    for view in rewriting.catalogue.views:
        if view.name not in rewriting.scratch.lost or rewriting.is_gone(view.name):
            continue
        written = replace_words(view.sql, columns, tables)
        with contextlib.suppress(apsw.Error):
            rewriting.scratch.db.execute(written).fetchall()
            if view.name in {name for _, name in rewriting.scratch.find_broken()}:
                rewriting.scratch.db.execute(f"DROP VIEW {quote_identifier(view.name)}")
                continue
            del rewriting.scratch.lost[view.name]
            yield Issue(
                USED, WARNING, "view", view.name,
                "joins by columns that were renamed: its words were replaced, and data compares "
                "the rows that it shows", "look at its statement in .edgelift/schema",
            )  # fmt: skip


def read_columns(rewriting: Rewriting) -> dict[str, str]:
    """Return the new names of columns that are renamed alike in every table that has them."""
    found: dict[str, set[str]] = {}
    for table in rewriting.catalogue.tables:
        for column in table.columns:
            if not rewriting.is_gone(table.name):
                new = rewriting.name_column(table.name, column.name)
                found.setdefault(column.name.lower(), set()).add(new)
    alike = {old: next(iter(new)) for old, new in found.items() if len(new) == 1}
    return {old: new for old, new in alike.items() if old != new.lower()}


def read_tables(rewriting: Rewriting) -> dict[str, str]:
    """Return the new names of tables."""
    names = rewriting.ways.names.tables
    return {t.lower(): new for (schema, t), new in names.items() if schema == SCHEMA and t != new}


def replace_words(sql: str, columns: Mapping[str, str], tables: Mapping[str, str]) -> str:
    """Return a statement with names replaced; names behind AS and of functions stay."""
    tokens = tokenize(sql)
    parts, end = [], 0
    for index, token in enumerate(tokens):
        before = tokens[index - 1].upper if index else ""
        after = tokens[index + 1].text if index + 1 < len(tokens) else ""
        name = token.name.lower()
        new = tables.get(name) if after != "(" and before != "." else None
        if new is None and after not in {"(", "."}:
            new = columns.get(name)
        if new is None or token.kind not in {"word", "quoted"} or before == "AS":
            continue
        parts += [sql[end : token.start], quote_identifier(new)]
        end = token.end
    return "".join([*parts, sql[end:]])
