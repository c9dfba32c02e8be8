"""The data stage: move every row from the snapshot into the file D1 opens, and prove each of them.

The snapshot of a SQLite file was taken and judged by the schema stage; a server's is taken here. A
database appears under `.edgelift/data/target/` only when its proof has passed.
"""

from __future__ import annotations

import dataclasses
import time
from dataclasses import dataclass
from pathlib import Path

import msgspec

from edgelift.errors import UsageError, VerificationMismatch
from edgelift.model.catalogue import Catalogue
from edgelift.model.data_document import DataDocument
from edgelift.model.findings import Check, Status
from edgelift.model.move_estimate import PaperPlan
from edgelift.model.move_plan import STAYS, MovePlan
from edgelift.model.plan import Plan
from edgelift.model.target_schema import TargetSchema
from edgelift.project import expand_variables, hash_inputs
from edgelift.run import UNCHANGED, Result, Run, Stage
from edgelift.sources.origin_database import is_server_url
from edgelift.sources.sqlite import Snapshot
from edgelift.sources.sqlite_origin import to_url
from edgelift.sources.sqlite_snapshot import is_intact, sync_path
from edgelift.stages.data.load import Load, load_database
from edgelift.stages.data.proof import (
    Proof,
    build_document,
    check_integrity,
    check_rows,
    check_runtime,
    check_sequences,
)
from edgelift.stages.data.server.changes import read_mark, tell_changes, write_mark
from edgelift.stages.data.server.estimate import estimate_move, write_paper
from edgelift.stages.data.server.ledger import has_ledger
from edgelift.stages.data.server.move import ServerSubject, move_server_database
from edgelift.stages.data.server.shards import list_shards, move_shards
from edgelift.toolchain import ensure_toolchain

FORMAT = 1  # raised when the stage's output changes, so that old results are made anew


@dataclass(frozen=True)
class Subject:
    """One database to move, with what schema left for it."""

    name: str
    snapshot: Snapshot
    schema: TargetSchema
    catalogue: Catalogue
    snapshot_path: Path
    target: Path

    @property
    def identity(self) -> str:
        """Return a hash of all that the target is made from."""
        return hash_inputs(FORMAT, self.snapshot, self.schema, self.catalogue)


def _read_subjects(run: Run) -> list[Subject | ServerSubject]:
    plan = run.journal.read_document("plan", Plan)
    listed = plan.databases if plan is not None else run.project.settings.databases
    found: list[Subject | ServerSubject] = []
    for database in listed:
        if database.strategy == STAYS:
            continue
        url = expand_variables(database.url)
        if is_server_url(url):
            found.append(_read_server_subject(run, database.name, url))
            continue
        plain = _read_subject(run, database.name)
        move = run.journal.read_document(f"move:{database.name}", MovePlan)
        if move is None:
            found.append(plain)
        else:
            url = to_url(plain.snapshot_path)
            rewritten = _read_server_subject(run, database.name, url)
            found.append(dataclasses.replace(rewritten, snapshot=plain.snapshot))
    return found


def _read_server_subject(run: Run, name: str, url: str) -> ServerSubject:
    plan = run.journal.read_document(f"move:{name}", MovePlan)
    schema = run.journal.read_document(f"schema:{name}", TargetSchema)
    if plan is None or schema is None:
        raise UsageError(
            f"The database {name} was not judged yet",
            why="the schema stage has not ended well",
            tip=f"run: {run.command('schema')}",
        )
    target = run.project.state / "data" / "target" / f"{name}.sqlite"
    shards = run.project.settings.data.shards
    if shards is not None and shards.database not in {"", name}:
        shards = None
    return ServerSubject(name=name, url=url, plan=plan, schema=schema, target=target, shards=shards)


def _read_subject(run: Run, name: str) -> Subject:
    snapshot = run.journal.read_document(f"snapshot:{name}", Snapshot)
    schema = run.journal.read_document(f"schema:{name}", TargetSchema)
    catalogue = run.journal.read_document(f"catalogue:{name}", Catalogue)
    folder = run.project.state / "data"
    path = folder / "snapshot" / f"{name}.sqlite"
    if snapshot is None or schema is None or catalogue is None or not is_intact(snapshot, path):
        raise UsageError(
            f"The database {name} has no snapshot to move",
            why="the schema stage has not taken it, or the file was changed or removed since",
            tip=f"run: {run.command('schema', '--force')}",
        )
    return Subject(
        name=name,
        snapshot=snapshot,
        schema=schema,
        catalogue=catalogue,
        snapshot_path=path,
        target=folder / "target" / f"{name}.sqlite",
    )


def _inputs(run: Run) -> str:
    return hash_inputs([[s.identity, s.snapshot] for s in _read_subjects(run)])


def _intact(run: Run) -> bool:
    return all(
        (document := run.journal.read_document(f"data:{name}", DataDocument)) is not None
        and _is_as_left(document, target)
        for subject in _read_subjects(run)
        for name, target in _list_targets(run, subject)
    )


def _list_targets(run: Run, subject: Subject | ServerSubject) -> list[tuple[str, Path]]:
    """Return names and files of what a database becomes: one, or its shards."""
    if isinstance(subject, ServerSubject) and subject.shards is not None:
        names = list_shards(run, subject)
        return [(name, subject.target.with_name(f"{name}.sqlite")) for name in names]
    return [(subject.name, subject.target)]


def _is_as_left(document: DataDocument, target: Path) -> bool:
    try:
        status = target.stat()
    except OSError:
        return False
    return (status.st_size, status.st_mtime_ns) == (document.size_bytes, document.modified_ns)


