"""Write the net effect of changes into a SQLite file, with the position in the same transaction.

After a kill at any moment the file holds whole transactions and says which: nothing is lost and
nothing is applied in part. Foreign keys and triggers are off: the origin's own effects arrive as
changes of their own, and keys are checked as a whole when following rests.
"""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import apsw

from edgelift.errors import TargetError
from edgelift.rows.engine import open_target
from edgelift.sources.change_feed import Action, Cascade, Key, Shape, Values
from edgelift.sources.sqlite_catalogue import describe_orphan, quote_identifier
from edgelift.sources.sqlite_snapshot import sync_path
from edgelift.stages.follow.cascades import run_cascades
from edgelift.stages.follow.net import Net, Row, TableNet
from edgelift.stages.follow.waiting_rows import WaitingRows, delete_alike, write_condition
from edgelift.targets.disk import explain_disk

CHECKPOINT = "_edgelift_follow"
_SHOWN = 200  # characters of a key in a message
CREATE_CHECKPOINT = (
    f"CREATE TABLE IF NOT EXISTS {CHECKPOINT} (id INTEGER PRIMARY KEY CHECK (id = 1), "
    "start TEXT NOT NULL, position TEXT NOT NULL, transactions INTEGER NOT NULL, "
    "rows INTEGER NOT NULL, time REAL NOT NULL)"
)
SAVE_CHECKPOINT = (
    f"INSERT INTO {CHECKPOINT} VALUES (1, ?, ?, ?, ?, ?) ON CONFLICT (id) DO UPDATE SET "
    "position = excluded.position, transactions = excluded.transactions, rows = excluded.rows, "
    "time = excluded.time"
)
READ_CHECKPOINT = f"SELECT start, position, transactions, rows, time FROM {CHECKPOINT}"


@dataclass(frozen=True)
class Checkpoint:
    """Up to where all is applied: `start` is the snapshot's position, `time` the last End's."""

    start: str
    position: str
    transactions: int = 0
    rows: int = 0
    time: float = 0.0


def to_values(checkpoint: Checkpoint) -> tuple[str, str, int, int, float]:
    """Return the parameters of SAVE_CHECKPOINT."""
    done = checkpoint
    return done.start, done.position, done.transactions, done.rows, done.time


@contextlib.contextmanager
def writing_errors(path: Path) -> Iterator[None]:
    """Turn SQLite's errors of the block into a TargetError about `path`."""
    try:
        yield
    except (apsw.FullError, apsw.IOError) as error:
        raise explain_disk(path, error) from error
    except apsw.ConstraintError as error:
        raise TargetError(
            f"A change does not fit into {path.name}",
            why=f"SQLite says: {error}; the file was changed by something else, or its rules are "
            "narrower than the origin's",
            tip="see what differs with --verify, or copy anew with --force",
        ) from error
    except apsw.Error as error:
        raise TargetError(
            f"The file {path.name} cannot be written",
            why=str(error),
            tip="look who else uses it; run with --force to copy anew",
        ) from error


def create_file(copy: Path, path: Path, start: str) -> None:
    """Make the followed file from a finished copy; it appears whole or not at all.

    Raises TargetError when the disk refuses.
    """
    part = path.with_name(f"{path.name}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        for ending in ("", "-wal", "-shm"):
            part.with_name(part.name + ending).unlink(missing_ok=True)
            path.with_name(path.name + ending).unlink(missing_ok=True)
        shutil.copyfile(copy, part)
    except OSError as error:
        raise TargetError(
            f"The file {path.name} cannot be made",
            why=str(error),
            tip="free space below the project's .edgelift folder and run the same command again",
        ) from error
    with writing_errors(path), contextlib.closing(open_target(part, durable=True)) as db:
        db.execute(CREATE_CHECKPOINT)
        db.execute(SAVE_CHECKPOINT, (start, start, 0, 0, 0.0))
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    sync_path(part)
    part.replace(path)
    sync_path(path.parent)


def finish_file(path: Path, final: Path) -> None:
    """Take the checkpoint out of a followed file and give it its final name."""
    with writing_errors(path), contextlib.closing(open_target(path, durable=True)) as db:
        db.execute(f"DROP TABLE {CHECKPOINT}")
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    path.replace(final)
    sync_path(final.parent)


def read_checkpoint(path: Path) -> Checkpoint | None:
    """Return the checkpoint of a followed file, None when it is not one."""
    if not path.is_file():
        return None
    try:
        with contextlib.closing(apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READWRITE)) as db:
            found = db.execute(READ_CHECKPOINT).fetchone()
    except apsw.Error:
        return None
    return Checkpoint(*found) if found is not None else None


