"""The report as data: what the journal holds about one project, with a verdict."""

from __future__ import annotations

import datetime as dt

import msgspec

import edgelift
from edgelift.model.data_document import DataDocument
from edgelift.model.findings import Check, Finding, Level, Status
from edgelift.run import Run

FORMAT = 1
# The checks in which a total is counted, by the beginning of their id.
ORIGINS_OF_TOTALS = {
    "rows": "data.rows",
    "bytes": "data.rows",
    "files": "files.",
    "requests": "verify.parity.",
}


class StageLine(msgspec.Struct, frozen=True, kw_only=True):
    """A stage that ran: `status` as in the journal, its summary and how long it took."""

    name: str
    status: str
    summary: str
    duration_s: float | None
    error: str | None = None


class TableLine(msgspec.Struct, frozen=True, kw_only=True):
    """A table that was moved: its rows, and the hash that both sides share."""

    database: str
    table: str
    rows: int
    hash: str


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
    tables: tuple[TableLine, ...]
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
    checks = run.read_checks()
    findings = tuple(journal.read_findings())
    return Document(
        format=FORMAT,
        edgelift=edgelift.__version__,
        project=run.project.settings.name,
        generated=dt.datetime.now(dt.UTC).isoformat(timespec="seconds"),
        verdict=judge(
            stages, checks, findings, "verify" if run.project.settings.has_app else "data"
        ),
        stages=stages,
        checks=checks,
        findings=findings,
        tables=_read_tables(run),
        latency=tuple(line for check in checks if (line := _read_latency(check)) is not None),
        totals=add_totals(checks),
    )


def judge(
    stages: tuple[StageLine, ...],
    checks: tuple[Check, ...],
    findings: tuple[Finding, ...],
    proof: str = "verify",
) -> str:
    """Return the verdict: a failed check is FAIL, a blocker BLOCKED, unfinished work INCOMPLETE.

    Checks that did not run leave the verdict at PASS only when some check of the stage `proof`
    passed and all stages are done; they stay listed as NOT RUN.
    """
    if any(check.status is Status.FAIL for check in checks):
        return "FAIL"
    if any(finding.blocks for finding in findings):
        return "BLOCKED"
    proven = any(c.stage == proof and c.status is Status.PASS for c in checks)
    if not proven or any(stage.status != "done" for stage in stages):
        return "INCOMPLETE"
    return "PASS"


def add_totals(checks: tuple[Check, ...]) -> dict[str, int]:
    """Return the sums of rows, bytes, requests and files over passed checks.

    Each is counted where it is proven first (ORIGINS_OF_TOTALS): later checks see the same again.
    """
    totals = dict.fromkeys(ORIGINS_OF_TOTALS, 0)
    for check in checks:
        if check.status is Status.PASS:
            for name, prefix in ORIGINS_OF_TOTALS.items():
                if check.id.startswith(prefix):
                    totals[name] += check.counts.get(name, 0)
    return totals


def group_findings(findings: tuple[Finding, ...]) -> dict[str, list[Finding]]:
    """Return findings by file, gravest first; '' holds those without a file."""
    order = {Level.ERROR: 0, Level.WARNING: 1, Level.NOTE: 2}
    groups: dict[str, list[Finding]] = {}
    for finding in sorted(findings, key=lambda f: (order[f.level], f.path or "", f.line or 0)):
        groups.setdefault(finding.path or "", []).append(finding)
    return groups


def _read_tables(run: Run) -> tuple[TableLine, ...]:
    """Return the moved tables of all databases, the largest first."""
    lines = []
    for name in run.journal.list_documents("data:"):
        moved = run.journal.read_document(name, DataDocument)
        database = name.removeprefix("data:")
        lines += [
            TableLine(database=database, table=table, rows=proof.rows, hash=proof.hash)
            for table, proof in (moved.tables if moved else {}).items()
        ]
    return tuple(sorted(lines, key=lambda line: (line.database, -line.rows, line.table)))


def _read_latency(check: Check) -> Latency | None:
    names = ("origin_p50_s", "origin_p95_s", "target_p50_s", "target_p95_s")
    if not all(name in check.figures for name in names):
        return None
    return Latency(
        check=check.id,
        requests=check.counts.get("requests", 0),
        **{name: check.figures[name] for name in names},
    )
