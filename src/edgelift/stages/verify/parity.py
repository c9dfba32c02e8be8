"""Replay one flow on the origin, on the target and on a second origin, and judge what they said."""

from __future__ import annotations

import contextlib
import itertools
import re
import time
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field

import msgspec

from edgelift.errors import OriginError, TargetError
from edgelift.model.flows import Difference, Flow, Reply
from edgelift.stages.verify.faults import FAULTS
from edgelift.stages.verify.mutants import check_mutants
from edgelift.stages.verify.noise import IgnoreRule, Judge, Noise, parse_ignore
from edgelift.stages.verify.outcome import FlowOutcome
from edgelift.stages.verify.replay import replay_flow
from edgelift.stages.verify.sides import Bench, Launcher, Side
from edgelift.stages.verify.state import EndStates, StateOutcome, compare_states

ORIGIN, TARGET, AGAIN = "origin", "target", "again"


class _TargetStopped(Exception):  # noqa: N818 - carries a result, which becomes a failed check
    def __init__(self, error: TargetError, position: int, log: list[str]) -> None:
        super().__init__(error.what)
        self.error, self.position, self.log = error, position, log


@dataclass
class Trial:
    """One flow on three fresh sides that start from the same state, each in a thread of its own."""

    bench: Bench
    flow: Flow
    suffix: str = ""
    replies: dict[str, list[Reply]] = field(default_factory=dict)
    fired: dict[str, list[int]] = field(default_factory=dict)
    _sides: dict[str, Future[Side]] = field(default_factory=dict)
    _stack: contextlib.ExitStack = field(default_factory=contextlib.ExitStack)

    def open(self, *roles: str) -> None:
        """Begin to start sides, at once."""
        bench = self.bench
        launchers = {ORIGIN: bench.origin, TARGET: bench.worker, AGAIN: bench.origin_again}
        if self._fails:
            launchers = dict.fromkeys(launchers, bench.origin_failing) | {TARGET: bench.worker}
        for role in roles:
            start = bench.pool.submit(self._start, launchers[role], self._tag(role))
            self._sides[role] = start

    @property
    def _fails(self) -> bool:
        return self.flow.source == FAULTS

    def _tag(self, role: str) -> str:
        return "flow-" + re.sub(r"[^A-Za-z0-9._-]", "-", f"{self.flow.name}-{role}{self.suffix}")

    def _start(self, launcher: Launcher, tag: str) -> Side:
        return self._stack.enter_context(launcher.open(tag))

    def wait(self) -> None:
        """Wait until all sides run; raises the error of one that does not start."""
        for side in self._sides.values():
            side.result()

    def replay(self, role: str) -> None:
        """Send the flow to one side and stop it; its databases stay until `close`."""
        side = self._sides[role].result()
        total = len(self.flow.requests)
        done = 0

        def step(count: int) -> None:
            nonlocal done
            done = count
            self.bench.progress(f"requests of {self.flow.name} ({role})", count, total)

        fired: list[int] = []

        def arm(fault: str) -> None:
            fired.append(side.arm(fault))

        try:
            replies = replay_flow(
                self.flow, side.url, side.check_alive, step, arm if self._fails else None
            )
        except TargetError as error:
            raise _TargetStopped(error, done, side.read_log_tail()) from error
        side.stop()
        if role != TARGET:
            self._check_replies(replies, side)
        self.replies[role] = replies
        self.fired[role] = [after - before for before, after in itertools.pairwise(fired)]

    def _check_replies(self, replies: Sequence[Reply], side: Side) -> None:
        """Raise OriginError when the origin itself left a request without reply."""
        broken = next((i for i, reply in enumerate(replies) if reply.error), None)
        if broken is not None:
            raise OriginError(
                f"The origin gave no reply to {self.flow.requests[broken].label}",
                why=f"{replies[broken].error}; {' '.join(side.read_log_tail()[-1:])}",
                tip="mend the origin: its behaviour there cannot be compared",
            )

    def replay_all(self) -> None:
        """Start all three sides and send them the flow, one after the other."""
        self.open(ORIGIN, TARGET, AGAIN)
        self.wait()
        for role in (ORIGIN, TARGET, AGAIN):
            self.replay(role)

    def compare_states(self, tolerance: float) -> list[StateOutcome]:
        """Compare what the flow left in the databases."""
        files = {role: side.result().databases for role, side in self._sides.items()}
        return [
            compare_states(
                name,
                catalogue,
                EndStates(
                    before=self.bench.snapshot(name),
                    origin=files[ORIGIN][name],
                    again=files[AGAIN][name],
                    target=files[TARGET][name],
                ),
                tolerance,
            )
            for name, catalogue in self.bench.catalogues.items()
        ]

    def close(self) -> None:
        """Stop what still runs and remove all traces."""
        for side in self._sides.values():
            side.exception()
        self._stack.close()


