"""What a target's own rules mean for statements: their order, unique values, triggers.

A target that is reached by requests keeps its foreign keys, and unique values are checked row by
row. So rows that may exchange such values are removed first where nobody refers to them, and else
lose them first where they may be NULL.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from edgelift.errors import TargetError
from edgelift.model.catalogue import Catalogue, Table
from edgelift.sources.change_feed import ACTING, Shape
from edgelift.sources.sqlite_catalogue import quote_identifier
from edgelift.targets.door.batches import DEFER, MOST_STATEMENTS, Request

_ACTING = ACTING | {"SET DEFAULT", "RESTRICT"}  # what happens at once, deferred or not


@dataclass(frozen=True)
class TableRules:
    """How the rows of the tables are written.

    `shapes` come with those first that others refer to. Rows of `refilled` tables are removed
    before they are written; `cleared` are columns of a table that are set to NULL before.
    """

    shapes: Sequence[Shape] = ()
    refilled: frozenset[str] = frozenset()
    cleared: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


def read_rules(catalogue: Catalogue, shapes: Sequence[Shape]) -> TableRules:
    """Return the rules of a target for the tables that are followed."""
    parents: dict[str, set[str]] = {}
    actions: dict[str, set[str]] = {}
    followed: dict[str, set[str]] = {}
    for table in catalogue.tables:
        for key in table.foreign_keys:
            parents.setdefault(table.name, set()).add(key.target_table)
            actions.setdefault(key.target_table.lower(), set()).add(key.on_delete)
            followed.setdefault(key.target_table.lower(), set()).update(key.target_columns)
    refilled, cleared = set(), {}
    for shape in shapes:
        own = catalogue.read_table(shape.table)
        uniques = _list_uniques(catalogue, shape)
        if own is None or not uniques:
            continue
        found = actions.get(shape.table.lower(), set())
        kept = followed.get(shape.table.lower(), set()) | set(shape.key)
        columns = _find_clearable(own, kept, uniques)
        if found and columns:
            cleared[shape.table] = columns
        elif not found & _ACTING:
            refilled.add(shape.table)
    return TableRules(order_tables(shapes, parents), frozenset(refilled), cleared)


def _list_uniques(catalogue: Catalogue, shape: Shape) -> list[tuple[str, ...]]:
    """Return the columns of each unique index that is not the key by which rows are named."""
    return [
        index.columns
        for index in catalogue.indexes
        if index.unique and index.table == shape.table and set(index.columns) != set(shape.key)
    ]


def _find_clearable(
    table: Table, kept: set[str], uniques: Sequence[tuple[str, ...]]
) -> tuple[str, ...]:
    """Return a column of each unique index that may be NULL, none when one index has none.

    Those of `kept` are what rows are known by.
    """
    free = {c.name for c in table.columns if not c.not_null} - kept
    chosen = [next((name for name in columns if name in free), "") for columns in uniques]
    return tuple(dict.fromkeys(chosen)) if all(chosen) else ()


def order_tables(shapes: Sequence[Shape], parents: Mapping[str, set[str]]) -> list[Shape]:
    """Return tables so that those others refer to come first; circles stay in their order."""
    found: dict[str, Shape] = {}
    by_name = {shape.table: shape for shape in shapes}

    def visit(name: str, above: frozenset[str]) -> None:
        if name in found or name in above or name not in by_name:
            return
        for parent in sorted(parents.get(name, ())):
            visit(parent, above | {name})
        found[name] = by_name[name]

    for shape in shapes:
        visit(shape.table, frozenset())
    return list(found.values())


def build_frame(
    database: str, triggers: Sequence[tuple[str, str]]
) -> tuple[tuple[Request, ...], tuple[Request, ...]]:
    """Return what stands before and behind each batch, so that no trigger fires.

    What triggers did at the origin comes by itself. `triggers` are names and statements. Raises
    TargetError for more of them than leave room for rows.
    """
    if 2 * len(triggers) > MOST_STATEMENTS // 2:
        raise TargetError(
            f"{database} cannot be followed by requests",
            why=f"its {len(triggers)} triggers would fire, and a batch of {MOST_STATEMENTS} "
            "statements has no room to take them out and put them back",
            tip="drop them there while it is followed, and create them when following ends",
        )
    drops = (Request(f"DROP TRIGGER {quote_identifier(name)}") for name, _ in triggers)
    return (DEFER, *drops), tuple(Request(sql) for _, sql in triggers)
