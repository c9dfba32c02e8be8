"""Rules of single partitions as rules of the one table that their rows move into.

A server tells which rows lie in a partition as a condition. So a partition's check becomes one of
the whole table that holds where the condition does, its unique key or index a partial index. A
foreign key has no condition: it is the table's where every partition has it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import msgspec

from edgelift.model.origin_schema import (
    IndexPart,
    OriginCheck,
    OriginForeignKey,
    OriginIndex,
    OriginSchema,
    OriginTable,
)

Name = tuple[str, str]
_UNSAYABLE = "satisfies_hash_partition"  # a hash of the server's own


@dataclass(frozen=True)
class Merged:
    """A partitioned table with the rules of its partitions, and what became of each of those.

    `becomes` is by (schema, partition, the rule's name): the names of the table's pieces.
    """

    table: OriginTable
    becomes: dict[tuple[str, str, str], str]


def merge_partitions(schema: OriginSchema) -> OriginSchema:
    """Return the catalogue with each partitioned table holding the rules of its partitions too."""
    merged = {(t.schema, t.name): _merge(t, schema).table for t in schema.tables if _is_root(t)}
    if not merged:
        return schema
    tables = tuple(merged.get((t.schema, t.name), t) for t in schema.tables)
    return msgspec.structs.replace(schema, tables=tables)


def list_merged(schema: OriginSchema) -> dict[tuple[str, str, str], str]:
    """Return in which piece of its table each rule of a single partition lives on."""
    found: dict[tuple[str, str, str], str] = {}
    for table in schema.tables:
        if _is_root(table):
            found |= _merge(table, schema).becomes
    return found


def find_root(schema: OriginSchema, name: Name) -> OriginTable | None:
    """Return the table that a partition's rows move into, None for what is no partition."""
    table = schema.read_table(*name)
    if table is None or table.kind != "partition":
        return None
    while table is not None and table.kind == "partition":
        above, _, bare = table.parent.partition(".")
        table = schema.read_table(above, bare)
    return table


def _is_root(table: OriginTable) -> bool:
    return table.kind == "partitioned"


def _list_below(table: OriginTable, schema: OriginSchema) -> Iterator[OriginTable]:
    for other in schema.tables:
        if other.kind == "partition" and other.parent == f"{table.schema}.{table.name}":
            yield other
            yield from _list_below(other, schema)


def _merge(root: OriginTable, schema: OriginSchema) -> Merged:
    below = list(_list_below(root, schema))
    becomes: dict[tuple[str, str, str], str] = {}
    checks: list[OriginCheck] = []
    indexes: list[OriginIndex] = []
    for partition in (p for p in below if p.rows and _UNSAYABLE not in p.rows):
        for check in _take_checks(partition):
            checks.append(check)
            becomes[partition.schema, partition.name, _bare(check.name, partition)] = check.name
        for index in _take_indexes(partition):
            indexes.append(index)
            becomes[partition.schema, partition.name, _bare(index.name, partition)] = index.name
    keys = list(_take_foreign_keys(below, becomes))
    table = msgspec.structs.replace(
        root,
        checks=(*root.checks, *checks),
        indexes=(*root.indexes, *indexes),
        foreign_keys=(*root.foreign_keys, *keys),
    )
    return Merged(table, becomes)


def _name(partition: OriginTable, rule: str) -> str:
    return f"{partition.name}.{rule}"


def _bare(name: str, partition: OriginTable) -> str:
    return name.removeprefix(f"{partition.name}.")


def _take_checks(partition: OriginTable) -> Iterator[OriginCheck]:
    for check in partition.checks:
        if check.name in partition.local:
            written = f"(NOT ({partition.rows})) OR ({check.expression})"
            name = _name(partition, check.name)
            yield msgspec.structs.replace(check, name=name, expression=written)


def _take_indexes(partition: OriginTable) -> Iterator[OriginIndex]:
    """Yield the partition's own indexes and keys as indexes over its rows."""
    for key in partition.keys:
        if key.name in partition.local:
            yield OriginIndex(
                name=_name(partition, key.name),
                parts=tuple(IndexPart(column=column) for column in key.columns),
                unique=True,
                where=partition.rows,
            )
    for index in partition.indexes:
        if index.name in partition.local:
            where = f"({partition.rows}) AND ({index.where})" if index.where else partition.rows
            yield msgspec.structs.replace(index, name=_name(partition, index.name), where=where)


def _take_foreign_keys(
    below: list[OriginTable], becomes: dict[tuple[str, str, str], str]
) -> Iterator[OriginForeignKey]:
    """Yield the foreign keys that every partition with rows has, under the first one's name."""
    branches = {partition.parent for partition in below}
    leaves = [p for p in below if f"{p.schema}.{p.name}" not in branches]
    for first in leaves[:1]:
        for key in first.foreign_keys:
            alike = [[own for own in p.foreign_keys if _is_alike(own, key)] for p in leaves]
            if key.name not in first.local or not all(alike):
                continue
            for partition, found in zip(leaves, alike, strict=True):
                becomes |= {(partition.schema, partition.name, own.name): key.name for own in found}
            valid = all(own.validated for found in alike for own in found)
            yield msgspec.structs.replace(key, validated=valid)


def _is_alike(one: OriginForeignKey, other: OriginForeignKey) -> bool:
    same = msgspec.structs.replace(one, name=other.name, validated=other.validated)
    return same == other
