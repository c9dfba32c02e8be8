"""PostgreSQL's types as the model has them: pg_type's rows, put together with their modifiers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from msgspec.structs import replace

from edgelift.model.origin_schema import OriginCheck, OriginType, OriginTypeDefinition

_KINDS = {"e": "enum", "d": "domain", "c": "composite", "r": "range", "m": "multirange"}


class TypeBook:
    """All types of a database by their oid; rows are those of catalogue_sql.TYPES."""

    def __init__(self, rows: Iterable[tuple[Any, ...]]) -> None:
        self._rows: dict[int, tuple[Any, ...]] = {row[0]: row for row in rows}
        self._built: dict[tuple[int, int, str, str, bool, bool], OriginType] = {}

    def build(
        self,
        oid: int,
        modifier: int = -1,
        *,
        written: str = "",
        collation: str = "",
        folds_case: bool = False,
        folds_more: bool = False,
    ) -> OriginType:
        """Return a type with the modifier (pg_attribute.atttypmod) and collation of its column."""
        key = (oid, modifier, written, collation, folds_case, folds_more)
        found = self._built.get(key)
        if found is None:
            row = self._rows.get(oid)
            found = self._make(row, modifier, written) if row else _to_row_type(oid, written)
            self._built[key] = found = replace(
                found,
                collation=collation,
                folds_case=folds_case or found.folds_case,
                folds_more=folds_more,
            )
        return found

    def _make(self, row: tuple[Any, ...], modifier: int, written: str) -> OriginType:
        _, _, name, kind, category, element, base, base_modifier = row[:8]
        words = written or row[14]
        if category == "A" and element:
            of_element = written.removesuffix("[]") if modifier >= 0 else ""
            inner = self.build(element, modifier, written=of_element)
            return OriginType(name=f"{inner.name}[]", written=words, kind="array", element=inner)
        if kind == "d":
            inner = self.build(base, base_modifier, written=row[16])
            return OriginType(
                name=name, written=words, kind="domain", element=inner, folds_case=inner.folds_case
            )
        if kind in "rm":
            inner = self.build(row[10] or self._rows[row[11]][10])
            return OriginType(name=name, written=words, kind=_KINDS[kind], element=inner)
        return OriginType(
            name=name,
            written=words,
            kind=_KINDS.get(kind, "base"),
            members=tuple(row[12] or row[13] or ()),
            arguments=read_arguments(name, modifier),
            folds_case=name == "citext",
        )

    def read_domain(self, oid: int) -> tuple[bool, str | None]:
        """Return what a type's domains add to a column: NOT NULL, and the outermost default."""
        not_null, default = False, None
        while (row := self._rows.get(oid)) is not None and row[3] == "d":
            not_null, default, oid = not_null or row[8], default or row[9], row[6]
        return not_null, default

    def define(self, checks: Mapping[int, list[OriginCheck]]) -> tuple[OriginTypeDefinition, ...]:
        """Return the database's own named types: enums, domains, composites and ranges."""
        return tuple(
            OriginTypeDefinition(
                schema=row[1],
                type=self.build(row[0]),
                checks=tuple(checks.get(row[0], ())),
                not_null=row[8],
                default=row[9],
            )
            for row in self._rows.values()
            if row[15]
        )


def _to_row_type(oid: int, written: str) -> OriginType:
    """Return the row type of a table, which TYPES leaves out."""
    return OriginType(name=written or str(oid), written=written or str(oid), kind="composite")


def read_arguments(name: str, modifier: int) -> tuple[int, ...]:
    """Return what stands in a type's brackets, from pg_attribute.atttypmod.

    The coding is that of numeric.c (scale: 11 bits with sign), varchar.c and timestamp.c.
    """
    if modifier < 0:
        return ()
    if name == "numeric":
        packed = modifier - 4
        return (packed >> 16) & 0xFFFF, ((packed & 0x7FF) ^ 1024) - 1024
    if name in {"varchar", "bpchar"}:
        return (modifier - 4,)
    if name == "interval":
        precision = modifier & 0xFFFF
        return () if precision == 0xFFFF else (precision,)
    return (modifier,)
