"""Stage "plan": chooses a strategy for every part and stops what would be lost silently.

Writes `plan/plan.md` for people, also when blocked; journal document: "plan".
"""

from __future__ import annotations

import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from importlib import resources
from pathlib import Path

import jinja2
import msgspec

from edgelift.errors import BlockersFound, UsageError
from edgelift.model.findings import Check, Finding, Level, Status
from edgelift.model.inventory import Inventory
from edgelift.model.plan import Plan
from edgelift.project import (
    expand_variables,
    hash_files,
    hash_inputs,
    read_engine,
    stays_in_place,
)
from edgelift.run import Result, Run, Stage
from edgelift.sources.python_env import ensure_origin_python, read_distributions
from edgelift.sources.source_code.server_texts import read_sent
from edgelift.sources.source_code.view import CodeView, build_view
from edgelift.sources.sqlite_url import find_sqlite_file, is_sqlite_url
from edgelift.stages.plan.costs import read_prices, total_usd
from edgelift.stages.plan.decisions import (
    Databases,
    build_plan,
    check_crons,
    check_models,
    format_bytes,
    keep_transactions,
    plan_databases,
)
from edgelift.stages.plan.django_code import check_django
from edgelift.stages.plan.recorded import check_recorded, judge_recorded, record_sql
from edgelift.stages.plan.rules import RULES
from edgelift.stages.plan.server_code import check_server_code
from edgelift.stages.plan.shards import check_shards
from edgelift.stages.plan.transactions import audit
from edgelift.targets.packages.origin import resolve_origin

FILE = "plan.md"
# A plan follows the size of the data, but not every page of it.
_SIZE_STEP = 10_000_000


def inputs(run: Run) -> str:
    """Hash settings, inventory, assess's findings, the app's source and the data's rough size."""
    root = run.project.root
    inventory = _read_inventory(run)
    files = [root / path for path in inventory.sources if (root / path).is_file()]
    sizes = [
        file.stat().st_size // _SIZE_STEP if file.is_file() else None
        for section in run.project.settings.databases
        if is_sqlite_url(expand_variables(section.url))
        for file in [find_sqlite_file(section.url, root)]
    ]
    return hash_inputs(
        run.project.settings,
        inventory,
        [msgspec.structs.replace(f, accepted=False) for f in run.journal.read_findings("assess")],
        hash_files(root, files),
        sizes,
        [RULES, read_prices()],
    )


def _read_inventory(run: Run) -> Inventory:
    inventory = run.journal.read_document("inventory", Inventory)
    if inventory is None:
        raise UsageError(
            "There is no inventory to plan from",
            why="the stage assess has not ended well yet",
            tip=f"run: {run.command('assess')}",
        )
    return inventory


def work(run: Run) -> Result:
    """Audit the transactions, decide, write the plan; raises BlockersFound for what stops it."""
    started = time.monotonic()
    inventory = _read_inventory(run)
    accepted = set(run.project.settings.accept.rules)
    view = build_view(run.project, inventory=inventory)
    checks: list[Check] = []
    moved = [s for s in run.project.settings.databases if not stays_in_place(s)]
    audited = _accept(audit(view) if moved else [], accepted)
    audit_s = time.monotonic() - started
    databases = plan_databases(run.project, audited)
    audited = keep_transactions(databases.plans, audited)
    assessed = _accept(run.journal.read_findings("assess"), accepted)
    python = ensure_origin_python(run.project, run.note)
    resolution = resolve_origin(
        run.project, inventory, versions=read_distributions(python) or {}, note=run.note
    )
    plan = build_plan(run.project, inventory, databases, resolution.packages, assessed)
    engines = {engine for s in moved if (engine := read_engine(s))}
    said = [*check_server_code(view, engines)] if engines else []
    if engines:
        said += check_django(view, engines, run.project.settings.schema.timestamps)
    spoken = _accept(said, accepted)
    if engines:
        seen = record_sql(run, python, engines)
        literals = {text for _site, text in read_sent(view)}
        sent = _accept(list(judge_recorded(seen.statements, literals)), accepted)
        checks.append(check_recorded(run, seen, sent))
        spoken += sent
    sharded = check_shards(run.project, databases.plans, view)
    own = [
        *databases.findings,
        *sharded,
        *check_models(inventory.models)[1],
        *check_crons(plan.crons),
    ]
    findings = [*_accept(own, accepted), *audited, *spoken]
    blockers = [f for f in [*assessed, *findings] if f.blocks]
    _write(run, _render(run, plan, databases, audited, blockers))
    run.record_findings(findings)
    if moved:
        checks.insert(0, _check_audit(run, view, audited, audit_s))
    run.record_checks(checks)
    if blockers:
        raise _blocked(blockers)
    run.journal.write_document("plan", plan)
    return {"summary": _summarise(plan, findings)}