def _part_of(run: Run, subject: Subject | ServerSubject) -> Path:
    """Return the unfinished file, removed first unless it was begun from the same inputs."""
    part = subject.target.with_name(f"{subject.target.name}.part")
    key = f"part:{subject.name}"
    known = run.journal.read_checkpoints(run.current).get(key) == subject.identity
    if not known or (isinstance(subject, ServerSubject) and not has_ledger(part)):
        for ending in ("", "-wal", "-shm"):
            part.with_name(part.name + ending).unlink(missing_ok=True)
        run.journal.write_checkpoint(run.current, key, subject.identity)
    return part


def move_database(run: Run, subject: Subject) -> tuple[list[Check], DataDocument | None]:
    """Load and prove one database; returns its checks, and its record when all of them passed."""
    part = _part_of(run, subject)
    what = f"rows of {subject.name}"
    load_database(
        Load(
            snapshot=subject.snapshot_path,
            part=part,
            schema=subject.schema,
            catalogue=subject.catalogue,
            progress=lambda done, total: run.progress(what, done, total),
        )
    )
    sync_path(part)
    proof = Proof(
        database=subject.name,
        snapshot=subject.snapshot_path,
        target=part,
        catalogue=subject.catalogue,
        reproduce=run.command("data", "--force"),
    )
    counts = {table.name: table.rows for table in subject.catalogue.tables}
    rows, tables = check_rows(
        proof,
        lambda table, done: run.progress(f"rows of {table} compared", done, counts.get(table)),
    )
    checks = [rows, check_integrity(proof), check_sequences(proof)]
    toolchain = ensure_toolchain(("runtime",), run.note)
    checks.append(check_runtime(proof, toolchain))
    if any(check.status is Status.FAIL for check in checks):
        part.replace(subject.target.with_name(f"{subject.target.name}.mismatch"))
        return checks, None
    part.replace(subject.target)
    sync_path(subject.target.parent)
    return checks, build_document(tables, subject.target)


def _work(run: Run) -> Result:
    started = time.monotonic()
    checks: list[Check] = []
    documents: dict[str, DataDocument] = {}
    for subject in _read_subjects(run):
        run.note(f"moving {subject.name}")
        if isinstance(subject, ServerSubject) and subject.snapshot is None:
            write_mark(run, subject.name, read_mark(subject.url))
        if isinstance(subject, ServerSubject) and subject.shards is not None:
            done, made = move_shards(run, subject, lambda shard: _part_of(run, shard))
            checks += done
            documents |= made
            for name, record in made.items():
                run.journal.write_document(f"data:{name}", record)
            continue
        if isinstance(subject, ServerSubject):
            done, document = move_server_database(run, subject, _part_of(run, subject))
        else:
            done, document = move_database(run, subject)
        checks += done
        if document is not None:
            documents[subject.name] = document
            run.journal.write_document(f"data:{subject.name}", document)
    checks += _check_kept(run)
    run.record_checks(checks)
    failed = [check for check in checks if check.status is Status.FAIL]
    if failed:
        raise VerificationMismatch(
            f"The lifted data differs from the origin: {failed[0].id}",
            why=failed[0].detail[0] if failed[0].detail else failed[0].evidence,
            tip=f"nothing was put in place; repeat with: {failed[0].reproduce}",
        )
    return _summarize(documents, time.monotonic() - started)


def _check_kept(run: Run) -> list[Check]:
    """Record that nothing is moved of databases that stay on their server."""
    plan = run.journal.read_document("plan", Plan)
    return [
        Check(
            id=f"data.kept.{database.name}",
            stage="data",
            title=f"{database.name} stays on its server",
            status=Status.SKIPPED,
            evidence="nothing was moved: the Worker reaches the same database through Hyperdrive",
            reproduce=run.command("data", "--force"),
        )
        for database in (plan.databases if plan else ())
        if database.in_place
    ]


def _summarize(documents: dict[str, DataDocument], duration_s: float) -> Result:
    rows = sum(document.rows for document in documents.values())
    tables = sum(len(document.tables) for document in documents.values())
    size = sum(document.size_bytes for document in documents.values())
    summary = (
        f"{rows} rows in {tables} tables moved, each proven equal on both sides"
        if documents
        else "nothing to move"
    )
    return {
        "summary": summary,
        "counts": {"tables": tables, "rows": rows, "bytes": size},
        "duration_s": duration_s,
    }


def _look(run: Run) -> str:
    """Say what is known of the origins of skipped copies; empty when one is worth repeating."""
    told = []
    for subject in _read_subjects(run):
        if isinstance(subject, ServerSubject) and subject.snapshot is None:
            changed, words = tell_changes(run, subject.name, subject.url)
            if changed:
                run.note(f"{words}: copying anew")
                return ""
            told.append(words)
    return "; ".join(told) or UNCHANGED


def plan_moves(run: Run) -> tuple[PaperPlan, ...]:
    """Return a plan on paper for each database of a server; nothing is moved.

    Raises OriginError, and UsageError for a database that is not a server's.
    """
    run.current = "data"
    subjects = [s for s in _read_subjects(run) if isinstance(s, ServerSubject)]
    if not subjects:
        raise UsageError(
            "There is nothing to plan",
            why="a SQLite file without overrides is copied as it is, at the speed of the disk",
            tip="leave --plan-only out",
        )
    plans = tuple(estimate_move(run, subject) for subject in subjects)
    folder = run.project.folder("data")
    for plan in plans:
        path = folder / f"plan-{plan.database}.json"
        path.write_bytes(msgspec.json.format(msgspec.json.encode(plan), indent=1) + b"\n")
        run.note(write_paper(plan))
    return plans


STAGE = Stage(name="data", inputs=_inputs, work=_work, intact=_intact, look=_look)
