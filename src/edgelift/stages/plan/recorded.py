"""Judges the SQL that the origin sends while its own tests run, for databases that are moved.

What the app puts together at run time stands in no string literal: sources/sql_recorder.py records
it, with the line that sent it. What later flows of verify have sent (it keeps that in the journal)
is judged with it, so that `edgelift plan --force` learns from a verify that failed.
"""

from __future__ import annotations

import time
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from edgelift.errors import OriginError
from edgelift.model.findings import Check, Finding, Status
from edgelift.run import Run
from edgelift.sources.own_tests import describe
from edgelift.sources.recorded_sql import (
    DOCUMENT,
    SEEN_IN_FLOWS,
    RecordedStatement,
    judge,
    select_own,
)
from edgelift.sources.sql_recorder import record_own_tests
from edgelift.stages.plan.server_code import TEXT

CHECK = "plan.sql"
TITLE = "The SQL that the app sends while its tests run has a form in SQLite"
_MOST_DETAILS = 20


@dataclass
class Seen:
    """What was recorded, or why nothing was; `tests` tells how they went."""

    statements: list[RecordedStatement] = field(default_factory=list)
    tests: str = ""
    missing: str = ""
    duration_s: float = 0.0


def record_sql(run: Run, python: Path, engines: Collection[str]) -> Seen:
    """Record the SQL for the engines whose databases are moved, and keep it in the journal.

    An origin that cannot be run on copies is told, not raised: what it sends is not known then.
    """
    started = time.monotonic()
    flows = run.journal.read_document(SEEN_IN_FLOWS, list[RecordedStatement]) or []
    seen = Seen(statements=flows)
    if run.project.settings.tests is None:
        seen.missing = "edgelift.toml names no tests"
    else:
        run.note("running the origin's tests to see the SQL that it sends")
        try:
            scratch = run.project.folder("plan") / "work"
            recording = record_own_tests(run.project, python, scratch, run.note)
        except OriginError as error:
            seen.missing = f"{error.what}: {error.why}"
        else:
            seen.tests = describe(recording.tests)
            seen.statements = [*recording.statements, *flows]
    seen.statements = sorted({one for one in seen.statements if one.engine in engines})
    seen.duration_s = time.monotonic() - started
    run.journal.write_document(DOCUMENT, seen.statements)
    return seen


def judge_recorded(
    statements: Sequence[RecordedStatement], literals: Collection[str]
) -> Iterator[Finding]:
    """Yield what has no form in SQLite, each text once with its line.

    `literals` are texts that the source holds as they are, which are judged there.
    """
    known = set(literals)
    for one in select_own(statements):
        if one.sql in known:
            continue
        known.add(one.sql)
        problem = judge(one)
        if problem:
            shown = " ".join(one.sql.split())[:70]
            yield TEXT.at(f"{shown} ({problem})", one.path or None, one.line or None)


def check_recorded(run: Run, seen: Seen, findings: Sequence[Finding]) -> Check:
    """Report how much was seen, and whether all of it can be kept."""
    wrong = [finding for finding in findings if finding.rule == TEXT.id]
    blocking = [finding for finding in wrong if finding.blocks]
    own = {one.sql for one in select_own(seen.statements)}
    if seen.missing and not seen.statements:
        status, evidence = Status.SKIPPED, f"nothing was recorded: {seen.missing}"
    else:
        status = Status.FAIL if blocking else Status.PASS
        evidence = (
            f"{len(seen.statements)} statements recorded ({seen.tests or seen.missing}), "
            f"{len(own)} in the app's own words: {len(wrong)} of these have no form in SQLite "
            f"({len(wrong) - len(blocking)} accepted)"
        )
    return Check(
        id=CHECK,
        stage="plan",
        title=TITLE,
        status=status,
        evidence=evidence,
        reproduce=run.command("plan", "--force"),
        detail=tuple(f"{f.path}:{f.line} {f.message}" for f in wrong[:_MOST_DETAILS]),
        counts={
            "statements": len(seen.statements),
            "own": len(own),
            "refused": len(wrong),
            "accepted": len(wrong) - len(blocking),
        },
        duration_s=seen.duration_s,
    )
