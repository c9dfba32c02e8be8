"""Running stages: what is skipped, what is recorded, what is told."""

from __future__ import annotations

from pathlib import Path

import pytest

from edgelift import events
from edgelift.errors import OriginError
from edgelift.journal import Journal
from edgelift.model.findings import Check, Status
from edgelift.project import AppSection, Project, Settings
from edgelift.run import Run, Stage, run_stage
from edgelift.verbs import find_stale


@pytest.fixture
def told() -> list[events.Event]:
    return []


@pytest.fixture
def run(tmp_path: Path, told: list[events.Event]):
    settings = Settings(name="x", app=AppSection(framework="flask", entry="app:app"))
    project = Project(tmp_path, settings, tmp_path / "edgelift.toml")
    journal = Journal(project.state / "journal.db")
    yield Run(project, journal, journal.begin_run("lift", ""), tmp_path, told.append)
    journal.close()


def stage(calls: list[str], inputs: str = "1", *, intact: bool = True) -> Stage:
    def work(_run: Run) -> dict[str, object]:
        calls.append(inputs)
        return {"summary": "worked"}

    return Stage("data", lambda _run: inputs, work, lambda _run: intact)


def kinds(told: list[events.Event]) -> list[str]:
    return [type(event).__name__ for event in told]


def test_a_finished_stage_is_skipped(run: Run, told: list[events.Event]) -> None:
    calls: list[str] = []
    run_stage(run, stage(calls))
    assert run_stage(run, stage(calls)) == {"summary": "worked"}
    assert calls == ["1"]
    assert kinds(told) == ["StageStarted", "StageFinished", "StageSkipped"]


@pytest.mark.parametrize("change", ["inputs", "force", "gone"])
def test_a_stage_runs_again_when_it_must(run: Run, change: str) -> None:
    calls: list[str] = []
    run_stage(run, stage(calls))
    run.force = change == "force"
    run_stage(run, stage(calls, "2" if change == "inputs" else "1", intact=change != "gone"))
    assert len(calls) == 2


def test_an_error_is_recorded_and_raised(run: Run, told: list[events.Event]) -> None:
    def work(_run: Run) -> dict[str, object]:
        raise OriginError("The database is locked", why="busy", tip="wait")

    with pytest.raises(OriginError):
        run_stage(run, Stage("data", lambda _run: "1", work))
    assert run.journal.read_step("data").status == "failed"
    assert kinds(told) == ["StageStarted", "StageFailed"]


def test_a_killed_stage_is_not_taken_for_done(run: Run) -> None:
    calls: list[str] = []
    run.journal.begin_step(run.run_id, "data", "1")
    run_stage(run, stage(calls))
    assert calls == ["1"]


def test_checks_are_recorded_and_told(run: Run, told: list[events.Event]) -> None:
    check = Check(
        id="data.rows", stage="data", title="", status=Status.PASS, evidence="", reproduce=""
    )
    run.current = "data"
    run.record_checks([check])
    assert run.journal.read_checks("data") == [check]
    assert told == [events.CheckRecorded(stage="data", check=check)]


def test_commands_are_quoted_for_the_shell(run: Run) -> None:
    run.path = Path("my apps/shop")
    assert run.command("verify", "--only", "a b") == "edgelift verify 'my apps/shop' --only 'a b'"


def test_checks_of_a_stale_stage_prove_nothing(run: Run) -> None:
    made = Check(
        id="data.rows", stage="data", title="", status=Status.PASS, evidence="e", reproduce=""
    )
    run.current = "data"
    run.record_checks([made])
    assert run.read_checks() == (made,)
    run.stale = frozenset({"data"})
    (stale,) = run.read_checks()
    assert stale.status is Status.NOT_RUN
    assert stale.evidence == "stale: was PASS before its inputs changed (e)"


def test_a_failed_stage_keeps_the_proof_of_its_own_run(run: Run) -> None:
    def begin(inputs: str) -> None:
        run.journal.begin_step(run.run_id, "data", inputs)
        run.current, run.inputs = "data", inputs

    made = Check(
        id="data.rows", stage="data", title="", status=Status.FAIL, evidence="e", reproduce=""
    )
    begin("1")
    run.record_checks([made])
    run.journal.fail_step("data", "1 of 1 checks failed")
    assert find_stale(run.journal, {"data": "failed"}) == frozenset()
    begin("2")
    run.journal.fail_step("data", "the database is locked")
    assert find_stale(run.journal, {"data": "failed"}) == {"data"}
    assert find_stale(run.journal, {"data": "stale"}) == {"data"}
    assert find_stale(run.journal, {"data": "done"}) == frozenset()
