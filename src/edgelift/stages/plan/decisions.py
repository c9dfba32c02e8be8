"""Decides: a strategy for each database, a place for the app, packages, models, crons, steps."""

from __future__ import annotations

import contextlib
import ipaddress
import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec

from edgelift.model.findings import Finding, Level
from edgelift.model.inventory import Inventory, ModelFile
from edgelift.model.plan import DatabasePlan, PackagePlan, Plan
from edgelift.model.server_url import find_engine, parse_server_url
from edgelift.project import DatabaseSection, Project, Settings, expand_variables
from edgelift.sources.origin_database import is_server_url
from edgelift.sources.sqlite_url import find_sqlite_file, is_sqlite_url
from edgelift.stages.plan import rules
from edgelift.stages.plan.costs import estimate_costs, read_prices
from edgelift.stages.plan.shards import describe_shards

# What find_model_files calls an estimator; anything else is a sentence that says why not.
_PRODUCTS = {"postgresql": "PostgreSQL", "mysql": "MySQL"}
_ESTIMATOR = re.compile(r"^(\w+ of )*[\w.]+$")


@dataclass(frozen=True)
class Databases:
    """The databases' plans, their sizes in bytes by name, and what was found about them."""

    plans: tuple[DatabasePlan, ...]
    sizes: dict[str, int]
    findings: tuple[Finding, ...]


def plan_databases(project: Project, audit: Sequence[Finding]) -> Databases:
    """Choose a strategy for each database; `audit` is what D1 would lose of its transactions."""
    plans: list[DatabasePlan] = []
    sizes: dict[str, int] = {}
    findings: list[Finding] = []
    for section in project.settings.databases:
        url = expand_variables(section.url)
        if section.strategy in {"auto", "hyperdrive"} and find_engine(url) is not None:
            plans.append(plan_server(section, url))
            findings += check_server(section, url)
            continue
        if is_server_url(url):
            findings.append(rules.MOVED.at(section.name, None, None))
            plans.append(plan_moved(section))
            continue
        if not is_sqlite_url(url):
            shown = url.partition("://")[0]
            findings.append(rules.ENGINE.at(f"{section.name}: {shown}", None, None))
            continue
        size = _read_size(find_sqlite_file(section.url, project.root))
        sizes[section.name] = size
        findings += _check_size(section.name, size)
        findings += check_overrides(section.name, project.settings)
        strategy = choose_strategy(section, audit)
        plans.append(
            DatabasePlan(
                name=section.name,
                url=section.url,
                binding=section.binding,
                strategy=strategy,
                reason=explain_strategy(section, strategy, audit),
                env=section.env,
            )
        )
    return Databases(tuple(plans), sizes, tuple(findings))


def plan_server(section: DatabaseSection, url: str) -> DatabasePlan:
    """Keep a server's database where it is, reached through Hyperdrive."""
    how = "chosen in edgelift.toml" if section.strategy == "hyperdrive" else "chosen by default"
    return DatabasePlan(
        name=section.name,
        url=section.url,
        binding=section.binding,
        strategy="hyperdrive",
        reason=f"{how}: the {_PRODUCTS[find_engine(url) or 'postgresql']} database stays where it "
        "is, so the app's SQL, types and transactions stay as they are and no row is moved; set "
        "strategy to d1 to have it moved into Cloudflare instead",
        env=section.env,
    )


def plan_moved(section: DatabaseSection) -> DatabasePlan:
    """Move a server's database, converted, where edgelift.toml says so."""
    return DatabasePlan(
        name=section.name,
        url=section.url,
        binding=section.binding,
        strategy=section.strategy,
        reason="chosen in edgelift.toml: schema and rows are converted and every row is proven",
        env=section.env,
    )


def check_server(section: DatabaseSection, url: str) -> Iterator[Finding]:
    """Yield what must be known before a server's database is reached from Cloudflare."""
    server = parse_server_url(url, os.environ)
    if server is None:
        yield rules.SERVER_URL.at(f"{section.name}: {url.partition('://')[0]}", None, None)
        return
    if not section.hyperdrive_id:
        yield rules.HYPERDRIVE_ID.at(section.name, None, None)
    if _is_private(server.host):
        yield rules.HYPERDRIVE_PRIVATE.at(f"{section.name} at {server.address}", None, None)


