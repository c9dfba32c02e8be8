"""A plan on paper: copy a few chunks of the real data into nothing, and extend what they took.

Nothing is kept of what was read. The largest tables are measured, each by its part of the bytes.
"""

from __future__ import annotations

import math
import os
import resource
import time
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TypeVar

from edgelift.model.move_estimate import Estimate, PaperPlan, Rates
from edgelift.model.move_plan import TableMove
from edgelift.model.target_schema import TargetSchema
from edgelift.rows.engine import choose_engine, hash_stream, hash_target, load_chunk, open_target
from edgelift.run import Run
from edgelift.sources.origin_database import SnapshotReader
from edgelift.sources.sqlite_catalogue import quote_identifier
from edgelift.stages.data.server.move import Moment, ServerSubject, open_moment
from edgelift.stages.data.server.shard_plan import ROOM, describe_map
from edgelift.stages.data.server.shards import split
from edgelift.targets.d1_dialect import MAX_DATABASE_BYTES

_TABLES = 5  # measured, the largest
_CHUNK_ROWS = 20_000
_BUDGET_S = 10.0  # no further chunk is begun after this
TEN_TB = 10_000_000_000_000
IMPORT_BYTES = 5_000_000_000  # d1.import_bytes: developers.cloudflare.com/d1/platform/limits
# Of rows as INSERT statements against the same rows in a file: digits, quotes, hexadecimal blobs.
_SQL_BYTES = 1.5
_CORES = (1, 2, 8, 32, 128)
_GBIT = (1, 10, 25)
T = TypeVar("T")


def estimate_move(run: Run, subject: ServerSubject) -> PaperPlan:
    """Measure and extend; raises OriginError, and what planning of shards raises."""
    with open_moment(run, subject) as moment:
        lines: list[str] = []
        if subject.shards is not None:
            lines = describe_map(split(run, subject, moment)[1])
        run.note("measuring rates on chunks of the largest tables")
        rates = measure_rates(moment, subject, run.project.settings.data.sample)
    rows = sum(move.rows for move in subject.plan.tables)
    size = int(rates.file_bytes * rows / max(1, rates.rows))
    limit = subject.shards.max_bytes if subject.shards else 0
    estimates = [_estimate(f"this database, {_write_size(size)}", rows, rates, limit)]
    if size:
        ten = int(rows * TEN_TB / size)
        estimates.append(_estimate("10 TB of such rows", ten, rates, limit))
    machine = f"{os.cpu_count() or 1} cores, load {os.getloadavg()[0]:.1f}"
    return PaperPlan(
        database=subject.name,
        measured_at=f"{machine}, engine {choose_engine()}, {rates.measured_rows} rows copied",
        rates=rates,
        estimates=tuple(estimates),
        shards=tuple(lines),
    )


def measure_rates(moment: Moment, subject: ServerSubject, sample: float) -> Rates:
    """Copy chunks of the largest tables as a worker would, merge, prove and drop them."""
    largest = sorted(subject.plan.tables, key=lambda m: m.bytes, reverse=True)[:_TABLES]
    measured: list[tuple[int, Rates]] = []
    started = time.monotonic()
    with TemporaryDirectory(prefix="edgelift-plan-") as folder:
        for number, move in enumerate(largest):
            if not move.rows or (measured and time.monotonic() - started > _BUDGET_S):
                continue
            path = Path(folder) / f"{number}.sqlite"
            rates = _measure(moment.reader, move, subject.schema, path)
            if rates.rows:
                measured.append((move.rows, rates))
    return _mix(measured, sample)


def _measure(reader: SnapshotReader, move: TableMove, schema: TargetSchema, path: Path) -> Rates:
    """Copy one chunk into a bare file, merge it into the real table, hash it, read it again."""
    chunk = reader.plan_chunks(move.spec, _CHUNK_ROWS)[0]
    name = quote_identifier(move.spec.target)
    listed = ", ".join(quote_identifier(field.column) for field in move.spec.fields)
    bare = open_target(path, durable=False)
    whole = open_target(path.with_suffix(".whole"), durable=True)
    try:
        columns = ", ".join(
            f"{quote_identifier(f.column)} {f.target_type}" for f in move.spec.fields
        )
        bare.execute(f"CREATE TABLE {name} ({columns})")
        begun = time.monotonic()
        load_s, loaded = _time(
            lambda: load_chunk(bare, move.spec, reader.stream_chunk(move.spec, chunk))
        )
        stream_s = time.monotonic() - begun
        bare.close()
        whole.execute("PRAGMA foreign_keys=OFF; PRAGMA ignore_check_constraints=ON").fetchall()
        for statement in schema.tables:
            if statement.name == move.spec.target:
                whole.execute(statement.sql)
        whole.execute("ATTACH ? AS parcel", (str(path),))
        insert = f"INSERT INTO main.{name} ({listed}) SELECT {listed} FROM parcel.{name}"
        merge_s, _ = _time(lambda: whole.execute(insert).fetchall())
        verify_s, _ = _time(lambda: hash_target(whole, move.spec))
        again_s, again = _time(
            lambda: hash_stream(move.spec, reader.stream_chunk(move.spec, chunk), "python")
        )
        whole.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        size = path.with_suffix(".whole").stat().st_size
    finally:
        bare.close()
        whole.close()
    return Rates(
        rows=loaded.rows, wire_bytes=loaded.bytes_in, stream_s=stream_s, load_cpu_s=load_s,
        merge_cpu_s=merge_s, verify_cpu_s=verify_s, again_cpu_s=again_s, again_rows=again.rows,
        file_bytes=size,
    )  # fmt: skip


