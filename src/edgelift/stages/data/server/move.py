"""Move one server database: copy in one snapshot, finish the file, prove it while that stands."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import apsw
import msgspec

from edgelift.errors import OriginError
from edgelift.model.catalogue import Catalogue
from edgelift.model.data_document import DataDocument
from edgelift.model.findings import Check, Status
from edgelift.model.move_plan import MovePlan, hash_shape
from edgelift.model.mover_settings import ShardsSection
from edgelift.model.origin_schema import OriginSchema
from edgelift.model.target_schema import TargetSchema
from edgelift.project import Secret, hash_inputs
from edgelift.rows.engine import describe_engine
from edgelift.run import Run
from edgelift.sources.origin_database import (
    Capabilities,
    OriginDatabase,
    SnapshotReader,
    open_origin,
)
from edgelift.sources.sqlite_catalogue import read_catalogue
from edgelift.sources.sqlite_snapshot import Snapshot, sync_path
from edgelift.stages.data import proof as file_proof
from edgelift.stages.data.server import ledger, prove
from edgelift.stages.data.server.copy import (
    Copy,
    copy_rows,
    create_rest,
    create_tables,
    restore_counters,
)
from edgelift.stages.data.server.known_faults import read_known_faults
from edgelift.stages.data.server.objects import check_objects, write_objects
from edgelift.stages.data.server.persist import keep_trying
from edgelift.stages.data.server.target import open_part
from edgelift.stages.data.server.tasks import Source
from edgelift.stages.data.server.throttle import Throttle
from edgelift.stages.data.server.views import check_views
from edgelift.stages.data.server.workers import Workers, open_workers
from edgelift.toolchain import ensure_toolchain

FORMAT = 1  # raised when the target's content changes, so that old results are made anew


@dataclass(frozen=True)
class ServerSubject:
    """One server database to move, with what schema left for it.

    `snapshot` is that of a SQLite file whose schema is rewritten: its URL leads there.
    """

    name: str
    url: str
    plan: MovePlan
    schema: TargetSchema
    target: Path
    shards: ShardsSection | None = None
    snapshot: Snapshot | None = None

    @property
    def identity(self) -> str:
        """Return a hash of all that the target is made from, but the rows themselves."""
        still = [msgspec.structs.replace(move, rows=0, bytes=0) for move in self.plan.tables]
        more = (msgspec.structs.replace(self.shards, route=None),) if self.shards else ()
        return hash_inputs(FORMAT, self.plan.shape, still, self.schema, *more)


@dataclass
class Moment:
    """An open snapshot with the catalogue behind it, and who reads it beside this process."""

    reader: SnapshotReader
    origin: OriginSchema
    capabilities: Capabilities
    workers: Workers | None
    source: Source | None


@contextlib.contextmanager
def open_moment(
    run: Run, subject: ServerSubject, met: threading.Event | None = None
) -> Iterator[Moment]:
    """Open a snapshot whose catalogue is the one that was judged, and the workers to read it.

    `met` is set once the server answers.
    """
    settings = run.project.settings.data
    folder = subject.target.with_name(f"{subject.target.name}.chunks")
    scheduler = settings.scheduler if run.scheduler is None else run.scheduler
    count = run.workers or settings.workers
    with open_origin(subject.url) as adapter, contextlib.ExitStack() as opened:
        if met is not None:
            met.set()
        workers = opened.enter_context(
            open_workers(
                adapter.capabilities, folder, count=count, scheduler=scheduler, note=run.note
            )
        )
        ticket = run.tickets.get(subject.name, "")
        reader = adapter.join_snapshot(ticket) if ticket else adapter.open_snapshot()
        opened.callback(reader.close)
        source = None
        if workers is not None:
            rates = (rate / workers.count for rate in settings.read_throttle())
            source = Source(Secret(subject.url), reader.ticket, *rates)
        origin = _read_same_schema(adapter, subject, run)
        yield Moment(reader, origin, adapter.capabilities, workers, source)


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
    met = threading.Event()

    def load() -> tuple[prove.Proof, list[Check]]:
        with open_moment(run, subject, met) as moment:
            return load_and_prove(run, subject, moment, part)

    proof, checks = keep_trying(load, part, run.note, answered=met.is_set)
    return put_in_place(run, subject, part, proof, checks)


def load_and_prove(
    run: Run, subject: ServerSubject, moment: Moment, part: Path
) -> tuple[prove.Proof, list[Check]]:
    """Fill the unfinished file from a snapshot and prove it while that stands."""
    settings = run.project.settings.data
    with open_part(part) as db:
        counters = read_counters(subject.plan, moment.origin)
        copy = Copy(
            db=db,
            reader=moment.reader,
            plan=subject.plan,
            schema=subject.schema,
            chunk_rows=settings.chunk_rows,
            throttle=Throttle(*settings.read_throttle()),
            tell=run.progress,
            workers=moment.workers,
            source=moment.source,
        )
        run.note(describe_engine(copy.engine))
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
            reader=moment.reader,
            plan=subject.plan,
            reproduce=run.command("data", "--force"),
            sample=1.0 if run.paranoid else settings.sample,
            tell=run.progress,
            workers=moment.workers,
            source=moment.source,
            known_faults=lambda: _read_known_faults(subject),
        )
        checks = _prove(proof, subject.schema, counters)
        views = check_views(proof, subject.schema, run.project.settings.accept.rules)
        checks += [views] if views else []
        offloaded = check_objects(proof, objects)
        checks += [offloaded] if offloaded else []
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    return proof, checks


def _read_known_faults(subject: ServerSubject) -> frozenset[str]:
    taken = subject.snapshot
    if taken is None:
        return frozenset()
    return read_known_faults(subject.plan, Path(taken.path), taken.violations)


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


def put_in_place(
    run: Run, subject: ServerSubject, part: Path, proof: prove.Proof, checks: list[Check]
) -> tuple[list[Check], DataDocument | None]:
    """Let the engine count a proven file, take its ledger out, and give it its name."""
    with open_part(part) as db:
        ledger.end(db)
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    with contextlib.closing(apsw.Connection(str(part))) as db:
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
    document = prove.build_document(proof.tables, subject.target)
    return checks, msgspec.structs.replace(document, position=proof.reader.position)
