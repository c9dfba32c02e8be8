"""What one flow showed, as data: kept as a checkpoint, turned into checks."""

from __future__ import annotations

import msgspec

from edgelift.model.flows import Difference, NoiseMask
from edgelift.stages.verify.state import StateOutcome


class MutantOutcome(msgspec.Struct, frozen=True, kw_only=True):
    """How many altered replies or rows of one kind were made and caught; survivors by name."""

    kind: str
    made: int = 0
    caught: int = 0
    survivors: tuple[str, ...] = ()


class FlowOutcome(msgspec.Struct, frozen=True, kw_only=True):
    """One flow replayed on the origin, on the origin once more, and on the target.

    `noise` counts what `masks` forgave. `unstable` differences were not seen again in a second
    replay of both sides. `stopped` says why the target could not finish, `log` is the end of its
    log. Times are seconds per request. `fired` counts the faults that databases raised, by
    side; `unequal_faults` are the requests in which they did so on one side only.
    """

    name: str
    requests: int
    routes: tuple[str, ...] = ()
    statuses: dict[str, int] = {}
    differences: tuple[Difference, ...] = ()
    unstable: tuple[Difference, ...] = ()
    declared: int = 0
    unused_rules: tuple[str, ...] = ()
    noise: int = 0
    masks: tuple[NoiseMask, ...] = ()
    widest: float = 0.0
    origin_s: tuple[float, ...] = ()
    target_s: tuple[float, ...] = ()
    states: tuple[StateOutcome, ...] = ()
    mutants: tuple[MutantOutcome, ...] = ()
    stopped: str = ""
    duration_s: float = 0.0
    log: tuple[str, ...] = ()
    fired: dict[str, int] = {}
    unequal_faults: tuple[str, ...] = ()

    @property
    def passed(self) -> bool:
        """Return whether replies and end states agree."""
        return not (self.differences or self.stopped or any(s.differences for s in self.states))


def read_percentile(values: tuple[float, ...], share: float) -> float:
    """Return the value below which `share` of the values lie (nearest rank), 0.0 for none."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else 0.0
