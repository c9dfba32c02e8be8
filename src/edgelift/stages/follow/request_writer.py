"""Write the net effect of changes as batches of statements that fit D1's limits.

This is the seam to a target that is reached by requests: `send` runs one batch, all or nothing, as
D1 and SQL objects do. A transaction of the origin that needs several batches is sent in parts and
its position with the last one; every statement may run twice, so a cut in the middle heals when
the transaction comes again. Foreign keys stay on there: parents come first, and deferred.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import apsw

from edgelift.errors import TargetError
from edgelift.rows.conversions import Value
from edgelift.sources.change_feed import Action, Cascade, Key, Shape
from edgelift.sources.sqlite_catalogue import quote_identifier
from edgelift.stages.follow.file_writer import (
    READ_CHECKPOINT,
    SAVE_CHECKPOINT,
    Checkpoint,
    to_values,
    writing_errors,
)
from edgelift.stages.follow.net import Net, Row, TableNet

# https://developers.cloudflare.com/d1/platform/limits/: bound parameters of a statement, bytes of
# its text; statements and bytes of a batch are kept well below what one request may hold.
MOST_PARAMETERS = 100
MOST_SQL_BYTES = 100_000
MOST_STATEMENTS = 50
MOST_BATCH_BYTES = 1_000_000
_EXACT = 2**53  # beyond it numbers of JavaScript lose digits
_DEFER = "PRAGMA defer_foreign_keys = on"


@dataclass(frozen=True)
class Request:
    """One statement with its parameters: None, text, bytes, floats, integers below 2^53."""

    sql: str
    parameters: tuple[Value, ...] = ()

    @property
    def size_bytes(self) -> int:
        """Return about how many bytes it takes."""
        return len(self.sql) + sum(
            len(p) if isinstance(p, str | bytes) else 8 for p in self.parameters
        )


Send = Callable[[Sequence[Request]], None]


@dataclass
class RequestWriter:
    """Applies by requests; `shapes` are the tables, those that others refer to first."""

    send: Send
    shapes: Sequence[Shape]
    checkpoint: Checkpoint
    _waiting: list[Request] = field(default_factory=list)
    _bytes: int = 0

    def apply(self, net: Net) -> None:
        """Turn a net effect into statements, and send what fills a batch."""
        tables = [net.tables[shape.table] for shape in self.shapes if shape.table in net.tables]
        for table in reversed(tables):
            self._add_all(_write_removals(table))
        for table in tables:
            self._add_all(_write_rows(table))

    def cascade(self, cascades: Iterable[Cascade]) -> None:
        """Leave to the target what its own foreign keys did when a row was removed.

        Raises TargetError for a key that changed: it is sent as removed and written anew.
        """
        moved = next((cascade for cascade in cascades if cascade.new is not None), None)
        if moved is not None:
            raise TargetError(
                f"A change of {moved.action.parent} cannot be sent as requests",
                why=f"rows of {moved.action.child} follow its key, which changed, and the origin "
                "does not log them",
                tip="follow into a file, without --requests",
            )

    def commit(self, checkpoint: Checkpoint) -> None:
        """Send what is left with the position, all in one batch."""
        values = to_values(checkpoint)
        self._add(Request(SAVE_CHECKPOINT, values))
        self._flush()
        self.checkpoint = checkpoint

    def roll_back(self) -> None:
        """Forget what was not sent; what was sent is sent again with the transaction."""
        self._waiting.clear()
        self._bytes = 0

    def raise_counters(self, counters: Iterable[tuple[str, int]]) -> None:
        """Let AUTOINCREMENT go on where the origin's counters stand."""
        for table, last in counters:
            self._add(
                Request(
                    "UPDATE sqlite_sequence SET seq = max(seq, CAST(? AS INTEGER)) WHERE name = ?",
                    (str(last), table),
                )
            )
            self._add(
                Request(
                    "INSERT INTO sqlite_sequence (name, seq) SELECT ?1, CAST(?2 AS INTEGER) WHERE "
                    "NOT EXISTS (SELECT 1 FROM sqlite_sequence WHERE name = ?1)",
                    (table, str(last)),
                )
            )
        self._flush()

    def close(self) -> None:
        """Forget what was not sent."""
        self.roll_back()

    def _add_all(self, requests: Iterable[Request]) -> None:
        for request in requests:
            self._add(request)

    def _add(self, request: Request) -> None:
        full = len(self._waiting) >= MOST_STATEMENTS - 1
        if self._waiting and (full or self._bytes + request.size_bytes > MOST_BATCH_BYTES):
            self._flush()
        self._waiting.append(request)
        self._bytes += request.size_bytes

    def _flush(self) -> None:
        if self._waiting:
            self.send([Request(_DEFER), *self._waiting])
        self.roll_back()


