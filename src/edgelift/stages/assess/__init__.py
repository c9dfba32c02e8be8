"""Stage "assess": takes the inventory of the origin and lists what matters for the lift.

It never blocks: what must stop the lift is stopped by plan. Writes `assess/findings.json` and
`assess/findings.sarif`; journal document: "inventory".
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from pathlib import Path

import msgspec

import edgelift
from edgelift.errors import OriginError
from edgelift.model.findings import Check, Finding, Level, Status
from edgelift.model.inventory import EnvVariable, Inventory, Job
from edgelift.model.sarif import to_sarif
from edgelift.project import hash_files, hash_inputs, list_files, stays_in_place
from edgelift.run import Result, Run, Stage
from edgelift.sources.estimators import find_model_files
from edgelift.sources.origin_copy import is_sqlite_file
from edgelift.sources.probe import Probe, probe_app
from edgelift.sources.python_env import ensure_origin_python, read_distributions
from edgelift.sources.source_code.databases import find_databases
from edgelift.sources.source_code.environment import is_secret, is_surroundings, read_variables
from edgelift.sources.source_code.view import CodeView, build_view
from edgelift.stages.assess.request_reads import RequestReads
from edgelift.stages.assess.rules import DIALECT_RULES, RULES, check_code
from edgelift.stages.assess.rules.databases import check_databases, check_drivers
from edgelift.targets.packages.origin import find_own_imports, resolve_origin
from edgelift.targets.packages.requirements import read_requirements

FOLDER = "assess"
REPORTS = ("findings.json", "findings.sarif")
# Larger files are data, which the import and the rules do not depend on byte by byte.
_HASHED_BYTES = 4_000_000


def inputs(run: Run) -> str:
    """Hash settings, the project's files, and the values of variables the app may read."""
    project = run.project
    files = [f for f in list_files(project.root) if not _is_data(f)]
    small = [f for f in files if f.stat().st_size <= _HASHED_BYTES]
    names = sorted(project.settings.env)
    return hash_inputs(
        project.settings,
        hash_files(project.root, small),
        [f.relative_to(project.root).as_posix() for f in files],
        {name: os.environ.get(name) for name in names},
        [RULES, Inventory.__struct_fields__, edgelift.__version__, sys.version_info[:3]],
    )


def _is_data(file: Path) -> bool:
    """Return whether a file changes while the app runs: a database, its journal, a log."""
    return file.name.endswith(("-wal", "-shm", "-journal", ".log")) or is_sqlite_file(file)


def work(run: Run) -> Result:
    """Import the app, read its source, apply all rules, resolve its packages."""
    started = time.monotonic()
    python = ensure_origin_python(run.project, run.note)
    probe = _probe(run, python)
    run.progress("steps", 1, 4)
    view = build_view(run.project, probe=probe)
    inventory = _take_inventory(run, view, probe, python)
    run.progress("steps", 2, 4)
    found = check_code(view)
    if all(map(stays_in_place, run.project.settings.databases)):
        found = [finding for finding in found if finding.rule not in DIALECT_RULES]
    databases = inventory.databases
    found += check_databases(databases, run.project.settings.databases)
    # A driver that only a package loads may be one of several; without any database it counts.
    packages = () if run.project.settings.databases else probe.modules
    drivers = {*find_own_imports(run.project), *packages}
    found += check_drivers(drivers, run.project.settings.databases)
    run.progress("steps", 3, 4)
    resolution = resolve_origin(
        run.project, inventory, versions=read_distributions(python) or {}, note=run.note
    )
    accepted = set(run.project.settings.accept.rules)
    findings = [
        msgspec.structs.replace(f, accepted=f.rule in accepted)
        for f in [*found, *resolution.findings]
    ]
    _write_reports(run, findings)
    run.journal.write_document("inventory", inventory)
    run.record_findings(findings)
    run.record_checks([_check_import(run, inventory, probe, time.monotonic() - started)])
    run.progress("steps", 4, 4)
    return {"summary": _summarise(inventory, findings)}


def _probe(run: Run, python: Path) -> Probe:
    try:
        return probe_app(run.project, python, run.note)
    except OriginError as error:
        failed = Check(
            id="assess.import",
            stage="assess",
            title="The app imports",
            status=Status.FAIL,
            evidence=f"{error.what}: {error.why}",
            reproduce=run.command("assess", "--force"),
        )
        run.record_checks([failed])
        raise


