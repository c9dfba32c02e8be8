"""What is checked when following rests: counters, keys, offloaded values, every row if wanted."""

from __future__ import annotations

import time
from collections.abc import Sequence

from edgelift.errors import VerificationMismatch
from edgelift.model.findings import Check, Status
from edgelift.run import Run
from edgelift.sources.change_feed import Comparison
from edgelift.stages.follow.file_writer import read_names
from edgelift.stages.follow.follower import Follower
from edgelift.targets.object_files import sweep_objects

_MOST_DETAILS = 20


def check(run: Run, follower: Follower, *, verify: bool) -> list[Check]:
    """Bring counters up to date and check the file; with `verify` every row."""
    name = follower.database.name
    follower.writer.raise_counters(
        follower.try_again(lambda: list(follower.session.followed.read_counters().items()))
    )
    started = time.monotonic()
    comparison = follower.try_again(follower.compare) if verify else None
    compared_s = time.monotonic() - started
    done = follower.writer.checkpoint
    orphans = follower.writer.find_orphans()
    reproduce = run.command("follow", "--until-caught-up", "--verify")
    rows = _check_rows(name, comparison, reproduce, compared_s)
    follower.save("caught up", verified=rows.evidence if comparison else "")
    return [
        Check(
            id=f"follow.caught-up:{name}",
            stage="follow",
            title=f"{name} holds all that was written at its origin",
            status=Status.PASS,
            evidence=f"{done.transactions} transactions, {done.rows} rows applied behind the copy",
            reproduce=reproduce,
            counts={"transactions": done.transactions, "rows": done.rows},
        ),
        Check(
            id=f"follow.keys:{name}",
            stage="follow",
            title=f"Every foreign key of {name} has its parent",
            status=Status.FAIL if orphans else Status.PASS,
            evidence=f"foreign_key_check found {len(orphans)} faults",
            detail=tuple(orphans[:_MOST_DETAILS]),
            reproduce=reproduce,
        ),
        *_check_objects(follower, reproduce),
        rows,
    ]


def _check_objects(follower: Follower, reproduce: str) -> list[Check]:
    """Check that every offloaded value has its file, and remove those that nobody names any more.

    What data's proven copy names stays with it.
    """
    database = follower.database
    columns = follower.session.followed.offloaded
    if not columns:
        return []
    wanted, copied = follower.writer.read_names(columns), read_names(database.copy, columns)
    sweep = sweep_objects(database.objects, wanted, copied)
    return [
        Check(
            id=f"follow.objects:{database.name}",
            stage="follow",
            title=f"Every offloaded value of {database.name} lies in its file",
            status=Status.FAIL if sweep.missing else Status.PASS,
            evidence=f"{sweep.wanted - len(sweep.missing)} of {sweep.wanted} objects are there; "
            f"{sweep.kept} older ones stay with the proven copy, {sweep.removed} were removed",
            detail=tuple(f"{name} has no file" for name in sweep.missing[:_MOST_DETAILS]),
            reproduce=reproduce,
            counts={"objects": sweep.wanted, "objects_missing": len(sweep.missing),
                    "objects_kept": sweep.kept, "objects_removed": sweep.removed},
        )
    ]  # fmt: skip


def _check_rows(
    name: str, comparison: Comparison | None, reproduce: str, duration_s: float
) -> Check:
    title = f"Every row of {name} is that of its origin"
    if comparison is None:
        return Check(
            id=f"follow.rows:{name}", stage="follow", title=title, status=Status.NOT_RUN,
            evidence="rows were not compared: --verify does", reproduce=reproduce,
        )  # fmt: skip
    evidence = (
        f"{comparison.rows} rows of {comparison.tables} tables compared by hash at one moment, "
        f"{comparison.differing} differ"
    )
    return Check(
        id=f"follow.rows:{name}", stage="follow", title=title, status=comparison.status,
        evidence=evidence, detail=comparison.details, reproduce=reproduce,
        counts={"rows": comparison.rows, "rows_differing": comparison.differing},
        duration_s=duration_s,
    )  # fmt: skip


def raise_mismatch(checks: Sequence[Check]) -> None:
    """Raise VerificationMismatch for the first check that failed."""
    failed = [check for check in checks if check.status is Status.FAIL]
    if failed:
        raise VerificationMismatch(
            f"The followed data differs from the origin: {failed[0].id}",
            why=failed[0].detail[0] if failed[0].detail else failed[0].evidence,
            tip="copy anew: run the same command with --force",
        )
