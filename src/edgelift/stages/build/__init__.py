"""Stage "build": makes the Worker project that the user owns, and from it the local bundle.

`.edgelift/build/worker` is a standard pywrangler project: configuration, entry point, the origin's
source unchanged, vendored packages, migrations, public files. wrangler itself checks it. From it
`.edgelift/build/runtime` is made, which runs on workerd here. Journal document: "build".
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import msgspec

import edgelift
from edgelift.errors import BlockersFound, TargetError
from edgelift.model.findings import Finding, Level, Status
from edgelift.project import hash_files, hash_inputs
from edgelift.run import Result, Run, Stage
from edgelift.sources.python_env import ensure_origin_python, read_distributions
from edgelift.stages.build import checks
from edgelift.stages.build.driver_texts import check_driver_texts
from edgelift.stages.build.generated import COMPATIBILITY_DATE, build_files, build_objects
from edgelift.stages.build.models import FOLDER, check_models, export_models, find_refusals
from edgelift.stages.build.modules import fill_modules, hash_adapter, hash_runtime
from edgelift.stages.build.parts import LOCAL_ROOT, Parts, read_certificates, read_parts
from edgelift.stages.build.source import Selection, select_source
from edgelift.stages.build.tree import Outcome, stamp_tree, write_tree
from edgelift.stages.build.wrangler import DryRun, check_config, run_dry
from edgelift.targets.packages import Resolution
from edgelift.targets.packages.origin import resolve_origin
from edgelift.targets.workerd import Bundle, BundleSpec, build_bundle, read_bundle
from edgelift.toolchain import Toolchain, cache_root, ensure_toolchain

WORKER = ("build", "worker")
SQL = ("build", "sql")
RUNTIME = ("build", "runtime")
SHOWN = 5  # files named in a finding


def inputs(run: Run) -> str:
    """Hash settings, plan, the origin's files, schema, static files, adapter and the secrets."""
    parts = read_parts(run.project, run.journal)
    source = _select(parts, ())
    root = run.project.root
    environment = hashlib.sha256(repr(sorted(parts.read_environment().items())).encode())
    requirements = [root / name for name in run.project.settings.app.requirements]
    return hash_inputs(
        run.project.settings,
        parts.plan,
        parts.inventory.modules,
        hash_files(root, [root / name for name in source.files]),
        hash_files(root, [file for file in requirements if file.is_relative_to(root)]),
        {name: [f.hex() for f in files.values()] for name, files in parts.schema.items()},
        {name: content.hex() for name, content in parts.read_maps().items()},
        run.journal.read_document("files", dict[str, str]),
        read_certificates(run.project),
        [edgelift.__version__, COMPATIBILITY_DATE, hash_adapter(), hash_runtime()],
        environment.hexdigest(),
    )


