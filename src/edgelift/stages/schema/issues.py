"""An issue of the schema stage: a rule that an object of the origin met, not yet a finding."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from edgelift.model.findings import Finding, Level

NOTE, WARNING, ERROR = Level.NOTE, Level.WARNING, Level.ERROR


@dataclass(frozen=True)
class Issue:
    """A rule and what met it: `kind` and `name` of the object, `column` where it is one column.

    With `refuses` the object itself cannot exist in D1: accepted, it is left out; else it moves as
    it is and the issue stays a risk.
    """

    rule: str
    level: Level
    kind: str
    name: str
    message: str
    tip: str = ""
    column: str = ""
    refuses: bool = False

    def to_finding(self, path: str, accepted: Iterable[str]) -> Finding:
        """Return the finding at the database file `path`."""
        where = f"{self.kind} {self.name}" if self.name else self.kind
        return Finding(
            rule=self.rule,
            level=self.level,
            message=f"{where}: {self.message}",
            path=path,
            tip=self.tip,
            accepted=self.rule in set(accepted),
        )
