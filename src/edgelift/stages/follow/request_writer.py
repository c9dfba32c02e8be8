"""Write the net effect of changes as batches of statements, for a target reached by requests.

The target runs a batch whole or not at all. A transaction of the origin that needs several batches
is sent in parts and its position with the last one; statements on tables with a key may run twice,
so a cut in the middle heals when the transaction comes again, and all others wait for the last
batch. Foreign keys stay on there: parents come first, and deferred.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Protocol

from edgelift.errors import TargetError
from edgelift.model.catalogue import Catalogue
from edgelift.sources.change_feed import Action, Cascade, Key, Shape
from edgelift.sources.sqlite_catalogue import quote_identifier
from edgelift.stages.follow.cascades import write_cascades, write_moves
from edgelift.stages.follow.file_writer import SAVE_CHECKPOINT, Checkpoint, to_values
from edgelift.stages.follow.net import Net, Row, TableNet
from edgelift.stages.follow.table_rules import TableRules, build_frame, read_rules
from edgelift.targets.door.batches import (
    MOST_PARAMETERS,
    Batcher,
    Request,
    bind_columns,
    bind_rows,
    cut_rows,
    insert_rows,
)

MOST_LAST = 500  # statements of a last batch, which cannot be cut; D1 allows 1,000 of a request
MOST_LAST_BYTES = 8_000_000


class RequestTarget(Protocol):
    """A target of requests: the local runtime's file, or a deployed database."""

    @property
    def name(self) -> str:
        """Return what it is called in messages."""

    def open(self) -> Checkpoint:
        """Become its only writer and return up to where all is applied."""

    def send(self, batch: Sequence[Request]) -> None:
        """Run a batch, all of it or nothing; raises TargetError."""

    def read_catalogue(self) -> Catalogue:
        """Return its tables, keys and indexes."""

    def read_triggers(self) -> list[tuple[str, str]]:
        """Return names and statements of its triggers."""

    def find_orphans(self) -> list[str]:
        """Return rows whose parent is missing, in words."""

    def read_names(self, columns: Sequence[tuple[str, str]]) -> set[str]:
        """Return the names of objects that the rows of such columns hold."""

    def open_file(self) -> contextlib.AbstractContextManager[Path]:
        """Give a file of all its rows as they are now, to be read by another library."""

    def close(self) -> None:
        """Close it."""


class RequestWriter:
    """Applies by requests."""

    def __init__(self, target: RequestTarget) -> None:
        """Open the target; raises TargetError."""
        self.target = target
        self.checkpoint = target.open()
        self._rules = TableRules()
        self._batcher = Batcher(target.send)
        self._last: list[Request] = []

    def prepare(self, shapes: Sequence[Shape], actions: Sequence[Action]) -> None:
        """Learn the tables; raises TargetError for what cannot be followed by requests."""
        del actions  # the target's own foreign keys act alike
        self._rules = read_rules(self.target.read_catalogue(), shapes)
        frame = build_frame(self.target.name, self.target.read_triggers())
        self._batcher.before, self._batcher.after = frame

    def apply(self, net: Net, cascades: Sequence[Cascade] = ()) -> None:
        """Turn a net effect into statements, and send what fills a batch.

        `cascades` are what foreign keys did behind it. A key that others follow changes in place,
        so that the target's own foreign keys do not take its row for one that goes.
        """
        shapes = [shape for shape in self._rules.shapes if shape.table in net.tables]
        tables = [net.tables[shape.table] for shape in shapes]
        keys = {shape.table: shape.key for shape in shapes}
        self._batcher.add_all(write_moves(cascades, keys))
        for table in reversed(tables):
            self._add_removals(table)
        for table in tables:
            self._add_rows(table)
        self._batcher.add_all(write_cascades(cascades))

    def _add_removals(self, net: TableNet) -> None:
        if not net.shape.key:
            self._add_last(_write_loose(net))
            return
        refilled = net.shape.table in self._rules.refilled
        self._batcher.add_all(_write_removals(net, refilled=refilled))
        self._batcher.add_all(_write_clearing(net, self._rules.cleared.get(net.shape.table, ())))

    def _add_rows(self, net: TableNet) -> None:
        if net.shape.key:
            self._batcher.add_all(_write_rows(net))

    def _add_last(self, requests: Iterable[Request]) -> None:
        """Let statements that may not run twice wait for the batch that has the position."""
        self._last += requests
        size = sum(request.size_bytes for request in self._last)
        if len(self._last) > MOST_LAST or size > MOST_LAST_BYTES:
            raise TargetError(
                f"A transaction is too large to be sent to {self.target.name}",
                why=f"it changes rows of tables without key by {len(self._last)} statements of "
                f"{size} bytes, which must go in one batch: one that is sent twice would count "
                "twice",
                tip="give the table a primary key at the origin and copy anew with --force",
            )

    def commit(self, checkpoint: Checkpoint) -> None:
        """Send what is left with the position, all in one batch."""
        save = Request(SAVE_CHECKPOINT, to_values(checkpoint))
        self._batcher.add_together([*self._last, save])
        self._last.clear()
        self.checkpoint = checkpoint

    def roll_back(self) -> None:
        """Forget what was not sent; what was sent is sent again with the transaction."""
        self._batcher.clear()
        self._last.clear()

    def raise_counters(self, counters: Iterable[tuple[str, int]]) -> None:
        """Let AUTOINCREMENT go on where the origin's counters stand."""
        for table, last in counters:
            self._batcher.add_all(write_counter(table, last))
        self._batcher.flush()

    def find_orphans(self) -> list[str]:
        """Return rows whose parent is missing, in words."""
        return self.target.find_orphans()

    def read_names(self, columns: Sequence[tuple[str, str]]) -> set[str]:
        """Return the names of objects that the rows of such columns hold."""
        return self.target.read_names(columns)

    def open_file(self) -> contextlib.AbstractContextManager[Path]:
        """Give a file of all rows as they are now."""
        return self.target.open_file()

    def close(self) -> None:
        """Forget what was not sent and close the target."""
        self.roll_back()
        self.target.close()


