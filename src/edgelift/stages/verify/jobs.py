"""Scheduled jobs, run once on both sides from the same state, and what they left compared."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence

import msgspec

from edgelift.errors import OriginError
from edgelift.project import JobSection
from edgelift.stages.verify.sides import Bench, Launcher, Side
from edgelift.stages.verify.state import EndStates, StateOutcome, compare_states


class JobsOutcome(msgspec.Struct, frozen=True, kw_only=True):
    """The jobs of one schedule: what failed on the target, and the end states of all databases."""

    schedule: str
    names: tuple[str, ...]
    failed: tuple[str, ...] = ()
    states: tuple[StateOutcome, ...] = ()


def group_jobs(jobs: Sequence[JobSection]) -> dict[str, list[JobSection]]:
    """Return jobs by schedule: a cron trigger of a Worker starts all that share its expression."""
    groups: dict[str, list[JobSection]] = {}
    for job in jobs:
        groups.setdefault(job.schedule, []).append(job)
    return groups


def compare_jobs(bench: Bench, schedule: str, jobs: Sequence[JobSection]) -> JobsOutcome:
    """Run the jobs of a schedule on the origin, the target, the origin again; compare end states.

    Raises OriginError when a job fails on the origin itself.
    """
    with contextlib.ExitStack() as stack:
        origin = _run(stack, bench.origin, "jobs-origin", jobs)
        target = _run(stack, bench.worker, "jobs-target", jobs)
        again = _run(stack, bench.origin, "jobs-again", jobs)
        for failed in (*origin[1], *again[1]):
            raise OriginError(
                "A scheduled job fails on the origin",
                why=failed,
                tip="mend the job, or remove it from edgelift.toml",
            )
        tolerance = bench.run.project.settings.parity.tolerance
        states = [
            compare_states(
                name,
                catalogue,
                EndStates(*(side.databases[name] for side in (origin[0], again[0], target[0]))),
                bench.snapshot_hashes(name),
                tolerance,
            )
            for name, catalogue in bench.catalogues.items()
        ]
    return JobsOutcome(
        schedule=schedule,
        names=tuple(job.name for job in jobs),
        failed=tuple(target[1]),
        states=tuple(states),
    )


def _run(
    stack: contextlib.ExitStack, launcher: Launcher, tag: str, jobs: Sequence[JobSection]
) -> tuple[Side, list[str]]:
    side = stack.enter_context(launcher.open(tag))
    failed = side.run_jobs(jobs[0].schedule, jobs)
    side.stop()
    return side, failed
