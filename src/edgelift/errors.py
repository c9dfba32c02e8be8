"""Every error a user can meet, as one tree; used by all stages, imported by nothing below it.

EdgeliftError                      exit 1   (a bug when raised as itself)
├── UsageError                     exit 2   wrong arguments, wrong edgelift.toml
│   └── BusyError                  exit 2   another run holds this project
├── BlockersFound                  exit 3   assess or plan found what must not be lifted silently
├── OriginError                    exit 4   the origin: its files, its database, its app
│   └── OriginUnavailable          exit 4   + Transient: worth another try
├── TargetError                    exit 5   workerd, toolchain, build, Cloudflare
│   └── TargetUnavailable          exit 5   + Transient
├── VerificationMismatch           exit 6   origin and target differ
├── RolledBack                     exit 7   traffic went back to the origin
└── Interrupted                    exit 130 Ctrl-C or SIGTERM

A user reads three lines: what failed, why, and `Tip:` with the next step.
"""

from __future__ import annotations

from typing import ClassVar


class Transient:
    """Marks an error type whose cause may pass by itself, so that a caller may try again.

    Without `at_once` only whoever started the work should: somebody ended it on purpose.
    """

    at_once: ClassVar[bool] = True


class EdgeliftError(Exception):
    """Base of all edgelift errors: `what` failed, `why`, and a `tip` for the next step.

    `outcome` is what the verb had on record when it failed (verbs.Outcome), for `--json`.
    """

    exit_code: ClassVar[int] = 1

    def __init__(self, what: str, *, why: str = "", tip: str = "") -> None:
        super().__init__(what)
        self.what = what
        self.why = why
        self.tip = tip
        self.outcome: object = None

    def lines(self) -> list[str]:
        """Return the three lines a user sees; newlines inside a part are folded to spaces."""
        why = self.why or "no further detail was given"
        tip = self.tip or "run again with --debug to see the traceback"
        return [" ".join(part.split()) for part in (self.what, why, f"Tip: {tip}")]

    def __str__(self) -> str:
        return "\n".join(self.lines())


class UsageError(EdgeliftError):
    """Wrong arguments or a wrong project file."""

    exit_code = 2


class BusyError(UsageError):
    """Another run of edgelift holds this project."""


class BlockersFound(EdgeliftError):
    """Findings of level error stop the lift before anything moves."""

    exit_code = 3


class OriginError(EdgeliftError):
    """The origin cannot be read, imported or started."""

    exit_code = 4


class OriginUnavailable(OriginError, Transient):
    """The origin did not answer, but may do so later."""


class TargetError(EdgeliftError):
    """The target runtime, its toolchain or its build failed."""

    exit_code = 5


class TargetUnavailable(TargetError, Transient):
    """The target did not answer, but may do so later."""


class VerificationMismatch(EdgeliftError):
    """Origin and target differ where they must not."""

    exit_code = 6


class RolledBack(EdgeliftError):
    """Traffic was moved back to the origin."""

    exit_code = 7


class Interrupted(EdgeliftError):
    """The run was stopped by the user or the system; finished work is kept."""

    exit_code = 130