class LocalRequests(RequestWriter):
    """Requests to the local runtime's file: what a remote target would get, applied here."""

    def __init__(self, path: Path) -> None:
        """Open the file; raises TargetError."""
        self._target = FileTarget(path)
        super().__init__(self._target.send, (), self._target.checkpoint)

    def prepare(self, shapes: Sequence[Shape], actions: Sequence[Action]) -> None:
        """Learn the tables; raises TargetError for what cannot be followed by requests."""
        del actions  # the target's own foreign keys act alike
        triggers = self._target.count_triggers()
        if triggers:
            raise TargetError(
                f"{self._target.path.name} cannot be followed by requests",
                why=f"{triggers} triggers would fire there, and what they did at the origin comes "
                "by itself",
                tip="follow without --requests, or create the triggers when following ends",
            )
        self.shapes = order_tables(shapes, self._target.read_parents())

    def find_orphans(self) -> list[str]:
        """Return rows whose parent is missing, in words."""
        return self._target.find_orphans()

    @contextlib.contextmanager
    def let_go(self) -> Iterator[None]:
        """Close the file inside the block, where another library of SQLite reads it."""
        self._target.close()
        try:
            yield
        finally:
            self._target = FileTarget(self._target.path)
            self.send = self._target.send

    def close(self) -> None:
        """Forget what was not sent and close the file."""
        super().close()
        self._target.close()


def _write_removals(net: TableNet) -> Iterator[Request]:
    table = quote_identifier(net.shape.table)
    if net.loose:
        raise TargetError(
            f"Changes of {net.shape.table} cannot be sent as requests",
            why="the table has no key, so a change that is sent twice would be applied twice",
            tip="give it a primary key at the origin, or follow into a file",
        )
    if net.emptied:
        yield Request(f"DELETE FROM {table}")
    moved = {row.base for row in net.rows.values() if row is not None and row.base is not None}
    gone = [key for key, row in net.rows.items() if row is None and key not in moved]
    key = ", ".join(map(quote_identifier, net.shape.key))
    for part in _cut(gone, len(net.shape.key)):
        marks, values = _bind_rows(part)
        yield Request(f"DELETE FROM {table} WHERE ({key}) IN (VALUES {marks})", values)


def _write_rows(net: TableNet) -> Iterator[Request]:
    full = [row for row in net.rows.values() if row is not None and row.base is None]
    for row in net.rows.values():
        if row is not None and row.base is not None:
            yield from _write_update(net.shape, row, row.base)
    table, columns = quote_identifier(net.shape.table), net.shape.columns
    names = ", ".join(map(quote_identifier, columns))
    key = ", ".join(map(quote_identifier, net.shape.key))
    rest = [quote_identifier(name) for name in columns if name not in net.shape.key]
    sets = ", ".join(f"{name} = excluded.{name}" for name in rest)
    action = f"UPDATE SET {sets}" if rest else "NOTHING"
    rows = [tuple(row.values[name] for name in columns) for row in full]
    for part in _cut(rows, len(columns)):
        marks, values = _bind_rows(part)
        yield Request(
            f"INSERT INTO {table} ({names}) VALUES {marks} ON CONFLICT ({key}) DO {action}", values
        )


