"""One run on one project: what every stage gets in hand, and when a stage is skipped."""

from __future__ import annotations

import shlex
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path

from edgelift.errors import EdgeliftError
from edgelift.events import (
    CheckRecorded,
    Emit,
    FindingRaised,
    Note,
    Progress,
    StageFailed,
    StageFinished,
    StageSkipped,
    StageStarted,
    ignore,
)
from edgelift.journal import Journal
from edgelift.model.findings import Check, Finding
from edgelift.project import Project

Result = dict[str, object]


@dataclass
class Run:
    """The hands of a stage: project, journal, events; `path` is the folder as typed.

    `only` names the one check that `verify --only ID` repeats; None means all;
    `stale` names stages whose proof no longer fits their inputs (known to `report` only);
    `paranoid` lets data read every chunk of a server twice; `workers` and `scheduler` outweigh
    those of `[data]`. `tickets` are snapshots, by database, that data joins instead of its own.
    """

    project: Project
    journal: Journal
    run_id: int
    path: Path
    emit: Emit = ignore
    force: bool = False
    only: str | None = None
    stale: frozenset[str] = frozenset()
    paranoid: bool = False
    workers: int | None = None
    scheduler: str | None = None
    tickets: dict[str, str] = field(default_factory=dict)
    current: str = field(default="", init=False)
    inputs: str = field(default="", init=False)

    def note(self, text: str) -> None:
        """Tell one line of information."""
        self.emit(Note(stage=self.current, text=text))

    def progress(self, what: str, done: int, total: int | None = None) -> None:
        """Tell how far the stage is, in units of `what`."""
        self.emit(Progress(stage=self.current, what=what, done=done, total=total))

    def record_checks(self, checks: Iterable[Check]) -> None:
        """Replace the stage's checks in the journal and tell each."""
        listed = list(checks)
        self.journal.replace_checks(self.run_id, self.current, self.inputs, listed)
        for check in listed:
            self.emit(CheckRecorded(stage=self.current, check=check))

    def record_findings(self, findings: Iterable[Finding]) -> None:
        """Replace the stage's findings in the journal and tell each."""
        listed = list(findings)
        self.journal.replace_findings(self.current, listed)
        for finding in listed:
            self.emit(FindingRaised(stage=self.current, finding=finding))

    def read_checks(self) -> tuple[Check, ...]:
        """Return all checks on record; what stale stages proved is NOT RUN and says so."""
        return tuple(
            check.as_stale() if check.stage in self.stale else check
            for check in self.journal.read_checks()
        )

    def command(self, verb: str, *options: str) -> str:
        """Return the shell command that repeats a part of this run."""
        return shlex.join(["edgelift", verb, str(self.path), *options])


UNCHANGED = "unchanged since the last run"


@dataclass(frozen=True)
class Stage:
    """A step of the pipeline: `inputs` hashes all it depends on, `work` does it.

    `work` returns at least `{"summary": one line}`. With the same inputs a finished stage is
    skipped, when `intact` (does what it made still exist?) agrees. `look` then says why in words,
    or returns an empty text where a look at the origin says otherwise.
    """

    name: str
    inputs: Callable[[Run], str]
    work: Callable[[Run], Result]
    intact: Callable[[Run], bool] = lambda _run: True
    look: Callable[[Run], str] = lambda _run: UNCHANGED


def run_stage(run: Run, stage: Stage) -> Result:
    """Run or skip one stage and return its result; errors are recorded and raised."""
    run.current = stage.name
    started = time.monotonic()
    try:
        run.inputs = stage.inputs(run)
        before = run.journal.read_step(stage.name)
        if (
            not run.force
            and before is not None
            and before.status == "done"
            and before.inputs == run.inputs
            and before.result is not None
            and stage.intact(run)
            and (reason := stage.look(run))
        ):
            told = f"{reason}: {before.result.get('summary', '')}"
            run.emit(StageSkipped(stage=stage.name, reason=told))
            return before.result
        run.emit(StageStarted(stage=stage.name))
        run.journal.begin_step(run.run_id, stage.name, run.inputs)
        result = stage.work(run)
    except EdgeliftError as error:
        run.journal.fail_step(stage.name, error.what)
        run.emit(StageFailed(stage=stage.name, error=error.what))
        raise
    run.journal.finish_step(stage.name, result)
    run.emit(
        StageFinished(
            stage=stage.name,
            summary=str(result.get("summary", "")),
            duration_s=time.monotonic() - started,
        )
    )
    return result
