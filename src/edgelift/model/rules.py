"""Rules: what a finding's id stands for; assess, plan, the SARIF file and the docs share them."""

from __future__ import annotations

import msgspec

from edgelift.model.findings import Finding, Level


class Rule(msgspec.Struct, frozen=True, kw_only=True):
    """A rule under a stable id: `title` is what was seen, `why` what a Worker does differently.

    `level` is its usual level; a finding may have a lower one where it matters less. `tip` is the
    next step.
    """

    id: str
    level: Level
    title: str
    why: str
    tip: str

    def at(
        self, message: str, path: str | None, line: int | None, *, level: Level | None = None
    ) -> Finding:
        """Return a finding of this rule at a place; `message` says what was seen there."""
        return Finding(
            rule=self.id,
            level=level or self.level,
            message=f"{message}: {self.why}",
            path=path,
            line=line,
            tip=self.tip,
        )
