"""The journal: one SQLite file per project with runs, steps, checkpoints, evidence, documents.

Stages meet here: a stage writes documents and checks, later stages, `status` and `report` read
them. Every write is one committed transaction (WAL, synchronous=FULL), so a killed process loses
at most the write it was in.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from edgelift.errors import BusyError, UsageError
from edgelift.model.findings import Check, Finding

FORMAT = 1
_SCHEMA = """
CREATE TABLE IF NOT EXISTS runs (
  id INTEGER PRIMARY KEY, verb TEXT NOT NULL, command TEXT NOT NULL, pid INTEGER NOT NULL,
  started REAL NOT NULL, finished REAL, exit_code INTEGER);
CREATE TABLE IF NOT EXISTS steps (
  name TEXT PRIMARY KEY, run_id INTEGER NOT NULL REFERENCES runs(id), inputs TEXT NOT NULL,
  status TEXT NOT NULL,
  started REAL NOT NULL, finished REAL, result TEXT, error TEXT);
CREATE TABLE IF NOT EXISTS checkpoints (
  step TEXT NOT NULL, key TEXT NOT NULL, value TEXT NOT NULL,
  PRIMARY KEY (step, key)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS checks (
  id TEXT PRIMARY KEY, stage TEXT NOT NULL, run_id INTEGER NOT NULL, inputs TEXT NOT NULL,
  recorded REAL NOT NULL, body TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS findings (
  stage TEXT NOT NULL, position INTEGER NOT NULL, body TEXT NOT NULL,
  PRIMARY KEY (stage, position)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS documents (name TEXT PRIMARY KEY, body TEXT NOT NULL) WITHOUT ROWID;
"""

# What sqlite3 raises for a file that is none; its words may hold bytes of the file.
_DAMAGED = (sqlite3.Error, UnicodeDecodeError)
T = TypeVar("T")


class StepRecord(msgspec.Struct, frozen=True):
    """The last known state of a step; `status` is `running`, `done` or `failed`."""

    name: str
    inputs: str
    status: str
    started: float
    finished: float | None
    result: dict[str, object] | None
    error: str | None


class RunRecord(msgspec.Struct, frozen=True):
    """One invocation of edgelift on this project; times are Unix seconds."""

    id: int
    verb: str
    command: str
    pid: int
    started: float
    finished: float | None
    exit_code: int | None


class Journal:
    """Typed access to `.edgelift/journal.db`; safe to open by several readers beside one writer."""

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._db = sqlite3.connect(path, isolation_level=None, timeout=10)
            self._db.execute("PRAGMA journal_mode=WAL")
            self._db.execute("PRAGMA synchronous=FULL")
            version = self._db.execute("PRAGMA user_version").fetchone()[0]
            if version > FORMAT:
                raise UsageError(
                    f"The journal {path} was written by a newer edgelift",
                    why=f"its format is {version}, this version reads up to {FORMAT}",
                    tip="upgrade edgelift, or move the .edgelift folder away to start anew",
                )
            self._db.executescript(_SCHEMA)
            self._db.execute(f"PRAGMA user_version={FORMAT}")
        except (*_DAMAGED, OSError) as error:
            raise UsageError(
                f"The journal {path} cannot be opened",
                why=str(error),
                tip="check that the folder is writable and the disk not full; "
                "a damaged journal can be moved away: the next run starts anew",
            ) from error

    def close(self) -> None:
        """Close the database file."""
        self._db.close()

    # runs
    def begin_run(self, verb: str, command: str) -> int:
        """Record the start of a run and return its id."""
        with self._write():
            cursor = self._db.execute(
                "INSERT INTO runs(verb, command, pid, started) VALUES (?,?,?,?)",
                (verb, command, os.getpid(), time.time()),
            )
        return int(cursor.lastrowid or 0)

    def end_run(self, run_id: int, exit_code: int) -> None:
        """Record the end of a run; a disk that refuses must not hide why it ended."""
        with contextlib.suppress(UsageError), self._write():
            self._db.execute(
                "UPDATE runs SET finished=?, exit_code=? WHERE id=?",
                (time.time(), exit_code, run_id),
            )

    def read_runs(self, limit: int = 20) -> list[RunRecord]:
        """Return the latest runs, newest first."""
        rows = self._select(
            "SELECT id, verb, command, pid, started, finished, exit_code FROM runs "
            "ORDER BY id DESC LIMIT ?",
            limit,
        )
        return [RunRecord(*row) for row in rows]

    # steps
    def begin_step(self, run_id: int, name: str, inputs: str) -> None:
        """Record that a step begins; checkpoints survive only with unchanged inputs."""
        with self._write():
            before = self._select("SELECT inputs FROM steps WHERE name=?", name)
            if before != [(inputs,)]:
                self._db.execute("DELETE FROM checkpoints WHERE step=?", (name,))
            self._db.execute(
                "INSERT OR REPLACE INTO steps(name, run_id, inputs, status, started) "
                "VALUES (?,?,?,'running',?)",
                (name, run_id, inputs, time.time()),
            )

    def finish_step(self, name: str, result: dict[str, object]) -> None:
        """Record that a step is done, with its JSON result, and drop its checkpoints."""
        with self._write():
            self._db.execute("DELETE FROM checkpoints WHERE step=?", (name,))
            self._db.execute(
                "UPDATE steps SET status='done', finished=?, result=?, error=NULL WHERE name=?",
                (time.time(), _encode(result), name),
            )

    def fail_step(self, name: str, error: str) -> None:
        """Record that a step failed; its checkpoints stay for the next try.

        A disk that refuses must not hide what failed: the step then counts as stopped half-way.
        """
        with contextlib.suppress(UsageError), self._write():
            self._db.execute(
                "UPDATE steps SET status='failed', finished=?, error=? WHERE name=?",
                (time.time(), error, name),
            )

    def forget_steps(self, names: Iterable[str]) -> None:
        """Forget steps and their checkpoints so that they run again."""
        with self._write():
            for name in names:
                self._db.execute("DELETE FROM steps WHERE name=?", (name,))
                self._db.execute("DELETE FROM checkpoints WHERE step=?", (name,))

    def read_step(self, name: str) -> StepRecord | None:
        """Return the record of one step, or None when it never began."""
        rows = self._select(
            "SELECT name, inputs, status, started, finished, result, error FROM steps WHERE name=?",
            name,
        )
        if not rows:
            return None
        step, inputs, status, started, finished, result, error = rows[0]
        decoded = self._decode(result, dict[str, object]) if result else None
        return StepRecord(step, inputs, status, started, finished, decoded, error)

    def read_steps(self) -> list[StepRecord]:
        """Return all known steps in the order in which they last began."""
        names = [row[0] for row in self._select("SELECT name FROM steps ORDER BY started")]
        return [record for name in names if (record := self.read_step(name)) is not None]

    # checkpoints
    def write_checkpoint(self, step: str, key: str, value: object) -> None:
        """Save a JSON value under a key of a step, durable when this returns."""
        with self._write():
            self._db.execute(
                "INSERT OR REPLACE INTO checkpoints(step, key, value) VALUES (?,?,?)",
                (step, key, _encode(value)),
            )

    def read_checkpoints(self, step: str) -> dict[str, object]:
        """Return all checkpoints of a step by key."""
        rows = self._select("SELECT key, value FROM checkpoints WHERE step=?", step)
        return {key: self._decode(value, object) for key, value in rows}

    # evidence
    def replace_checks(self, run_id: int, stage: str, inputs: str, checks: Iterable[Check]) -> None:
        """Replace all checks of a stage, in order, with the inputs hash they were made from."""
        with self._write():
            self._db.execute("DELETE FROM checks WHERE stage=?", (stage,))
            for check in checks:
                self._db.execute(
                    "INSERT OR REPLACE INTO checks(id, stage, run_id, inputs, recorded, body) "
                    "VALUES (?,?,?,?,?,?)",
                    (check.id, stage, run_id, inputs, time.time(), _encode(check)),
                )

    def read_checks(self, stage: str | None = None) -> list[Check]:
        """Return the recorded checks, of one stage or of all, in the order of recording."""
        rows = self._select(
            "SELECT body FROM checks WHERE ?1 IS NULL OR stage=?1 ORDER BY rowid", stage
        )
        return [self._decode(row[0], Check) for row in rows]

    def read_check_inputs(self, stage: str) -> set[str]:
        """Return the inputs hashes from which a stage's checks on record were made."""
        rows = self._select("SELECT DISTINCT inputs FROM checks WHERE stage=?", stage)
        return {row[0] for row in rows}

    def replace_findings(self, stage: str, findings: Iterable[Finding]) -> None:
        """Replace all findings of a stage."""
        with self._write():
            self._db.execute("DELETE FROM findings WHERE stage=?", (stage,))
            self._db.executemany(
                "INSERT INTO findings(stage, position, body) VALUES (?,?,?)",
                [(stage, i, _encode(finding)) for i, finding in enumerate(findings)],
            )

    def read_findings(self, stage: str | None = None) -> list[Finding]:
        """Return the findings of one stage or of all.

        What two stages found alike, by rule and place, comes once: from the first by name.
        """
        rows = self._select(
            "SELECT stage, body FROM findings WHERE ?1 IS NULL OR stage=?1"
            " ORDER BY stage, position",
            stage,
        )
        first: dict[tuple[str, str | None, int | None], str] = {}
        found = []
        for told_by, body in rows:
            finding = self._decode(body, Finding)
            if first.setdefault((finding.rule, finding.path, finding.line), told_by) == told_by:
                found.append(finding)
        return found

    # documents
    def write_document(self, name: str, body: object) -> None:
        """Save a struct or JSON value for later stages (`inventory`, `plan`, `catalogue:main`)."""
        with self._write():
            self._db.execute(
                "INSERT OR REPLACE INTO documents(name, body) VALUES (?,?)", (name, _encode(body))
            )

    def read_document(self, name: str, type_: type[T]) -> T | None:
        """Return a document as `type_`, or None when it was not written yet."""
        rows = self._select("SELECT body FROM documents WHERE name=?", name)
        return self._decode(rows[0][0], type_) if rows else None

    def forget_document(self, name: str) -> None:
        """Remove a document, if there is one."""
        with self._write():
            self._db.execute("DELETE FROM documents WHERE name = ?", (name,))

    def list_documents(self, prefix: str) -> list[str]:
        """Return the names of the documents that begin with `prefix`, sorted."""
        rows = self._select("SELECT name FROM documents ORDER BY name")
        return [row[0] for row in rows if row[0].startswith(prefix)]

    def _select(self, query: str, *values: object) -> list[tuple[Any, ...]]:
        """Return the rows of a query; raises UsageError when the file is damaged."""
        try:
            return self._db.execute(query, values).fetchall()
        except _DAMAGED as error:
            raise self._fail("be read", error) from error

    def _decode(self, body: str, type_: type[T]) -> T:
        """Return what an entry says; raises UsageError when it is none of this version."""
        try:
            return msgspec.json.decode(body, type=type_)
        except (msgspec.DecodeError, TypeError) as error:
            raise self._fail("be understood", error) from error

    def _fail(self, what: str, error: Exception) -> UsageError:
        return UsageError(
            f"The journal {self.path} cannot {what}",
            why=str(error),
            tip="it is damaged or another version's: move it away, the next run starts anew",
        )

    @contextlib.contextmanager
    def _write(self) -> Iterator[None]:
        """Write in one transaction; raises UsageError when the disk refuses."""
        try:
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield
                self._db.execute("COMMIT")
            finally:
                if self._db.in_transaction:  # a full disk rolls back by itself
                    self._db.execute("ROLLBACK")
        except sqlite3.OperationalError as error:
            raise UsageError(
                f"The journal {self.path} cannot be written",
                why=str(error),
                tip="free space there and run the same command again; finished work is kept",
            ) from error
        except _DAMAGED as error:
            raise self._fail("be written", error) from error


def _encode(value: object) -> str:
    return msgspec.json.encode(value).decode()


@contextlib.contextmanager
def hold_project(folder: Path, name: str = "lock") -> Iterator[None]:
    """Hold one of the project's locks; the kernel frees it when the process dies, even by SIGKILL.

    Raises BusyError, naming the process that holds it.
    """
    import fcntl

    path = folder / name
    try:
        folder.mkdir(parents=True, exist_ok=True)
        handle = path.open("a+")
    except OSError as error:
        raise UsageError(
            f"The folder {folder} cannot be written",
            why=str(error),
            tip="edgelift keeps its state beside the project; make the folder writable",
        ) from error
    with handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            handle.seek(0)
            holder = handle.read().strip() or "unknown"
            raise BusyError(
                "Another run of edgelift works on this project",
                why=f"process {holder} holds {path}",
                tip="wait for it, or stop it; finished work is kept",
            ) from error
        handle.truncate(0)
        handle.write(str(os.getpid()))
        handle.flush()
        yield
