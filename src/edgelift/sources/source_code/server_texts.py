"""SQL statements in string literals of the app's source, for databases that are moved."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from edgelift.sources.server_sql import is_query, write_places
from edgelift.sources.source_code.own_orms import has_django, has_orm
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


def read_sent(view: CodeView) -> Iterator[tuple[Site, str]]:
    """Yield those literals as the server's driver is given them: by SQLAlchemy, or as they are."""
    named = has_orm(view) and not has_django(view)
    for site, text in read_texts(view):
        yield site, write_places(text) if named else text


def read_fragments(view: CodeView) -> Iterator[tuple[Site, str]]:
    """Yield the parts of statements that the app gives to Django: extra() and RawSQL."""
    for site, call, name in view.calls:
        if name.endswith("django.db.models.expressions.RawSQL") and call.args:
            yield from _read_constants(site, [call.args[0]])
        elif isinstance(call.func, ast.Attribute) and call.func.attr == "extra":
            for keyword in call.keywords:
                if keyword.arg in {"where", "select"}:
                    yield from _read_constants(site, _list_values(keyword.value))


def _list_values(node: ast.expr) -> list[ast.expr]:
    if isinstance(node, ast.Dict):
        return node.values
    return node.elts if isinstance(node, ast.List | ast.Tuple) else []


def _read_constants(site: Site, nodes: list[ast.expr]) -> Iterator[tuple[Site, str]]:
    for node in nodes:
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield site, node.value