def _is_private(host: str) -> bool:
    """Return whether Cloudflare cannot reach a host by itself: loopback, private, a bare name."""
    with contextlib.suppress(ValueError):
        return not ipaddress.ip_address(host).is_global
    return "." not in host or host.endswith((".local", ".internal", ".lan"))


def check_overrides(name: str, settings: Settings) -> Iterator[Finding]:
    """Yield what [schema] asks of a SQLite database, which the app names in its own SQL.

    With other databases beside it only what says that it is for this one.
    """
    schema = settings.schema
    alone = len(settings.databases) == 1
    listed: list[tuple[str, str, str]] = [("cast", c.table, c.database) for c in schema.cast]
    listed += [("rename", r.table, r.database) for r in schema.rename]
    listed += [("rewrite", r.table, r.database) for r in schema.rewrite]
    sections = [
        f"{kind} of {table or 'a type'}"
        for kind, table, database in listed
        if database == name or (alone and not database)
    ]
    sections += [f"exclude of {pattern}" for pattern in schema.exclude if alone]
    if sections:
        yield rules.OVERRIDES.at(f"{name}: {', '.join(sections)}", None, None)


def _read_size(file: Path) -> int:
    """Return the database's size with its log; 0 when it is not there, which schema tells."""
    names = (file, Path(f"{file}-wal"))
    return sum(name.stat().st_size for name in names if name.is_file())


def _check_size(name: str, size_bytes: int) -> Iterator[Finding]:
    limits = read_prices().limits
    if size_bytes > limits["d1_bytes_paid"].value:
        yield rules.SIZE.at(f"{name} has {size_bytes:,} bytes", None, None)
    elif size_bytes > limits["d1_bytes_free"].value:
        yield rules.FREE_SIZE.at(f"{name} has {size_bytes:,} bytes", None, None)


def choose_strategy(section: DatabaseSection, audit: Sequence[Finding]) -> str:
    """Return the strategy of the settings, else `object` when the audit found what D1 loses.

    That is a rollback, or several writes that belong together. What the user accepted does not
    count.
    """
    if section.strategy != "auto":
        return section.strategy
    return "object" if any(not finding.accepted for finding in audit) else "d1"


def explain_strategy(section: DatabaseSection, strategy: str, audit: Sequence[Finding]) -> str:
    """Return why the strategy is chosen, in a sentence with the counts of the audit."""
    blocking = [f for f in audit if f.blocks]
    accepted = [f for f in audit if f.accepted]
    warnings = [f for f in audit if f.level is Level.WARNING and not f.accepted]
    chosen = "chosen by the audit" if section.strategy == "auto" else "chosen in edgelift.toml"
    if strategy == "object":
        if not blocking and not warnings:
            return f"{chosen}: real transactions (D1 would lose nothing that the audit saw)"
        places = ", ".join(
            f"{f.path}:{f.line}" if f.path else f.rule for f in [*blocking, *warnings][:_SHOWN]
        )
        return (
            f"{chosen}: real transactions, for D1 would lose {len(blocking)} rollback(s) or "
            f"block(s) and split {len(warnings)} (first: {places})"
        )
    if blocking:
        return (
            f"{chosen}, but D1 would lose {len(blocking)} rollback(s) or block(s) of the app; "
            "`object` keeps them"
        )
    if accepted:
        return f"{chosen}: {len(accepted)} finding(s) of the transaction audit are accepted"
    if warnings:
        return f"{chosen}: no rollback would be lost; {len(warnings)} warning(s) about atomicity"
    return f"{chosen}: nothing that the app's transactions promise would be lost"


