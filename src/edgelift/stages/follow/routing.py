"""Divides the net effect of changes among the shards of a database, by the routing map.

A row that goes is removed from every shard, for only its key is known; one that comes is written
into its own and removed from the others.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from edgelift.errors import TargetError
from edgelift.model.catalogue import Catalogue
from edgelift.model.shard_map import REPLICATED, ShardMap, ShardTable
from edgelift.rows.conversions import Value
from edgelift.sources.change_feed import Key, Shape, Values
from edgelift.sources.sqlite_catalogue import quote_identifier
from edgelift.stages.follow.net import Net, Row, TableNet
from edgelift.stages.follow.table_rules import order_tables
from edgelift.targets.door.batches import Request, bind_rows, cut_rows
from edgelift.worker import shard_map as worker_map

_MOST_KNOWN = 200_000  # places of parents that are remembered
Read = Callable[[str, Request], list[list[Any]]]  # of a shard by its name


@dataclass(frozen=True)
class Route:
    """How a row finds its shard: by a column, or (`parent`) by the row its columns refer to."""

    columns: tuple[str, ...]
    parent: str = ""
    parent_columns: tuple[str, ...] = ()


class Router:
    """Divides nets; `read` asks a shard, `spread` lets the hash place keys that are new."""

    def __init__(
        self, found: ShardMap, catalogue: Catalogue, read: Read, *, spread: bool = False
    ) -> None:
        self._map = worker_map.ShardMap(msgspec.to_builtins(found))
        self._spread = spread
        self._read = read
        self._routes = {t.table: _find_route(t, catalogue) for t in found.tables}
        self._parents = {
            table.name: {key.target_table for key in table.foreign_keys}
            for table in catalogue.tables
        }
        self._places: dict[tuple[str, Key], str] = {}

    def split(self, net: Net) -> dict[str, Net]:
        """Return what each shard gets of a net effect, by the shard's name.

        Raises TargetError for a row that no shard is for, or that moves away from rows below it.
        """
        shapes = [table.shape for table in net.tables.values()]
        made = {name: Net(shapes) for name in self._map.shards}
        for shape in order_tables(shapes, self._parents):
            table = net.tables[shape.table]
            route = self._routes.get(shape.table)
            if route is None:
                for own in made.values():
                    own.tables[shape.table] = table
                continue
            parts = {name: TableNet(shape, emptied=table.emptied) for name in made}
            self._divide(table, route, parts)
            for name, part in parts.items():
                if part.emptied or part.rows or part.loose:
                    made[name].tables[shape.table] = part
        return made

    def _divide(self, table: TableNet, route: Route, parts: dict[str, TableNet]) -> None:
        named = list(self._name_rows(table, route))
        self._learn(route, [values for _, _, values in named])
        for key, row, values in named:
            owner = self._place(table.shape, route, values)
            for name, part in parts.items():
                if name == owner:
                    part.rows[key] = row
                elif row.base is None:
                    part.rows[key] = None
            for known in self._list_references(table.shape.table):
                reference = tuple(row.values.get(name) for name in known)
                self._places[table.shape.table, reference] = owner
        for key, gone in table.rows.items():
            if gone is None:
                for part in parts.values():
                    part.rows[key] = None
        loose = [(dict(zip(table.shape.columns, own, strict=True)), own) for own in table.loose]
        self._learn(route, [values for values, _ in loose])
        for values, own in loose:
            parts[self._place(table.shape, route, values)].loose[own] += table.loose[own]

    def _name_rows(self, table: TableNet, route: Route) -> Iterator[tuple[Key, Row, Values]]:
        """Yield the rows that come, with the values that say where; raises TargetError."""
        rows = {key: row for key, row in table.rows.items() if row is not None}
        followed = bool(self._list_references(table.shape.table))
        partly = [row.base for row in rows.values() if row.base is not None]
        asked = [*partly, *(key for key in rows if followed and key not in partly)]
        held = self._find_rows(table.shape, route, asked)
        for key, row in rows.items():
            place, before = held.get(row.base if row.base is not None else key, ("", {}))
            values = {**before, **row.values}
            if place and (row.base is not None or followed):
                self._learn(route, [values])
                self._check_stays(table.shape, place, self._place(table.shape, route, values))
            yield key, row, values

    def _check_stays(self, shape: Shape, place: str, owner: str) -> None:
        if place != owner:
            raise TargetError(
                f"A row of {shape.table} moved to another shard",
                why=f"it lies in {place} and belongs into {owner} now, with rows that refer to it "
                "or values that the origin did not send",
                tip="copy anew: run the same command with --force --replace",
            )

    def _find_rows(
        self, shape: Shape, route: Route, keys: Sequence[Key]
    ) -> dict[Key, tuple[str, Values]]:
        """Return where rows lie, and the values by which they do, by their key."""
        names = (*shape.key, *route.columns)
        found = {}
        for shard, row in self._ask(shape.table, names, shape.key, keys):
            width = len(shape.key)
            values = dict(zip(route.columns, row[width:], strict=True))
            found[tuple(row[:width])] = (shard, values)
        return found

    def _learn(self, route: Route, rows: Iterable[Values]) -> None:
        """Ask all shards at once where the rows lie that rows refer to."""
        if not route.parent:
            return
        if len(self._places) > _MOST_KNOWN:
            self._places.clear()
        wanted = {tuple(values.get(name) for name in route.columns) for values in rows}
        unknown = [ref for ref in wanted if (route.parent, ref) not in self._places]
        columns = route.parent_columns
        for shard, row in self._ask(route.parent, columns, columns, unknown):
            self._places[route.parent, tuple(row)] = shard

    def _ask(
        self, table: str, columns: Sequence[str], known: Sequence[str], keys: Sequence[Key]
    ) -> Iterator[tuple[str, list[Value]]]:
        if not keys:
            return
        listed = ", ".join(f"quote({quote_identifier(name)})" for name in columns)
        where = ", ".join(map(quote_identifier, known))
        for part in cut_rows([key for key in keys if None not in key], len(known)):
            marks, values = bind_rows(part)
            query = (
                f"SELECT {listed} FROM {quote_identifier(table)} "
                f"WHERE ({where}) IN (VALUES {marks})"
            )
            for shard in self._map.shards:
                for row in self._read(shard, Request(query, values)):
                    yield shard, [_from_literal(str(cell)) for cell in row]

    def _list_references(self, table: str) -> set[tuple[str, ...]]:
        """Return the columns by which rows below find a table's."""
        routes = [route for route in self._routes.values() if route is not None]
        return {route.parent_columns for route in routes if route.parent == table}

    def _place(self, shape: Shape, route: Route, values: Values) -> str:
        reference = tuple(values.get(name) for name in route.columns)
        try:
            if route.parent:
                return self._places[route.parent, reference]
            return self._map.find(reference[0], spread=self._spread)
        except KeyError as error:
            listed = ", ".join(map(str, reference))
            raise TargetError(
                f"A row of {shape.table} belongs to no shard",
                why=f"its {', '.join(route.columns)} is {listed}, which the routing map does not "
                "place",
                tip='let the hash decide of new keys: [data.shards.route] unknown = "spread"; or '
                "copy anew with --force --replace",
            ) from error


def _from_literal(text: str) -> Value:
    """Return the value that SQLite's quote() wrote, integers beyond JavaScript's numbers too."""
    if text == "NULL":
        return None
    if text.startswith("'"):
        return text[1:-1].replace("''", "'")
    if text.startswith("X'"):
        return bytes.fromhex(text[2:-1])
    return int(text) if text.lstrip("-").isdigit() else float(text)


def _find_route(table: ShardTable, catalogue: Catalogue) -> Route | None:
    """Return a table's way, None for one that is replicated; raises TargetError."""
    if table.way == REPLICATED:
        return None
    own = catalogue.read_table(table.table)
    columns = tuple(table.detail.partition(" -> ")[0].split(", "))
    if own is not None and table.way == "column":
        if columns[0] in {column.name for column in own.columns}:
            return Route(columns)
    elif own is not None:
        for key in own.foreign_keys:
            if key.columns == columns:
                return Route(columns, key.target_table, key.target_columns)
    raise TargetError(
        f"Changes of {table.table} cannot find their shard",
        why=f"the routing map says {table.detail}, and the copy has no such columns",
        tip="take the renaming of these columns out of [schema], or follow it whole",
    )
