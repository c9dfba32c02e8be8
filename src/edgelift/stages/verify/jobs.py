"""Scheduled jobs, run once on both sides from the same state, and what they left compared."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from concurrent.futures import wait

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
    launchers = {"origin": bench.origin_idle, "target": bench.worker, "again": bench.origin_idle}
    with contextlib.ExitStack() as stack:
        runs = {
            role: bench.pool.submit(_run, stack, launcher, f"jobs-{role}", jobs)
            for role, launcher in launchers.items()
        }
        wait(runs.values())  # all have ended before the stack closes what they opened
        files, failed = {}, {}
        for role, run in runs.items():
            side, failed[role] = run.result()
            files[role] = side.databases
        for line in (*failed["origin"], *failed["again"]):
            raise OriginError(
                "A scheduled job fails on the origin",
                why=line,
                tip="mend the job, or remove it from edgelift.toml",
            )
        states = [
            compare_states(
                name,
                catalogue,
                EndStates(
                    before=bench.snapshot(name), **{role: files[role][name] for role in launchers}
                ),
                bench.run.project.settings.parity.tolerance,
            )
            for name, catalogue in bench.catalogues.items()
        ]
    return JobsOutcome(
        schedule=schedule,
        names=tuple(job.name for job in jobs),
        failed=tuple(failed["target"]),
        states=tuple(states),
    )


def _run(
    stack: contextlib.ExitStack, launcher: Launcher, tag: str, jobs: Sequence[JobSection]
) -> tuple[Side, list[str]]:
    side = stack.enter_context(launcher.open(tag))
    failed = side.run_jobs(jobs[0].schedule, jobs)
    side.stop()
    return side, failed