def work(run: Run) -> Result:
    """Generate the project, let wrangler check it, build the local bundle; record six checks."""
    parts = read_parts(run.project, run.journal)
    worker = run.project.folder(*WORKER)
    python = ensure_origin_python(run.project, run.note)
    resolution = _resolve(run, parts, python)
    models = export_models(run, parts.plan.models, python)
    texts = check_driver_texts(run.project, run.journal, parts)
    _raise_blockers(run, [*resolution.findings, *find_refusals(models), *texts])
    exported = [model.path for model in models if not model.refusal]
    source = _select(parts, exported)
    written = _write(run, parts, resolution, source, exported)
    written.edited += _write_objects(run, parts)
    fill_modules(resolution, worker, cache=cache_root(), note=run.note, translates=parts.translates)
    refusals = _accept(run, find_refusals(models))
    told = [*refusals, *_accept(run, texts), *_findings(source)]
    run.record_findings([*told, *map(_edited, written.edited)])
    toolchain = ensure_toolchain(("runtime", "wrangler"), run.note)
    assert toolchain.wrangler is not None
    run.note("wrangler checks the project")
    listed = [
        checks.check_source(run, source.files, written),
        check_models(run, models),
        checks.check_config(run, _check_configs(run, parts, toolchain.wrangler)),
    ]
    _raise_failed(run, listed, checks.snapshot_not_run(run))
    spec = BundleSpec(
        app_dir=worker / "src",
        site_packages=worker / "python_modules",
        settings=parts.build_settings(LOCAL_ROOT),
        env=parts.read_environment(),
        public_dir=worker / "public" if run.project.settings.static else None,
        certificates=read_certificates(run.project),
        schemas=parts.read_schemas(),
    )
    bundle, dry = _build_both(run, spec, toolchain, listed, objects=bool(parts.select("object")))
    if misfit := checks.find_misfit(bundle):
        raise TargetError(
            "The app cannot be imported in the Worker's Python 3.14",
            why=misfit,
            tip="packages pinned to versions older than Python 3.14 are the usual cause: raise the "
            "pins that the traceback names (edgelift report shows it)",
        )
    summary = (
        f"{len(source.files)} source files, {len(resolution.wheels)} packages, "
        f"{dry.total_bytes / 1024 / 1024:.1f} MiB to upload"
    )
    document = {
        "settings": spec.settings,
        "packages": [[w.name, w.version, w.sha256] for w in resolution.wheels],
        "upload_bytes": dry.total_bytes,
        "snapshot": bundle.snapshot,
        "sizes": bundle.sizes,
        "bundle": bundle.inputs,
        "models": models,
    }
    run.journal.write_document("build", document)
    run.journal.write_document("build:stamp", _stamp(worker))
    return {"summary": summary}


def intact(run: Run) -> bool:
    """Return whether the bundle is there and nobody touched the project since it was checked."""
    worker = run.project.state.joinpath(*WORKER)
    return read_bundle(
        run.project.state.joinpath(*RUNTIME)
    ) is not None and run.journal.read_document("build:stamp", str) == _stamp(worker)


STAGE = Stage(name="build", inputs=inputs, work=work, intact=intact)


def _build_both(
    run: Run,
    spec: BundleSpec,
    toolchain: Toolchain,
    listed: list[checks.Check],
    *,
    objects: bool,
) -> tuple[Bundle, DryRun]:
    """Build the bundle while wrangler, which takes as long, tries the project; record all checks.

    Raises TargetError when either fails.
    """
    folder = run.project.folder("build")
    with ThreadPoolExecutor(max_workers=1) as beside:
        trial = beside.submit(_try_projects, folder, toolchain, objects=objects)
        try:
            bundle = build_bundle(spec, folder / "runtime", toolchain, run.note)
            snapshot = checks.check_snapshot(run, bundle)
        except TargetError:
            run.record_checks(
                [*listed, *_judge_trial(run, trial.result()), checks.snapshot_not_run(run)]
            )
            raise
        dry = trial.result()
    judged = [*listed, *_judge_trial(run, dry)]
    _raise_failed(run, judged, snapshot)
    run.record_checks([*judged, snapshot])
    return bundle, dry


def _try_projects(folder: Path, toolchain: Toolchain, *, objects: bool) -> DryRun:
    """Let wrangler try the app's project and, when there is one, that of its SQL objects."""
    dry = run_dry(folder / "worker", folder / "dry-run", toolchain)
    if not objects or not dry.ok:
        return dry
    sql = run_dry(folder / "sql", folder / "dry-run-sql", toolchain)
    output = dry.output if sql.ok else f"{dry.output}\n{sql.output}"
    return DryRun(sql.ok, output, dry.sizes, dry.modules + sql.modules)


def _check_configs(run: Run, parts: Parts, wrangler: Path) -> list[str]:
    problems = check_config(run.project.folder(*WORKER), wrangler)
    if parts.select("object") or parts.select("d1"):
        problems += [f"sql: {text}" for text in check_config(run.project.folder(*SQL), wrangler)]
    return problems


