"""Stage "files": copies static folders to the Worker's public folder under their URL, with proof.

Other data files of the app ride with its source (stage "build"). Journal document: "files", the
SHA-256 of every static file by its path below `public`.
"""

from __future__ import annotations

import time

from edgelift.errors import BlockersFound, OriginError
from edgelift.model.findings import Check, Finding, Level, Status
from edgelift.project import hash_inputs
from edgelift.run import Result, Run, Stage
from edgelift.stages.files.copying import copy_file, hash_file, remove_gone
from edgelift.stages.files.listing import Listing, list_static

PUBLIC = ("build", "worker", "public")


def inputs(run: Run) -> str:
    """Hash the static sections and the content of every static file."""
    listing = list_static(run.project)
    hashes = [(file.target, hash_file(file.source)) for file in listing.files]
    settings = run.project.settings
    return hash_inputs(settings.static, settings.accept, hashes, listing.findings)


def work(run: Run) -> Result:
    """Copy what differs, remove what the origin no longer has, and compare both sides."""
    started = time.monotonic()
    listing = list_static(run.project)
    findings = [_accept(run, finding) for finding in listing.findings]
    run.record_findings(findings)
    if blockers := [finding for finding in findings if finding.blocks]:
        run.record_checks([_refused(run, listing, blockers)])
        raise BlockersFound(
            f"{len(blockers)} static files cannot be lifted",
            why=blockers[0].message,
            tip=blockers[0].tip,
        )
    public = run.project.folder(*PUBLIC)
    before = run.journal.read_document("files", dict[str, str]) or {}
    part = run.project.folder("files") / "part"
    hashes: dict[str, str] = {}
    # The names are written down first: a file copied by a run that is killed is known to be ours.
    planned = {file.target: before.get(file.target, "") for file in listing.files}
    run.journal.write_document("files", {**before, **planned})
    for done, file in enumerate(listing.files, 1):
        hashes[file.target] = copy_file(file.source, public / file.target, part)
        run.progress("files", done, len(listing.files))
    remove_gone(public, set(before) - set(hashes))
    run.journal.write_document("files", hashes)
    check = _compare(run, listing, time.monotonic() - started)
    run.record_checks([check])
    if check.status is Status.FAIL:
        raise OriginError(
            "The copied static files differ from the origin's",
            why="; ".join(check.detail),
            tip="a file changed while it was copied; run again when nothing writes to it",
        )
    return {"summary": check.evidence, "files": len(hashes)}


def intact(run: Run) -> bool:
    """Return whether every copied file is still there, unchanged."""
    hashes = run.journal.read_document("files", dict[str, str])
    public = run.project.state.joinpath(*PUBLIC)
    return hashes is not None and all(
        (public / name).is_file() and hash_file(public / name) == sha256
        for name, sha256 in hashes.items()
    )


STAGE = Stage(name="files", inputs=inputs, work=work, intact=intact)


def _accept(run: Run, finding: Finding) -> Finding:
    from msgspec.structs import replace

    return replace(finding, accepted=finding.rule in run.project.settings.accept.rules)


def _compare(run: Run, listing: Listing, duration_s: float) -> Check:
    public = run.project.state.joinpath(*PUBLIC)
    differing, total_bytes = [], 0
    for file in listing.files:
        target = public / file.target
        if not target.is_file():
            differing.append(f"{file.target} is missing")
        elif hash_file(target) != hash_file(file.source):
            differing.append(f"{file.target} differs from {file.source}")
        else:
            total_bytes += target.stat().st_size
    equal, total = len(listing.files) - len(differing), len(listing.files)
    if not run.project.settings.static:
        status, evidence = Status.SKIPPED, "the project names no static folder"
    else:
        status = Status.FAIL if differing else Status.PASS
        evidence = f"{equal} of {total} static files equal by SHA-256, {total_bytes} bytes"
    return Check(
        id="files.static",
        stage="files",
        title="Static files are equal on both sides",
        status=status,
        evidence=evidence,
        reproduce=run.command("files", "--force"),
        detail=tuple(differing),
        counts={"files_equal": equal, "files": total, "bytes": total_bytes},
        duration_s=duration_s,
    )


def _refused(run: Run, listing: Listing, blockers: list[Finding]) -> Check:
    return Check(
        id="files.static",
        stage="files",
        title="Static files are equal on both sides",
        status=Status.FAIL,
        evidence=f"{len(blockers)} static files cannot be lifted, nothing was copied",
        reproduce=run.command("files", "--force"),
        detail=tuple(finding.message for finding in blockers if finding.level is Level.ERROR),
        counts={"files_equal": 0, "files": len(listing.files) + len(blockers)},
    )