def keep_transactions(plans: Sequence[DatabasePlan], audit: Sequence[Finding]) -> list[Finding]:
    """Return the audit's findings as notes when no database of the plan loses transactions.

    The audit does not know which database a statement goes to: one in D1 leaves them as they are.
    """
    if any(plan.strategy == "d1" for plan in plans) or not plans:
        return list(audit)
    kept = "kept: the database has real transactions"
    return [
        msgspec.structs.replace(f, level=Level.NOTE, message=f"{f.message} ({kept})") for f in audit
    ]


_SHOWN = 3  # places named in a reason


def explain_placement(findings: Sequence[Finding]) -> str:
    """Return why the app runs in stateless isolates, and what that means for its state."""
    state = sorted({f.rule for f in findings if f.rule.startswith("STATE-")})
    if not state:
        return "no module state changes between requests, so any isolate can answer any request"
    return (
        f"stateless isolates; what the app keeps in memory ({', '.join(state)}) is per isolate, "
        "which its code takes for a cache"
    )


def check_models(models: Sequence[ModelFile]) -> tuple[tuple[str, ...], list[Finding]]:
    """Return the paths of estimators to export, and findings for what has no export."""
    good = tuple(model.path for model in models if _ESTIMATOR.match(model.kind))
    findings = [
        rules.MODEL.at(model.kind, model.path, None)
        for model in models
        if not _ESTIMATOR.match(model.kind)
    ]
    return good, findings


def check_crons(crons: Sequence[str]) -> Iterator[Finding]:
    """Yield a finding when there are more cron triggers than the free plan has."""
    if len(crons) > read_prices().limits["crons_free"].value:
        yield rules.CRONS.at(f"{len(crons)} different schedules", None, None)


def build_plan(
    project: Project,
    inventory: Inventory,
    databases: Databases,
    packages: tuple[PackagePlan, ...],
    findings: Sequence[Finding],
) -> Plan:
    """Put all decisions together."""
    crons = tuple(dict.fromkeys(job.schedule for job in project.settings.jobs))
    models, _ = check_models(inventory.models)
    return Plan(
        placement="worker",
        placement_reason=explain_placement(findings),
        databases=databases.plans,
        packages=packages,
        models=models,
        crons=crons,
        steps=tuple(_list_steps(project, inventory, databases, models)),
        costs=estimate_costs(crons, _sum_sizes(databases, "d1"), _sum_sizes(databases, "object")),
    )


def _sum_sizes(databases: Databases, strategy: str) -> int | None:
    """Return the bytes of the databases with a strategy, None when there are none."""
    sizes = [databases.sizes.get(d.name, 0) for d in databases.plans if d.strategy == strategy]
    return sum(sizes) if sizes else None


def _list_steps(
    project: Project, inventory: Inventory, databases: Databases, models: Sequence[str]
) -> Iterator[str]:
    for database in databases.plans:
        if database.in_place:
            yield f"nothing of {database.name} is moved: the Worker reaches it through Hyperdrive"
            continue
        known = database.name in databases.sizes
        size = format_bytes(databases.sizes[database.name]) if known else "the rows"
        yield f"schema: convert {database.name} and load it into the real engine"
        yield f"data: copy {size} of {database.name}, proving every row by hash on both sides"
        yield from describe_shards(project.settings.data, database.name)
    folders = [section.path for section in project.settings.static]
    if folders:
        yield f"files: copy {', '.join(folders)} byte by byte"
    if models:
        yield f"build: export {len(models)} model(s) and prove each equal"
    yield f"build: make the Worker project of {len(inventory.sources)} source files"
    yield f"verify: replay requests on {len(inventory.routes)} routes against origin and Worker"
    if project.settings.tests is not None:
        yield f"verify: run the app's own tests ({' '.join(project.settings.tests.command)})"
    yield "report: write what was proven"


def format_bytes(size_bytes: int) -> str:
    """Return a size for people, in decimal units."""
    size = float(size_bytes)
    for unit in ("bytes", "kB", "MB", "GB"):
        if size < 1000 or unit == "GB":
            return f"{size:.0f} {unit}" if unit == "bytes" else f"{size:.1f} {unit}"
        size /= 1000
    return f"{size:.1f} GB"
