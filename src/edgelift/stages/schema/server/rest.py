"""What is neither table nor view nor trigger: routines, sequences, types, partitions, others."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from edgelift.model.origin_schema import (
    OriginRoutine,
    OriginSchema,
    OriginSequence,
    OriginTable,
)
from edgelift.stages.schema.issues import ERROR, NOTE, WARNING, Issue
from edgelift.stages.schema.server.names import Names
from edgelift.stages.schema.server.partitions import list_merged
from edgelift.stages.schema.server.parts import Part, TableContext

Contexts = Mapping[tuple[str, str], TableContext]

# Kinds of OriginSchema.others that carry no behaviour of the data itself.
_HARMLESS = frozenset(
    {"extension", "collation", "publication", "extended statistics", "foreign server", "conversion",
     "operator family", "operator class", "access method", "foreign data wrapper", "user mapping",
     "language", "subscription", "invalid index", "text search dictionary", "text search parser"}
)  # fmt: skip
_BECOMES = {
    "schema": "part of the names of what it holds",
    "comment": "kept here",
    "partition": "rows of its table",
}


def list_rest(
    schema: OriginSchema, names: Names, contexts: Contexts, triggers: Iterable[Part]
) -> Iterator[Part]:
    """Yield every object that no table, view or trigger accounts for."""
    merged = list_merged(schema)
    for table in schema.tables:
        if table.kind == "partition":
            name = f"{table.schema}.{table.name}"
            yield Part(
                kind="partition", name=name, origin=name,
                becomes=f"rows of {table.parent or 'its parent'}",
            )  # fmt: skip
            yield from _list_local(table, merged)
    kept = {part.origin for part in triggers if part.sql and not part.refused}
    for routine in schema.routines:
        yield _judge_routine(routine, schema, names, kept)
    for sequence in schema.sequences:
        yield _judge_sequence(sequence, contexts, names)
    for definition in schema.types:
        name = f"{definition.schema}.{definition.type.name}"
        yield Part(
            kind=f"type ({definition.type.kind})", name=name, origin=name,
            becomes="part of the columns that have it",
        )  # fmt: skip
    for kind, name in schema.others:
        yield _judge_other(kind, name)


def _list_local(table: OriginTable, merged: Mapping[tuple[str, str, str], str]) -> Iterator[Part]:
    """Yield the rules and indexes of one partition only: its table may have them for its rows."""
    place = f"{table.schema}.{table.name}"
    plain = {index.name for index in table.indexes if not index.unique}
    for name in table.local:
        origin = f"{place}.{name}"
        piece = merged.get((table.schema, table.name, name))
        if piece is not None:
            becomes = f"{piece} of the table that its rows are in"
            yield Part(kind="partition", name=origin, origin=origin, becomes=becomes)
            continue
        rule = name not in plain
        issue = Issue(
            "SCHEMA-PARTITION-LOCAL", ERROR if rule else WARNING, "partition", origin,
            "holds for one partition only, whose rows lie in one table with all others here",
            "give it to the whole table at the origin, check it in the app, or accept the rule",
            refuses=rule,
        )  # fmt: skip
        yield Part(
            kind="partition", name=issue.name, origin=origin, becomes="left out",
            issues=(issue,),
        )  # fmt: skip


def _judge_routine(
    routine: OriginRoutine, schema: OriginSchema, names: Names, kept: set[str]
) -> Part:
    name = f"{routine.schema}.{routine.name}"
    if (routine.schema, routine.name) in names.excluded_tables:
        return Part(kind=routine.kind, name=name, origin=name, becomes="excluded")
    users = [t for t in schema.triggers if t.routine.rpartition(".")[2] == routine.name]
    if users and all(f"{t.schema}.{t.table} {t.name}" in kept for t in users):
        return Part(kind=routine.kind, name=name, origin=name, becomes="part of its triggers")
    issue = Issue(
        "SCHEMA-ROUTINE", ERROR, routine.kind, name,
        f"is written in {routine.language}; Cloudflare runs no code of a database",
        "move what it does into the app, leave it out under [schema] exclude, or accept the rule",
        refuses=True,
    )  # fmt: skip
    return Part(kind=routine.kind, name=name, origin=name, issues=(issue,))


def _judge_sequence(sequence: OriginSequence, contexts: Contexts, names: Names) -> Part:
    name = f"{sequence.schema}.{sequence.name}"
    if (sequence.schema, sequence.name) in names.excluded_tables:
        return Part(kind="sequence", name=name, origin=name, becomes="excluded")
    place, _, column = sequence.owner.rpartition(".")
    schema, _, table = place.partition(".")
    context = contexts.get((schema, table))
    if sequence.owner and (context is None or (schema, table) in names.excluded_tables):
        return Part(kind="sequence", name=name, origin=name, becomes="left out with its table")
    if context is not None:
        rowid = context.rowid_column
        counts = rowid is not None and rowid.name == column and bool(rowid.identity)
        becomes = "the counter of AUTOINCREMENT" if counts else "judged with its column"
        return Part(kind="sequence", name=name, origin=name, becomes=becomes)
    issue = Issue(
        "SCHEMA-SEQUENCE", ERROR, "sequence", name,
        "stands alone; SQLite has no sequences",
        "number in the app, leave it out under [schema] exclude, or accept the rule",
        refuses=True,
    )  # fmt: skip
    return Part(kind="sequence", name=name, origin=name, issues=(issue,))


def _judge_other(kind: str, name: str) -> Part:
    if kind.startswith("hidden "):
        issue = Issue(
            "SCHEMA-HIDDEN", ERROR, kind, name,
            f"the user lacks the right to see {kind.removeprefix('hidden ')}, so there may be some",
            f"{name} TO the user, or accept the rule when there are none", refuses=True,
        )  # fmt: skip
        return Part(kind=kind, name=name, origin=name, issues=(issue,))
    if kind in _BECOMES:
        return Part(kind=kind, name=name, origin=name, becomes=_BECOMES[kind])
    if kind.lower() in _HARMLESS:
        issue = Issue("SCHEMA-OTHER", NOTE, kind, name, "has no counterpart and needs none")
        return Part(kind=kind, name=name, origin=name, becomes="nothing", issues=(issue,))
    issue = Issue(
        "SCHEMA-OBJECT", ERROR, kind, name, f"is a {kind}, which SQLite has not",
        "do in the app what it does, and accept the rule", refuses=True,
    )  # fmt: skip
    return Part(kind=kind, name=name, origin=name, issues=(issue,))