def _accept(findings: Sequence[Finding], accepted: set[str]) -> list[Finding]:
    return [msgspec.structs.replace(f, accepted=f.rule in accepted) for f in findings]


def _blocked(blockers: Sequence[Finding]) -> BlockersFound:
    counts = Counter(finding.rule for finding in blockers)
    first = {f.rule: f for f in reversed(blockers)}
    shown = []
    for rule, number in counts.items():
        finding = first[rule]
        place = f" at {finding.path}:{finding.line}" if finding.path and finding.line else ""
        place = place or (f" in {finding.path}" if finding.path else "")
        times = f" ({number} places)" if number > 1 else ""
        shown.append(f"{rule}{place}{times}")
    listed = ", ".join(f'"{rule}"' for rule in counts)
    return BlockersFound(
        "1 finding stops the lift"
        if len(blockers) == 1
        else f"{len(blockers)} findings stop the lift",
        why=f"{'; '.join(shown)}. The first: {blockers[0].message}",
        tip=f"read plan/{FILE}; to go on in spite of them write [accept] rules = [{listed}] into "
        "edgelift.toml",
    )


def _check_audit(run: Run, view: CodeView, audited: Sequence[Finding], duration_s: float) -> Check:
    errors = [f for f in audited if f.level is Level.ERROR]
    blocking = [f for f in errors if f.blocks]
    warnings = sum(f.level is Level.WARNING for f in audited)
    kept = sum(f.level is Level.NOTE for f in audited)
    functions = len(view.graph.functions)
    return Check(
        id="plan.transactions",
        stage="plan",
        title="The databases keep what the app's transactions promise",
        status=Status.FAIL if blocking else Status.PASS,
        evidence=f"{len(view.handlers)} handlers and jobs among {functions} functions were read: "
        f"{len(errors)} would lose a rollback ({len(errors) - len(blocking)} accepted), "
        f"{warnings} warnings, {kept} places that only the strategy `object` keeps",
        reproduce=run.command("plan", "--force"),
        detail=tuple(f"{f.path}:{f.line} {f.rule}: {f.message}" for f in audited),
        counts={
            "handlers": len(view.handlers),
            "functions": functions,
            "errors": len(errors),
            "accepted": len(errors) - len(blocking),
            "warnings": warnings,
            "kept": kept,
        },
        duration_s=duration_s,
    )


def _render(
    run: Run,
    plan: Plan,
    databases: Databases,
    audited: Sequence[Finding],
    blockers: Sequence[Finding],
) -> str:
    source = resources.files("edgelift.stages.plan").joinpath("plan.md.jinja").read_text("utf-8")
    environment = jinja2.Environment(
        undefined=jinja2.StrictUndefined,
        keep_trailing_newline=True,
        autoescape=False,  # noqa: S701 - Markdown for a terminal, not HTML
    )
    text = environment.from_string(source).render(
        name=run.project.settings.name,
        plan=plan,
        jobs=run.project.settings.jobs,
        sizes={name: format_bytes(size) for name, size in databases.sizes.items()},
        audit=audited,
        blockers=blockers,
        assumed=read_prices().assumptions,
        total=total_usd(plan.costs),
    )
    return text.rstrip() + "\n"


def _write(run: Run, text: str) -> None:
    folder = run.project.folder("plan")
    with tempfile.NamedTemporaryFile("w", encoding="utf-8", dir=folder, delete=False) as temporary:
        temporary.write(text)
    Path(temporary.name).replace(folder / FILE)


def _summarise(plan: Plan, findings: Sequence[Finding]) -> str:
    strategies = ", ".join(f"{d.name} to {d.strategy}" for d in plan.databases) or "no database"
    warnings = sum(f.level is Level.WARNING for f in findings)
    return (
        f"{strategies}; {len(plan.packages)} packages, {len(plan.crons)} crons, "
        f"{len(plan.models)} models; {warnings} warnings; about {total_usd(plan.costs):.2f} USD "
        "a month"
    )


def intact(run: Run) -> bool:
    """Return whether the plan and its page are still there."""
    page = run.project.state / "plan" / FILE
    return page.is_file() and run.journal.read_document("plan", Plan) is not None


STAGE = Stage(name="plan", inputs=inputs, work=work, intact=intact)
