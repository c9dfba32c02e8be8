"""Loads one SQL object: it is begun (which empties it), loaded, settled, proven, opened.

Rows come in numbered messages; settling makes indexes, triggers and counters behind them. Only when
all is equal the app gets in.
"""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass

from edgelift.model.catalogue import Catalogue
from edgelift.model.upload_state import UploadState
from edgelift.sources.sqlite import SqliteSource
from edgelift.sources.sqlite_catalogue import read_catalogue
from edgelift.stages.data.upload.loading import Loading
from edgelift.stages.data.upload.messages import Messages
from edgelift.targets.door.client import TRIES, Answer
from edgelift.targets.door.loads import Load, list_loads, read_content


@dataclass
class ObjectLoading(Loading):
    """Takes one object through the states of js/sql_loading.mjs."""

    def describe_state(self) -> str:
        """Return in words how it stands there; changes nothing."""
        answer = self.door.ask("state", {})
        held = answer.rows if isinstance(answer.rows, str) else ""
        return answer.state or (f"holds rows of {held}" if held else "empty")

    def run_whole(self) -> UploadState:
        """Load, prove and open; an object that is open with the same rows is left alone."""
        message: dict[str, object] = {
            "identity": self.subject.identity,
            "schema": self.subject.schema_hash,
            "replace": self.options.replace,
        }
        begun = self.door.ask("begin", message)
        if begun.state == "open":
            return self.tell("open", rows=self.subject.document.rows)
        with SqliteSource(self.subject.file).open() as db:
            catalogue = read_catalogue(db)
            messages = Messages(db, list_loads(catalogue), self.subject.identity)
            sent, size = self._send(messages, begun)
            self._settle(db, catalogue, messages.loads)
        self.prove(messages.loads, messages.sums)
        self._ask("open", {})
        return self.tell_open(messages.sums, sent=sent, resumed=begun.done, size=size)

    def _ask(self, verb: str, message: dict[str, object]) -> Answer:
        told = {"identity": self.subject.identity, **message}
        return self.door.ask(verb, told, tries=TRIES)

    def _send(self, messages: Messages, begun: Answer) -> tuple[int, int]:
        """Send what the object has not; returns requests and bytes."""
        sent = size = done = 0
        name, total = self.subject.member.name, self.subject.document.rows
        for number, rows, text in messages:
            if number > begun.done and begun.state == "loading":
                self.door.ask("rows", text, tries=TRIES)
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


def _read_counters(db: sqlite3.Connection) -> Iterator[tuple[str, str]]:
    with contextlib.suppress(sqlite3.OperationalError):  # no table counts
        for name, last in db.execute("SELECT name, seq FROM sqlite_sequence"):
            if name is not None and last is not None:
                yield str(name), str(last)