def read_orphans(db: apsw.Connection, path: Path) -> list[str]:
    """Return rows whose parent is missing, in words."""
    with writing_errors(path):
        return [describe_orphan(*row[:3]) for row in db.execute("PRAGMA foreign_key_check")]


def read_names(path: Path, columns: Sequence[tuple[str, str]]) -> set[str]:
    """Return the names of objects that the rows of a file hold in such columns."""
    found: set[str] = set()
    with contextlib.closing(apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READWRITE)) as db:
        db.set_busy_timeout(10_000)
        for table, column in columns:
            name = quote_identifier(column)
            query = f"SELECT DISTINCT {name} FROM main.{quote_identifier(table)}"
            found |= {str(key) for (key,) in db.execute(query) if key is not None}
    return found


class FileWriter:
    """Applies to a followed file; one writer at a time."""

    def __init__(self, path: Path) -> None:
        """Open the file; raises TargetError."""
        self.path = path
        self._actions: Sequence[Action] = ()
        self._open()
        with writing_errors(path):
            found = self._db.execute(READ_CHECKPOINT).fetchone()
        assert found is not None
        self.checkpoint = Checkpoint(*found)

    def _open(self) -> None:
        with writing_errors(self.path):
            self._db = open_target(self.path, durable=True)
            self._db.execute(
                "PRAGMA foreign_keys=OFF; PRAGMA ignore_check_constraints=ON; "
                "PRAGMA temp_store=FILE"
            ).fetchall()
            self._db.config(apsw.SQLITE_DBCONFIG_ENABLE_TRIGGER, 0)
        self._waiting = WaitingRows(self._db)

    @contextlib.contextmanager
    def open_file(self) -> Iterator[Path]:
        """Close the file inside the block, where another library of SQLite reads it.

        What that one closes takes this process's locks along, and a reader that leaves would then
        take the file's log away from under us (sqlite.org/howtocorrupt.html, 2.2.1).
        """
        self.close()
        try:
            yield self.path
        finally:
            self._open()

    def prepare(self, shapes: Sequence[Shape], actions: Sequence[Action]) -> None:
        """Learn the tables, any of which can be written to a file, and how foreign keys act."""
        del shapes
        self._actions = actions

    def apply(self, net: Net, cascades: Sequence[Cascade] = ()) -> None:
        """Write a net effect inside the open transaction, and behind it what foreign keys did.

        A row whose unique value is still taken waits until the transaction is complete.
        """
        with writing_errors(self.path):
            if not self._db.in_transaction:
                self._db.execute("BEGIN IMMEDIATE")
            for table in net.tables.values():
                self._empty(table)
                self._remove(table)
            for table in net.tables.values():
                self._insert(table)
            run_cascades(self._db, cascades, self._actions)

    def commit(self, checkpoint: Checkpoint) -> None:
        """Save the checkpoint and make all that was applied lasting."""
        with writing_errors(self.path):
            if not self._db.in_transaction:
                self._db.execute("BEGIN IMMEDIATE")
            self._waiting.settle()
            self._db.execute(SAVE_CHECKPOINT, to_values(checkpoint))
            self._db.execute("COMMIT")
        self.checkpoint = checkpoint

    def roll_back(self) -> None:
        """Forget what was applied since the last commit."""
        if self._db.in_transaction:
            self._db.execute("ROLLBACK")
        self._waiting.forget()

    def raise_counters(self, counters: Iterable[tuple[str, int]]) -> None:
        """Let AUTOINCREMENT go on where the origin's counters stand."""
        with writing_errors(self.path):
            for table, last in counters:
                done = self._db.execute(
                    "UPDATE sqlite_sequence SET seq = max(seq, ?) WHERE name = ? RETURNING 1",
                    (last, table),
                ).fetchall()
                if not done:
                    self._db.execute("INSERT INTO sqlite_sequence VALUES (?, ?)", (table, last))

    def find_orphans(self) -> list[str]:
        """Return rows whose parent is missing, in words."""
        return read_orphans(self._db, self.path)

    def read_names(self, columns: Sequence[tuple[str, str]]) -> set[str]:
        """Return the names of objects that the rows of such columns hold."""
        return read_names(self.path, columns)

    def close(self) -> None:
        """Close the file as one without log beside it."""
        self.roll_back()
        with contextlib.suppress(apsw.Error):
            self._db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        self._db.close()

    def _empty(self, net: TableNet) -> None:
        if net.emptied:
            self._db.execute(f"DELETE FROM main.{quote_identifier(net.shape.table)}")
            self._waiting.empty(net.shape)

    def _remove(self, net: TableNet) -> None:
        """Remove every touched row; what is only partly known is read first."""
        table = f"main.{quote_identifier(net.shape.table)}"
        for key, row in net.rows.items():
            if row is not None and row.base is not None:
                net.rows[key] = Row({**self._read_base(net, row.base), **row.values})
        if net.rows:
            where = write_condition(net.shape.key)
            self._db.executemany(f"DELETE FROM {table} WHERE {where}", list(net.rows))
            self._waiting.remove(net.shape, net.rows)
        for values, count in net.loose.items():
            if count < 0:
                left = -count - self._waiting.remove_alike(net.shape, values, -count)
                if left and delete_alike(self._db, table, net.shape, values, left) < left:
                    raise _missing(net, values)

    def _read_base(self, net: TableNet, base: Key) -> Values:
        columns = ", ".join(map(quote_identifier, net.shape.columns))
        table = quote_identifier(net.shape.table)
        found = self._db.execute(
            f"SELECT {columns} FROM main.{table} WHERE {write_condition(net.shape.key)}", base
        ).fetchone() or self._waiting.find(net.shape, base)
        if found is None:
            raise _missing(net, base)
        return dict(zip(net.shape.columns, found, strict=True))

    def _insert(self, net: TableNet) -> None:
        columns = net.shape.columns
        rows = [
            tuple(row.values[name] for name in columns)
            for row in net.rows.values()
            if row is not None
        ]
        rows += [values for values, count in net.loose.items() for _ in range(count)]
        if not rows:
            return
        names, marks = ", ".join(map(quote_identifier, columns)), ", ".join("?" * len(columns))
        into = f"INTO main.{quote_identifier(net.shape.table)} ({names}) VALUES ({marks})"
        self._db.execute("SAVEPOINT rows")
        try:
            self._db.executemany(f"INSERT {into}", rows)
        except apsw.ConstraintError:
            self._db.execute("ROLLBACK TO rows")
            for row in rows:
                self._db.execute(f"INSERT OR IGNORE {into}", row)
                if not self._db.changes():
                    self._waiting.add(net.shape, row)
        self._db.execute("RELEASE rows")


def _missing(net: TableNet, key: Key) -> TargetError:
    return TargetError(
        f"A row of {net.shape.table} is missing in the target",
        why=f"the origin changed the row {', '.join(map(str, key))[:_SHOWN]}, which is not there",
        tip="something else changed the file: see what differs with --verify, or copy anew "
        "with --force",
    )
