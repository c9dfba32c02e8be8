"""Replay one flow on the origin, on the target and on a second origin, and judge what they said."""

from __future__ import annotations

import contextlib
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from edgelift.errors import OriginError, TargetError
from edgelift.model.flows import Difference, Flow, Reply
from edgelift.stages.verify.mutants import check_mutants
from edgelift.stages.verify.noise import IgnoreRule, Judge, Noise, parse_ignore
from edgelift.stages.verify.outcome import FlowOutcome
from edgelift.stages.verify.replay import replay_flow
from edgelift.stages.verify.sides import Bench, Launcher, Side
from edgelift.stages.verify.state import EndStates, StateOutcome, compare_states


@dataclass
class _Pass:
    """One replay on all three sides: their replies, and the judgement of the end states."""

    origin: list[Reply]
    target: list[Reply]
    again: list[Reply]
    states: list[StateOutcome]


class _TargetStopped(Exception):  # noqa: N818 - carries a result out of a `with`, reported as a check
    def __init__(self, error: TargetError, position: int, log: list[str]) -> None:
        super().__init__(error.what)
        self.error, self.position, self.log = error, position, log


@dataclass
class Replayer:
    """Replays one flow; `noise` is what the origin's own runs of it disagreed on."""

    bench: Bench
    noise: Noise = field(default_factory=Noise)

    @property
    def rules(self) -> list[IgnoreRule]:
        """Return the declared rules; raises UsageError for one that cannot be read."""
        return parse_ignore(self.bench.run.project.settings.parity.ignore)

    @property
    def tolerance(self) -> float:
        """Return the declared absolute difference allowed between floats."""
        return self.bench.run.project.settings.parity.tolerance

    def make_judge(self, flow: Flow) -> Judge:
        """Return a judge that has seen nothing of the flow yet."""
        static = tuple(
            prefix for s in self.bench.run.project.settings.static if (prefix := s.url) != "/"
        )
        return Judge(flow.name, self.noise, self.rules, self.tolerance, static)

    def run(self, flow: Flow) -> FlowOutcome:
        """Replay a flow and return what it showed.

        Differences are believed when a second replay, from the initial state again, shows them too.
        Raises OriginError when the origin cannot be replayed.
        """
        try:
            first = self._replay_all(flow, "")
            judge = self.make_judge(flow)
            differences = self._judge(flow, first, judge)
            unstable: list[Difference] = []
            if differences or any(state.differences for state in first.states):
                self.bench.run.note(
                    f"flow {flow.name}: differences seen, replaying to confirm them"
                )
                first, judge, differences, unstable = self._confirm(flow, first, differences)
        except _TargetStopped as stopped:
            label = flow.requests[stopped.position].label
            return FlowOutcome(
                name=flow.name,
                requests=stopped.position,
                stopped=f"the Worker stopped at request {stopped.position + 1}, {label}: "
                f"{stopped.error.why or stopped.error.what}",
                log=tuple(stopped.log),
            )
        return self._report(flow, first, judge, differences, unstable)

    def _report(
        self,
        flow: Flow,
        done: _Pass,
        judge: Judge,
        differences: list[Difference],
        unstable: list[Difference],
    ) -> FlowOutcome:
        return FlowOutcome(
            name=flow.name,
            requests=len(flow.requests),
            routes=tuple(sorted({f"{r.method} {r.rule}" for r in flow.requests if r.rule})),
            statuses=dict(Counter(str(reply.status) for reply in done.origin)),
            differences=tuple(differences),
            unstable=tuple(unstable),
            declared=judge.forgiven["declared"],
            unused_rules=tuple(r.text for r in judge.rules if r.text not in judge.used_rules),
            noise=judge.forgiven["noise"],
            masks=tuple(self.noise.masks.values()),
            widest=judge.widest,
            origin_s=tuple(reply.duration_s for reply in done.origin),
            target_s=tuple(reply.duration_s for reply in done.target),
            states=tuple(done.states),
            mutants=tuple(check_mutants(flow, done.origin, lambda: self.make_judge(flow))),
        )

    def _judge(self, flow: Flow, done: _Pass, judge: Judge) -> list[Difference]:
        return [
            difference
            for position, request in enumerate(flow.requests)
            for difference in judge.judge(
                position, request, done.origin[position], done.target[position]
            )
        ]

    def _confirm(
        self, flow: Flow, first: _Pass, differences: list[Difference]
    ) -> tuple[_Pass, Judge, list[Difference], list[Difference]]:
        """Replay once more: what the origin changed is noise, the rest must be seen again."""
        second = self._replay_all(flow, "-confirm")
        self._learn(flow, first.origin, second.origin)
        judge = self.make_judge(flow)
        still = self._judge(flow, first, judge)
        seen = {_identify(d) for d in self._judge(flow, second, self.make_judge(flow))}
        kept = [d for d in still if _identify(d) in seen]
        lost = [d for d in differences if _identify(d) not in {_identify(k) for k in kept}]
        states = [_keep_common(a, b) for a, b in zip(first.states, second.states, strict=True)]
        done = _Pass(first.origin, first.target, first.again, states)
        return done, judge, kept, lost

    def _learn(self, flow: Flow, first: Sequence[Reply], second: Sequence[Reply]) -> None:
        for position, request in enumerate(flow.requests):
            name = f"{flow.name}#{position}"
            self.noise.learn(request, name, first[position], second[position])

    def _replay_all(self, flow: Flow, suffix: str) -> _Pass:
        """Replay on origin, target and origin again; all three start from the same state."""
        tag = "flow-" + re.sub(r"[^A-Za-z0-9._-]", "-", flow.name)
        with contextlib.ExitStack() as stack:
            bench = self.bench
            origin, side_a = self._replay(stack, flow, bench.origin, f"{tag}-origin{suffix}")
            target, side_t = self._replay(stack, flow, bench.worker, f"{tag}-target{suffix}")
            again, side_b = self._replay(stack, flow, bench.origin_again, f"{tag}-again{suffix}")
            self._learn(flow, origin, again)
            states = [
                compare_states(
                    name,
                    catalogue,
                    EndStates(
                        side_a.databases[name], side_b.databases[name], side_t.databases[name]
                    ),
                    bench.snapshot_hashes(name),
                    self.tolerance,
                )
                for name, catalogue in bench.catalogues.items()
            ]
        return _Pass(origin, target, again, states)

    def _replay(
        self, stack: contextlib.ExitStack, flow: Flow, launcher: Launcher, tag: str
    ) -> tuple[list[Reply], Side]:
        """Replay on one fresh side, which is stopped but kept until the stack is closed."""
        side = stack.enter_context(launcher.open(tag))
        total = len(flow.requests)
        done = 0

        def step(count: int) -> None:
            nonlocal done
            done = count
            self.bench.run.progress(f"requests ({tag})", count, total)

        try:
            replies = replay_flow(flow, side.url, side.check_alive, step)
        except TargetError as error:
            log = side.read_log_tail()
            raise _TargetStopped(error, done, log) from error
        side.stop()
        if launcher is self.bench.worker:
            return replies, side
        broken = next((i for i, reply in enumerate(replies) if reply.error), None)
        if broken is not None:
            raise OriginError(
                f"The origin gave no reply to {flow.requests[broken].label}",
                why=f"{replies[broken].error}; {' '.join(side.read_log_tail()[-1:])}",
                tip="mend the origin: its behaviour there cannot be compared",
            )
        return replies, side


def _identify(difference: Difference) -> tuple[int, str, str]:
    return difference.position, difference.kind, difference.pattern


def _keep_common(first: StateOutcome, second: StateOutcome) -> StateOutcome:
    """Return the first outcome with the differences whose place and kind the second shows too."""
    import msgspec

    seen = {(d.table, d.column, d.kind) for d in second.differences}
    kept = tuple(d for d in first.differences if (d.table, d.column, d.kind) in seen)
    return msgspec.structs.replace(
        first, differences=kept, noisy=tuple(sorted({*first.noisy, *second.noisy}))
    )
