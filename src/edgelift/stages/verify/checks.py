"""Outcomes turned into checks: one sentence with its counts, the differences by name, figures."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from edgelift.model.comparison import CellDifference, TableComparison
from edgelift.model.findings import Check, Status
from edgelift.model.flows import Difference, NoiseMask
from edgelift.model.inventory import Inventory
from edgelift.run import Run
from edgelift.sources.own_tests import TestsOutcome, describe
from edgelift.sources.recorded_sql import RecordedStatement, judge, select_own
from edgelift.stages.verify.jobs import JobsOutcome
from edgelift.stages.verify.outcome import FlowOutcome, MutantOutcome, read_percentile
from edgelift.stages.verify.state import StateOutcome
from edgelift.stages.verify.static import StaticOutcome

MOST_NAMED = 20
SQL_RULE = "SQL-DIALECT-TEXT"  # plan's rule of the same fault
DATA, STATIC, TESTS = "verify.data", "verify.static", "verify.tests"
MODELS, MUTANTS = "verify.models", "verify.mutants"
PARITY_GENERATED, PARITY_RECORDED = "verify.parity.generated", "verify.parity.recorded"
FAULTS, SQL = "verify.faults", "verify.sql"
STATE, JOBS = "verify.state:", "verify.jobs:"
TITLES = {
    DATA: "Every row of the lifted databases equals the origin's",
    STATIC: "Every static file is served byte by byte",
    TESTS: "The origin's own HTTP tests pass on the Worker, unedited",
    SQL: "The SQL that the flows send has a form in SQLite",
    MODELS: "Exported models give the origin's scores",
    MUTANTS: "The comparison notices altered replies and rows",
    FAULTS: "A request that fails half-way leaves the same rows on both sides",
    PARITY_GENERATED: "Generated requests get the same replies",
    PARITY_RECORDED: "Recorded requests get the same replies",
}


def title(check_id: str) -> str:
    """Return the title of a check by its id."""
    if check_id.startswith(STATE):
        return f"Database {check_id.removeprefix(STATE)} ends in the same state on both sides"
    if check_id.startswith(JOBS):
        return f"Job {check_id.removeprefix(JOBS)} leaves the same rows on both sides"
    return TITLES[check_id]


def build_check(  # noqa: PLR0913 - the fields of a check
    run: Run,
    check_id: str,
    status: Status,
    evidence: str,
    *,
    detail: Sequence[str] = (),
    counts: dict[str, int] | None = None,
    figures: dict[str, float] | None = None,
    duration_s: float = 0.0,
) -> Check:
    """Return a check of this stage with the command that repeats exactly it."""
    return Check(
        id=check_id,
        stage="verify",
        title=title(check_id),
        status=status,
        evidence=evidence,
        reproduce=run.command("verify", "--only", check_id),
        detail=tuple(detail),
        counts=counts or {},
        figures=figures or {},
        duration_s=round(duration_s, 3),
    )


def skip(run: Run, check_id: str, why: str) -> Check:
    """Return a check that did not run, with the reason."""
    return build_check(run, check_id, Status.NOT_RUN, f"not run: {why}")


def check_data(run: Run, tables: dict[str, list[TableComparison]]) -> Check:
    """Judge the comparison of snapshots and lifted databases."""
    found = [table for listed in tables.values() for table in listed]
    wrong = [d for table in found for d in table.differences]
    equal = sum(table.equal for table in found)
    rows = sum(table.origin_rows for table in found if table.equal)
    total = sum(table.origin_rows for table in found)
    return build_check(
        run,
        DATA,
        Status.FAIL if wrong else Status.PASS,
        f"{rows} of {total} rows in {equal} of {len(found)} tables equal by hash on both sides",
        detail=_name_cells(wrong),
        counts={
            "rows_equal": rows,
            "rows": total,
            "tables_equal": equal,
            "tables": len(found),
            "differences": len(wrong),
        },
    )


def check_parity(
    run: Run, check_id: str, outcomes: Sequence[FlowOutcome], inventory: Inventory
) -> Check:
    """Judge the replies of flows."""
    differences = [d for outcome in outcomes for d in outcome.differences]
    stopped = [outcome for outcome in outcomes if outcome.stopped]
    requests = sum(outcome.requests for outcome in outcomes)
    different = len({(d.flow, d.position) for d in differences})
    equal = sum(outcome.requests for outcome in outcomes if not outcome.stopped) - different
    covered = {route for outcome in outcomes for route in outcome.routes}
    rules = {f"{m} {r.rule}" for r in inventory.routes for m in r.methods if m not in _IMPLIED}
    evidence = (
        f"{equal} of {requests} requests alike in status, headers, cookies, body; "
        f"{len(rules & covered)} of {len(rules)} routes covered"
    )
    if stopped:
        evidence = f"{stopped[0].stopped}; {evidence}"
    unstable = [d for outcome in outcomes for d in outcome.unstable]
    counts = {
        "requests_equal": equal,
        "requests": requests,
        "routes_covered": len(rules & covered),
        "routes": len(rules),
        "differences": len(differences),
        "unstable": len(unstable),
        "noise_places": sum(len(outcome.masks) for outcome in outcomes),
        "masked_by_noise": sum(outcome.noise for outcome in outcomes),
        "declared_differences": sum(outcome.declared for outcome in outcomes),
    }
    counts |= {f"status_{code}": n for code, n in sorted(_add_statuses(outcomes).items())}
    detail = [line for outcome in stopped for line in (outcome.stopped, *outcome.log)]
    detail += name_differences(differences)
    detail += [f"seen once, not in a second replay: {line}" for line in name_differences(unstable)]
    unused = set.intersection(*(set(o.unused_rules) for o in outcomes)) if outcomes else set()
    detail += [f"declared in parity.ignore but met nowhere: {rule}" for rule in sorted(unused)]
    detail += name_noise([mask for outcome in outcomes for mask in outcome.masks])
    failed = differences or stopped
    return build_check(
        run,
        check_id,
        Status.FAIL if failed else Status.PASS,
        evidence,
        detail=detail,
        counts=counts,
        figures=_figures(outcomes),
        duration_s=sum(outcome.duration_s for outcome in outcomes),
    )


_IMPLIED = frozenset({"HEAD", "OPTIONS"})  # frameworks add them to every route


def _add_statuses(outcomes: Sequence[FlowOutcome]) -> Counter[str]:
    total: Counter[str] = Counter()
    for outcome in outcomes:
        total.update(outcome.statuses)
    return total


def _figures(outcomes: Sequence[FlowOutcome]) -> dict[str, float]:
    origin = tuple(s for outcome in outcomes for s in outcome.origin_s)
    target = tuple(s for outcome in outcomes for s in outcome.target_s)
    figures = {
        "origin_p50_s": read_percentile(origin, 0.5),
        "origin_p95_s": read_percentile(origin, 0.95),
        "target_p50_s": read_percentile(target, 0.5),
        "target_p95_s": read_percentile(target, 0.95),
        "largest_float_difference": max((o.widest for o in outcomes), default=0.0),
    }
    return {
        name: round(value, 6) if name.endswith("_s") else value for name, value in figures.items()
    }


def name_differences(differences: Sequence[Difference]) -> list[str]:
    """Return one line per kind and place, kinds by turns: the first of it, and how many more."""
    groups: dict[tuple[str, str, str], list[Difference]] = {}
    for difference in differences:
        groups.setdefault((difference.route, difference.kind, difference.pattern), []).append(
            difference
        )
    lines = [
        found[0].text + (f" (and {len(found) - 1} more like it)" if len(found) > 1 else "")
        for found in _take_turns(list(groups.values()))[:MOST_NAMED]
    ]
    if len(groups) > MOST_NAMED:
        lines.append(
            f"... and {len(groups) - MOST_NAMED} more places: .edgelift/verify/differences.json"
        )
    return lines


def _take_turns(groups: list[list[Difference]]) -> list[list[Difference]]:
    """Return groups of differences so that each kind's first comes before any kind's second."""
    turns: Counter[str] = Counter()
    ranked = []
    for position, group in enumerate(groups):
        ranked.append((turns[group[0].kind], position, group))
        turns[group[0].kind] += 1
    return [group for *_, group in sorted(ranked, key=lambda entry: entry[:2])]


def name_noise(masks: Sequence[NoiseMask]) -> list[str]:
    """Return one line per place that the origin itself changes, the widest first."""
    places: dict[tuple[str, str], list[NoiseMask]] = {}
    for mask in masks:
        places.setdefault((mask.route, mask.pattern), []).append(mask)
    ordered = sorted(places.items(), key=lambda item: -sum(m.seen for m in item[1]))
    lines = [
        f"noise: {route} -> {pattern} ({', '.join(found[0].formats)}), seen "
        f"{sum(mask.seen for mask in found)} times"
        for (route, pattern), found in ordered[:MOST_NAMED]
    ]
    more = len(ordered) - len(lines)
    return [*lines, f"... and {more} more: .edgelift/verify/noise.json"] if more else lines


def _name_cells(differences: Sequence[CellDifference]) -> list[str]:
    lines = [difference.describe() for difference in differences[:MOST_NAMED]]
    more = len(differences) - len(lines)
    return [*lines, f"... and {more} more"] if more else lines


def check_state(
    run: Run, database: str, states: Sequence[StateOutcome], *, writes_expected: bool = False
) -> Check:
    """Judge the end states of one database after all flows.

    With `writes_expected` equal states that nobody wrote to prove too little for a pass.
    """
    wrong = [d for state in states for d in state.differences]
    noisy = sorted({column for state in states for column in state.noisy})
    changed = sorted({table for state in states for table in state.changed})
    rows = sum(state.origin_rows for state in states)
    evidence = f"{rows} rows compared after {len(states)} flows, {len(wrong)} differences; "
    evidence += f"written to: {', '.join(changed) or 'no table'}"
    if noisy:
        evidence += f"; left out, as two runs of the origin differ there: {', '.join(noisy)}"
    status = Status.FAIL if wrong else Status.PASS
    if writes_expected and not wrong and not changed:
        status = Status.NOT_RUN
        evidence = (
            "not run: no request changed a row, so writing is not proven; give tests, recordings "
            f"or credentials (parity.headers) in edgelift.toml; {evidence}"
        )
    return build_check(
        run,
        f"{STATE}{database}",
        status,
        evidence,
        detail=_name_cells(wrong),
        counts={
            "rows": rows,
            "flows": len(states),
            "tables": max((state.tables for state in states), default=0),
            "tables_changed": len(changed),
            "differences": len(wrong),
            "columns_left_out": len(noisy),
        },
    )


def check_faults(run: Run, outcome: FlowOutcome) -> Check:
    """Report what requests left during which the databases failed."""
    fired, target_fired = outcome.fired.get("origin", 0), outcome.fired.get("target", 0)
    cells = [difference for state in outcome.states for difference in state.differences]
    endpoints = len(outcome.routes)
    counts = {
        "requests": outcome.requests,
        "endpoints": endpoints,
        "faults_origin": fired,
        "faults_target": target_fired,
        "differences": len(outcome.differences) + len(cells),
    }
    if not outcome.stopped and not fired and not target_fired:
        why = f"none of {outcome.requests} requests to {endpoints} endpoints wrote anything"
        return build_check(run, FAULTS, Status.NOT_RUN, why, counts=counts)
    failed = bool(outcome.stopped or cells or outcome.differences or outcome.unequal_faults)
    evidence = outcome.stopped or (
        f"the database failed in {fired} of {outcome.requests} requests to {endpoints} writing "
        f"endpoints at the origin, in {target_fired} on the Worker: {len(outcome.differences)} "
        f"replies and {len(cells)} rows differ afterwards"
    )
    unequal = [f"{request}: on one side only" for request in outcome.unequal_faults[:MOST_NAMED]]
    detail = [*_name_cells(cells), *name_differences(outcome.differences), *unequal]
    status = Status.FAIL if failed else Status.PASS
    return build_check(run, FAULTS, status, evidence, detail=detail, counts=counts)


def check_sql(run: Run, statements: Sequence[RecordedStatement]) -> Check:
    """Judge the statements that the origin sent while the flows were replayed there."""
    own = list(select_own(statements))
    refused = [(one, why) for one in own if (why := judge(one))]
    accepted = SQL_RULE in run.project.settings.accept.rules
    evidence = (
        f"{len(statements)} statements were recorded, {len(own)} in the app's own words: "
        f"{len(refused)} of these have no form in SQLite"
    )
    return build_check(
        run,
        SQL,
        Status.FAIL if refused and not accepted else Status.PASS,
        evidence,
        detail=[
            f"{one.path}:{one.line} {' '.join(one.sql.split())[:100]} ({why})"
            for one, why in refused[:MOST_NAMED]
        ],
        counts={"statements": len(statements), "own": len(own), "refused": len(refused)},
    )


def check_jobs(run: Run, outcome: JobsOutcome) -> list[Check]:
    """Judge the jobs of one schedule; they share their end state."""
    wrong = [d for state in outcome.states for d in state.differences]
    noisy = sorted({column for state in outcome.states for column in state.noisy})
    changed = sorted({table for state in outcome.states for table in state.changed})
    checks = []
    for name in outcome.names:
        failed = [
            line for line in outcome.failed if line.startswith((f"{name}:", outcome.schedule))
        ]
        evidence = f"ran once on both sides, {len(wrong)} differences; "
        evidence += f"written to: {', '.join(changed) or 'no table'}"
        if noisy:
            evidence += f"; left out, as two runs of the origin differ there: {', '.join(noisy)}"
        if failed:
            evidence = f"the job failed on the Worker: {failed[0]}"
        checks.append(
            build_check(
                run,
                f"{JOBS}{name}",
                Status.FAIL if wrong or failed else Status.PASS,
                evidence,
                detail=[*failed, *_name_cells(wrong)],
                counts={
                    "rows": sum(state.origin_rows for state in outcome.states),
                    "tables_changed": len(changed),
                    "differences": len(wrong),
                    "columns_left_out": len(noisy),
                },
            )
        )
    return checks


def check_tests(run: Run, origin: TestsOutcome, target: TestsOutcome) -> Check:
    """Judge the origin's own tests; those that fail on the origin too are told apart."""
    both = set(origin.failed)
    detail = [f"fails on the Worker: {name}" for name in target.failed if name not in both]
    detail += [f"fails on the origin too: {name}" for name in origin.failed]
    if not (origin.ok and target.ok):
        detail += [line for side in (target, origin) if not side.ok for line in side.log]
    return build_check(
        run,
        TESTS,
        Status.PASS if origin.ok and target.ok else Status.FAIL,
        f"on the Worker {describe(target)}; on the origin {describe(origin)}",
        detail=detail,
        counts={
            "passed": target.passed,
            "failed": len(target.failed),
            "skipped": target.skipped,
            "origin_passed": origin.passed,
            "origin_failed": len(origin.failed),
        },
        figures={
            "origin_s": round(origin.duration_s, 3),
            "target_s": round(target.duration_s, 3),
        },
        duration_s=target.duration_s,
    )


