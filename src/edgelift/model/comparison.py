"""What a comparison of two databases found: per table the counts, hashes and named differences."""

from __future__ import annotations

import msgspec


class CellDifference(msgspec.Struct, frozen=True, kw_only=True):
    """One difference; `origin` and `target` are SQL literals, empty where there is no row.

    `kind`: `missing table`, `extra table`, `missing column`, `missing row`, `extra row`, `value`,
    `type` (1 against 1.0, 1 against '1'), `null`, `white space`, `letter case`, `swapped columns`.
    `key` names the row: its primary key, else `rowid=N`, else its leading cells.
    """

    table: str
    key: str
    column: str
    origin: str
    target: str
    kind: str

    def describe(self) -> str:
        """Return the difference as one line: table, key, column, both values."""
        place = " ".join(part for part in (self.table, self.key and f"[{self.key}]") if part)
        if self.column:
            place += f".{self.column}"
        if self.kind in {"missing row", "extra row"}:
            side = "origin" if self.kind == "missing row" else "target"
            return f"{place}: {self.kind}, {side} has {self.origin or self.target}"
        if not self.origin and not self.target:
            return f"{place}: {self.kind}"
        return f"{place}: origin {self.origin}, target {self.target} ({self.kind})"


class TableComparison(msgspec.Struct, frozen=True, kw_only=True):
    """A table compared on both sides; hashes are hexadecimal, 32 digits, and order-independent.

    `differing_rows` counts rows that are missing, extra or changed; when `complete` is False the
    search ended at its limit and there may be more. `columns` are the columns that were compared.
    """

    table: str
    origin_rows: int
    target_rows: int
    origin_hash: str
    target_hash: str
    differences: tuple[CellDifference, ...] = ()
    differing_rows: int = 0
    complete: bool = True
    columns: tuple[str, ...] = ()

    @property
    def equal(self) -> bool:
        """Return whether no difference counts: the hashes agree or all is within the tolerance."""
        return not self.differences
