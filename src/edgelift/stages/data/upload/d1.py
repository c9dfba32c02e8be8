"""Loads one D1 by batches of statements: tables, rows, what belongs behind them; then proves it.

The batches are always the same ones, and the database counts them in the transaction of each: a
load that was killed goes on behind the last one.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from edgelift.errors import TargetError, TargetUnavailable, VerificationMismatch
from edgelift.model.catalogue import Catalogue
from edgelift.model.upload_state import UploadState
from edgelift.sources.sqlite import SqliteSource
from edgelift.sources.sqlite_catalogue import quote_identifier, read_catalogue
from edgelift.sources.sqlite_rows import Row, read_batches
from edgelift.stages.data.import_files import mark_applied, write_state
from edgelift.stages.data.upload.loading import Loading
from edgelift.targets.door.batches import Batcher, Request, bind_rows, cut_rows, insert_rows
from edgelift.targets.door.cells import Sum
from edgelift.targets.door.loads import Load, list_loads
from edgelift.targets.door.remote import Remote

STATE = "_edgelift_load"
_CREATE = f"CREATE TABLE IF NOT EXISTS {STATE} (state TEXT, identity TEXT, done INTEGER)"
_DONE = Request(f"UPDATE {STATE} SET done = done + 1")
_READ = f"SELECT state, identity, CAST(done AS TEXT) FROM {STATE}"
# Nobody's of the app: SQLite's, the runtime's, wrangler's and ours.
_OWN = (
    "name NOT LIKE 'sqlite\\_%' ESCAPE '\\' AND name NOT LIKE '\\_cf\\_%' ESCAPE '\\' AND "
    "name NOT LIKE '\\_edgelift\\_%' ESCAPE '\\' AND name <> 'd1_migrations'"
)
_TABLES = (
    "SELECT name FROM pragma_table_list WHERE schema = 'main' "
    f"AND type IN ('table', 'virtual') AND {_OWN}"
)
_PARENTS = (
    'SELECT m.name, f."table" FROM sqlite_master m, pragma_foreign_key_list(m.name) f '
    "WHERE m.type = 'table'"
)
_ALL = (
    "SELECT type, name, sql LIKE 'CREATE VIRTUAL%' FROM sqlite_master "
    f"WHERE type IN ('trigger', 'view', 'table') AND (({_OWN}) OR name = 'd1_migrations' "
    "OR name LIKE '\\_edgelift\\_stage\\_%' ESCAPE '\\' OR name = '_edgelift_follow')"
)


@dataclass
class D1Loading(Loading):
    """Takes one D1 through the states emptying, loading, loaded and open."""

    sums: dict[str, Sum] = field(default_factory=dict)
    _number: int = 0
    _done: int = 0
    _size: int = 0

    def describe_state(self) -> str:
        """Return in words how it stands there; changes nothing."""
        remote = Remote(self.door)
        state, _, _ = self._read_state(remote)
        if state:
            return state
        held = self._find_rows(remote)
        return f"holds rows of {held}" if held else "empty"

    def run_whole(self) -> UploadState:
        """Load, prove and open; what is open with the same rows is left alone."""
        remote = Remote(self.door)
        remote.open()
        state, identity, self._done = self._read_state(remote)
        same = identity == self.subject.identity
        if same and state == "open" and not self.options.replace:
            return self.tell("open", rows=self.subject.document.rows)
        with SqliteSource(self.subject.file).open() as db:
            catalogue = read_catalogue(db)
            loads = list_loads(catalogue)
            if not state and not self.options.replace and self._find_rows(remote):
                return self._adopt(remote, db, loads)
            if not same or state not in {"loading", "loaded"}:
                self._begin(remote, "" if same else state)
            resumed = self._done
            self._send_all(remote, db, catalogue, loads)
        self.prove(loads, self.sums)
        remote.apply([Request(f"UPDATE {STATE} SET state = 'open'")])
        return self.tell_open(
            self.sums, sent=self._number - resumed, resumed=resumed, size=self._size
        )

    def _read_state(self, remote: Remote) -> tuple[str, str, int]:
        """Return state, identity and how many batches were applied; empty where none was begun."""
        if not remote.read("SELECT 1 FROM sqlite_master WHERE name = ?", STATE):
            return "", "", 0
        for state, identity, done in remote.read(_READ):
            return str(state), str(identity), int(done)
        return "", "", 0

    def _find_rows(self, remote: Remote) -> str:
        """Return the name of a table that holds rows, empty when none does."""
        for (name,) in remote.read(_TABLES):
            if remote.read(f"SELECT 1 FROM {quote_identifier(name)} LIMIT 1"):
                return str(name)
        return ""

    def _adopt(self, remote: Remote, db: sqlite3.Connection, loads: Sequence[Load]) -> UploadState:
        """Take rows for loaded that came another way, such as D1's import, when they are equal."""
        self.run.note(f"{self.door.target} holds rows that came another way: comparing them")
        for load in loads:
            for _ in _count(read_batches(db, load.select), self.sums.setdefault(load.table, Sum())):
                pass
        try:
            self.prove(loads, self.sums)
        except TargetUnavailable:
            raise
        except (VerificationMismatch, TargetError) as error:
            raise _refuse(
                self.door.target, f"it holds rows that were not loaded: {error.why}"
            ) from error
        self._note(remote, "open")
        return self.tell_open(self.sums, sent=0, resumed=0, size=0)

    def _begin(self, remote: Remote, other: str) -> None:
        """Empty the database; raises TargetError when nobody said that it may be."""
        if other and not self.options.replace:
            state = "was loaded with" if other == "open" else "is being loaded with"
            raise _refuse(self.door.target, f"it {state} other rows")
        self._note(remote, "emptying")
        batcher = Batcher(remote.apply)
        batcher.add_all(Request(sql) for sql in _write_drops(remote))
        batcher.flush()
        self._note(remote, "loading")
        self._done = 0

    def _note(self, remote: Remote, state: str) -> None:
        insert = Request(
            f"INSERT INTO {STATE} VALUES (?, ?, 0)",
            (state, self.subject.identity),
        )
        remote.apply([Request(_CREATE), Request(f"DELETE FROM {STATE}"), insert])

    def _send_all(
        self, remote: Remote, db: sqlite3.Connection, catalogue: Catalogue, loads: Sequence[Load]
    ) -> None:
        """Send what the database has not; all batches are made, to be the same ones."""
        batcher = Batcher(lambda batch: self._send(remote, batch), after=(_DONE,))
        batcher.add_all(Request(made.sql) for made in self.subject.schema.tables)
        for load in loads:
            batcher.add_all(self._write_rows(db, load))
        batcher.flush()
        batcher.add_together(list(_write_staged(loads)))
        batcher.add_all(Request(made.sql) for made in self.subject.schema.after)
        batcher.add_all(Request(sql) for sql in write_state(catalogue))
        applied = [f"{name}.sql" for name, _ in self.subject.migrations]
        batcher.add_all(Request(sql) for sql in mark_applied(applied))
        batcher.add(Request(f"UPDATE {STATE} SET state = 'loaded'"))
        batcher.flush()

    def _send(self, remote: Remote, batch: Sequence[Request]) -> None:
        self._number += 1
        if self._number <= self._done:
            return
        remote.apply(batch)
        self._size += sum(request.size_bytes for request in batch)
        rows = sum(total.rows for total in self.sums.values())
        what = f"rows of {self.subject.member.name} loaded"
        self.run.progress(what, rows, self.subject.document.rows)

    def _write_rows(self, db: sqlite3.Connection, load: Load) -> Iterator[Request]:
        total = self.sums[load.table] = Sum()
        rows = _count(read_batches(db, load.select), total)
        if load.stage is None:
            yield from insert_rows(quote_identifier(load.table), load.columns, rows)
            return
        stage = f"_edgelift_stage_{load.stage}"
        columns = ", ".join(f"c{number}" for number in range(len(load.columns)))
        yield Request(f"CREATE TABLE {stage} ({columns})")
        for part in cut_rows(rows, len(load.columns)):
            marks, values = bind_rows(part)
            yield Request(f"INSERT INTO {stage} VALUES {marks}", values)


