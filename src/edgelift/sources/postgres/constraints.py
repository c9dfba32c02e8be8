"""Keys, foreign keys, checks, exclusions and indexes of PostgreSQL's tables, from its rows."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from edgelift.model.origin_schema import (
    IndexPart,
    OriginCheck,
    OriginForeignKey,
    OriginIndex,
    OriginKey,
)

Row = tuple[Any, ...]

_ACTIONS = {
    "a": "NO ACTION",
    "r": "RESTRICT",
    "c": "CASCADE",
    "n": "SET NULL",
    "d": "SET DEFAULT",
}
_MATCHES = {"f": "FULL", "p": "PARTIAL", "s": "SIMPLE"}
_DESCENDING, _NULLS_FIRST = 1, 2  # pg_index.indoption


class Collation(NamedTuple):
    """A collation's name, '' for the database's own, and what it takes as equal.

    `folds_case`: texts that differ in case; `folds_more`: perhaps other texts too, of accents.
    """

    name: str = ""
    folds_case: bool = False
    folds_more: bool = False


@dataclass(frozen=True)
class Names:
    """Names of relations, columns, collations and operator classes by the catalogue's numbers.

    `column_collations` are the numbers of the collations of columns.
    """

    relations: dict[int, tuple[str, str]]
    columns: dict[int, dict[int, str]]
    column_collations: dict[int, dict[int, int]]
    collations: dict[int, Collation]
    operator_classes: dict[int, str]

    def relation(self, oid: int) -> str:
        """Return `schema.name` of a relation."""
        return ".".join(self.relations[oid])

    def pick(self, oid: int, numbers: Iterable[int]) -> tuple[str, ...]:
        """Return the names of a relation's columns by their numbers."""
        return tuple(self.columns[oid][number] for number in numbers)


@dataclass
class TableParts:
    """What belongs to one table besides its columns."""

    keys: list[OriginKey] = field(default_factory=list)
    foreign_keys: list[OriginForeignKey] = field(default_factory=list)
    checks: list[OriginCheck] = field(default_factory=list)
    excludes: list[str] = field(default_factory=list)
    indexes: list[OriginIndex] = field(default_factory=list)
    local: list[str] = field(default_factory=list)


def read_parts(
    constraints: Iterable[Row], indexes: Iterable[Row], names: Names, partitions: frozenset[int]
) -> defaultdict[int, TableParts]:
    """Return the parts by table; rows are those of CONSTRAINTS and INDEXES in catalogue_sql."""
    parts: defaultdict[int, TableParts] = defaultdict(TableParts)
    index_rows = {row[1]: row for row in indexes}
    of_constraints: set[int] = set()
    for row in constraints:
        table, kind = row[0], row[2]
        if table not in names.columns:
            continue  # an extension's table
        if kind in "pux":
            of_constraints.add(row[14])
        _add_constraint(parts[table], row, names, index_rows, is_partition=table in partitions)
        if table in partitions and (row[16] if kind == "c" else not row[15]):
            parts[table].local.append(row[1])
    for oid, row in index_rows.items():
        if oid not in of_constraints and row[4] and row[0] in names.columns:
            parts[row[0]].indexes.append(_to_index(row, names))
            if row[0] in partitions and not row[15]:
                parts[row[0]].local.append(row[2])
    return parts


def _add_constraint(
    parts: TableParts, row: Row, names: Names, indexes: dict[int, Row], *, is_partition: bool
) -> None:
    table, name, kind, columns, deferrable, deferred, validated, target, target_columns = row[:9]
    if kind in "pu":
        parts.keys.append(
            OriginKey(
                name=name,
                columns=names.pick(table, columns),
                primary=kind == "p",
                deferrable=deferrable,
                deferred=deferred,
                nulls_equal=row[14] in indexes and indexes[row[14]][13],
            )
        )
    elif kind == "c":
        parts.checks.append(OriginCheck(name=name, expression=row[12], validated=validated))
    elif kind == "x":
        parts.excludes.append(f"{name} {row[13]}")
    # A key to a partitioned table has a clone for each of its partitions.
    elif target in names.relations and (is_partition or not row[15]):
        target_schema, target_table = names.relations[target]
        parts.foreign_keys.append(
            OriginForeignKey(
                name=name,
                columns=names.pick(table, columns),
                target_schema=target_schema,
                target_table=target_table,
                target_columns=names.pick(target, target_columns),
                on_update=_ACTIONS[row[9]],
                on_delete=_ACTIONS[row[10]],
                match=_MATCHES[row[11]],
                deferrable=deferrable,
                deferred=deferred,
                validated=validated,
            )
        )


def _to_index(row: Row, names: Names) -> OriginIndex:
    table, _, name, unique, _, method, key_count, numbers, options = row[:9]
    where, written_parts, collations, classes, nulls_equal, written = row[9:15]
    columns = names.columns[table]
    parts = tuple(
        IndexPart(
            column=columns[numbers[i]] if numbers[i] else "",
            expression="" if numbers[i] else written_parts[i],
            descending=bool(options[i] & _DESCENDING),
            nulls_first=bool(options[i] & _NULLS_FIRST),
            collation=_name_collation(names, table, numbers[i], collations[i]),
            operator_class=names.operator_classes[classes[i]],
        )
        for i in range(key_count)
    )
    return OriginIndex(
        name=name,
        parts=parts,
        unique=unique,
        method=method,
        where=where or "",
        include=tuple(columns[number] for number in numbers[key_count:]),
        nulls_equal=nulls_equal,
        written=written,
    )


def _name_collation(names: Names, table: int, column: int, collation: int) -> str:
    """Return an index part's collation where it is not that of its column."""
    if collation == names.column_collations[table].get(column):
        return ""
    return names.collations.get(collation, Collation()).name