def check_static(run: Run, outcome: StaticOutcome) -> Check:
    """Judge the static files."""
    equal = outcome.files - len(outcome.wrong)
    return build_check(
        run,
        STATIC,
        Status.FAIL if outcome.wrong else Status.PASS,
        f"{equal} of {outcome.files} files equal by SHA-256, {outcome.size_bytes} bytes fetched",
        detail=outcome.wrong[:MOST_NAMED],
        counts={
            "files_equal": equal,
            "files": outcome.files,
            "bytes": outcome.size_bytes,
        },
    )


def check_mutants(run: Run, outcomes: Sequence[MutantOutcome]) -> Check:
    """Judge the altered replies and rows: one that was not caught fails the proof."""
    made: Counter[str] = Counter()
    caught: Counter[str] = Counter()
    for outcome in outcomes:
        made[outcome.kind] += outcome.made
        caught[outcome.kind] += outcome.caught
    survivors = [line for outcome in outcomes for line in outcome.survivors]
    counts = {"caught": caught.total(), "made": made.total()}
    for kind, count in made.items():
        counts[f"{kind.replace(' ', '_')}_caught"] = caught[kind]
        counts[f"{kind.replace(' ', '_')}_made"] = count
    kinds = sum(1 for count in made.values() if count)
    return build_check(
        run,
        MUTANTS,
        Status.FAIL if survivors or not made.total() else Status.PASS,
        f"{caught.total()} of {made.total()} altered replies and rows of {kinds} kinds were caught",
        detail=[f"not caught: {line}" for line in survivors[:MOST_NAMED]],
        counts=counts,
    )
