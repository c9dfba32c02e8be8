"""From a statement's shape to SQLite's text, its bindings and the columns of its result; kept.

What a shape becomes may depend on some of its literals (`date_trunc('month', x)`): those are part
of the key under which the translation is kept, all others are values.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError

from edgelift.worker.moved import (
    aggregates,
    arithmetic,
    arrays,
    choices,
    dates,
    documents,
    functions,
    mysql_rules,
    named,
    operators,
)
from edgelift.worker.moved.builder import Builder
from edgelift.worker.moved.catalogue import Catalogue
from edgelift.worker.moved.constants import Binding
from edgelift.worker.moved.failures import ServerError, refuse, syntax_error
from edgelift.worker.moved.kinds import TEXT, UNKNOWN, Kind
from edgelift.worker.moved.lexing import Shape, read_mark
from edgelift.worker.moved.queries import build_query
from edgelift.worker.moved.scopes import Columns
from edgelift.worker.moved.writes import Write, build_delete, build_insert, build_update

# Imported for the rules that they register.
RULES_OF = (
    aggregates, arithmetic, arrays, choices, dates, documents, functions, mysql_rules, named,
    operators,
)  # fmt: skip
DIALECTS = {"postgresql": "postgres", "mysql": "mysql"}
_KEPT = 2000
_FIRST = frozenset({"SELECT", "INSERT", "UPDATE", "DELETE", "WITH", "VALUES", "REPLACE", "("})
_WRITERS = {exp.Insert: build_insert, exp.Update: build_update, exp.Delete: build_delete}
_VERBS = {exp.Insert: "INSERT", exp.Update: "UPDATE", exp.Delete: "DELETE"}


class Translation(NamedTuple):
    """A statement for SQLite; `columns` is None where there is no result."""

    sql: str
    bindings: tuple[Binding, ...]
    columns: Columns | None
    parameter_kinds: tuple[Kind, ...]
    verb: str
    locks: bool = False
    is_private: bool = False
    write: Write | None = None


class Translations:
    """The translations of a database, made when they are first asked for."""

    def __init__(self, catalogue: Catalogue, engine: str = "postgresql") -> None:
        self.catalogue = catalogue
        self.engine = engine
        self._kept: dict[Any, tuple[tuple[int, ...], dict[tuple[str, ...], Translation]]] = {}

    def find(
        self, shape: Shape, declared: tuple[Kind, ...], settings: dict[str, str]
    ) -> Translation:
        """Return the translation of a shape; raises ServerError."""
        key = (shape.sql, declared, settings.get("counts_found"))
        known = self._kept.get(key)
        if known is not None:
            looked, by_values = known
            found = by_values.get(tuple(shape.literals[index] for index in looked))
            if found is not None:
                return found
        try:
            made, looked = translate(shape, self.catalogue, declared, self.engine, settings)
        except RecursionError:
            raise ServerError("54001", "stack depth limit exceeded") from None
        if made.is_private:
            return made
        if len(self._kept) >= _KEPT:
            del self._kept[next(iter(self._kept))]
        if known is None or known[0] != looked:
            self._kept[key] = (looked, {})
        values = tuple(shape.literals[index] for index in looked)
        self._kept[key][1][values] = made
        return made


def translate(
    shape: Shape,
    catalogue: Catalogue,
    declared: tuple[Kind, ...],
    engine: str,
    settings: dict[str, str],
) -> tuple[Translation, tuple[int, ...]]:
    """Return a translation, and the indexes of the literals that it depends on."""
    replaces = engine == "mysql" and shape.sql[:7].upper() == "REPLACE"
    tree = _parse(shape._replace(sql="INSERT" + shape.sql[7:]) if replaces else shape, engine)
    builder = Builder(catalogue, shape.literals, declared, engine)
    if engine == "mysql":  # names keep their case
        for identifier in tree.find_all(exp.Identifier):
            identifier.set("quoted", True)
    builder.settings, builder.replaces = settings, replaces
    write = None
    if type(tree) in _WRITERS:
        write = _WRITERS[type(tree)](builder, tree)
        node, columns, verb = write.node, write.columns, _VERBS[type(tree)]
    elif isinstance(tree, exp.Query | exp.Values):
        node, columns = build_query(builder, tree, None, top=True)
        verb = "SELECT"
    elif isinstance(tree, exp.TruncateTable):
        raise refuse("TRUNCATE: write DELETE FROM")
    else:
        raise refuse(f"a statement of the form {type(tree).__name__}")
    try:
        sql = node.sql(dialect="sqlite", comments=False, unsupported_level=sqlglot.ErrorLevel.RAISE)
    except SqlglotError as error:
        raise refuse(str(error).splitlines()[0]) from None
    count = max(builder.parameters, default=-1) + 1
    kinds = tuple(builder.parameters.get(index, TEXT) for index in range(max(count, len(declared))))
    made = Translation(
        sql, tuple(builder.bindings), columns, kinds, verb, builder.locks, builder.is_private, write
    )
    return made, tuple(sorted(builder.looked))


def _parse(shape: Shape, engine: str) -> Any:
    try:
        parsed = sqlglot.parse(shape.sql, read=DIALECTS[engine])
    except SqlglotError as error:
        raise syntax_error(_tell(error, shape)) from None
    if len(parsed) != 1 or parsed[0] is None:
        raise syntax_error("syntax error at end of input")
    return parsed[0]


def _tell(error: SqlglotError, shape: Shape) -> str:
    """Return PostgreSQL's words for a text that cannot be read."""
    first = shape.sql.partition(" ")[0]
    details = getattr(error, "errors", None)
    word = str(details[0].get("highlight") or "") if details else ""
    if first.upper() not in _FIRST:
        word = first
    elif not word or shape.sql.endswith(word):
        return "syntax error at end of input"
    index = read_mark(word.strip("'"), is_text=word.startswith("'"))
    return f'syntax error at or near "{word if index is None else shape.literals[index]}"'


def declare(kinds: tuple[Kind | None, ...]) -> tuple[Kind, ...]:
    """Return the kinds of parameters as they were declared, unknown for those that were not."""
    return tuple(UNKNOWN if kind is None else kind for kind in kinds)


__all__ = ["ServerError", "Translation", "Translations", "translate"]
