"""The plan: which strategy each part of the origin gets, and why; later stages obey it."""

from __future__ import annotations

import msgspec


class DatabasePlan(msgspec.Struct, frozen=True, kw_only=True):
    """A database's strategy (`d1`, `hyperdrive`), the reason for it, and the Worker's binding."""

    name: str
    url: str
    binding: str
    strategy: str
    reason: str
    env: str | None = None

    @property
    def in_place(self) -> bool:
        """Return whether the database stays on its server, so that nothing of it is moved."""
        return self.strategy == "hyperdrive"


class PackagePlan(msgspec.Struct, frozen=True, kw_only=True):
    """What becomes of a requirement: `vendored`, `substituted`, `excluded` or `refused`."""

    name: str
    outcome: str
    reason: str = ""
    substitute: str = ""


class CostLine(msgspec.Struct, frozen=True, kw_only=True):
    """A line of the estimated monthly bill: `amount` units, of which `included` cost nothing."""

    title: str
    amount: float
    included: float
    usd: float
    source: str


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """All decisions; `placement` says where the app runs (`worker`).

    `models` are the serialized estimators to export, `crons` the cron triggers without repeats,
    `costs` the estimated bill of a month under the assumptions that plan.md states.
    """

    placement: str
    placement_reason: str
    databases: tuple[DatabasePlan, ...] = ()
    packages: tuple[PackagePlan, ...] = ()
    models: tuple[str, ...] = ()
    crons: tuple[str, ...] = ()
    steps: tuple[str, ...] = ()
    costs: tuple[CostLine, ...] = ()
