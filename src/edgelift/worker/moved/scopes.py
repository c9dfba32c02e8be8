"""Which columns a name means where it stands: tables, subqueries and their places in each other."""

from __future__ import annotations

from dataclasses import dataclass, field

from edgelift.worker.moved.catalogue import Table
from edgelift.worker.moved.failures import ServerError
from edgelift.worker.moved.kinds import Kind

Columns = tuple[tuple[str, Kind], ...]


@dataclass
class Source:
    """Something that rows come from, under the name that it has in the statement.

    `merged` are columns that a USING shares with a source before it; those of a `hidden` source
    need its name; those of a `bare` one are written without it.
    """

    name: str
    columns: Columns
    table: Table | None = None
    merged: frozenset[str] = frozenset()
    hidden: bool = False
    bare: bool = False
    folds: bool = False

    def find(self, name: str) -> Kind | None:
        """Return the kind of a column, None without one."""
        found = next((kind for column, kind in self.columns if column == name), None)
        if found is None and self.folds:
            lower = name.lower()
            return next((kind for column, kind in self.columns if column.lower() == lower), None)
        return found

    def spell(self, name: str) -> str:
        """Return a column's name as the table has it, whatever its case in MySQL's SQL."""
        if any(column == name for column, _kind in self.columns):
            return name
        lower = name.lower()
        return next((c for c, _kind in self.columns if c.lower() == lower), name)


@dataclass
class Scope:
    """The sources of a query.

    `parent` is the query around it, `ctes` what WITH has named, `wanted` the kinds that a statement
    around it has for its columns.
    """

    parent: Scope | None = None
    sources: list[Source] = field(default_factory=list)
    ctes: dict[str, Columns] = field(default_factory=dict)
    wanted: tuple[Kind, ...] = ()

    def parent_of_sources(self) -> Scope:
        """Return the scope of a subquery in FROM: it sees what WITH has named, and no sources."""
        return Scope(self.parent, [], self.ctes)

    def find_cte(self, name: str) -> Columns | None:
        """Return the columns of a named query, None without one."""
        scope: Scope | None = self
        while scope is not None:
            if name in scope.ctes:
                return scope.ctes[name]
            scope = scope.parent
        return None

    def find_source(self, name: str) -> Source:
        """Return the source of a name, of the queries around too; raises ServerError."""
        scope: Scope | None = self
        while scope is not None:
            for source in scope.sources:
                if source.name == name:
                    return source
            scope = scope.parent
        raise ServerError("42P01", f'missing FROM-clause entry for table "{name}"')

    def resolve(self, table: str, name: str) -> tuple[Source, Kind]:
        """Return the source and the kind of a column; raises ServerError."""
        if table:
            source = self.find_source(table)
            kind = source.find(name)
            if kind is None:
                raise ServerError("42703", f"column {table}.{name} does not exist")
            return source, kind
        scope: Scope | None = self
        while scope is not None:
            found = scope.find_unqualified(name)
            if found is not None:
                return found
            scope = scope.parent
        raise ServerError("42703", f'column "{name}" does not exist')

    def find_unqualified(self, name: str) -> tuple[Source, Kind] | None:
        """Return what a bare name means in this query alone."""
        found: list[tuple[Source, Kind]] = []
        for source in self.sources:
            kind = source.find(name)
            if kind is not None and name not in source.merged and not source.hidden:
                found.append((source, kind))
        if len(found) > 1:
            raise ServerError("42702", f'column reference "{name}" is ambiguous')
        return found[0] if found else None
