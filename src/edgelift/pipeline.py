"""The main path of edgelift, from a backend's folder to a proven Worker: start reading here.

Each entry of STAGES is a folder under `stages/`, a CLI verb, a library call and a docs page of the
same name. A stage whose inputs have not changed since it last ended well is skipped, so every verb
may simply run all stages up to its own, and a run that was killed continues where it stood.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from edgelift.errors import EdgeliftError, UsageError
from edgelift.run import run_stage
from edgelift.stages import assess, build, data, files, plan, report, schema, verify

if TYPE_CHECKING:
    from edgelift.project import Settings
    from edgelift.run import Run, Stage

STAGES: tuple[Stage, ...] = (
    assess.STAGE,
    plan.STAGE,
    schema.STAGE,
    data.STAGE,
    files.STAGE,
    build.STAGE,
    verify.STAGE,
    report.STAGE,
)

NAMES: tuple[str, ...] = tuple(stage.name for stage in STAGES)

# What a project of databases without an app needs.
DATABASE_STAGES: tuple[Stage, ...] = (schema.STAGE, data.STAGE, report.STAGE)


def find_stages(until: str, settings: Settings | None = None) -> tuple[Stage, ...]:
    """Return the stages from the first up to and including `until`, or raise UsageError.

    `settings` are those of the project: one without an app has no stages for an app.
    """
    if until not in NAMES:
        raise UsageError(
            f"There is no stage {until!r}",
            why=f"the stages are {', '.join(NAMES)}",
            tip="run: edgelift --help",
        )
    stages = STAGES if settings is None or settings.has_app else DATABASE_STAGES
    names = [stage.name for stage in stages]
    if until not in names:
        raise UsageError(
            f"There is nothing to {until} in a project of databases alone",
            why="its edgelift.toml has no [app]",
            tip=f"the stages of such a project are {', '.join(names)}",
        )
    return stages[: names.index(until) + 1]


def run_pipeline(run: Run, until: str) -> None:
    """Run all stages up to and including `until`, skipping what is done.

    When a stage fails on the way to the report, the report is written all the same: a failed lift
    must show its evidence. The stage's error is raised in the end.
    """
    for stage in find_stages(until, run.project.settings):
        try:
            run_stage(run, stage)
        except EdgeliftError:
            if until == report.STAGE.name and stage is not report.STAGE:
                # What later stages proved in an earlier run was proven of other inputs.
                run.stale = frozenset(NAMES[NAMES.index(stage.name) + 1 :])
                run_stage(run, report.STAGE)
            raise


def check_freshness(run: Run) -> dict[str, str]:
    """Return a state for every stage: `done`, `stale`, `failed`, `running` or `never`.

    A stage is stale when its inputs changed since it ended well, or what it made is gone.
    """
    states: dict[str, str] = {}
    for stage in STAGES if run.project.settings.has_app else DATABASE_STAGES:
        record = run.journal.read_step(stage.name)
        if record is None:
            states[stage.name] = "never"
        elif record.status != "done":
            states[stage.name] = record.status
        else:
            states[stage.name] = "done" if _is_fresh(run, stage, record.inputs) else "stale"
    return states


def _is_fresh(run: Run, stage: Stage, inputs: str) -> bool:
    try:
        return stage.inputs(run) == inputs and stage.intact(run)
    except EdgeliftError:
        return False