def _time(work: Callable[[], T]) -> tuple[float, T]:
    """Return the CPU seconds of this process that a piece of work took, and its result."""
    before = resource.getrusage(resource.RUSAGE_SELF)
    result = work()
    after = resource.getrusage(resource.RUSAGE_SELF)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, result


def _mix(measured: list[tuple[int, Rates]], sample: float) -> Rates:
    """Return the rates of a million mean rows: each table counts by its rows."""
    total = sum(rows for rows, _ in measured) or 1
    unit = 1_000_000

    def mean(name: str) -> float:
        parts = (
            float(getattr(rates, name)) / rates.rows * share / total for share, rates in measured
        )
        return sum(parts, 0.0) * unit

    return Rates(
        rows=unit if measured else 0,
        wire_bytes=int(mean("wire_bytes")),
        stream_s=mean("stream_s"),
        load_cpu_s=mean("load_cpu_s"),
        merge_cpu_s=mean("merge_cpu_s"),
        verify_cpu_s=mean("verify_cpu_s"),
        again_cpu_s=mean("again_cpu_s") * sample,
        again_rows=int(unit * sample),
        file_bytes=int(mean("file_bytes")),
        measured_rows=sum(rates.rows for _, rates in measured),
    )


def _estimate(title: str, rows: int, rates: Rates, limit: int) -> Estimate:
    def hours(measured: float) -> float:
        return rates.scale(rows, measured) / 3600

    limit = limit or MAX_DATABASE_BYTES
    size = int(rates.scale(rows, rates.file_bytes))
    cpu = rates.load_cpu_s + rates.merge_cpu_s + rates.verify_cpu_s + rates.again_cpu_s
    writer = hours(rates.merge_cpu_s + rates.verify_cpu_s)
    network = int(rates.scale(rows, rates.wire_bytes))
    databases = max(1, math.ceil(size * ROOM / limit)) if size > limit else 1
    files = databases * max(1, math.ceil(size / databases * _SQL_BYTES / IMPORT_BYTES))
    return Estimate(
        title=title,
        rows=rows,
        file_bytes=size,
        network_bytes=network,
        load_cpu_h=hours(rates.load_cpu_s),
        merge_cpu_h=hours(rates.merge_cpu_s),
        verify_cpu_h=hours(rates.verify_cpu_s),
        again_cpu_h=hours(rates.again_cpu_s),
        one_stream_h=hours(rates.stream_s),
        one_writer_h=writer,
        hours_by_cores={cores: max(hours(cpu) / cores, writer) for cores in _CORES},
        network_h_by_gbit={gbit: network * 8 / (gbit * 1e9) / 3600 for gbit in _GBIT},
        databases=databases,
        import_files=files,
        limit_bytes=limit,
    )


def write_paper(plan: PaperPlan) -> str:
    """Return the plan as text for people."""
    rates = plan.rates
    measured = (
        f"Per million mean rows: {_write_size(rates.wire_bytes)} over the wire, "
        f"{_write_size(rates.file_bytes)} in the file; CPU of one core: load "
        f"{rates.load_cpu_s:.2f} s, merge {rates.merge_cpu_s:.2f} s, verify "
        f"{rates.verify_cpu_s:.2f} s, second reading {rates.again_cpu_s:.2f} s; one connection "
        f"took {rates.stream_s:.2f} s, waiting for the server included"
    )
    left_out = (
        "Not in it: indexes of large tables (the chunk measured is small), the server's CPU, the "
        "speed of D1's import, during which a database answers nothing."
    )
    lines = [f"Plan of {plan.database}, measured: {plan.measured_at}", measured]
    for found in plan.estimates:
        lines += _write_estimate(found)
    return "\n".join([*lines, "", left_out, *plan.shards])


def _write_estimate(found: Estimate) -> list[str]:
    by_cores = ", ".join(f"{c}: {_write_time(h)}" for c, h in found.hours_by_cores.items())
    by_gbit = ", ".join(f"{g} Gbit/s: {_write_time(h)}" for g, h in found.network_h_by_gbit.items())
    databases = (
        f"{found.databases} databases of {_write_size(found.limit_bytes)}, about "
        f"{found.import_files} import files of at most {_write_size(IMPORT_BYTES)}"
    )
    return [
        "",
        f"{found.title}: {found.rows} rows",
        f"  CPU here     {_write_time(found.cpu_h)}; by cores {by_cores}",
        f"  one writer   {_write_time(found.one_writer_h)}: no number of cores ends sooner",
        f"  one stream   {_write_time(found.one_stream_h)}: the server's own speed counts",
        f"  network      {_write_size(found.network_bytes)}; {by_gbit}",
        f"  D1           {databases}",
    ]


def _write_size(size: float) -> str:
    for unit in ("bytes", "kB", "MB", "GB"):
        if size < 1000:
            return f"{size:.0f} {unit}"
        size /= 1000
    return f"{size:.1f} TB"


def _write_time(hours: float) -> str:
    if hours * 3600 < 90:
        return f"{hours * 3600:.1f} s"
    if hours < 1.5:
        return f"{hours * 60:.0f} min"
    return f"{hours:.1f} h" if hours < 48 else f"{hours / 24:.1f} days"
