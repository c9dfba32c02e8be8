"""SQL statements in string literals of the app's source, for databases that are moved."""

from __future__ import annotations

import ast
import re
from collections.abc import Collection, Iterator

from edgelift.sources.recorded_sql import RAW, RecordedStatement, to_plain
from edgelift.sources.server_kinds import Columns, read_kinds
from edgelift.sources.server_sql import Translation, is_query, translate_sql
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


def translate(text: str, engine: str) -> Translation:
    """Return what becomes of a literal; places like `%s` and `%(name)s` become `?` and `:name`.

    A text without such places stands as it is, percent signs too.
    """
    plain = text
    if _PLACES.search(text):
        bound = RecordedStatement(path="", line=0, engine=engine, sql=text, kind=RAW, bound=True)
        plain = to_plain(bound)
    made = translate_sql(plain, engine)
    if made.problem or made.text == plain:
        return Translation(text, made.problem)
    if _count_places(made.text) != _count_places(plain):
        return Translation(text, "its parameters would change their number")
    return made


def _count_places(text: str) -> int:
    return _QUOTED.sub("", text).count("?")


_QUOTED = re.compile(r"'(?:[^']|'')*'")
_PLACES = re.compile(r"%s|%\(\w+\)s")


def find_kinds(view: CodeView, engine: str, columns: Columns) -> dict[str, list[str]]:
    """Return the kinds of the result columns of the app's statements, by their text."""
    found = {
        text: read_kinds(_PLACES.sub("NULL", text), engine, columns)
        for _site, text in read_texts(view)
    }
    return {text: kinds for text, kinds in found.items() if kinds}


def translate_texts(view: CodeView, engines: Collection[str]) -> dict[str, str]:
    """Return the app's statements that the Worker runs in other words, by their text."""
    found = {}
    for _site, text in read_texts(view):
        for engine in sorted(engines):
            made = translate(text, engine)
            if not made.problem and made.text != text:
                found[text] = made.text
    return found


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


_HEAD = "SELECT "


def translate_fragment(text: str, engine: str) -> Translation:
    """Return what becomes of an expression, or of a condition."""
    is_query_itself = is_query(text)
    made = translate(f"{_HEAD}({text})" if is_query_itself else f"{_HEAD}{text}", engine)
    if made.problem:
        return Translation(text, made.problem)
    found = made.text.removeprefix(_HEAD)
    if is_query_itself:
        found = found.strip().removeprefix("(").removesuffix(")")
    return Translation(text if made.text == f"{_HEAD}{text}" else found)


def translate_fragments(view: CodeView, engine: str) -> dict[str, str]:
    """Return the app's parts of statements that the Worker runs in other words, by their text."""
    found = {}
    for _site, text in read_fragments(view):
        made = translate_fragment(text, engine)
        if not made.problem and made.text != text:
            found[text] = made.text
    return found
