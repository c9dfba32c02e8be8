"""Try every value that gets another form, into nothing, before anything moves."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator

import apsw
import msgspec

from edgelift.errors import OriginError
from edgelift.model.catalogue import Table
from edgelift.model.row_spec import FieldSpec
from edgelift.rows.engine import hash_stream, read_rows
from edgelift.sources.origin_database import Chunk, SnapshotReader
from edgelift.sources.sqlite_catalogue import quote_identifier
from edgelift.stages.schema.issues import ERROR, Issue
from edgelift.stages.schema.sqlite.moves import plan_rows
from edgelift.stages.schema.sqlite.rewriting import Rewriting

Progress = Callable[[str, int, int], None]
FORM = "SCHEMA-VALUE-FORM"
_APART = frozenset({"uuid5", "uuid7"})  # forms that differ wherever their values did


def try_forms(reader: SnapshotReader, rewriting: Rewriting, progress: Progress) -> Iterator[Issue]:
    """Yield a column whose values do not all take their form, with the first that does not."""
    for done, ((table, column), form) in enumerate(rewriting.forms.items()):
        progress("columns tried in their new form", done, len(rewriting.forms))
        known = rewriting.catalogue.read_table(table)
        assert known is not None
        rows = plan_rows(rewriting, known)
        named = [f for f in rows.spec.fields if f.read in rows.spec.key and f.origin != column]
        spec = msgspec.structs.replace(rows.spec, fields=(*named, form))
        try:
            hash_stream(spec, reader.stream_chunk(spec, Chunk(index=0)))
        except OriginError as error:
            yield Issue(
                FORM, ERROR, "table", rewriting.name(table),
                f"column {form.column} holds a value that its form has not: {error.why}",
                "choose another form, mend the value at the origin, or leave the column out; no "
                "acceptance moves it", column=form.column,
            )  # fmt: skip


def try_unique(reader: SnapshotReader, rewriting: Rewriting) -> Iterator[Issue]:
    """Yield unique keys of which two values that differ get the same form."""
    for table in rewriting.catalogue.tables:
        if table.virtual or rewriting.is_gone(table.name):
            continue
        for columns in _list_keys(rewriting, table):
            fields = _find_fields(rewriting, table, columns)
            changed = [f for f in fields if f.op != "keep" and f.op not in _APART]
            if not changed or len(fields) < len(columns):
                continue
            why = _find_same(reader, rewriting, table, fields)
            if why:
                listed = ", ".join(field.column for field in fields)
                yield Issue(
                    "SCHEMA-UNIQUE-BROKEN", ERROR, "table", rewriting.name(table.name),
                    f"values of {listed} that differ at the origin are the same in their form: "
                    f"{why}",
                    "choose another form, or accept the rule: the table then stays behind",
                    column=changed[0].column, refuses=True,
                )  # fmt: skip


def _list_keys(rewriting: Rewriting, table: Table) -> list[tuple[str, ...]]:
    indexes = [i for i in rewriting.catalogue.indexes if i.table == table.name and i.unique]
    keys = [index.columns for index in indexes if not index.partial]
    return list(dict.fromkeys([table.primary_key, *keys] if table.primary_key else keys))


def _find_fields(rewriting: Rewriting, table: Table, columns: tuple[str, ...]) -> list[FieldSpec]:
    found = {field.origin: field for field in plan_rows(rewriting, table).spec.fields}
    return [found[column] for column in columns if column in found]


def _find_same(
    reader: SnapshotReader, rewriting: Rewriting, table: Table, fields: list[FieldSpec]
) -> str:
    """Return where two rows of the same key meet, in words; empty when none do."""
    collations = {column.name: column.collation for column in table.columns}
    listed = ", ".join(
        f"{quote_identifier(f.column)} {f.target_type} COLLATE {collations.get(f.origin, 'BINARY')}"
        for f in fields
    )
    names = ", ".join(quote_identifier(field.column) for field in fields)
    spec = plan_rows(rewriting, table).spec
    spec = msgspec.structs.replace(spec, fields=tuple(fields))
    with contextlib.closing(apsw.Connection("")) as db:
        target = quote_identifier(spec.target)
        db.execute(f"CREATE TABLE {target} ({listed}, UNIQUE ({names})); BEGIN")
        insert = f"INSERT INTO {target} VALUES ({', '.join('?' * len(fields))})"
        try:
            db.executemany(insert, read_rows(spec, reader.stream_chunk(spec, Chunk(index=0))))
        except apsw.ConstraintError:
            row = db.execute(f"SELECT {names} FROM {target} ORDER BY rowid DESC LIMIT 1").fetchone()
            return f"SQLite met a second one behind {row}"
        except OriginError:
            return ""  # a value without the form: told by its own rule
    return ""