def _write_objects(run: Run, parts: Parts) -> list[str]:
    """Write the project of the SQL objects and return the files that its user holds changed."""
    files = build_objects(parts)
    manifest = run.project.folder("build") / "sql-manifest.json"
    if not files and not manifest.exists():
        return []
    outcome = write_tree(run.project.folder(*SQL), manifest, files)
    return [f"../sql/{name}" for name in outcome.edited]


def _judge_trial(run: Run, dry: DryRun) -> list[checks.Check]:
    return [checks.check_dry_run(run, dry), checks.check_size(run, dry)]


def _resolve(run: Run, parts: Parts, python: Path) -> Resolution:
    versions = read_distributions(python) or {}
    return resolve_origin(run.project, parts.inventory, versions=versions, note=run.note)


def _select(parts: Parts, exported: Collection[str]) -> Selection:
    return select_source(parts.project, parts.inventory.modules, exported)


def _write(
    run: Run, parts: Parts, resolution: Resolution, source: Selection, exported: Collection[str]
) -> Outcome:
    root, models = run.project.root, run.project.state.joinpath(*FOLDER)
    files: dict[str, bytes | Path] = {f"src/{name}": root / name for name in source.files}
    files.update({f"src/{name}": models / name for name in exported})
    files.update(build_files(parts, resolution, [*source.files, *exported]))
    return write_tree(
        run.project.folder(*WORKER),
        run.project.folder("build") / "manifest.json",
        files,
        lambda done, total: run.progress("files", done, total),
    )


def _accept(run: Run, findings: Iterable[Finding]) -> list[Finding]:
    rules = run.project.settings.accept.rules
    return [msgspec.structs.replace(f, accepted=f.rule in rules) for f in findings]


def _raise_blockers(run: Run, findings: list[Finding]) -> None:
    """Stop before anything is written when a package or model cannot run and nobody accepted it."""
    blockers = [finding for finding in _accept(run, findings) if finding.blocks]
    if blockers:
        run.record_findings(blockers)
        raise BlockersFound(
            f"{len(blockers)} parts of the app cannot run in the Worker",
            why=blockers[0].message,
            tip=blockers[0].tip,
        )


def _findings(source: Selection) -> list[Finding]:
    """Return one finding for each reason, naming the first files."""
    by_reason: dict[str, list[str]] = {}
    for name, reason in source.left_out.items():
        by_reason.setdefault(reason, []).append(name)
    return [
        Finding(
            rule="BUILD-LEFT-OUT",
            level=Level.NOTE,
            message=f"{len(names)} files are not part of the Worker ({reason}): "
            f"{', '.join(names[:SHOWN])}{', ...' if len(names) > SHOWN else ''}",
            path=names[0],
        )
        for reason, names in by_reason.items()
    ]


def _edited(name: str) -> Finding:
    return Finding(
        rule="BUILD-EDITED",
        level=Level.WARNING,
        message=f"build/worker/{name} was changed by hand and is kept as it is",
        tip="delete the file to have it generated again",
    )


def _raise_failed(run: Run, listed: list[checks.Check], snapshot: checks.Check) -> None:
    """Record the checks and raise TargetError when one of `listed` failed."""
    failed = [check for check in listed if check.status is Status.FAIL]
    if failed:
        run.record_checks([*listed, snapshot])
        first = failed[0]
        raise TargetError(
            f"The built Worker fails a check: {first.title}",
            why="; ".join((first.evidence, *first.detail[:3])),
            tip=f"{len(failed)} of {len(listed)} checks failed; edgelift report shows all",
        )


def _stamp(worker: Path) -> str:
    """Stamp all of the project but public/, which belongs to the stage "files"."""
    parts = [stamp_tree(worker / name) for name in ("src", "python_modules", "migrations")]
    parts.append(stamp_tree(worker.parent / SQL[-1]))
    return hash_inputs(
        parts,
        [[f.name, f.stat().st_mtime_ns] for f in sorted(worker.iterdir()) if f.is_file()]
        if worker.is_dir()
        else [],
    )
