"""Move one server database: copy in one snapshot, finish the file, prove it while that stands."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import msgspec

from edgelift.errors import OriginError
from edgelift.model.catalogue import Catalogue
from edgelift.model.data_document import DataDocument
from edgelift.model.findings import Check, Status
from edgelift.model.move_plan import MovePlan, hash_shape
from edgelift.model.origin_schema import OriginSchema
from edgelift.model.target_schema import TargetSchema
from edgelift.project import hash_inputs
from edgelift.run import Run
from edgelift.sources.origin_database import OriginDatabase, SnapshotReader, open_origin
from edgelift.sources.sqlite_catalogue import read_catalogue
from edgelift.sources.sqlite_snapshot import sync_path
from edgelift.stages.data import proof as file_proof
from edgelift.stages.data.server import ledger, prove
from edgelift.stages.data.server.copy import (
    Copy,
    copy_rows,
    create_rest,
    create_tables,
    restore_counters,
)
from edgelift.stages.data.server.objects import check_objects, write_objects
from edgelift.stages.data.server.target import open_part
from edgelift.stages.data.server.throttle import Throttle
from edgelift.toolchain import ensure_toolchain

FORMAT = 1  # raised when the target's content changes, so that old results are made anew


@dataclass(frozen=True)
class ServerSubject:
    """One server database to move, with what schema left for it."""

    name: str
    url: str
    plan: MovePlan
    schema: TargetSchema
    target: Path

    @property
    def identity(self) -> str:
        """Return a hash of all that the target is made from, but the rows themselves."""
        still = [msgspec.structs.replace(move, rows=0, bytes=0) for move in self.plan.tables]
        return hash_inputs(FORMAT, self.plan.shape, still, self.schema)


@contextlib.contextmanager
def _open_snapshot(
    subject: ServerSubject, run: Run
) -> Iterator[tuple[SnapshotReader, OriginSchema]]:
    """Open a snapshot and the catalogue behind it, which must be the one that was judged."""
    with open_origin(subject.url) as adapter:
        reader = adapter.open_snapshot()
        try:
            yield reader, _read_same_schema(adapter, subject, run)
        finally:
            reader.close()


def _read_same_schema(adapter: OriginDatabase, subject: ServerSubject, run: Run) -> OriginSchema:
    origin = adapter.read_schema()
    if hash_shape(origin) != subject.plan.shape:
        raise OriginError(
            f"The schema of {subject.name} changed since it was judged",
            why="a table, column, key or another object is no longer what the schema stage read",
            tip=f"judge it anew: {run.command('schema', '--force')}",
        )
    return origin


def read_counters(plan: MovePlan, origin: OriginSchema) -> dict[str, int]:
    """Return the last number that each counter gave out, by the target's table."""
    lasts = {s.owner: s.last for s in origin.sequences if s.owner}
    return {
        move.spec.target: last
        for move in plan.tables
        if move.counter and (last := lasts.get(move.counter)) is not None and last > 0
    }


def move_server_database(
    run: Run, subject: ServerSubject, part: Path
) -> tuple[list[Check], DataDocument | None]:
    """Load and prove one database; returns its checks, and its record when all of them passed."""
    settings = run.project.settings.data
    rows_per_s, bytes_per_s = settings.read_throttle()
    with _open_snapshot(subject, run) as (reader, origin), open_part(part) as db:
        counters = read_counters(subject.plan, origin)
        copy = Copy(
            db=db,
            reader=reader,
            plan=subject.plan,
            schema=subject.schema,
            chunk_rows=settings.chunk_rows,
            throttle=Throttle(rows_per_s, bytes_per_s),
            tell=run.progress,
        )
        create_tables(copy)
        copy_rows(copy)
        if copy.kept or copy.repeated:
            run.note(
                f"{copy.kept} chunks were there already and are as at the origin, "
                f"{copy.repeated} had changed and were copied again"
            )
        objects = run.project.state / "data" / "objects" / subject.name
        write_objects(copy, objects)
        create_rest(copy)
        restore_counters(copy, counters)
        proof = prove.Proof(
            db=db,
            reader=reader,
            plan=subject.plan,
            reproduce=run.command("data", "--force"),
            sample=1.0 if run.paranoid else settings.sample,
            tell=run.progress,
        )
        checks = _prove(proof, subject.schema, counters)
        offloaded = check_objects(proof, objects)
        checks += [offloaded] if offloaded else []
        ledger.end(db)
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    return _put_in_place(run, subject, part, proof, checks)


def _prove(proof: prove.Proof, schema: TargetSchema, counters: dict[str, int]) -> list[Check]:
    names = [statement.name for statement in (*schema.tables, *schema.after)]
    computed = prove.check_computed(proof)
    return [
        prove.check_rows(proof),
        *([computed] if computed else []),
        prove.check_again(proof),
        prove.check_integrity(proof, names),
        prove.check_counters(proof, counters),
    ]


def _put_in_place(
    run: Run, subject: ServerSubject, part: Path, proof: prove.Proof, checks: list[Check]
) -> tuple[list[Check], DataDocument | None]:
    with contextlib.closing(sqlite3.connect(part)) as db:
        catalogue: Catalogue = read_catalogue(db)
    sync_path(part)
    counted = tuple(
        msgspec.structs.replace(table, rows=proof.tables[table.name].rows)
        for table in catalogue.tables
        if table.name in proof.tables
    )
    runtime = file_proof.Proof(
        database=subject.name,
        snapshot=part,
        target=part,
        catalogue=msgspec.structs.replace(catalogue, tables=counted),
        reproduce=proof.reproduce,
    )
    checks.append(file_proof.check_runtime(runtime, ensure_toolchain(("runtime",), run.note)))
    if any(check.status is Status.FAIL for check in checks):
        part.replace(subject.target.with_name(f"{subject.target.name}.mismatch"))
        return checks, None
    part.replace(subject.target)
    sync_path(subject.target.parent)
    run.journal.write_document(f"catalogue:{subject.name}", catalogue)
    return checks, prove.build_document(proof.tables, subject.target)
