"""Checks of the build stage, made from what was measured."""

from __future__ import annotations

import re
from collections.abc import Sequence

from edgelift.model.findings import Check, Status
from edgelift.run import Run
from edgelift.stages.build.parts import LOCAL_ROOT
from edgelift.stages.build.tree import Outcome, hash_content
from edgelift.stages.build.wrangler import MAX_UPLOAD_BYTES, DryRun, told_errors
from edgelift.targets.workerd import Bundle

__all__ = [
    "Check",
    "check_config",
    "check_dry_run",
    "check_size",
    "check_snapshot",
    "check_source",
    "find_misfit",
    "snapshot_not_run",
]
MIB = 1024 * 1024
_SHOWN = 12  # lines of a traceback
# Errors that say that code and interpreter do not fit; all others may pass once there is a database
# and a network, which the import in the build has not.
UNREACHABLE = "the database is not reachable"  # targets/workerd/js/host.mjs
_PLACE = re.compile(rf'File "(?:{LOCAL_ROOT}|/lib/python[\d.]+/site-packages)/([^"]+)", line (\d+)')
_MISFIT = re.compile(
    r"(ModuleNotFound|Import|Attribute|Type|Assertion|Syntax|Indentation|Name)Error\b"
)


def check_source(run: Run, files: Sequence[str], written: Outcome) -> Check:
    """Compare the copied source with the origin's, byte by byte (SHA-256 of both)."""
    worker = run.project.state / "build" / "worker" / "src"
    differing = []
    for name in files:
        target = worker / name
        if not target.is_file():
            differing.append(f"{name} is missing")
        elif hash_content(target) != hash_content(run.project.root / name):
            edited = f"src/{name}" in written.edited
            differing.append(f"{name} {'was changed by hand' if edited else 'differs'}")
    equal = len(files) - len(differing)
    return Check(
        id="build.source",
        stage="build",
        title="The origin's source is in the Worker unchanged",
        status=Status.FAIL if differing else Status.PASS,
        evidence=f"{equal} of {len(files)} files byte-identical",
        reproduce=run.command("build", "--force"),
        detail=tuple(differing),
        counts={"files_equal": equal, "files": len(files)},
    )


def check_config(run: Run, problems: Sequence[str]) -> Check:
    """Report what wrangler's own schema says about wrangler.jsonc."""
    return Check(
        id="build.config",
        stage="build",
        title="wrangler.jsonc fits wrangler's configuration schema",
        status=Status.FAIL if problems else Status.PASS,
        evidence=f"{len(problems)} violations of the schema that ships with wrangler",
        reproduce=run.command("build", "--force"),
        detail=tuple(problems),
        counts={"violations": len(problems)},
    )


def check_dry_run(run: Run, dry: DryRun) -> Check:
    """Report whether wrangler would deploy the project."""
    return Check(
        id="build.dry-run",
        stage="build",
        title="wrangler deploy --dry-run accepts the project",
        status=Status.PASS if dry.ok else Status.FAIL,
        evidence=f"{dry.modules} modules packed" if dry.ok else "wrangler refused the project",
        reproduce=run.command("build", "--force"),
        detail=() if dry.ok else told_errors(dry.output),
        counts={"modules": dry.modules},
    )


def check_size(run: Run, dry: DryRun) -> Check:
    """Compare the upload's size with Cloudflare's limit; the largest parts are named."""
    largest = sorted(dry.sizes.items(), key=lambda item: -item[1])[:5]
    fits = dry.total_bytes <= MAX_UPLOAD_BYTES
    return Check(
        id="build.size",
        stage="build",
        title="The upload is within Cloudflare's size limit",
        status=(Status.PASS if fits else Status.FAIL) if dry.ok else Status.NOT_RUN,
        evidence=f"{dry.total_bytes} of {MAX_UPLOAD_BYTES} bytes, uncompressed"
        if dry.ok
        else "wrangler made no upload",
        reproduce=run.command("build", "--force"),
        detail=tuple(f"{name}: {size / MIB:.2f} MiB" for name, size in largest),
        counts={"bytes": dry.total_bytes, "limit_bytes": MAX_UPLOAD_BYTES},
    )


def check_snapshot(run: Run, bundle: Bundle) -> Check:
    """Report whether the local runtime boots from a memory snapshot, and why not."""
    if bundle.snapshot:
        status, evidence = Status.PASS, "made after the app's import"
    elif misfit := find_misfit(bundle):
        status, evidence = Status.FAIL, f"the app's import fails at every start: {misfit}"
    else:
        status = Status.NOT_RUN
        evidence = f"boots from compiled files instead: {_first_line(bundle)}"
    return Check(
        id="build.snapshot",
        stage="build",
        title="The Worker starts from a memory snapshot",
        status=status,
        evidence=evidence,
        reproduce=run.command("build", "--force"),
        detail=(*bundle.notes, *bundle.traceback.splitlines()[-_SHOWN:]),
        counts={f"{name}_bytes": size for name, size in bundle.sizes.items()},
    )


def find_misfit(bundle: Bundle) -> str:
    """Return why the app can never be imported in the Worker, "" when that is not known."""
    failed = bundle.traceback and UNREACHABLE not in bundle.traceback
    if bundle.snapshot or not failed or not _MISFIT.match(bundle.snapshot_error):
        return ""
    places = [f"{path}:{line}" for path, line in _PLACE.findall(bundle.traceback)]
    return " at ".join((_first_line(bundle), *places[-1:]))


def _first_line(bundle: Bundle) -> str:
    return next(iter(bundle.snapshot_error.splitlines()), "")


def snapshot_not_run(run: Run) -> Check:
    """Return the snapshot's check for a build that stops before it."""
    return Check(
        id="build.snapshot",
        stage="build",
        title="The Worker starts from a memory snapshot",
        status=Status.NOT_RUN,
        evidence="the build has not come to it",
        reproduce=run.command("build", "--force"),
    )