@dataclass
class Replay:
    """The steps of one flow's proof: `open`, `measure`, `start_again`, `finish`, `close`.

    `noise` is what the origin's own runs of the flow disagreed on.
    """

    bench: Bench
    flow: Flow
    noise: Noise = field(default_factory=Noise)
    _took_s: float = 0.0
    _stopped: _TargetStopped | None = None
    _again: Future[None] | None = None

    def __post_init__(self) -> None:
        self._trial = Trial(self.bench, self.flow)

    @property
    def rules(self) -> list[IgnoreRule]:
        """Return the declared rules; raises UsageError for one that cannot be read."""
        return parse_ignore(self.bench.run.project.settings.parity.ignore)

    @property
    def tolerance(self) -> float:
        """Return the declared absolute difference allowed between floats."""
        return self.bench.run.project.settings.parity.tolerance

    def make_judge(self) -> Judge:
        """Return a judge that has seen nothing of the flow yet."""
        folders = self.bench.run.project.settings.static
        static = tuple(f"{url}/" for f in folders if (url := f.url.rstrip("/")))
        return Judge(self.flow.name, self.noise, self.rules, self.tolerance, static)

    def open(self) -> None:
        """Begin to start the two sides whose replies are timed."""
        self._trial.open(ORIGIN, TARGET)

    def measure(self) -> None:
        """Replay on the origin and then on the target, with nothing else at work."""
        self._trial.wait()
        started = time.monotonic()
        try:
            self._trial.replay(ORIGIN)
            self._trial.replay(TARGET)
        except _TargetStopped as stopped:
            self._stopped = stopped
        self._took_s += time.monotonic() - started

    def start_again(self) -> None:
        """Begin to start the second origin and to replay there: its times do not matter."""
        if self._stopped is None:
            self._trial.open(AGAIN)
            self._again = self.bench.pool.submit(self._trial.replay, AGAIN)

    def finish(self) -> FlowOutcome:
        """Return what the flow showed.

        Differences are believed when a second trial, from the initial state again, shows them too.
        Raises OriginError when the origin cannot be replayed.
        """
        started = time.monotonic()
        try:
            outcome = self._judge_all()
        except _TargetStopped as stopped:
            self._stopped = stopped
        if self._stopped is not None:
            outcome = self._report_stop(self._stopped)
        took_s = self._took_s + time.monotonic() - started
        return msgspec.structs.replace(outcome, duration_s=round(took_s, 3))

    def close(self) -> None:
        """Stop what still runs and remove all traces."""
        if self._again is not None:
            self._again.exception()
        self._trial.close()

    def _judge_all(self) -> FlowOutcome:
        if self._stopped is not None:
            raise self._stopped
        assert self._again is not None
        self._again.result()
        replies = self._trial.replies
        self._learn(replies[ORIGIN], replies[AGAIN])
        states = self._trial.compare_states(self.tolerance)
        judge = self.make_judge()
        differences = self._judge(replies, judge)
        unstable: list[Difference] = []
        if differences or any(state.differences for state in states):
            self.bench.note(f"flow {self.flow.name}: differences seen, replaying to confirm them")
            second = Trial(self.bench, self.flow, "-confirm")
            try:
                second.replay_all()
                self._learn(replies[ORIGIN], second.replies[ORIGIN])
                self._learn(replies[ORIGIN], second.replies[AGAIN])
                judge = self.make_judge()
                differences, unstable = self._keep_seen_twice(second, judge, differences)
                again = second.compare_states(self.tolerance)
                states = [_keep_common(a, b) for a, b in zip(states, again, strict=True)]
            finally:
                second.close()
        return self._report(judge, states, differences, unstable)

    def _learn(self, first: Sequence[Reply], second: Sequence[Reply]) -> None:
        for position, request in enumerate(self.flow.requests):
            name = f"{self.flow.name}#{position}"
            self.noise.learn(request, name, first[position], second[position])

    def _judge(self, replies: dict[str, list[Reply]], judge: Judge) -> list[Difference]:
        return [
            difference
            for position, request in enumerate(self.flow.requests)
            for difference in judge.judge(
                position, request, replies[ORIGIN][position], replies[TARGET][position]
            )
        ]

    def _keep_seen_twice(
        self, second: Trial, judge: Judge, before: list[Difference]
    ) -> tuple[list[Difference], list[Difference]]:
        """Return the differences that both trials show, noise aside, and those that fell."""
        still = self._judge(self._trial.replies, judge)
        seen = {_identify(d) for d in self._judge(second.replies, self.make_judge())}
        kept = [difference for difference in still if _identify(difference) in seen]
        names = {_identify(difference) for difference in kept}
        return kept, [difference for difference in before if _identify(difference) not in names]

    def _report(
        self,
        judge: Judge,
        states: list[StateOutcome],
        differences: list[Difference],
        unstable: list[Difference],
    ) -> FlowOutcome:
        requests, replies = self.flow.requests, self._trial.replies
        return FlowOutcome(
            name=self.flow.name,
            requests=len(requests),
            routes=tuple(sorted({f"{r.method} {r.rule}" for r in requests if r.rule})),
            statuses=dict(Counter(str(reply.status) for reply in replies[ORIGIN])),
            differences=tuple(differences),
            unstable=tuple(unstable),
            declared=judge.forgiven["declared"],
            unused_rules=tuple(r.text for r in judge.rules if r.text not in judge.used_rules),
            noise=judge.forgiven["noise"],
            masks=tuple(self.noise.masks.values()),
            widest=judge.widest,
            origin_s=tuple(reply.duration_s for reply in replies[ORIGIN]),
            target_s=tuple(reply.duration_s for reply in replies[TARGET]),
            states=tuple(states),
            mutants=()
            if self.flow.source == FAULTS
            else tuple(check_mutants(self.flow, replies[ORIGIN], self.make_judge)),
            fired={role: sum(counts) for role, counts in self._trial.fired.items()},
            unequal_faults=tuple(
                request.label
                for request, origin, target in zip(
                    requests, self._trial.fired[ORIGIN], self._trial.fired[TARGET], strict=False
                )
                if origin != target
            ),
        )

    def _report_stop(self, stopped: _TargetStopped) -> FlowOutcome:
        label = self.flow.requests[stopped.position].label
        why = " ".join((stopped.error.why or stopped.error.what).split())
        return FlowOutcome(
            name=self.flow.name,
            requests=stopped.position,
            stopped=f"the Worker stopped at request {stopped.position + 1}, {label}: {why[:200]}",
            log=tuple(stopped.log),
        )


def _identify(difference: Difference) -> tuple[int, str, str]:
    return difference.position, difference.kind, difference.pattern


def _keep_common(first: StateOutcome, second: StateOutcome) -> StateOutcome:
    """Return the first outcome with the differences whose place and kind the second shows too."""
    seen = {(d.table, d.column, d.kind) for d in second.differences}
    kept = tuple(d for d in first.differences if (d.table, d.column, d.kind) in seen)
    noisy = tuple(sorted({*first.noisy, *second.noisy}))
    return msgspec.structs.replace(first, differences=kept, noisy=noisy)
