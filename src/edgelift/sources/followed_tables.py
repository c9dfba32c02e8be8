"""A server's tables as they are followed: matched with the move's plan, compared with a snapshot.

What the feeds of PostgreSQL and MySQL share; a file of SQLite is compared by its own means.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import apsw
import msgspec

from edgelift.errors import OriginError
from edgelift.model.findings import Status
from edgelift.model.followed_parts import describe_changes, list_parts
from edgelift.model.move_plan import MovePlan, TableMove, hash_shape
from edgelift.model.origin_schema import OriginSchema, OriginTable
from edgelift.model.row_spec import RowSpec
from edgelift.rows.conversions import Value
from edgelift.rows.engine import hash_stream, hash_target
from edgelift.rows.hashing import MODULUS
from edgelift.sources.change_feed import (
    ACTING,
    Action,
    Comparison,
    FollowProblem,
    Shape,
    Subject,
)
from edgelift.sources.origin_database import Chunk, RowReader
from edgelift.sources.row_differences import find_differences, origin_reader, target_reader

_CHUNK_ROWS = 50_000
_MOST_DETAILS = 20
_MOST_CHANGES = 5
Keep = Callable[[Value], str]


@dataclass(frozen=True)
class FollowedTable:
    """A table that moves; `key` are the target's columns that name its rows, empty without."""

    move: TableMove
    origin: OriginTable
    key: tuple[str, ...]

    @property
    def name(self) -> str:
        """Return its name at the origin."""
        return f"{self.origin.schema}.{self.origin.name}"

    @property
    def shape(self) -> Shape:
        """Return the table as the target has it."""
        columns = tuple(f.column for f in self.move.spec.fields if f.op != "refused")
        return Shape(self.move.spec.target, columns, self.key)

    @property
    def decoded(self) -> RowSpec:
        """Return how its changed rows are read: offloaded values as themselves, not as names."""
        whole = {field.column: field for field in self.move.objects}
        fields = tuple(whole.get(field.column, field) for field in self.move.spec.fields)
        return msgspec.structs.replace(self.move.spec, fields=fields)

    def name_objects(self, rows: Sequence[dict[str, Value]], keep: Keep) -> None:
        """Put the names of offloaded values in their place; `keep` gives a value's name."""
        for field in self.move.objects:
            for row in rows:
                value = row.get(field.column)
                if value is not None:
                    row[field.column] = keep(value)

    def find_columns(self, names: Sequence[str]) -> tuple[str, ...]:
        """Return the target's columns of the origin's, empty unless all of them move."""
        columns = {field.origin: field.column for field in self.move.spec.fields if field.origin}
        return tuple(columns[name] for name in names) if set(names) <= set(columns) else ()


def match_tables(
    plan: MovePlan, schema: OriginSchema, keys: Callable[[OriginTable], tuple[str, ...]]
) -> list[FollowedTable]:
    """Return the plan's tables with what the origin has; `keys` gives the origin's key columns.

    Raises OriginError when a table is gone.
    """
    found = []
    for move in plan.tables:
        origin = schema.read_table(move.spec.schema, move.spec.table)
        if origin is None:
            raise OriginError(
                f"The table {move.spec.schema}.{move.spec.table} is gone",
                why="it was dropped or renamed since its schema was judged",
                tip="judge and copy anew: run the same command with --force",
            )
        table = FollowedTable(move, origin, ())
        found.append(FollowedTable(move, origin, table.find_columns(keys(origin))))
    return found


def list_offloaded(tables: Sequence[FollowedTable]) -> list[tuple[str, str]]:
    """Return (table, column) of the target where names of objects stand."""
    return [(t.move.spec.target, field.column) for t in tables for field in t.move.objects]


def list_actions(tables: Sequence[FollowedTable]) -> list[Action]:
    """Return the foreign keys that act between tables that move with the columns of the key."""
    by_name = {(t.origin.schema, t.origin.name): t for t in tables}
    found = []
    for child in tables:
        for key in child.origin.foreign_keys:
            parent = by_name.get((key.target_schema, key.target_table))
            columns = child.find_columns(key.columns)
            if parent is None or not columns or not {key.on_delete, key.on_update} & ACTING:
                continue
            found.append(
                Action(
                    parent.move.spec.target, parent.find_columns(key.target_columns),
                    child.move.spec.target, columns, key.on_delete, key.on_update,
                )
            )  # fmt: skip
    return [action for action in found if action.parent_columns]


