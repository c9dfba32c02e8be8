"""The report as data: what the journal holds about one project, with a verdict."""

from __future__ import annotations

import datetime as dt

import msgspec

import edgelift
from edgelift.model.findings import Check, Finding, Level, Status
from edgelift.run import Run

FORMAT = 1


class StageLine(msgspec.Struct, frozen=True, kw_only=True):
    """A stage that ran: `status` as in the journal, its summary and how long it took."""

    name: str
    status: str
    summary: str
    duration_s: float | None
    error: str | None = None


class Latency(msgspec.Struct, frozen=True, kw_only=True):
    """Latency of the same requests at both sides, in seconds, as recorded in `check`."""

    check: str
    requests: int
    origin_p50_s: float
    origin_p95_s: float
    target_p50_s: float
    target_p95_s: float


class Document(msgspec.Struct, frozen=True, kw_only=True):
    """The whole report; `verdict` is PASS, FAIL, BLOCKED or INCOMPLETE."""

    format: int
    edgelift: str
    project: str
    generated: str
    verdict: str
    stages: tuple[StageLine, ...]
    checks: tuple[Check, ...]
    findings: tuple[Finding, ...]
    latency: tuple[Latency, ...]
    totals: dict[str, int]

    @property
    def passed(self) -> int:
        """Return how many checks passed."""
        return sum(check.status is Status.PASS for check in self.checks)

    def to_json(self) -> str:
        """Return the report as indented JSON, ending with a newline."""
        return msgspec.json.format(msgspec.json.encode(self), indent=2).decode() + "\n"


def build_document(run: Run) -> Document:
    """Return the report of what a project's journal holds now."""
    journal = run.journal
    stages = tuple(
        StageLine(
            name=step.name,
            status=step.status,
            summary=str((step.result or {}).get("summary", "")),
            duration_s=None if step.finished is None else step.finished - step.started,
            error=step.error,
        )
        for step in journal.read_steps()
        if step.name != "report"
    )
    checks = tuple(_mark_stale(check, run.stale) for check in journal.read_checks())
    findings = tuple(journal.read_findings())
    return Document(
        format=FORMAT,
        edgelift=edgelift.__version__,
        project=run.project.settings.name,
        generated=dt.datetime.now(dt.UTC).isoformat(timespec="seconds"),
        verdict=judge(stages, checks, findings),
        stages=stages,
        checks=checks,
        findings=findings,
        latency=tuple(line for check in checks if (line := _read_latency(check)) is not None),
        totals=add_totals(checks),
    )


def judge(
    stages: tuple[StageLine, ...], checks: tuple[Check, ...], findings: tuple[Finding, ...]
) -> str:
    """Return the verdict: a failed check is FAIL, a blocker BLOCKED, unfinished work INCOMPLETE.

    Checks that did not run leave the verdict at PASS only when some check of the verify stage
    passed and all stages are done; they stay listed as NOT RUN.
    """
    if any(check.status is Status.FAIL for check in checks):
        return "FAIL"
    if any(finding.blocks for finding in findings):
        return "BLOCKED"
    proven = any(c.stage == "verify" and c.status is Status.PASS for c in checks)
    if not proven or any(stage.status != "done" for stage in stages):
        return "INCOMPLETE"
    return "PASS"


def add_totals(checks: tuple[Check, ...]) -> dict[str, int]:
    """Return the sums of the counts `rows`, `bytes`, `requests` and `files` over passed checks.

    Rows and bytes count once, from the data stage: verify proves the same rows again.
    """
    totals = {"rows": 0, "bytes": 0, "requests": 0, "files": 0}
    for check in checks:
        if check.status is not Status.PASS:
            continue
        for name in totals:
            wanted = {"rows": "data", "bytes": "data", "files": "files"}.get(name, "verify")
            if check.stage == wanted:
                totals[name] += check.counts.get(name, 0)
    return totals


def group_findings(findings: tuple[Finding, ...]) -> dict[str, list[Finding]]:
    """Return findings by file, gravest first; '' holds those without a file."""
    order = {Level.ERROR: 0, Level.WARNING: 1, Level.NOTE: 2}
    groups: dict[str, list[Finding]] = {}
    for finding in sorted(findings, key=lambda f: (order[f.level], f.path or "", f.line or 0)):
        groups.setdefault(finding.path or "", []).append(finding)
    return groups


def _mark_stale(check: Check, stale: frozenset[str]) -> Check:
    if check.stage not in stale or check.status is Status.NOT_RUN:
        return check
    return msgspec.structs.replace(
        check,
        status=Status.NOT_RUN,
        evidence=f"stale: was {check.status} before its inputs changed ({check.evidence})",
    )


def _read_latency(check: Check) -> Latency | None:
    names = ("origin_p50_s", "origin_p95_s", "target_p50_s", "target_p95_s")
    if not all(name in check.figures for name in names):
        return None
    return Latency(
        check=check.id,
        requests=check.counts.get("requests", 0),
        **{name: check.figures[name] for name in names},
    )
