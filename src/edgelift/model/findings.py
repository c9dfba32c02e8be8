"""Findings of assess and plan, and checks with evidence; kept in the journal, read by report."""

from __future__ import annotations

from enum import StrEnum

import msgspec


class Level(StrEnum):
    """How much a finding matters; the names are SARIF's (2.1.0, section 3.27.10)."""

    NOTE = "note"
    WARNING = "warning"
    ERROR = "error"


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """One thing seen in the origin that matters for the lift, at a place, under a stable rule id.

    `path` is relative to the project, with forward slashes; `line` counts from 1. A finding of
    level ERROR is a blocker unless its rule is listed under `[accept] rules` of edgelift.toml,
    which sets `accepted`.
    """

    rule: str
    level: Level
    message: str
    path: str | None = None
    line: int | None = None
    tip: str = ""
    accepted: bool = False

    @property
    def blocks(self) -> bool:
        """Return whether the lift must stop for it."""
        return self.level is Level.ERROR and not self.accepted


class Status(StrEnum):
    """Outcome of a check; nothing that did not run is ever PASS."""

    PASS = "PASS"
    FAIL = "FAIL"
    NOT_RUN = "NOT RUN"
    SKIPPED = "SKIPPED"


class Check(msgspec.Struct, frozen=True, kw_only=True):
    """One proven, refuted or unproven statement about the lift.

    `id` is stable and dotted (`verify.parity.routes`); `evidence` is one sentence with its
    counts; `reproduce` is a shell command that repeats exactly this check; `detail` names the
    differences, most telling first; `counts` holds every numerator and denominator (rows,
    requests, bytes); `figures` measurements such as latencies in seconds. FAIL sets the exit code
    of the verb.
    """

    id: str
    stage: str
    title: str
    status: Status
    evidence: str
    reproduce: str
    detail: tuple[str, ...] = ()
    counts: dict[str, int] = {}
    figures: dict[str, float] = {}
    duration_s: float = 0.0

    def as_stale(self) -> Check:
        """Return the check as one whose inputs have changed since: it proves nothing now."""
        if self.status is Status.NOT_RUN:
            return self
        evidence = f"stale: was {self.status} before its inputs changed ({self.evidence})"
        return msgspec.structs.replace(self, status=Status.NOT_RUN, evidence=evidence)
