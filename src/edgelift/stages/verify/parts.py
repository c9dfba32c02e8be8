"""The parts of verify, each resumable: what it needs, the work, and the checks that come of it."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from functools import cached_property, partial
from typing import TypeVar

import msgspec

from edgelift.errors import EdgeliftError, Interrupted, OriginError
from edgelift.model.findings import Check, Status
from edgelift.model.flows import Difference, Flow
from edgelift.project import JobSection
from edgelift.sources.own_tests import TestsOutcome
from edgelift.sources.recorded_sql import SEEN_IN_FLOWS, read_recorded
from edgelift.stages.verify import checks
from edgelift.stages.verify.browse import BROWSED
from edgelift.stages.verify.checks import build_check, skip
from edgelift.stages.verify.faults import FAULTS, build_faults
from edgelift.stages.verify.flows import (
    Recorded,
    browse,
    build_generated,
    read_recordings,
    record_tests,
    save_flows,
    write_json,
)
from edgelift.stages.verify.generate import WRITES
from edgelift.stages.verify.jobs import JobsOutcome, compare_jobs, group_jobs
from edgelift.stages.verify.models import compare_models
from edgelift.stages.verify.mutants import check_row_mutants
from edgelift.stages.verify.outcome import FlowOutcome, MutantOutcome
from edgelift.stages.verify.parity import Replay
from edgelift.stages.verify.sides import Bench
from edgelift.stages.verify.static import check_static
from edgelift.stages.verify.unrouted import Unrouted, read_unrouted

T = TypeVar("T")
STEP = "verify"
_FROM_FLOWS = (
    checks.STATE,
    checks.SQL,
    checks.MUTANTS,
    checks.MODELS,
)  # checks that are drawn from the replayed flows


@dataclass
class Parts:
    """Does what was asked for, once; `kept` holds the outcomes of an earlier, killed run.

    `error` is the first trouble that kept a part from running; it is raised after all checks are
    recorded.
    """

    bench: Bench
    only: str | None
    kept: dict[str, object]
    checks: list[Check] = field(default_factory=list)
    error: EdgeliftError | None = None
    outcomes: dict[str, FlowOutcome] = field(default_factory=dict)
    flows: list[Flow] = field(default_factory=list)
    _planned: dict[str, list[Flow]] = field(default_factory=dict)
    _replays: dict[str, Replay] = field(default_factory=dict)
    _troubles: dict[str, EdgeliftError] = field(default_factory=dict)

    @cached_property
    def _unrouted(self) -> Unrouted:
        """Return what knows the requests that belong to no shard."""
        return read_unrouted(self.bench.run.project.settings.data, self.bench.shards)

    def wants(self, *ids: str) -> bool:
        """Return whether one of these checks was asked for; `id:` means all of its kind."""
        only = self.only
        return only is None or any(i == only or (i[-1] == ":" and only.startswith(i)) for i in ids)

    def keep(self, key: str, type_: type[T], make: Callable[[], T], good: Callable[[T], bool]) -> T:
        """Return the outcome kept under a key, or make it now and keep it when it is good."""
        if key in self.kept:
            return msgspec.convert(self.kept[key], type_)
        outcome = make()
        self.kept[key] = msgspec.to_builtins(outcome)  # two checks may need it
        if good(outcome):
            self.bench.run.journal.write_checkpoint(STEP, key, self.kept[key])
        return outcome

    def attempt(
        self, ids: Sequence[str], work: Callable[[], list[Check]], also: Sequence[str] = ()
    ) -> None:
        """Run a part that makes the checks `ids`, when one of them or of `also` was asked for.

        An error of one side becomes the outcome of its checks, and the other parts go on.
        """
        if not self.wants(*ids, *also):
            return
        started = time.monotonic()
        try:
            made = work()
        except Interrupted:
            raise
        except EdgeliftError as error:
            self.error = self.error or error
            made = [self.judge_error(check_id, error) for check_id in ids]
        took_s = round(time.monotonic() - started, 3)
        self.checks += [
            check if check.duration_s else msgspec.structs.replace(check, duration_s=took_s)
            for check in made
            if self.wants(check.id)
        ]

    def judge_error(self, check_id: str, error: EdgeliftError) -> Check:
        """Return the check an error leaves: the origin's trouble proves nothing of the target."""
        if isinstance(error, OriginError):
            return skip(self.bench.run, check_id, f"{error.what}: {error.why}")
        evidence = f"{error.what}: {error.why}"
        return build_check(self.bench.run, check_id, Status.FAIL, evidence, detail=error.lines())

    def run(self) -> None:
        """Do all parts that were asked for.

        Replies are timed with nothing else at work; everything before shares the cores.
        """
        with self.bench.working():
            recording = self._start_recording()
            tests = self._start_tests(recording)
            browsing = self._start_browsing()
            self.data()
            self.jobs()
            self.static()
            rows = self._alter_rows()
            self._plan_flows(recording, browsing)
            self._wait_for_rest(tests)
            self._measure()
            self._finish_flows()
            self.parity()
            self.states()
            self.sql()
            self.tests(recording, tests)
            self.models()
            self.mutations(rows)

    def data(self) -> None:
        """Hash every row of both sides again, on private copies."""

        def work() -> list[Check]:
            found = {d.name: self.bench.initial(d.name) for d in self.bench.moved}
            if not found:
                kept = "no row was moved: the databases stay on their servers"
                why = kept if self.bench.databases else "the project has no database"
                return [skip(self.bench.run, checks.DATA, why)]
            return [checks.check_data(self.bench.run, found)]

        self.attempt((checks.DATA,), work)

    def static(self) -> None:
        """Fetch every static file."""

        def work() -> list[Check]:
            files = self.bench.run.journal.read_document("files", dict[str, str]) or {}
            if not files:
                why = "the project has no static files"
                return [build_check(self.bench.run, checks.STATIC, Status.SKIPPED, why)]
            return [checks.check_static(self.bench.run, check_static(self.bench, files))]

        self.attempt((checks.STATIC,), work)

    def jobs(self) -> None:
        """Run each scheduled job on both sides."""
        for schedule, jobs in group_jobs(self.bench.run.project.settings.jobs).items():
            self._jobs_of(schedule, jobs)

    def _jobs_of(self, schedule: str, jobs: list[JobSection]) -> None:
        def work() -> list[Check]:
            outcome = self.keep(
                f"jobs:{schedule}",
                JobsOutcome,
                lambda: compare_jobs(self.bench, schedule, jobs),
                lambda done: not done.failed and not any(s.differences for s in done.states),
            )
            return checks.check_jobs(self.bench.run, outcome)

        self.attempt([f"{checks.JOBS}{job.name}" for job in jobs], work)

    # the origin's own tests: they are recorded on the origin and run on the target
    def _start_recording(self) -> Future[Recorded] | None:
        wanted = self.wants(checks.PARITY_RECORDED, checks.TESTS, checks.FAULTS, *_FROM_FLOWS)
        if not wanted or self.bench.run.project.settings.tests is None:
            return None
        if "recorded" in self.kept:
            done: Future[Recorded] = Future()
            done.set_result(msgspec.convert(self.kept["recorded"], Recorded))
            return done
        return self.bench.pool.submit(record_tests, self.bench)

    def _start_tests(self, recording: Future[Recorded] | None) -> Future[TestsOutcome] | None:
        if recording is None or not self.wants(checks.TESTS) or "tests" in self.kept:
            return None
        return self.bench.pool.submit(self._test_target)

    @staticmethod
    def _wait_for_rest(tests: Future[TestsOutcome] | None) -> None:
        """Wait until no untimed part is at work; its errors are met where they count."""
        if tests is not None:
            tests.exception()

    def _test_target(self) -> TestsOutcome:
        with self.bench.worker.open("tests-target") as side:
            outcome = self.bench.run_tests(side.url, "target")
            if not outcome.ok:
                side.check_alive()
            return outcome

    def tests(
        self, recording: Future[Recorded] | None, running: Future[TestsOutcome] | None
    ) -> None:
        """Judge how the origin's own tests went on both sides."""

        def work() -> list[Check]:
            if recording is None:
                return [skip(self.bench.run, checks.TESTS, "edgelift.toml names no tests")]
            origin = recording.result().tests
            target = self.keep(
                "tests",
                TestsOutcome,
                running.result if running else self._test_target,
                lambda outcome: outcome.ok,
            )
            return [checks.check_tests(self.bench.run, origin, target)]

        self.attempt((checks.TESTS,), work)

    # flows
    def _start_browsing(self) -> Future[Flow] | None:
        wanted = self.wants(checks.PARITY_GENERATED, checks.FAULTS, *_FROM_FLOWS)
        if not wanted or not self.bench.inventory.routes:
            return None
        if BROWSED in self.kept:
            done: Future[Flow] = Future()
            done.set_result(msgspec.convert(self.kept[BROWSED], Flow))
            return done
        return self.bench.pool.submit(browse, self.bench)

    def _plan_flows(
        self, recording: Future[Recorded] | None, browsing: Future[Flow] | None
    ) -> None:
        """Find the flows of both parity checks, and start nothing yet."""
        run, inventory = self.bench.run, self.bench.inventory

        def recorded() -> list[Check]:
            flows = read_recordings(self.bench)
            if recording is not None:
                made = recording.result()
                self.keep("recorded", Recorded, lambda: made, lambda done: done.tests.ok)
                flows.insert(0, made.flow)
            flows = [flow for flow in map(self._unrouted.drop, flows) if flow.requests]
            self._planned[checks.PARITY_RECORDED] = flows
            if flows:
                return []
            why = "no tests are configured, no recordings given, or they ask nothing"
            return [skip(run, checks.PARITY_RECORDED, why)]

        def generated() -> list[Check]:
            if not inventory.routes:
                why = inventory.import_error or "assess found no routes"
                return [skip(run, checks.PARITY_GENERATED, why)]
            flows = [build_generated(self.bench)]
            if browsing is not None:
                flows.append(self.keep(BROWSED, Flow, browsing.result, lambda _flow: True))
            flows = [flow for flow in map(self._unrouted.drop, flows) if flow.requests]
            self._planned[checks.PARITY_GENERATED] = flows
            return []

        also = (checks.FAULTS, *_FROM_FLOWS)
        self.attempt((checks.PARITY_RECORDED,), recorded, also=also)
        self.attempt((checks.PARITY_GENERATED,), generated, also=also)
        self.attempt((checks.FAULTS,), self._plan_faults)

    def _plan_faults(self) -> list[Check]:
        """Find the requests during which databases fail, among those of the other flows."""
        strategies = [database.strategy for database in self.bench.moved]
        flows = [flow for flows in self._planned.values() for flow in flows]
        faults = build_faults(flows, self.bench.inventory.routes, strategies)
        if not strategies or not faults.requests:
            why = "no request of the flows writes" if strategies else "no database is moved"
            return [build_check(self.bench.run, checks.FAULTS, Status.SKIPPED, why)]
        self._planned[checks.FAULTS] = [faults]
        return []

    def _measure(self) -> None:
        """Start fresh sides for all flows at once, then replay on one side after the other."""
        self.flows = [flow for flows in self._planned.values() for flow in flows]
        for flow in self.flows:
            digest = hashlib.sha256(msgspec.json.encode(flow)).hexdigest()
            key = f"flow:{flow.name}:{digest}"
            if key in self.kept:
                self.outcomes[flow.name] = msgspec.convert(self.kept[key], FlowOutcome)
            else:
                self._replays[key] = Replay(self.bench, flow)
        replays = self._replays.values()
        for replay in replays:
            self._try(replay, self._prepare)
            self._try(replay, replay.open)
        for replay in replays:
            self._try(replay, replay.measure)
        for replay in replays:
            self._try(replay, replay.start_again)

    def _prepare(self) -> None:
        """Make what threads will share before there are any."""
        _ = self.bench.python, self.bench.worker

    def _finish_flows(self) -> None:
        for key, replay in self._replays.items():
            self._try(replay, partial(self._finish_flow, key, replay))
            replay.close()

    def _finish_flow(self, key: str, replay: Replay) -> None:
        outcome = self.keep(key, FlowOutcome, replay.finish, lambda done: done.passed)
        self.outcomes[replay.flow.name] = outcome

    def parity(self) -> None:
        """Judge the replies of all flows."""
        for check_id, flows in self._planned.items():
            self._parity_of(check_id, flows)

    def _parity_of(self, check_id: str, flows: list[Flow]) -> None:
        def work() -> list[Check]:
            for flow in flows:
                if flow.name in self._troubles:
                    raise self._troubles[flow.name]
            outcomes = [self.outcomes[flow.name] for flow in flows]
            if check_id == checks.FAULTS:
                return [checks.check_faults(self.bench.run, outcomes[0])]
            check = checks.check_parity(self.bench.run, check_id, outcomes, self.bench.inventory)
            evidence = check.evidence + self._unrouted.describe(flows)
            return [msgspec.structs.replace(check, evidence=evidence)]

        if flows:
            also = () if check_id == checks.FAULTS else _FROM_FLOWS
            self.attempt((check_id,), work, also=also)

    def _try(self, replay: Replay, step: Callable[[], object]) -> None:
        """Do a step of a flow unless an earlier one failed; the first trouble is kept for later."""
        name = replay.flow.name
        if name in self._troubles:
            return
        try:
            step()
        except Interrupted:
            raise
        except EdgeliftError as error:
            self._troubles[name] = error

    def states(self) -> None:
        """Judge the end states that the flows left."""
        for name in self.bench.databases:
            check_id = f"{checks.STATE}{name}"
            if not self.wants(check_id):
                continue
            states = [
                state
                for flow, outcome in self.outcomes.items()
                for state in outcome.states
                if state.database == name and flow != FAULTS
            ]
            stopped = [o.stopped for o in self.outcomes.values() if o.stopped]
            if states:
                check = checks.check_state(
                    self.bench.run, name, states, writes_expected=self._lacks_writes()
                )
                self.checks.append(check)
            else:
                why = stopped[0] if stopped else "no flow could be replayed"
                self.checks.append(skip(self.bench.run, check_id, why))

    def _lacks_writes(self) -> bool:
        """Return whether the app has routes that write and no flow changed any database."""
        methods = {m for route in self.bench.inventory.routes for m in route.methods}
        states = (state for outcome in self.outcomes.values() for state in outcome.states)
        return bool(methods & set(WRITES)) and not any(state.changed for state in states)

    def sql(self) -> None:
        """Judge the SQL that the origin sent in the flows; later plans know of it."""

        def work() -> list[Check]:
            seen = read_recorded(self.bench.records)
            self.bench.run.journal.write_document(SEEN_IN_FLOWS, seen)
            if not self.outcomes:
                return [skip(self.bench.run, checks.SQL, "no flow was replayed")]
            return [checks.check_sql(self.bench.run, seen)]

        if self.bench.servers.moves:
            self.attempt((checks.SQL,), work)

    def models(self) -> None:
        """Score captured rows with the exported and the original models."""

        def work() -> list[Check]:
            if not self.bench.inventory.models:
                why = "the project holds no serialized model"
                return [build_check(self.bench.run, checks.MODELS, Status.SKIPPED, why)]
            return [compare_models(self.bench, self.bench.captured)]

        self.attempt((checks.MODELS,), work)

    # mutants
    def _alter_rows(self) -> list[MutantOutcome]:
        made: list[MutantOutcome] = []
        if self.wants(checks.MUTANTS):
            with self.bench.scratch("mutants") as folder:
                for name, catalogue in self.bench.catalogues.items():
                    made += check_row_mutants(self.bench.snapshot(name), catalogue, folder)
        return made

    def mutations(self, rows: list[MutantOutcome]) -> None:
        """Judge whether the comparison noticed alterations, of replies and of rows."""

        def work() -> list[Check]:
            made = [m for outcome in self.outcomes.values() for m in outcome.mutants] + rows
            if not made:
                why = "no flow was replayed and there is no database"
                return [skip(self.bench.run, checks.MUTANTS, why)]
            return [checks.check_mutants(self.bench.run, made)]

        self.attempt((checks.MUTANTS,), work)

    def write_files(self) -> None:
        """Write flows.json, differences.json and noise.json."""
        folder = self.bench.folder
        if self.flows:
            save_flows(folder / "flows.json", self.flows)
            found = {
                name: {
                    "differences": [*map(_to_json, outcome.differences)],
                    "unstable": [*map(_to_json, outcome.unstable)],
                    "states": [*map(msgspec.to_builtins, outcome.states)],
                }
                for name, outcome in self.outcomes.items()
            }
            write_json(folder / "differences.json", found)
            noise = {name: list(outcome.masks) for name, outcome in self.outcomes.items()}
            write_json(folder / "noise.json", noise)


def _to_json(difference: Difference) -> dict[str, object]:
    return {"text": difference.text, **msgspec.structs.asdict(difference)}
