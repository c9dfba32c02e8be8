"""Stage "verify": proves on this machine that the Worker answers and writes like the origin.

Origin and Worker start from the same snapshot and get the same requests; replies, end states, jobs,
static files and the origin's own tests are compared. With `run.only` set to the id of a check just
that check is made again; the others on record stay. Documents: "verify" says whether all checks
were made for the current inputs. Files: verify/{flows,differences,noise}.json.
"""

from __future__ import annotations

import shutil
from pathlib import Path

import msgspec

from edgelift.errors import UsageError, VerificationMismatch
from edgelift.model.catalogue import Catalogue
from edgelift.model.findings import Check, Status
from edgelift.model.inventory import Inventory
from edgelift.model.plan import Plan
from edgelift.model.server_url import find_engine
from edgelift.project import expand_variables, hash_files, hash_inputs, list_files
from edgelift.run import Result, Run, Stage
from edgelift.sources.origin_server import database_file
from edgelift.sources.shard_files import find_members, read_map
from edgelift.stages.verify import checks
from edgelift.stages.verify.parts import STEP, Parts
from edgelift.stages.verify.sides import Bench, Launcher

__all__ = ["STAGE", "Verified", "inputs", "intact", "list_check_ids", "verify_parts", "work"]

FORMAT = 2  # raise it when a check changes its meaning: earlier proofs then count no more


class Verified(msgspec.Struct, frozen=True):
    """The document "verify": for which inputs all checks were made."""

    inputs: str
    complete: bool


def inputs(run: Run) -> str:
    """Hash the settings, the project's files and the documents of all earlier stages."""
    journal, project = run.journal, run.project
    plan = journal.read_document("plan", Plan)
    databases = [
        member.name
        for database in (plan.databases if plan else ())
        for member in find_members(project.settings.data, journal, database)
    ]
    return hash_inputs(
        FORMAT,
        project.settings,
        hash_files(project.root, _list_sources(run)),
        journal.read_document("inventory", msgspec.Raw),
        journal.read_document("files", msgspec.Raw),
        journal.read_document("build", msgspec.Raw),
        [journal.read_document(f"data:{name}", msgspec.Raw) for name in databases],
        [journal.read_document(f"catalogue:{name}", msgspec.Raw) for name in databases],
    )


def _list_sources(run: Run) -> list[Path]:
    """Return the project's files less its databases, whose content stands in the data documents."""
    project = run.project
    files = {database_file(project, section) for section in project.settings.databases}
    names = {f"{file}{suffix}" for file in files for suffix in ("", "-wal", "-shm", "-journal")}
    return [file for file in list_files(project.root) if str(file) not in names]


def intact(run: Run) -> bool:
    """Return whether nothing needs to be proven again: all checks were made, none is asked for."""
    verified = run.journal.read_document("verify", Verified)
    return run.only is None and verified is not None and verified.complete


def list_check_ids(run: Run) -> list[str]:
    """Return the ids of all checks of this project, in the order of the report."""
    settings = run.project.settings
    plan = run.journal.read_document("plan", Plan)
    return [
        checks.DATA,
        checks.PARITY_GENERATED,
        checks.PARITY_RECORDED,
        *(f"{checks.STATE}{database.name}" for database in (plan.databases if plan else ())),
        checks.FAULTS,
        *([checks.SQL] if plan and _moves_servers(plan) else []),
        *(f"{checks.JOBS}{job.name}" for job in settings.jobs),
        checks.TESTS,
        checks.MODELS,
        checks.MUTANTS,
        checks.STATIC,
    ]


def _moves_servers(plan: Plan) -> bool:
    """Return whether a database is on a server at the origin, and moved."""
    urls = [database.url for database in plan.databases if not database.in_place]
    return any(find_engine(expand_variables(url)) for url in urls)


def work(run: Run) -> Result:
    """Make all checks, or the one asked for, and record them.

    Raises UsageError for an unknown check id, VerificationMismatch naming the first difference when
    a check fails, and the error that kept a part from running.
    """
    return verify_parts(run)


def verify_parts(run: Run, target: Launcher | None = None) -> Result:
    """Do the work of the stage; `target` stands in for the built Worker (tests pass a twin)."""
    if run.only is not None and run.only not in list_check_ids(run):
        raise UsageError(
            f"There is no check {run.only!r}",
            why=f"this project has {', '.join(list_check_ids(run))}",
            tip=run.command("verify", "--only", checks.PARITY_GENERATED),
        )
    before = run.journal.read_document("verify", Verified)
    same = before is not None and before.inputs == run.inputs
    run.journal.write_document(
        "verify",
        Verified(
            run.inputs, run.only is not None and same and before is not None and before.complete
        ),
    )
    bench = _read_bench(run, target)
    bench.clean()
    kept = {} if run.only else run.journal.read_checkpoints(STEP)
    if not kept:
        bench.captured.unlink(missing_ok=True)
        shutil.rmtree(bench.records, ignore_errors=True)
    parts = Parts(bench, run.only, kept)
    try:
        bench.prepare()
        parts.run()
    finally:
        bench.clean()
    parts.write_files()
    recorded = _merge(run, parts.checks, keep=same)
    run.record_checks(recorded)
    if run.only is None:
        run.journal.write_document("verify", Verified(run.inputs, complete=True))
    _raise_first(recorded, parts)
    passed = sum(check.status is Status.PASS for check in recorded)
    return {"summary": f"{passed} of {len(recorded)} checks passed", "checks": len(recorded)}


def _read_bench(run: Run, target: Launcher | None) -> Bench:
    plan = run.journal.read_document("plan", Plan) or Plan(placement="", placement_reason="")
    inventory = run.journal.read_document("inventory", Inventory)
    catalogues = {
        database.name: catalogue
        for database in plan.databases
        if (catalogue := run.journal.read_document(f"catalogue:{database.name}", Catalogue))
    }
    app = run.project.settings.app
    inventory = inventory or Inventory(framework=app.framework, entry=app.entry)
    maps = {
        database.name: found
        for database in plan.databases
        if (found := read_map(run.project.settings.data, run.journal, database.name))
    }
    return Bench(run, inventory, plan, catalogues, target, maps)


def _merge(run: Run, made: list[Check], *, keep: bool) -> list[Check]:
    """Return the checks to record: those made now, and those on record that were not made again."""
    known = {check.id: check for check in made}
    if run.only is not None and keep:
        known = {c.id: c for c in run.journal.read_checks(STEP)} | known
    order = list_check_ids(run)
    return sorted(known.values(), key=lambda check: order.index(check.id))


def _raise_first(recorded: list[Check], parts: Parts) -> None:
    failed = [check for check in recorded if check.status is Status.FAIL]
    if failed:
        first = failed[0]
        raise VerificationMismatch(
            f"{len(failed)} of {len(recorded)} checks failed: {', '.join(c.id for c in failed)}",
            why=(first.detail or (first.evidence,))[0],
            tip=first.reproduce,
        )
    if parts.error is not None:
        raise parts.error


STAGE = Stage(name=STEP, inputs=inputs, work=work, intact=intact)
