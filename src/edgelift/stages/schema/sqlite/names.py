"""What of a SQLite file stays behind and what gets another name, as edgelift.toml says."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping

import msgspec

from edgelift.errors import UsageError
from edgelift.model.catalogue import Catalogue, Table
from edgelift.model.mover_settings import SchemaSection
from edgelift.model.origin_schema import OriginSchema
from edgelift.sources.sqlite_origin.catalogue import SCHEMA
from edgelift.stages.schema.server.names import Names, find_column, find_tables


def is_overridden(settings: SchemaSection) -> bool:
    """Return whether anything asks for another form than the origin's."""
    return bool(settings.exclude or settings.cast or settings.rename or settings.rewrite)


def changes_values(settings: SchemaSection) -> bool:
    """Return whether tables that move get other columns, names or values than at the origin."""
    columns = any("." in name.removeprefix(f"{SCHEMA}.") for name in settings.exclude)
    return bool(columns or settings.cast or settings.rename or settings.rewrite)


def select_known(settings: SchemaSection, catalogue: Catalogue) -> SchemaSection:
    """Return the settings without what names no table here: it may be meant for another database.

    A section that names its database is kept: there such a name is an error.
    """
    tables = {form for table in catalogue.tables for form in (table.name, f"{SCHEMA}.{table.name}")}
    objects = set(_list_objects(catalogue)) | tables

    def is_known(section: object) -> bool:
        place = getattr(section, "table", "")
        return bool(getattr(section, "database", "")) or not place or place in tables

    return msgspec.structs.replace(
        settings,
        exclude=tuple(
            name
            for name in settings.exclude
            if name in objects or name.rpartition(".")[0] in tables
        ),
        cast=tuple(filter(is_known, settings.cast)),
        rename=tuple(filter(is_known, settings.rename)),
        rewrite=tuple(filter(is_known, settings.rewrite)),
    )


def find_unknown(settings: SchemaSection, catalogues: Collection[Catalogue]) -> list[str]:
    """Return what names nothing in any of several databases, in the words of edgelift.toml."""
    kept = [select_known(settings, catalogue) for catalogue in catalogues]
    unknown = [
        f"schema.exclude lists {name!r}"
        for name in settings.exclude
        if not any(name in own.exclude for own in kept)
    ]
    for kind, listed, known in (
        ("cast", settings.cast, [section for own in kept for section in own.cast]),
        ("rename", settings.rename, [section for own in kept for section in own.rename]),
        ("rewrite", settings.rewrite, [section for own in kept for section in own.rewrite]),
    ):
        unknown += [
            f"schema.{kind} names the table {getattr(section, 'table', '')!r}"
            for section in listed
            if section not in known
        ]
    return unknown


def _list_objects(catalogue: Catalogue) -> Iterator[str]:
    listed = (catalogue.tables, catalogue.indexes, catalogue.views, catalogue.triggers)
    for kind in listed:
        yield from (found.name for found in kind)


def decide_names(origin: OriginSchema, catalogue: Catalogue, settings: SchemaSection) -> Names:
    """Return all names; raises UsageError for a section that fits nothing, and for taken names."""
    names = Names()
    _exclude(names, origin, catalogue, settings)
    renamed = _read_table_names(origin, catalogue, settings)
    for table in catalogue.tables:
        if (SCHEMA, table.name) in names.excluded_tables:
            continue
        names.tables[SCHEMA, table.name] = renamed.get(table.name, table.name)
        own = _read_column_names(table, origin, settings)
        names.columns |= {(SCHEMA, table.name, old): new for old, new in own.items()}
    _check_free(names, catalogue)
    return names


def _exclude(
    names: Names, origin: OriginSchema, catalogue: Catalogue, settings: SchemaSection
) -> None:
    objects = set(_list_objects(catalogue))
    for pattern in settings.exclude:
        bare = pattern.removeprefix(f"{SCHEMA}.")
        place, _, column = bare.rpartition(".")
        if bare in objects or pattern in objects:
            names.excluded_tables.add((SCHEMA, bare if bare in objects else pattern))
        elif place:
            for table in find_tables(origin, place, "schema.exclude"):
                find_column(table, column, "schema.exclude")
                names.excluded_columns.add((SCHEMA, table.name, column))
        else:
            find_tables(origin, pattern, "schema.exclude")


def _read_table_names(
    origin: OriginSchema, catalogue: Catalogue, settings: SchemaSection
) -> dict[str, str]:
    views = {view.name for view in catalogue.views}
    renamed = {}
    for section in settings.rename:
        if section.column:
            continue
        if section.table in views:
            raise UsageError(
                f"edgelift.toml: schema.rename names the view {section.table!r}",
                why="SQLite renames tables and columns, and what names them with them; no views",
                tip="rename the view at the origin, or leave it out under [schema] exclude",
            )
        renamed[find_tables(origin, section.table, "schema.rename")[0].name] = section.to
    return {old: new for old, new in renamed.items() if old != new}


def _read_column_names(
    table: Table, origin: OriginSchema, settings: SchemaSection
) -> dict[str, str]:
    renamed = {}
    for section in settings.rename:
        if not section.column or section.table not in {table.name, f"{SCHEMA}.{table.name}"}:
            continue
        find_column(
            find_tables(origin, section.table, "schema.rename")[0], section.column, "schema.rename"
        )
        renamed[section.column] = section.to
    return {old: new for old, new in renamed.items() if old != new}


def _check_free(names: Names, catalogue: Catalogue) -> None:
    kept = [
        found.name
        for kind in (catalogue.tables, catalogue.indexes, catalogue.views)
        for found in kind
        if (SCHEMA, found.name) not in names.excluded_tables
    ]
    _check_apart(
        "tables", [names.tables.get((SCHEMA, name), name) for name in kept], names.tables.values()
    )
    for table in catalogue.tables:
        own = [
            names.columns.get((SCHEMA, table.name, column.name), column.name)
            for column in table.columns
            if (SCHEMA, table.name, column.name) not in names.excluded_columns
        ]
        _check_apart(f"columns of {table.name}", own, own)


def _check_apart(what: str, found: list[str], ours: Collection[str]) -> None:
    lower = [name.lower() for name in found]
    taken = sorted({name for name in ours if lower.count(name.lower()) > 1})
    if taken:
        raise UsageError(
            f"edgelift.toml: schema.rename gives {', '.join(taken)} to two {what}",
            why="SQLite has one space of names for them, without regard to case",
            tip="choose a name that nothing else has",
        )


def list_excluded(names: Names) -> list[str]:
    """Return the objects that stay behind whole."""
    return sorted(name for _, name in names.excluded_tables)


def list_renamed_columns(names: Names) -> Mapping[str, dict[str, str]]:
    """Return the new names of columns by the origin's table and column."""
    found: dict[str, dict[str, str]] = {}
    for (_, table, old), new in names.columns.items():
        if (SCHEMA, table, old) not in names.excluded_columns:
            found.setdefault(table, {})[old] = new
    return found
