"""The net effect of changes: per row what must be there in the end, fit to be written twice.

Between the first and the last change of a transaction unique values may pass from row to row. In
the end they fit, so the rows a transaction touched are all removed first and then written.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from edgelift.errors import OriginError
from edgelift.sources.change_feed import Edit, Emptied, Key, Shape, Values


@dataclass(slots=True)
class Row:
    """A row that must be there: all its values, or those changed in the target's row `base`."""

    values: Values
    base: Key | None = None


@dataclass
class TableNet:
    """The net effect on one table.

    `rows` maps each touched key to its row, None when it must be gone; a table without key has
    `loose`: how often a row of those values comes or goes. `emptied` comes before all of it.
    """

    shape: Shape
    emptied: bool = False
    rows: dict[Key, Row | None] = field(default_factory=dict)
    loose: Counter[Key] = field(default_factory=Counter)

    def empty(self) -> None:
        """Forget all rows: the table was emptied."""
        self.emptied = True
        self.rows.clear()
        self.loose.clear()

    def add(self, edit: Edit) -> None:
        """Add one change."""
        if not self.shape.key:
            self._add_loose(edit)
            return
        before = None
        if edit.old is not None:
            before = self.rows.get(edit.old)
            self.rows[edit.old] = None
        if edit.new is None:
            return
        if edit.full:
            row = Row(edit.new)
        elif before is None:
            assert edit.old is not None
            row = Row(edit.new, edit.old)
        else:
            row = Row({**before.values, **edit.new}, before.base)
        self.rows[self._key_of(edit, row)] = row

    def _key_of(self, edit: Edit, row: Row) -> Key:
        if edit.old is None:
            return tuple(row.values[name] for name in self.shape.key)
        return tuple(
            row.values.get(name, old) for name, old in zip(self.shape.key, edit.old, strict=True)
        )

    def _add_loose(self, edit: Edit) -> None:
        columns = self.shape.columns
        new = edit.new
        if new is not None and edit.old is not None and not edit.full:
            new = {**dict(zip(columns, edit.old, strict=True)), **new}
        if edit.old is not None:
            self.loose[edit.old] -= 1
        if new is not None:
            self.loose[tuple(new[name] for name in columns)] += 1


class Net:
    """The net effect on all tables, in the order in which they were touched first."""

    def __init__(self, shapes: Sequence[Shape]) -> None:
        self._shapes = {shape.table: shape for shape in shapes}
        self.tables: dict[str, TableNet] = {}
        self.size = self.bytes = 0

    def add(self, change: Edit | Emptied) -> None:
        """Add one change; raises OriginError for a table that is not followed."""
        net = self.tables.get(change.table)
        if net is None:
            shape = self._shapes.get(change.table)
            if shape is None:
                raise OriginError(
                    f"A change came for {change.table}, which is not followed",
                    why="the table did not exist when the schema was judged",
                    tip="copy anew: run the same command with --force",
                )
            net = self.tables[change.table] = TableNet(shape)
        if isinstance(change, Emptied):
            net.empty()
        else:
            net.add(change)
            self.bytes += _measure(change)
        self.size += 1

    def clear(self) -> None:
        """Begin anew: all was written."""
        self.tables.clear()
        self.size = self.bytes = 0


def _measure(edit: Edit) -> int:
    """Return about how many bytes a change's values hold in memory."""
    values = (*(edit.old or ()), *(edit.new.values() if edit.new else ()))
    return sum(len(value) for value in values if isinstance(value, str | bytes))
