"""How values compare once they are in SQLite, said in the origin's SQL.

A column's form here may tell fewer values apart than the origin did (decimals as REAL, moments as
seconds, NOCASE), or more (NOCASE folds no accents, spaces at the end count).
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from edgelift.model.origin_schema import OriginColumn, OriginTable, folds_case, folds_more
from edgelift.model.row_spec import FieldSpec, RowSpec
from edgelift.sources.origin_database import Capabilities, TableFacts
from edgelift.stages.schema.server.convert import Ways
from edgelift.stages.schema.server.parts import is_text

_DIGITS = 15  # significant decimal digits that a double always keeps (DBL_DIG)
_NUMBERS = frozenset({"int", "oid", "bool", "float", "decimal_real15", "money"})
_TEXTS = frozenset({"text", "char"})
_WIDE = frozenset({"numeric", "decimal", "int8", "bigint", "money"})


@dataclass(frozen=True)
class Forms:
    """The forms of one table's columns; `facts` say how many digits its decimals have."""

    table: OriginTable
    spec: RowSpec
    ways: Ways
    capabilities: Capabilities
    facts: TableFacts | None = None

    def make(self, name: str, length: int = 0) -> tuple[str, bool]:
        """Return a column's values as unique keys here compare them, and whether that is coarser.

        `length` is that of a prefix, 0 for the whole.
        """
        own = f"c.{self.capabilities.quote(name)}"
        own = f"LEFT({own}, {length})" if length else own
        found = self._find(name)
        if found is None:
            return own, False
        column, field = found
        form = self._find_coarse(column, field)
        return (self.capabilities.coarse[form].format(own), True) if form else (own, False)

    def _find_coarse(self, column: OriginColumn, field: FieldSpec) -> str:
        """Return the name of the coarser form, empty where values stay as distinct as they are."""
        form = ""
        if self._is_rounded(column, field):
            form = "real"
        elif field.op == "timestamp" and "fraction=floor" in field.argument.split():
            form = "unix_ms" if "style=unix_ms" in field.argument.split() else "unix"
        elif is_text(field) and folds_case(column.type) and not self._is_coarser(column):
            form = "nocase"
        return form if form in self.capabilities.coarse else ""

    def _is_rounded(self, column: OriginColumn, field: FieldSpec) -> bool:
        known = self.facts.columns.get(field.column) if self.facts else None
        digits = known.digits if known else 0
        wide = field.op == "float" and column.type.name in _WIDE
        return wide or (field.op == "decimal_real15" and digits > _DIGITS)

    def _is_coarser(self, column: OriginColumn) -> bool:
        """Return whether the origin's collation surely takes as equal all that NOCASE does."""
        pattern = self.capabilities.coarser_collations
        return bool(pattern) and re.fullmatch(pattern, column.type.collation.lower()) is not None

    def agree(self, name: str, other: Forms, target: str) -> bool:
        """Return whether a column and its parent's have forms in which equal values are equal."""
        own, parent = self._find(name), other._find(target)
        if own is None or parent is None:
            return True
        ops = {own[1].op, parent[1].op}
        if ops <= _NUMBERS or ops <= _TEXTS:
            return True
        return len(ops) == 1 and own[1].argument == parent[1].argument

    def compare(self, name: str, other: Forms, target: str) -> str:
        """Return what must hold besides the origin's own equality; empty where that is enough."""
        own, parent = self._find(name), other._find(target)
        if own is None or parent is None or not (is_text(own[1]) and is_text(parent[1])):
            return ""
        kinds = (own[0].type, parent[0].type)
        finer = any(folds_case(k) or folds_more(k) for k in kinds)
        padded = any(k.name == "bpchar" for k in kinds) and kinds[0] != kinds[1]
        if not (finer or padded or self.capabilities.pads_texts):
            return ""
        form = "nocase" if folds_case(kinds[1]) else "binary"
        sides = (
            (f"p.{self.capabilities.quote(target)}", kinds[1]),
            (f"c.{self.capabilities.quote(name)}", kinds[0]),
        )
        shown = [
            f"RPAD({place}, {kind.arguments[0]})" if kind.name == "bpchar" and kind.arguments
            else place
            for place, kind in sides
        ]  # fmt: skip
        return " = ".join(self.capabilities.coarse[form].format(place) for place in shown)

    def _find(self, name: str) -> tuple[OriginColumn, FieldSpec] | None:
        column = self.table.read_column(name)
        target = self.ways.choices.name_column(self.table, name)
        field = next((f for f in self.spec.fields if f.column == target), None)
        return (column, field) if column is not None and field is not None else None
