"""Loads proven rows into the SQL objects of a deployed sql project, and proves them there again.

Each object is taken through the states of js/sql_loading.mjs: begun (which empties it), loaded by
numbered messages, settled (indexes, triggers, counters), hashed by itself table by table, and only
when all is equal opened to the app. A run that was killed goes on with the message that is missing.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx

from edgelift.errors import TargetError, UsageError, VerificationMismatch
from edgelift.model.catalogue import Catalogue
from edgelift.model.data_document import DataDocument
from edgelift.model.findings import Check, Status
from edgelift.model.plan import Plan
from edgelift.model.shard_map import Member
from edgelift.model.upload_state import UploadOptions, UploadState
from edgelift.project import hash_inputs
from edgelift.run import Run
from edgelift.sources.shard_files import find_members
from edgelift.sources.sqlite import SqliteSource
from edgelift.sources.sqlite_catalogue import read_catalogue
from edgelift.stages.data.upload.door import SECRET_VARIABLE, Answer, Door, check_door
from edgelift.stages.data.upload.messages import (
    MESSAGE_BYTES,
    MESSAGE_ROWS,
    Load,
    Messages,
    Sum,
    list_loads,
    read_content,
)
from edgelift.targets.migrations import hash_migrations, read_migrations

STAGE = "upload"  # of the checks: beside those of data, which stay
FORMAT = 1  # raised when the same rows would be cut into other messages
PROOF_ROWS = 50_000  # rows that an object hashes in one request
_TRIES = 5


@dataclass(frozen=True)
class Subject:
    """A lifted file and the object it goes to; `schema` is the hash of its migrations."""

    member: Member
    file: Path
    document: DataDocument
    schema: str

    @property
    def identity(self) -> str:
        """Return what a load of these rows, cut in this way, is known by."""
        parts = [FORMAT, MESSAGE_BYTES, MESSAGE_ROWS, self.document.root, self.schema]
        return hash_inputs(*parts, self.member.object_name)


def upload_all(run: Run, options: UploadOptions) -> tuple[UploadState, ...]:
    """Load every database with the strategy `object`; record a check for each.

    Raises UsageError, TargetError, VerificationMismatch for an object that holds other rows than
    were sent, which then stays closed to the app.
    """
    run.current = STAGE
    secret = os.environ.get(SECRET_VARIABLE, "")
    check_door(options.url, secret)
    subjects = list_subjects(run)
    states: list[UploadState] = []
    checks: list[Check] = []
    with httpx.Client(follow_redirects=False) as client:
        for subject in subjects:
            member = subject.member
            door = Door(client, options.url, secret, member.binding, member.object_name, run.note)
            loading = Loading(run, subject, door, options)
            if options.preview:
                states.append(loading.preview())
                continue
            states.append(loading.run_whole())
            checks.append(loading.check(states[-1], options.url))
            run.record_checks(checks)
    return tuple(states)


def list_subjects(run: Run) -> list[Subject]:
    """Return the files to load; raises UsageError when there is none, or one is not as proven."""
    plan = run.journal.read_document("plan", Plan)
    databases = [d for d in (plan.databases if plan else ()) if d.strategy == "object"]
    if not databases:
        raise UsageError(
            "There is no SQL object to load rows into",
            why='no database of the plan has the strategy "object"',
            tip="D1 takes import files: edgelift data PATH --import-files FOLDER",
        )
    return [
        _read_subject(run, database.name, member)
        for database in databases
        for member in find_members(run.project.settings.data, run.journal, database)
    ]


def _read_subject(run: Run, database: str, member: Member) -> Subject:
    file = run.project.state / "data" / "target" / f"{member.name}.sqlite"
    document = run.journal.read_document(f"data:{member.name}", DataDocument)
    try:
        status = file.stat()
        schema = hash_migrations(read_migrations(run.project.state / "schema", database))
    except OSError as error:
        raise UsageError(
            f"The database {member.name} was not moved yet",
            why=str(error),
            tip=f"run: {run.command('data')}",
        ) from error
    found = (status.st_size, status.st_mtime_ns)
    if document is None or found != (document.size_bytes, document.modified_ns):
        raise UsageError(
            f"The file of {member.name} is not the one that was proven",
            why=f"{file} was changed since",
            tip=f"run: {run.command('data', '--force')}",
        )
    return Subject(member, file, document, schema)


@dataclass
class Loading:
    """Takes one object through all states."""

    run: Run
    subject: Subject
    door: Door
    options: UploadOptions

    def preview(self) -> UploadState:
        """Ask how it stands, and tell what there is to load."""
        answer = self.door.ask("state", {})
        held = answer.rows if isinstance(answer.rows, str) else ""
        words = answer.state or (f"holds rows of {held}" if held else "empty")
        self.run.note(f"{self.subject.member.object_name} at {self.options.url}: {words}")
        return self._tell("preview", rows=self.subject.document.rows)

    def run_whole(self) -> UploadState:
        """Load, prove and open; an object that is open with the same rows is left alone."""
        started = time.monotonic()
        message: dict[str, object] = {
            "identity": self.subject.identity,
            "schema": self.subject.schema,
            "replace": self.options.replace,
        }
        begun = self.door.ask("begin", message)
        if begun.state == "open":
            return self._tell("open", rows=self.subject.document.rows)
        with SqliteSource(self.subject.file).open() as db:
            catalogue = read_catalogue(db)
            messages = Messages(db, list_loads(catalogue), self.subject.identity)
            sent, size = self._send(messages, begun)
            self._settle(db, catalogue, messages.loads)
        self._prove(messages)
        self._ask("open", {})
        rows = sum(total.rows for total in messages.sums.values())
        return self._tell(
            "open",
            rows=rows,
            requests=sent,
            resumed=begun.done,
            bytes=size,
            duration_s=round(time.monotonic() - started, 3),
        )

    def check(self, state: UploadState, url: str) -> Check:
        """Return the check that this object is loaded."""
        return Check(
            id=f"upload.rows:{self.subject.member.name}",
            stage=STAGE,
            title=f"The SQL object of {self.subject.member.name} holds the proven rows",
            status=Status.PASS,
            evidence=state.describe(),
            reproduce=self.run.command("data", "--upload", url),
            counts={"tables": state.tables, "rows": state.rows, "requests": state.requests},
            duration_s=state.duration_s,
        )

    def _tell(self, state: str, **fields: float) -> UploadState:
        return UploadState(
            database=self.subject.member.name,
            object=self.subject.member.object_name,
            state=state,
            tables=len(self.subject.document.tables),
            **fields,  # type: ignore[arg-type]
        )

    def _ask(self, verb: str, message: dict[str, object]) -> Answer:
        told = {"identity": self.subject.identity, **message}
        return self.door.ask(verb, told, tries=_TRIES)

    def _send(self, messages: Messages, begun: Answer) -> tuple[int, int]:
        """Send what the object has not; returns requests and bytes."""
        sent = size = done = 0
        name, total = self.subject.member.name, self.subject.document.rows
        for number, rows, text in messages:
            if number > begun.done and begun.state == "loading":
                self.door.ask("rows", text, tries=_TRIES)
                sent, size = sent + 1, size + len(text)
            done += rows
            self.run.progress(f"rows of {name} loaded", done, total)
        return sent, size

    def _settle(self, db: sqlite3.Connection, catalogue: Catalogue, loads: list[Load]) -> None:
        """Let the object put its rows in place, and make what belongs behind them."""
        self.run.note(f"{self.subject.member.object_name} makes its indexes and triggers")
        stages = [
            {"stage": load.stage, "table": load.table, "columns": load.columns}
            for load in loads
            if load.stage is not None
        ]
        self._ask(
            "settle",
            {
                "stages": stages,
                "sequences": dict(_read_counters(db)),
                "rebuild": [table.name for table in catalogue.tables if read_content(table)],
                "analyze": bool(catalogue.statistics),
            },
        )

    def _prove(self, messages: Messages) -> None:
        """Compare each table's rows as the object hashes them; raises VerificationMismatch."""
        wrong = []
        for load in messages.loads:
            expected = messages.sums[load.table]
            found = self._read_sum(load)
            if (found.rows, found.text) != (expected.rows, expected.text):
                wrong.append(f"{load.table}: {expected.rows} rows sent, {found.rows} there")
        if wrong:
            raise VerificationMismatch(
                f"{len(wrong)} tables of {self.subject.member.object_name} differ from what was "
                "sent",
                why="; ".join(wrong[:5]),
                tip="it stays closed to the app; load it anew with --replace",
            )

    def _read_sum(self, load: Load) -> Sum:
        total = Sum()
        while True:
            answer = self._ask(
                "proof",
                {
                    "table": load.table,
                    "columns": load.columns,
                    "offset": total.rows,
                    "limit": PROOF_ROWS,
                },
            )
            if not isinstance(answer.rows, int) or not answer.hash:
                raise TargetError(
                    f"{self.subject.member.object_name} tells no hash of {load.table}",
                    why="the deployed sql project is of another version of edgelift",
                    tip="run edgelift build and deploy .edgelift/build/sql again",
                )
            total.rows += answer.rows
            total.hash += int(answer.hash, 16)
            self.run.progress(f"rows of {load.table} hashed there", total.rows)
            if answer.rows < PROOF_ROWS:
                return total


def _read_counters(db: sqlite3.Connection) -> Iterator[tuple[str, str]]:
    with contextlib.suppress(sqlite3.OperationalError):  # no table counts
        for name, last in db.execute("SELECT name, seq FROM sqlite_sequence"):
            if name is not None and last is not None:
                yield str(name), str(last)