def _write_removals(net: TableNet, *, refilled: bool) -> Iterator[Request]:
    """Yield what removes the rows that go; of a refilled table those that come too."""
    table = quote_identifier(net.shape.table)
    if net.emptied:
        yield Request(f"DELETE FROM {table}")
    moved = {row.base for row in net.rows.values() if row is not None and row.base is not None}
    gone = [
        key
        for key, row in net.rows.items()
        if key not in moved and (row is None or (refilled and row.base is None))
    ]
    key = ", ".join(map(quote_identifier, net.shape.key))
    for part in cut_rows(gone, len(net.shape.key)):
        marks, values = bind_rows(part)
        yield Request(f"DELETE FROM {table} WHERE ({key}) IN (VALUES {marks})", values)


def _write_clearing(net: TableNet, columns: Sequence[str]) -> Iterator[Request]:
    """Yield what lets rows give up their unique values before any of them takes another."""
    if not columns:
        return
    table = quote_identifier(net.shape.table)
    sets = ", ".join(f"{quote_identifier(name)} = NULL" for name in columns)
    key = ", ".join(map(quote_identifier, net.shape.key))
    touched = [name for name, row in net.rows.items() if row is not None and row.base is None]
    for part in cut_rows(touched, len(net.shape.key)):
        marks, values = bind_rows(part)
        yield Request(f"UPDATE {table} SET {sets} WHERE ({key}) IN (VALUES {marks})", values)
    for row in net.rows.values():
        if row is not None and row.base is not None:
            taken = [name for name in columns if name in row.values]
            if taken:
                yield from _write_update(net.shape, Row(dict.fromkeys(taken), row.base), row.base)


def _write_rows(net: TableNet) -> Iterator[Request]:
    for row in net.rows.values():
        if row is not None and row.base is not None:
            yield from _write_update(net.shape, row, row.base)
    columns = net.shape.columns
    key = ", ".join(map(quote_identifier, net.shape.key))
    rest = [quote_identifier(name) for name in columns if name not in net.shape.key]
    sets = ", ".join(f"{name} = excluded.{name}" for name in rest)
    behind = f" ON CONFLICT ({key}) DO {f'UPDATE SET {sets}' if rest else 'NOTHING'}"
    full = [row for row in net.rows.values() if row is not None and row.base is None]
    rows = [tuple(row.values[name] for name in columns) for row in full]
    yield from insert_rows(quote_identifier(net.shape.table), columns, rows, behind)


def _write_update(shape: Shape, row: Row, base: Key) -> Iterator[Request]:
    """Yield updates of what changed, several where there are many columns; the key goes last."""
    table = quote_identifier(shape.table)
    where, known = bind_columns(shape.key, base, "{name} IS {mark}", " AND ")
    plain = [name for name in row.values if name not in shape.key]
    moved = [name for name in row.values if name in shape.key]
    room = MOST_PARAMETERS - len(shape.key)
    for part in (*(plain[i : i + room] for i in range(0, len(plain), room)), moved):
        if part:
            given = [row.values[name] for name in part]
            sets, values = bind_columns(part, given, "{name} = {mark}", ", ")
            yield Request(f"UPDATE {table} SET {sets} WHERE {where}", (*values, *known))


def _write_loose(net: TableNet) -> Iterator[Request]:
    """Yield the changes of a table without key: rows that go, each by all its values, then come."""
    table = quote_identifier(net.shape.table)
    if net.emptied:
        yield Request(f"DELETE FROM {table}")
    for row, count in net.loose.items():
        if count < 0:
            same = "{name} IS {mark} COLLATE BINARY"
            where, values = bind_columns(net.shape.columns, row, same, " AND ")
            yield Request(
                f"DELETE FROM {table} WHERE rowid IN "
                f"(SELECT rowid FROM {table} WHERE {where} LIMIT {-count})",
                values,
            )
    rows = [row for row, count in net.loose.items() for _ in range(count)]
    yield from insert_rows(table, net.shape.columns, rows)


def write_counter(table: str, last: int) -> Iterator[Request]:
    """Yield what lets AUTOINCREMENT of a table go on behind a number."""
    yield Request(
        "UPDATE sqlite_sequence SET seq = max(seq, CAST(? AS INTEGER)) WHERE name = ?",
        (str(last), table),
    )
    yield Request(
        "INSERT INTO sqlite_sequence (name, seq) SELECT ?1, CAST(?2 AS INTEGER) WHERE "
        "NOT EXISTS (SELECT 1 FROM sqlite_sequence WHERE name = ?1)",
        (table, str(last)),
    )
