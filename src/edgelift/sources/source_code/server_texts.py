"""SQL statements in string literals of the app's source, for databases that are moved."""

from __future__ import annotations

import ast
from collections.abc import Collection, Iterator

from edgelift.sources.server_kinds import Columns, read_kinds
from edgelift.sources.server_sql import is_query, translate_sql
from edgelift.sources.source_code.view import CodeView, Site


def read_texts(view: CodeView) -> Iterator[tuple[Site, str]]:
    """Yield each literal that is a statement on rows; docstrings, parts of f-strings are none."""
    skipped = set()
    for site in view.sites:
        node = site.node
        if isinstance(node, ast.JoinedStr):
            skipped |= {id(part) for part in node.values}
        elif isinstance(node, ast.Expr):
            skipped.add(id(node.value))
    for site in view.sites:
        node = site.node
        if not isinstance(node, ast.Constant) or id(node) in skipped:
            continue
        if isinstance(node.value, str) and is_query(node.value):
            yield site, node.value


def find_kinds(view: CodeView, engine: str, columns: Columns) -> dict[str, list[str]]:
    """Return the kinds of the result columns of the app's statements, by their text."""
    found = {text: read_kinds(text, engine, columns) for _site, text in read_texts(view)}
    return {text: kinds for text, kinds in found.items() if kinds}


def translate_texts(view: CodeView, engines: Collection[str]) -> dict[str, str]:
    """Return the app's statements that the Worker runs in other words, by their text."""
    found = {}
    for _site, text in read_texts(view):
        for engine in sorted(engines):
            made = translate_sql(text, engine)
            if not made.problem and made.text != text:
                found[text] = made.text
    return found