def find_problems(tables: Sequence[FollowedTable]) -> list[FollowProblem]:
    """Return what of the move's plan cannot be followed."""
    found = []
    for table in tables:
        if table.origin.kind in {"foreign", "materialized"}:
            why = f"no stream of changes tells of a {table.origin.kind} table"
            tip = "leave it out under [schema] exclude, or copy it again after the writers stopped"
            found.append(FollowProblem(table.name, why, tip))
        if table.move.spec.where:
            tip = "copy it again after the writers stopped"
            found.append(FollowProblem(table.name, "only a part of its rows moves", tip))
    return found


def check_shape(subject: Subject, schema: OriginSchema, numbers: Mapping[str, str]) -> None:
    """Raise OriginError when an origin is no longer what it was when following began.

    `numbers` are the server's own of each table (`schema.table`), see `list_parts`. What no row
    and no part of the target depends on may change, and tables that do not move.
    """
    assert subject.plan is not None
    if subject.parts:
        moved = {f"table {move.spec.schema}.{move.spec.table}" for move in subject.plan.tables}
        stays = {n for n in subject.parts if n.startswith("table ") and n not in moved}
        changes = describe_changes(subject.parts, list_parts(schema, numbers), stays)
    else:  # begun by a release that kept no parts
        same = hash_shape(schema) == subject.plan.shape
        changes = [] if same else ["something is no longer what the schema stage read"]
    if changes:
        raise changed(subject.database, changes)


def changed(database: str, changes: Sequence[str]) -> OriginError:
    """Return the error for a schema that is another one now; `changes` say how."""
    more = [f"and {len(changes) - _MOST_CHANGES} more"] if len(changes) > _MOST_CHANGES else []
    return OriginError(
        f"The schema of {database} changed while it was followed",
        why="; ".join([*changes[:_MOST_CHANGES], *more]),
        tip="all changes before are applied; judge and copy anew: run the same command with "
        "--force",
    )


class ServerMoment:
    """A snapshot to compare a followed file with."""

    def __init__(self, reader: RowReader, tables: Sequence[FollowedTable]) -> None:
        self.position = reader.position
        self._reader = reader
        self._tables = tables

    def compare(self, target: Path, tell: Callable[[str, int, int], None]) -> Comparison:
        """Compare every row of both sides by hash; differences are named."""
        details: list[str] = []
        rows = differing = 0
        with contextlib.closing(
            apsw.Connection(str(target), flags=apsw.SQLITE_OPEN_READWRITE)
        ) as db:
            for done, table in enumerate(self._tables):
                tell("tables compared", done, len(self._tables))
                for spec in _list_specs(table.move):
                    count, wrong, found = self._compare_table(db, table, spec)
                    details += found
                    differing += wrong
                rows += count
        return Comparison(
            status=Status.FAIL if differing else Status.PASS,
            tables=len(self._tables),
            rows=rows,
            details=tuple(details[:_MOST_DETAILS]),
            differing=differing,
        )

    def _compare_table(
        self, db: apsw.Connection, table: FollowedTable, spec: RowSpec
    ) -> tuple[int, int, list[str]]:
        chunks = self._reader.plan_chunks(spec, _CHUNK_ROWS)
        rows = total = 0
        for chunk in chunks:
            result = hash_stream(spec, self._reader.stream_chunk(spec, chunk))
            rows, total = rows + result.rows, (total + result.hash) % MODULUS
        found = hash_target(db, spec)
        if (found.rows, found.hash) == (rows, total):
            return rows, 0, []
        differences, count = find_differences(
            table.move,
            spec,
            lambda: self._read(spec, chunks),
            target_reader(db, spec, ""),
            _MOST_DETAILS,
        )
        return rows, max(count, 1), [difference.describe() for difference in differences]

    def _read(self, spec: RowSpec, chunks: Sequence[Chunk]) -> Iterator[tuple[object, ...]]:
        for chunk in chunks:
            yield from origin_reader(self._reader, spec, chunk)()


def _list_specs(move: TableMove) -> Iterator[RowSpec]:
    """Yield what is compared: the copied columns, then those that the target computes itself."""
    if move.computed:
        keys = tuple(f for f in move.spec.fields if not move.key or f.column in move.key)
        yield msgspec.structs.replace(move.spec, fields=(*keys, *move.computed))
    yield move.spec
