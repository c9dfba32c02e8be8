"""What the shards of a database have in common, and what gives out their numbers.

Read from the schema before anything moves: views over split tables, the form of keys, triggers that
a single shard cannot run. Written behind the shards: the small database of their counters.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

import apsw
import msgspec

from edgelift.errors import BlockersFound
from edgelift.model.findings import Finding
from edgelift.model.origin_schema import OriginType
from edgelift.model.shard_map import ShardMap
from edgelift.model.shard_rules import UNIQUE
from edgelift.model.target_schema import Statement, TargetSchema
from edgelift.sources.sqlite_tokens import tokenize
from edgelift.stages.data.server.shard_plan import Splitting
from edgelift.stages.data.server.shard_routes import Name

_INTEGERS = re.compile(r"int[248]?|integer|(small|medium|big|tiny)int|serial|bigserial")
_TEXTS = frozenset({"text", "varchar", "char", "character varying", "longtext", "mediumtext"})


def complete_map(found: ShardMap, splitting: Splitting, schema: TargetSchema) -> ShardMap:
    """Return a map with what the Worker must know beside the places of keys.

    Raises BlockersFound for a trigger that would have to reach beyond its shard.
    """
    counters = {
        move.spec.target: move.rowid_column
        for move in splitting.plan.tables
        if move.counter and move.rowid_column
    }
    check_triggers(schema, found, counters)
    return msgspec.structs.replace(
        found,
        form=find_form(splitting),
        views=tuple(find_views(schema.after, found.split)),
        counters=counters,
    )


def find_form(splitting: Splitting) -> str:
    """Return what the keys are: integer, uuid, text, or "" for what has other spellings."""
    for name, route in splitting.routes.routes.items():
        if not route.column:
            continue
        table = splitting.routes.tables[name]
        column = next(c for c in table.columns if c.name == route.column)
        return _read_form(column.type)
    return ""


def _read_form(kind: OriginType) -> str:
    while kind.kind == "domain" and kind.element is not None:
        kind = kind.element
    if kind.kind != "base" or kind.folds_case or kind.folds_more:
        return ""
    name = kind.name.lower()
    if _INTEGERS.fullmatch(name):
        return "integer"
    if name == "uuid":
        return "uuid"
    return "text" if name in _TEXTS else ""


def find_views(statements: Iterable[Statement], split: frozenset[str]) -> list[str]:
    """Return the views that show rows of split tables, through other views too."""
    views = [(s.name, _read_words(s.sql)) for s in statements if s.kind == "view"]
    names = {name.lower() for name in split}
    found: list[str] = []
    while more := [n for n, words in views if n not in found and words & names]:
        found += more
        names |= {name.lower() for name in more}
    return found


def check_triggers(schema: TargetSchema, found: ShardMap, counters: Mapping[str, str]) -> None:
    """Raise BlockersFound for a trigger that writes what lies in every shard, or needs numbers."""
    whole = {table.table.lower() for table in found.tables if table.table not in found.split}
    counted = {table.lower() for table in counters}
    for statement in schema.after:
        if statement.kind != "trigger":
            continue
        for verb, table in _read_writes(statement.sql):
            if table in whole:
                why = f"{table} lies as a whole in every shard, and one alone would change"
            elif verb == "INSERT" and table in counted:
                why = f"the numbers of {table} are given out for all shards, which no trigger can"
            else:
                continue
            raise BlockersFound(
                f"The trigger {statement.name} cannot run in a shard",
                why=why,
                tip="do its work in the app, and leave the trigger out: [schema] exclude, or split "
                "by another column",
            )


def _read_words(sql: str) -> set[str]:
    return {_unquote(token) for token in _read_tokens(sql)}


def _read_writes(sql: str) -> Iterator[tuple[str, str]]:
    """Yield verb and table of the writes in a trigger's body."""
    tokens = _read_tokens(sql)
    words = [token.upper() for token in tokens]
    start = words.index("BEGIN") if "BEGIN" in words else len(words)
    for index in range(start, len(words)):
        if words[index] == "INTO":
            yield "INSERT", _unquote(tokens[index + 1])
        elif words[index] == "UPDATE" and words[index - 1] in {"BEGIN", ";"}:
            yield "UPDATE", _unquote(tokens[index + 1])
        elif words[index] == "FROM" and words[index - 1] == "DELETE":
            yield "DELETE", _unquote(tokens[index + 1])


def _read_tokens(sql: str) -> list[str]:
    return [token.text for token in tokenize(sql)]


def _unquote(text: str) -> str:
    inner = text[1:-1] if text[:1] in {'"', "`", "["} else text
    return inner.replace('""', '"').lower()


def find_local_keys(splitting: Splitting, counters: Mapping[str, str]) -> Iterator[Finding]:
    """Yield the unique keys of split tables that shards cannot keep among each other."""
    targets = {(m.spec.schema, m.spec.table): m.spec.target for m in splitting.plan.tables}
    for name, route in splitting.routes.routes.items():
        for key in splitting.routes.tables[name].keys:
            numbered = counters.get(targets[name])
            if route.column in key.columns or tuple(key.columns) == (numbered,):
                continue
            if _holds_parent(splitting, name, set(key.columns)):
                continue
            columns = ", ".join(key.columns)
            yield UNIQUE.at(f"{name[1]} ({columns})", None, None)


def _holds_parent(splitting: Splitting, name: Name, columns: set[str]) -> bool:
    """Return whether a key holds the whole foreign key that leads a row to its shard."""
    key = splitting.routes.routes[name].key
    return key is not None and set(key.columns) <= columns


def write_counters(schema: TargetSchema, lasts: Mapping[str, int], file: Path) -> None:
    """Write the database that gives out numbers: the shards' tables without rows, and counters."""
    part = file.with_name(f"{file.name}.part")
    for ending in ("", "-wal", "-shm"):
        part.with_name(part.name + ending).unlink(missing_ok=True)
    part.parent.mkdir(parents=True, exist_ok=True)
    with contextlib.closing(apsw.Connection(str(part))) as db:
        for statement in (*schema.tables, *schema.after):
            db.execute(statement.sql)
        for table, last in lasts.items():
            db.execute("INSERT INTO sqlite_sequence VALUES (?, ?)", (table, last))
    part.replace(file)


def read_lasts(
    files: Iterable[Path], counters: Mapping[str, str], origin: Mapping[str, int]
) -> dict[str, int]:
    """Return the last number of each counter: the origin's, or the largest that a shard holds."""
    lasts = {table: origin.get(table, 0) for table in counters}
    for file in files if lasts else ():
        with contextlib.closing(apsw.Connection(str(file))) as db:
            for name, last in db.execute("SELECT name, seq FROM sqlite_sequence").fetchall():
                if name in lasts:
                    lasts[name] = max(lasts[name], int(last or 0))
    return lasts
