"""Make the schema that `[schema]` asks for out of a SQLite file's own, and say what it breaks."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import apsw
import msgspec

from edgelift.errors import UsageError
from edgelift.model.catalogue import Catalogue, Table
from edgelift.model.origin_schema import OriginSchema, OriginTable
from edgelift.model.row_spec import FieldSpec
from edgelift.sources.sqlite_catalogue import read_catalogue
from edgelift.sources.sqlite_origin.catalogue import SCHEMA
from edgelift.sources.sqlite_origin.connection import add_functions
from edgelift.stages.schema.issues import ERROR, Issue
from edgelift.stages.schema.server.convert import Ways
from edgelift.stages.schema.sqlite.names import list_excluded, list_renamed_columns
from edgelift.stages.schema.sqlite.scratch import ImpossibleError, Scratch

USED = "SCHEMA-OVERRIDE-USED"


@dataclass
class Rewriting:
    """A schema on its way to the target; `scratch` holds it, `issues` are told as they come up.

    `forms` are the fields whose values do not travel as they are, by the origin's table and column.
    """

    catalogue: Catalogue
    origin: OriginSchema
    ways: Ways
    scratch: Scratch
    forms: Mapping[tuple[str, str], FieldSpec]
    issues: list[Issue] = field(default_factory=list)

    def name(self, table: str) -> str:
        """Return a table's name at the target."""
        return self.ways.names.tables.get((SCHEMA, table), table)

    def name_column(self, table: str, column: str) -> str:
        """Return a column's name at the target."""
        return self.ways.names.columns.get((SCHEMA, table, column), column)

    def is_gone(self, name: str) -> bool:
        """Return whether an object stays behind, as edgelift.toml says."""
        return (SCHEMA, name) in self.ways.names.excluded_tables

    def read_table(self, name: str) -> OriginTable:
        """Return a table in the words of servers' catalogues."""
        found = self.origin.read_table(SCHEMA, name)
        assert found is not None
        return found


def find_forms(catalogue: Catalogue, ways: Ways) -> dict[tuple[str, str], FieldSpec]:
    """Return the fields that do not carry their values as they are."""
    return {
        (table.name, found.origin): found
        for table in catalogue.tables
        if (SCHEMA, table.name) in ways.specs
        for found in ways.specs[SCHEMA, table.name].fields
        if found.op not in {"keep", "refused"}
    }


def leave_out(rewriting: Rewriting) -> None:
    """Remove what stays behind: objects, then columns, those too that cannot travel."""
    names = rewriting.ways.names
    rewriting.scratch.exclude(list_excluded(names))
    for table, column in [*_list_excluded(rewriting), *_list_refused(rewriting)]:
        try:
            rewriting.scratch.drop_column(table, column)
        except ImpossibleError as error:
            rewriting.issues.append(
                Issue(
                    USED,
                    ERROR,
                    "table",
                    rewriting.name(table),
                    f"cannot go without its column {column}: {error}",
                    "leave the whole table out, mend it at the origin, or accept the rule: the "
                    "table then stays behind",
                    column=column,
                    refuses=True,
                )
            )


def _list_excluded(rewriting: Rewriting) -> list[tuple[str, str]]:
    places = sorted(rewriting.ways.names.excluded_columns)
    return [(table, column) for _, table, column in places if not rewriting.is_gone(table)]


def _list_refused(rewriting: Rewriting) -> Iterator[tuple[str, str]]:
    for (_, table), spec in rewriting.ways.specs.items():
        for found in spec.fields:
            if found.op == "refused":
                yield table, found.origin


def rename(rewriting: Rewriting) -> None:
    """Give tables and columns their new names; raises UsageError for one that SQLite refuses."""
    names = rewriting.ways.names
    tables = {t: target for (_, t), target in names.tables.items() if t != target}
    virtual = {table.name for table in rewriting.catalogue.tables if table.virtual}
    try:
        for table, columns in list_renamed_columns(names).items():
            if not rewriting.is_gone(table) and table not in virtual:
                rewriting.scratch.rename_columns(table, columns)
        rewriting.scratch.rename_tables(tables)
    except ImpossibleError as error:
        raise UsageError(
            "edgelift.toml: SQLite cannot do what schema.rename asks for",
            why=str(error),
            tip="leave the rename out, or choose another name",
        ) from error


def build_catalogue(rewriting: Rewriting, statements: Mapping[str, str]) -> Catalogue:
    """Return the target's catalogue; what does not work at the origin stands in it as it was."""
    shadows = set(rewriting.scratch.read().shadows)
    db = apsw.Connection(":memory:")
    add_functions(db)
    for name, sql in statements.items():
        if name in shadows or name.startswith("sqlite_"):
            continue
        try:
            db.execute(sql).fetchall()
        except apsw.Error as error:
            rewriting.scratch.lost.setdefault(name, str(error))
    made: Catalogue = read_catalogue(db)
    origin, aside = rewriting.catalogue, rewriting.scratch.aside
    rows = {rewriting.name(table.name): table.rows for table in origin.tables}
    kept = [*made.tables, *(t for t in origin.tables if t.name in aside)]
    return msgspec.structs.replace(
        made,
        tables=tuple(_count(table, rows) for table in kept),
        indexes=made.indexes + tuple(i for i in origin.indexes if i.name in aside),
        views=made.views + tuple(v for v in origin.views if v.name in aside),
        triggers=made.triggers + tuple(t for t in origin.triggers if t.name in aside),
        sequences={rewriting.name(name): last for name, last in origin.sequences.items()},
        user_version=origin.user_version,
        application_id=origin.application_id,
        encoding=origin.encoding,
        statistics=origin.statistics,
    )


def _count(table: Table, rows: Mapping[str, int]) -> Table:
    return msgspec.structs.replace(table, rows=rows.get(table.name, 0))
