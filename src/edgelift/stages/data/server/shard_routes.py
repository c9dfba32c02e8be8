"""How each table finds its rows' shard: by a column of its own, or through its foreign keys."""

from __future__ import annotations

from dataclasses import dataclass

from edgelift.errors import UsageError
from edgelift.model.move_plan import MovePlan
from edgelift.model.mover_settings import ShardsSection
from edgelift.model.origin_schema import OriginForeignKey, OriginSchema, OriginTable
from edgelift.sources.origin_database import Capabilities

Name = tuple[str, str]


@dataclass(frozen=True)
class Route:
    """The way of one table: a column of its own, or the row that a foreign key leads to."""

    column: str = ""
    key: OriginForeignKey | None = None

    @property
    def way(self) -> str:
        """Return the word of the routing map."""
        return "column" if self.column else "through"


@dataclass(frozen=True)
class Routes:
    """The ways of all tables that move; `replicated` ones have none."""

    capabilities: Capabilities
    tables: dict[Name, OriginTable]
    routes: dict[Name, Route]
    replicated: frozenset[Name]

    def write_value(self, name: Name, outer: str = "", depth: int = 0) -> str:
        """Return the SQL of the shard key of a row of a table, `outer` being that row's name."""
        quote = self.capabilities.quote
        route = self.routes[name]
        outer = outer or quote(name[1])
        if route.column:
            return f"{outer}.{quote(route.column)}"
        assert route.key is not None
        return self.write_parent_value(route.key, outer, depth)

    def write_parent_value(self, key: OriginForeignKey, outer: str, depth: int = 0) -> str:
        """Return the SQL of the shard key of the row that a foreign key leads to."""
        quote = self.capabilities.quote
        parent = (key.target_schema, key.target_table)
        alias = f"edgelift_{depth}"
        same = " AND ".join(
            f"{alias}.{quote(there)} = {outer}.{quote(here)}"
            for here, there in zip(key.columns, key.target_columns, strict=True)
        )
        value = self.write_value(parent, alias, depth + 1)
        place = f"{quote(parent[0])}.{quote(parent[1])}"
        return f"(SELECT {value} FROM {place} {alias} WHERE {same})"

    def describe(self, name: Name) -> str:
        """Return a table's way in words."""
        route = self.routes.get(name)
        if route is None:
            return "as a whole in every shard"
        if route.column:
            return route.column
        assert route.key is not None
        parent = (route.key.target_schema, route.key.target_table)
        return f"{', '.join(route.key.columns)} -> {parent[1]} -> {self.describe(parent)}"


def find_routes(
    origin: OriginSchema, plan: MovePlan, section: ShardsSection, capabilities: Capabilities
) -> Routes:
    """Return every table's way; raises UsageError naming the tables that have none."""
    moved = {(move.spec.schema, move.spec.table) for move in plan.tables}
    tables = {(t.schema, t.name): t for t in origin.tables if (t.schema, t.name) in moved}
    replicated = frozenset(n for n in tables if {n[1], ".".join(n)} & set(section.replicate))
    unknown = {r for r in section.replicate if not any(r in {n[1], ".".join(n)} for n in tables)}
    if unknown:
        raise UsageError(
            f"edgelift.toml: data.shards replicates {', '.join(sorted(unknown))}",
            why=f"{plan.database} moves no such tables",
            tip="write names as the origin has them, table or schema.table",
        )
    routes = _find_roots(tables, replicated, section)
    while found := _find_children(tables, replicated, routes):
        routes |= found
    _check_placed(tables, replicated, routes, section)
    return Routes(capabilities, tables, routes, replicated)


def _find_roots(
    tables: dict[Name, OriginTable], replicated: frozenset[Name], section: ShardsSection
) -> dict[Name, Route]:
    if section.column:
        routes = {
            name: Route(column=section.column)
            for name, table in tables.items()
            if name not in replicated and any(c.name == section.column for c in table.columns)
        }
        wrong = f"no table that moves has the column {section.column}"
    else:
        routes = {}
        wrong = f"no table {section.table} with a primary key of one column moves"
        for name, table in tables.items():
            if section.table in {name[1], ".".join(name)}:
                primary = [k for k in table.keys if k.primary and len(k.columns) == 1]
                if primary:
                    routes[name] = Route(column=primary[0].columns[0])
    if not routes:
        raise UsageError(
            "edgelift.toml: data.shards has nothing to split by",
            why=wrong,
            tip="write names as the origin has them",
        )
    return routes


def _find_children(
    tables: dict[Name, OriginTable], replicated: frozenset[Name], routes: dict[Name, Route]
) -> dict[Name, Route]:
    """Return the ways of tables whose foreign keys lead to one that has a way already."""
    found = {}
    for name, table in tables.items():
        if name in replicated or name in routes:
            continue
        filled = {column.name for column in table.columns if column.not_null}
        keys = [k for k in table.foreign_keys if (k.target_schema, k.target_table) in routes]
        keys.sort(key=lambda k: not filled.issuperset(k.columns))
        if keys:
            found[name] = _to_route(keys[0], routes)
    return found


def _to_route(key: OriginForeignKey, routes: dict[Name, Route]) -> Route:
    """Return the way over a foreign key; one that holds the shard key itself needs no look."""
    column = routes[key.target_schema, key.target_table].column
    if column in key.target_columns:
        return Route(column=key.columns[key.target_columns.index(column)])
    return Route(key=key)


def _check_placed(
    tables: dict[Name, OriginTable],
    replicated: frozenset[Name],
    routes: dict[Name, Route],
    section: ShardsSection,
) -> None:
    left = sorted(name[1] for name in tables if name not in routes and name not in replicated)
    if left:
        what = section.column or section.table
        raise UsageError(
            f"Rows of {', '.join(left)} belong to no shard",
            why=f"these tables lead to {what} neither by a column nor by foreign keys",
            tip="list small ones under replicate in [data.shards], or leave them out of the move",
        )
    for name in sorted(replicated):
        for key in tables[name].foreign_keys:
            if (key.target_schema, key.target_table) in routes:
                raise UsageError(
                    f"{name[1]} cannot lie in every shard",
                    why=f"it refers to {key.target_table}, whose rows are split",
                    tip=f"take {name[1]} out of replicate: it is split by that foreign key",
                )