def _refuse(name: str, why: str) -> TargetError:
    return TargetError(
        f"The database {name} refuses to begin a load",
        why=why,
        tip="to delete what is there and load it anew, run it with --replace",
    )


def _count(batches: Iterator[list[Row]], total: Sum) -> Iterator[Row]:
    for batch in batches:
        for row in batch:
            total.add(row)
            yield row


def _write_staged(loads: Sequence[Load]) -> Iterator[Request]:
    """Put rows that refer to each other in place, all at once."""
    for load in loads:
        if load.stage is not None:
            table, columns = quote_identifier(load.table), map(quote_identifier, load.columns)
            stage = f"_edgelift_stage_{load.stage}"
            yield Request(
                f"INSERT INTO {table} ({', '.join(columns)}) SELECT * FROM {stage} ORDER BY rowid"
            )
            yield Request(f"DROP TABLE {stage}")


def _write_drops(remote: Remote) -> Iterator[str]:
    """Yield what removes all that is there, children before their parents."""
    parents: dict[str, set[str]] = {}
    for name, parent in remote.read(_PARENTS):
        parents.setdefault(str(name), set()).add(str(parent))
    found = [(str(kind), str(name), bool(virtual)) for kind, name, virtual in remote.read(_ALL)]
    for wanted in ("trigger", "view"):
        for kind, name, _ in found:
            if kind == wanted:
                yield f"DROP {kind} IF EXISTS {quote_identifier(name)}"
    left = {name: virtual for kind, name, virtual in found if kind == "table"}
    while left:
        needed = {p.lower() for n in left for p in parents.get(n, ()) if p != n}
        free = [name for name in left if name.lower() not in needed] or list(left)
        for name in sorted(free, key=lambda name: not left[name]):
            yield f"DROP TABLE IF EXISTS {quote_identifier(name)}"
            del left[name]


__all__ = ["STATE", "D1Loading"]