def _take_inventory(run: Run, view: CodeView, probe: Probe, python: Path) -> Inventory:
    settings = run.project.settings
    root = run.project.root
    variables = _merge(read_variables(view.graph), probe)
    databases = find_databases(root, view.graph, probe, variables)
    reads = RequestReads(view.graph)
    files = [file.relative_to(root).as_posix() for file in list_files(root)]
    return Inventory(
        framework=settings.app.framework,
        entry=settings.app.entry,
        routes=tuple(reads.add_to(route) for route in probe.routes),
        jobs=tuple(Job(name=j.name, schedule=j.schedule, call=j.call) for j in probe.jobs),
        env=tuple(variables),
        static=probe.static,
        models=tuple(find_model_files(root, files, python, run.note)),
        databases=tuple(databases),
        requirements=tuple(
            line.text for line in read_requirements(root, settings.app.requirements)
        ),
        modules=tuple(_imported_modules(view)),
        sources=tuple(file.path for file in view.graph.files),
        idle=tuple(_find_idle(view, probe)),
    )


def _find_idle(view: CodeView, probe: Probe) -> list[str]:
    """Return the installed projects that neither importing the app nor its own code touches."""
    imported = {module.partition(".")[0] for _site, module in view.imports}
    used = {name for top, names in probe.idle.items() if top in imported for name in names}
    used |= set(probe.distributions.values())
    return sorted({name for names in probe.idle.values() for name in names} - used)


def _imported_modules(view: CodeView) -> list[str]:
    """Return the top-level modules that the app's own code imports, and those it consists of."""
    standard = sys.stdlib_module_names
    tops = {module.partition(".")[0] for _site, module in view.imports}
    own = {file.module.partition(".")[0] for file in view.graph.files}
    return sorted({name for name in tops | own if name and name not in standard})


def _merge(static: list[EnvVariable], probe: Probe) -> list[EnvVariable]:
    merged = {variable.name: variable for variable in static}
    for seen in probe.env:
        known = merged.get(seen.name)
        if not is_surroundings(seen.name) and (known is None or known.default is None):
            merged[seen.name] = EnvVariable(
                name=seen.name,
                default=seen.default,
                secret=is_secret(seen.name, seen.default),
                path=seen.path,
                line=seen.line,
            )
    return [merged[name] for name in sorted(merged)]


def _check_import(run: Run, inventory: Inventory, probe: Probe, duration_s: float) -> Check:
    return Check(
        id="assess.import",
        stage="assess",
        title="The app imports",
        status=Status.PASS,
        evidence=f"{inventory.entry} imported in {probe.seconds:.1f} s in a scratch copy: "
        f"{probe.inner or probe.framework}, {len(inventory.routes)} routes, "
        f"{len(inventory.jobs)} jobs, {len(probe.sources)} of its files loaded",
        reproduce=run.command("assess", "--force"),
        counts={
            "routes": len(inventory.routes),
            "jobs": len(inventory.jobs),
            "files": len(probe.sources),
            "databases": len(inventory.databases),
        },
        figures={"import_s": probe.seconds},
        duration_s=duration_s,
    )


def _write_reports(run: Run, findings: list[Finding]) -> None:
    folder = run.project.folder(FOLDER)
    body = msgspec.json.format(msgspec.json.encode(findings), indent=2) + b"\n"
    sarif = to_sarif(findings, {rule.id: rule for rule in RULES})
    for name, content in zip(REPORTS, (body, sarif), strict=True):
        with tempfile.NamedTemporaryFile(dir=folder, delete=False) as temporary:
            temporary.write(content)
        Path(temporary.name).replace(folder / name)


def _summarise(inventory: Inventory, findings: list[Finding]) -> str:
    counts = {level: sum(f.level is level for f in findings) for level in Level}
    return (
        f"{inventory.framework} app {inventory.entry}: {len(inventory.routes)} routes, "
        f"{len(inventory.databases)} databases, {len(inventory.jobs)} jobs, "
        f"{len(inventory.requirements)} requirements; {counts[Level.ERROR]} errors, "
        f"{counts[Level.WARNING]} warnings, {counts[Level.NOTE]} notes"
    )


def intact(run: Run) -> bool:
    """Return whether the reports and the inventory are still there."""
    written = all((run.project.state / FOLDER / name).is_file() for name in REPORTS)
    return written and run.journal.read_document("inventory", Inventory) is not None


STAGE = Stage(name="assess", inputs=inputs, work=work, intact=intact)
