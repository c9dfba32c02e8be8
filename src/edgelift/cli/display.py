"""How a run looks: a line per stage with live progress, on stderr; plain lines in a pipe."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Self

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from edgelift import events
from edgelift.model.findings import Check, Finding, Level, Status

if TYPE_CHECKING:
    from types import TracebackType

    from rich.progress import TaskID

MARKS = {
    Status.PASS: "[green]PASS[/]",
    Status.FAIL: "[bold red]FAIL[/]",
    Status.NOT_RUN: "[yellow]NOT RUN[/]",
    Status.SKIPPED: "[yellow]SKIPPED[/]",
}
LEVELS = {
    Level.ERROR: "[bold red]error[/]",
    Level.WARNING: "[yellow]warning[/]",
    Level.NOTE: "note",
}
PLAIN_INTERVAL_S = 5.0


class Display:
    """Consumes events; use as a context manager around a verb."""

    def __init__(self, console: Console | None = None) -> None:
        self.console = console or Console(stderr=True, highlight=False)
        self._progress = Progress(
            SpinnerColumn(),
            TextColumn("{task.fields[stage]:<8}"),
            TextColumn("{task.description}"),
            BarColumn(bar_width=24),
            TextColumn("{task.fields[counts]}"),
            TimeElapsedColumn(),
            console=self.console,
            transient=True,
        )
        self._task: TaskID | None = None
        self._told = 0.0

    def __enter__(self) -> Self:
        if self.console.is_terminal:
            self._progress.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._progress.stop()

    def __call__(self, event: events.Event) -> None:
        """Show one event."""
        match event:
            case events.StageStarted():
                self._begin(event.stage)
            case events.StageFinished():
                self._end()
                took = f"[dim]{event.duration_s:6.1f} s[/]"
                self._line(f"[green]✓[/] {event.stage:<8} {took}  {escape(event.summary)}")
            case events.StageSkipped():
                self._line(f"[green]✓[/] {event.stage:<8} [dim]   —   [/]  {escape(event.reason)}")
            case events.StageFailed():
                self._end()
                self._line(f"[bold red]✗[/] {event.stage:<8}           {escape(event.error)}")
            case events.Progress() | events.FollowLag():
                self._advance(to_progress(event))
            case events.Note():
                self._line(f"  {event.stage:<8} [dim]{escape(event.text)}[/]")
            case events.FindingRaised():
                if event.finding.level is not Level.NOTE:
                    self._line("  " + format_finding(event.finding))
            case events.CheckRecorded():
                self._line("  " + format_check(event.check))

    def _line(self, text: str) -> None:
        self.console.print(text, soft_wrap=True)

    def _begin(self, stage: str) -> None:
        self._end()
        if self.console.is_terminal:
            self._task = self._progress.add_task("", stage=stage, counts="", total=None)
        else:
            self._line(f"… {stage}")

    def _end(self) -> None:
        if self._task is not None:
            self._progress.remove_task(self._task)
            self._task = None

    def _advance(self, event: events.Progress) -> None:
        counts = f"{event.done:,}" + (f" / {event.total:,}" if event.total else "")
        if self._task is not None:
            self._progress.update(
                self._task,
                description=escape(event.what),
                completed=event.done,
                total=event.total,
                counts=counts,
            )
        elif time.monotonic() - self._told > PLAIN_INTERVAL_S:
            self._told = time.monotonic()
            self._line(f"  {event.stage:<8} {escape(event.what)}: {counts}")


def format_check(check: Check) -> str:
    """Return a check as one line of rich markup."""
    space = " " * (max(map(len, Status)) - len(check.status))
    return f"{MARKS[check.status]}{space}  {escape(check.id)}  [dim]{escape(check.evidence)}[/]"


def format_finding(finding: Finding) -> str:
    """Return a finding as one line of rich markup: level, rule, place, message."""
    place = finding.path or ""
    if finding.line is not None:
        place = f"{place}:{finding.line}"
    accepted = " [dim](accepted)[/]" if finding.accepted else ""
    parts = [LEVELS[finding.level], finding.rule, escape(place), escape(finding.message)]
    return " ".join(part for part in parts if part) + accepted


def to_progress(event: events.Progress | events.FollowLag) -> events.Progress:
    """Return an event as progress: a lag counts the changed rows applied."""
    if isinstance(event, events.Progress):
        return event
    lag = f"{event.lag} {event.lag_unit}, {event.lag_s:.1f} s behind"
    what = f"changed rows of {event.database} applied, {event.state}, {lag}"
    return events.Progress(stage=event.stage, what=what, done=event.rows)