def _write_update(shape: Shape, row: Row, base: Key) -> Iterator[Request]:
    """Yield updates of what changed, several where there are many columns; the key goes last."""
    table = quote_identifier(shape.table)
    where = " AND ".join(f"{quote_identifier(name)} IS ?" for name in shape.key)
    plain = [name for name in row.values if name not in shape.key]
    moved = [name for name in row.values if name in shape.key]
    room = MOST_PARAMETERS - len(shape.key)
    for part in (*(plain[i : i + room] for i in range(0, len(plain), room)), moved):
        if part:
            bound = [_bind(row.values[name]) for name in part]
            sets = ", ".join(
                f"{quote_identifier(name)} = {mark}"
                for name, (mark, _) in zip(part, bound, strict=True)
            )
            yield Request(
                f"UPDATE {table} SET {sets} WHERE {where}",
                (*(value for _, value in bound), *base),
            )


def _cut(rows: Sequence[Key], width: int) -> Iterator[Sequence[Key]]:
    """Yield rows in groups whose values fit into one statement."""
    count = max(1, MOST_PARAMETERS // width)
    part: list[Key] = []
    size = 0
    for row in rows:
        row_bytes = sum(len(v) for v in row if isinstance(v, str | bytes))
        if part and (len(part) >= count or size + row_bytes > MOST_BATCH_BYTES):
            yield part
            part, size = [], 0
        part.append(row)
        size += row_bytes
    if part:
        yield part


def _bind_rows(rows: Sequence[Key]) -> tuple[str, tuple[Value, ...]]:
    bound = [[_bind(value) for value in row] for row in rows]
    marks = ", ".join(f"({', '.join(mark for mark, _ in row)})" for row in bound)
    return marks, tuple(value for row in bound for _, value in row)


def _bind(value: Value) -> tuple[str, Value]:
    """Return a placeholder and a parameter that stay exact on their way through JavaScript."""
    if isinstance(value, int) and abs(value) >= _EXACT:
        return "CAST(? AS INTEGER)", str(value)
    if isinstance(value, float):
        if math.isinf(value):
            return "(? * 9e999)", math.copysign(1.0, value)
        if value.is_integer():  # JavaScript has no 1.0 that is not 1
            return "CAST(? AS REAL)", repr(value)
    return "?", value


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


class FileTarget:
    """The local runtime's file as a target of requests: a batch is a transaction, as in D1."""

    def __init__(self, path: Path) -> None:
        self.path = path
        with writing_errors(path):
            self._db = apsw.Connection(str(path))
            self._db.execute("PRAGMA foreign_keys=ON; PRAGMA synchronous=FULL").fetchall()
            found = self._db.execute(READ_CHECKPOINT).fetchone()
        assert found is not None
        self.checkpoint = Checkpoint(*found)

    def send(self, batch: Sequence[Request]) -> None:
        """Run a batch, all of it or nothing; raises TargetError."""
        with writing_errors(self.path):
            self._db.execute("BEGIN IMMEDIATE")
            try:
                for request in batch:
                    self._db.execute(request.sql, request.parameters)
                self._db.execute("COMMIT")
            finally:
                if self._db.in_transaction:
                    self._db.execute("ROLLBACK")

    def read_parents(self) -> dict[str, set[str]]:
        """Return which tables each table refers to."""
        found: dict[str, set[str]] = {}
        query = (
            'SELECT m.name, f."table" FROM sqlite_schema m, pragma_foreign_key_list(m.name) f '
            "WHERE m.type = 'table'"
        )
        for table, parent in self._db.execute(query):
            found.setdefault(str(table), set()).add(str(parent))
        return found

    def find_orphans(self) -> list[str]:
        """Return rows whose parent is missing, in words."""
        with writing_errors(self.path):
            return [
                f"{table} row {rowid} has no parent in {parent}"
                for table, rowid, parent, _ in self._db.execute("PRAGMA foreign_key_check")
            ]

    def count_triggers(self) -> int:
        """Return how many triggers would fire while changes are applied."""
        query = "SELECT count(*) FROM sqlite_schema WHERE type = 'trigger'"
        return int(self._db.execute(query).fetchone()[0])  # type: ignore[index]

    def close(self) -> None:
        """Close the file."""
        with contextlib.suppress(apsw.Error):
            self._db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        self._db.close()
