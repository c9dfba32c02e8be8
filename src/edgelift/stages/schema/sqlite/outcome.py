"""Account for every object of a rewritten SQLite file under its name at the origin."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence

import msgspec

from edgelift.model.catalogue import Catalogue
from edgelift.model.row_spec import FieldSpec
from edgelift.sources.sqlite_origin.catalogue import SCHEMA
from edgelift.stages.schema.issues import ERROR, Issue
from edgelift.stages.schema.mapping import (
    LEFT_OUT,
    REFUSED,
    ColumnMapping,
    DatabaseMapping,
    ObjectMapping,
)
from edgelift.stages.schema.sqlite.rewriting import USED, Rewriting

Entry = tuple[str, str, str]


def list_kinds(catalogue: Catalogue) -> dict[str, str]:
    """Return the kind of every object that has a statement of its own, by name."""
    kinds = {t.name: "virtual table" if t.virtual else "table" for t in catalogue.tables}
    kinds |= {index.name: "index" for index in catalogue.indexes if index.sql}
    kinds |= {view.name: "view" for view in catalogue.views}
    return kinds | {trigger.name: "trigger" for trigger in catalogue.triggers}


def judge_lost(rewriting: Rewriting, made: Catalogue) -> Iterator[Issue]:
    """Yield the objects that have no place in the new schema, with what they stood on."""
    kept, kinds = list_kinds(made), list_kinds(rewriting.catalogue)
    owners = {trigger.name: trigger.table for trigger in rewriting.catalogue.triggers}
    owners |= {index.name: index.table for index in rewriting.catalogue.indexes}
    for name, kind in kinds.items():
        gone = rewriting.is_gone(name) or rewriting.is_gone(owners.get(name, name))
        if gone or (rewriting.name(name) if "table" in kind else name) in kept:
            continue
        why = rewriting.scratch.lost.get(name, f"stands on {owners.get(name, 'what is gone')}")
        yield Issue(
            USED, ERROR, kind, rewriting.name(name) if "table" in kind else name,
            f"has no place in the schema that edgelift.toml asks for: {why}",
            "leave it out under [schema] exclude, mend it at the origin, or accept the rule: it "
            "then stays behind", refuses=True,
        )  # fmt: skip


def account(
    mapping: DatabaseMapping,
    rewriting: Rewriting,
    issues: Sequence[Issue],
    accepted: Collection[str],
) -> DatabaseMapping:
    """Return the mapping with the origin's names, the columns' ways, and what stays behind."""
    origins = {rewriting.name(t.name): t.name for t in rewriting.catalogue.tables}
    objects = [_add_origin(found, rewriting, origins) for found in mapping.objects]
    known = {found.origin for found in objects}
    kinds = list_kinds(rewriting.catalogue)
    for name, kind in kinds.items():
        target = rewriting.name(name) if "table" in kind else name
        if name in known:
            continue
        own = [i for i in issues if (i.kind, i.name) == (kind, target)]
        rules = tuple(dict.fromkeys(issue.rule for issue in own))
        refused = bool(own) and not {i.rule for i in own if i.refuses} <= set(accepted)
        objects.append(
            ObjectMapping(
                kind=kind, name=target, origin=name, rules=rules,
                outcome=REFUSED if refused else LEFT_OUT,
                becomes="" if own else "excluded, or with what is",
            )
        )  # fmt: skip
    objects += [
        ObjectMapping(
            kind="column", name=f"{table}.{column}", origin=f"{table}.{column}", outcome=LEFT_OUT,
            becomes="excluded",
        )
        for _, table, column in sorted(rewriting.ways.names.excluded_columns)
    ]  # fmt: skip
    return msgspec.structs.replace(mapping, objects=tuple(objects))


def _add_origin(
    found: ObjectMapping, rewriting: Rewriting, origins: Mapping[str, str]
) -> ObjectMapping:
    origin = origins.get(found.name, found.name) if "table" in found.kind else found.name
    spec = rewriting.ways.specs.get((SCHEMA, origin)) if "table" in found.kind else None
    table = rewriting.origin.read_table(SCHEMA, origin) if spec else None
    if spec is None or table is None:
        return msgspec.structs.replace(found, origin=origin)
    written = {column.name: column.type.written for column in table.columns}
    fields = {field.column: field for field in spec.fields}
    columns = tuple(
        _add_way(column, fields.get(column.name), origin, written) for column in found.columns
    )
    return msgspec.structs.replace(found, origin=origin, columns=columns)


def _add_way(
    column: ColumnMapping, field: FieldSpec | None, table: str, written: Mapping[str, str]
) -> ColumnMapping:
    if field is None:
        return msgspec.structs.replace(column, origin=f"{table}.{column.name}")
    return msgspec.structs.replace(
        column,
        origin=f"{table}.{field.origin}",
        written=written.get(field.origin, ""),
        read=field.read,
        op=f"{field.op} {field.argument}".strip(),
        loss=field.loss,
        undo=field.undo,
    )


def find_unaccounted(
    entries: Sequence[Entry], mapping: DatabaseMapping, catalogue: Catalogue
) -> list[str]:
    """Return the entries of the snapshot's sqlite_schema that the mapping does not know."""
    known = {found.origin for found in mapping.objects} | set(catalogue.shadows)
    return [
        f"{kind} {name}"
        for kind, name, table in entries
        if name not in known
        and table not in catalogue.shadows
        and not (name.startswith("sqlite_autoindex_") and table in known)  # comes with its table
    ]
