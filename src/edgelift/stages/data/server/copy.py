"""Copy the rows of a snapshot chunk by chunk; every chunk is a checkpoint.

A chunk that an earlier run copied is hashed again at the origin, in the snapshot of this run, and
copied again only when it differs: so the end state is that of one moment, however often the copy
was stopped.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import apsw

from edgelift.model.move_plan import MovePlan, TableMove
from edgelift.model.target_schema import TargetSchema
from edgelift.rows.engine import ChunkResult, hash_stream, load_chunk
from edgelift.sources.origin_database import SnapshotReader
from edgelift.sources.sqlite_catalogue import quote_identifier
from edgelift.stages.data.server import ledger
from edgelift.stages.data.server.ledger import Entry
from edgelift.stages.data.server.target import (
    attach_parcel,
    find_place,
    read_last_rowid,
    transaction,
)
from edgelift.stages.data.server.tasks import Parcel, Source, Task
from edgelift.stages.data.server.throttle import Meter, Throttle
from edgelift.stages.data.server.workers import Workers


@dataclass
class Copy:
    """A copy under way: where from, where to, how fast; it counts what it did.

    With `workers` they read `source`, the same snapshot, and this process merges what they loaded.
    """

    db: apsw.Connection
    reader: SnapshotReader
    plan: MovePlan
    schema: TargetSchema
    chunk_rows: int
    throttle: Throttle = field(default_factory=Throttle)
    tell: Callable[[str, int, int], None] = lambda _what, _done, _total: None
    engine: str = "auto"
    workers: Workers | None = None
    source: Source | None = None
    copied: int = 0
    kept: int = 0
    repeated: int = 0


CHUNK_BYTES = 64 * 1024 * 1024  # what one transaction writes at most, roughly
SENT_BYTES = 16 * 1024 * 1024  # the same for chunks that workers load: some lie in memory at once


def choose_rows(move: TableMove, wanted: int, most_bytes: int = CHUNK_BYTES) -> int:
    """Return the rows of a chunk: fewer than wanted where they are large on average."""
    average = move.bytes // move.rows if move.rows else 0
    return max(1, min(wanted, most_bytes // average)) if average else wanted


def create_tables(copy: Copy) -> None:
    """Create ledger and tables, all in one transaction, unless a run before did."""
    if ledger.is_begun(copy.db):
        return
    with transaction(copy.db):
        ledger.begin(copy.db)
        for statement in copy.schema.tables:
            copy.db.execute(statement.sql)


def copy_rows(copy: Copy) -> None:
    """Copy every table; raises OriginError, OriginUnavailable or TargetError."""
    meter = Meter(f"rows of {copy.plan.database}", copy.plan.rows, copy.tell)
    for move in copy.plan.tables:
        target = move.spec.target
        entries = ledger.read_entries(copy.db, target)
        if not entries:
            ledger.plan_entries(
                copy.db, target, copy.reader.plan_chunks(move.spec, _choose_rows(copy, move))
            )
        elif any(entry.result for entry in entries):
            _drop_changed(copy, move, entries, meter)
    if copy.workers is not None:
        _copy_apart(copy, copy.workers, meter)
        return
    for move, entry in _read_missing(copy):
        result = _copy_chunk(copy, move, entry)
        copy.throttle.pass_rows(result.rows)
        meter.add(result.rows)


def _choose_rows(copy: Copy, move: TableMove) -> int:
    rows = copy.throttle.choose_rows(copy.chunk_rows)
    return choose_rows(move, rows, SENT_BYTES if copy.workers else CHUNK_BYTES)


def _read_missing(copy: Copy) -> list[tuple[TableMove, Entry]]:
    return [
        (move, entry)
        for move in copy.plan.tables
        for entry in ledger.read_entries(copy.db, move.spec.target)
        if entry.result is None
    ]


def _drop_changed(copy: Copy, move: TableMove, entries: list[Entry], meter: Meter) -> None:
    """Remove what an earlier run copied and the origin has changed since, all of it at once.

    Only then can rows come in that took over a unique value from one of those. Where the chunks
    cannot be told apart in the target the whole table goes.
    """
    changed = _find_changed(copy, move, [e for e in entries if e.result is not None])
    places = [find_place(move, entry, len(entries)) for entry in changed]
    if None in places:
        changed, places = list(entries), [""]
    copy.repeated += len(changed)
    kept = [entry for entry in entries if entry.result is not None and entry not in changed]
    copy.kept += len(kept)
    meter.skip(sum(entry.result.rows for entry in kept if entry.result is not None))
    if not changed:
        return
    with transaction(copy.db):
        for place in places:
            where = f" WHERE {place}" if place else ""
            copy.db.execute(f"DELETE FROM main.{quote_identifier(move.spec.target)}{where}")
        for entry in changed:
            ledger.forget_result(copy.db, move.spec.target, entry.chunk)


def _find_changed(copy: Copy, move: TableMove, entries: list[Entry]) -> list[Entry]:
    if copy.workers is None:
        return [entry for entry in entries if not _is_unchanged(copy, move, entry)]
    assert copy.source is not None
    asked = (Task(copy.source, move.spec, entry.chunk, copy.engine) for entry in entries)
    found = list(copy.workers.run(asked))
    return [
        entry
        for entry, parcel in zip(entries, found, strict=True)
        if entry.result is None
        or (parcel.result.rows, parcel.result.hash) != (entry.result.rows, entry.result.hash)
    ]


def _is_unchanged(copy: Copy, move: TableMove, entry: Entry) -> bool:
    assert entry.result is not None
    stream = copy.throttle.pass_bytes(copy.reader.stream_chunk(move.spec, entry.chunk))
    found = hash_stream(move.spec, stream, copy.engine)
    copy.throttle.pass_rows(found.rows)
    return (found.rows, found.hash) == (entry.result.rows, entry.result.hash)


def _copy_chunk(copy: Copy, move: TableMove, entry: Entry) -> ChunkResult:
    with transaction(copy.db):
        first = read_last_rowid(copy.db, move)
        stream = copy.throttle.pass_bytes(copy.reader.stream_chunk(move.spec, entry.chunk))
        result = load_chunk(copy.db, move.spec, stream, copy.engine)
        span = (first, read_last_rowid(copy.db, move))
        ledger.write_result(copy.db, move.spec.target, entry.chunk, result, span)
    copy.copied += 1
    return result


def _copy_apart(copy: Copy, workers: Workers, meter: Meter) -> None:
    """Let workers load chunks into databases of their own; merge each, in order, with its entry."""
    assert copy.source is not None
    missing = _read_missing(copy)
    wanted = (
        Task(
            copy.source,
            move.spec,
            entry.chunk,
            copy.engine,
            workers.place(f"{number}-{entry.chunk.index}"),
        )
        for number, (move, entry) in enumerate(missing)
    )
    for (move, entry), parcel in zip(missing, workers.run(wanted), strict=True):
        _merge(copy, move, entry, parcel)
        meter.add(parcel.result.rows)


def _merge(copy: Copy, move: TableMove, entry: Entry, parcel: Parcel) -> None:
    table = quote_identifier(move.spec.target)
    columns = ", ".join(quote_identifier(field.column) for field in move.spec.fields)
    with attach_parcel(copy.db, parcel) as name, transaction(copy.db):
        first = read_last_rowid(copy.db, move)
        copy.db.execute(
            f"INSERT INTO main.{table} ({columns}) SELECT {columns} FROM {name}.{table}"
        )
        span = (first, read_last_rowid(copy.db, move))
        ledger.write_result(copy.db, move.spec.target, entry.chunk, parcel.result, span)
    copy.copied += 1


def create_rest(copy: Copy) -> None:
    """Create indexes, views and triggers, what is not there yet, and run what ends the load."""
    present = {row[0] for row in copy.db.execute("SELECT name FROM sqlite_schema")}
    for done, statement in enumerate(copy.schema.after):
        if statement.name not in present:
            copy.tell("indexes, views and triggers", done, len(copy.schema.after))
            with transaction(copy.db):
                copy.db.execute(statement.sql)
    for sql in copy.plan.finishing:
        with transaction(copy.db):
            copy.db.execute(sql)


def restore_counters(copy: Copy, counters: dict[str, int]) -> None:
    """Let AUTOINCREMENT go on where the origin's counters stood; `counters` are by table."""
    if not counters:
        return
    with transaction(copy.db):
        for target, last in counters.items():
            found = copy.db.execute(
                "SELECT seq FROM sqlite_sequence WHERE name = ?", (target,)
            ).fetchone()
            if found is None:
                copy.db.execute("INSERT INTO sqlite_sequence VALUES (?, ?)", (target, last))
            elif last > int(found[0]):
                copy.db.execute("UPDATE sqlite_sequence SET seq=? WHERE name=?", (last, target))
