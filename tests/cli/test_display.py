"""What a run looks like: the lines for events, in a pipe and on a terminal."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from edgelift import events
from edgelift.cli.display import Display
from edgelift.cli.printing import count_checks
from edgelift.model.findings import Check, Finding, Level, Status


def show(*shown: events.Event, terminal: bool = False) -> str:
    out = io.StringIO()
    with Display(
        Console(file=out, force_terminal=terminal, width=200, color_system=None)
    ) as display:
        for event in shown:
            display(event)
    return out.getvalue()


@pytest.mark.parametrize("terminal", [False, True])
def test_a_stage_from_start_to_end(terminal: bool) -> None:
    text = show(
        events.StageStarted(stage="data"),
        events.Progress(stage="data", what="rows", done=5, total=10),
        events.StageFinished(stage="data", summary="10 rows", duration_s=1.5),
        terminal=terminal,
    )
    assert "✓ data" in text
    assert "10 rows" in text
    assert "1.5 s" in text


def test_a_skipped_and_a_failed_stage() -> None:
    text = show(
        events.StageSkipped(stage="schema", reason="unchanged"),
        events.StageFailed(stage="data", error="The database is locked"),
    )
    assert "✓ schema" in text
    assert "✗ data" in text


def test_a_check_shows_its_evidence_and_brackets_are_text() -> None:
    check = Check(
        id="verify.a[0]",
        stage="verify",
        title="",
        status=Status.FAIL,
        evidence="body[0] differs [red]",
        reproduce="",
    )
    text = show(events.CheckRecorded(stage="verify", check=check))
    assert "FAIL" in text
    assert "body[0] differs [red]" in text


def test_warnings_are_shown_and_notes_are_not() -> None:
    def finding(level: Level) -> events.Event:
        made = Finding(rule="R-1", level=level, message=f"a {level}", path="a.py", line=3)
        return events.FindingRaised(stage="assess", finding=made)

    text = show(finding(Level.WARNING), finding(Level.NOTE))
    assert "R-1 a.py:3 a warning" in text
    assert "a note" not in text


def test_checks_that_did_not_pass_are_counted_by_name() -> None:
    def check(status: Status) -> Check:
        return Check(id="a", stage="verify", title="", status=status, evidence="", reproduce="")

    counted = [check(Status.PASS), check(Status.PASS), check(Status.NOT_RUN), check(Status.FAIL)]
    assert count_checks(counted) == "2 of 4 checks PASS, 1 FAIL, 1 NOT RUN"
    assert count_checks(counted[:2]) == "2 of 2 checks PASS"
