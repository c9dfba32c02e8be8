"""Prove a copy: every chunk's rows by hash in the file again, a part of them by a second reader.

The hash of the copy was made from what came over the wire; here it meets what lies in the file. As
both were decoded by one engine, a sample of the chunks (or all) is streamed once more from the
origin and decoded by the other, in Python.
"""

from __future__ import annotations

import hashlib
import random
import time
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import apsw
import msgspec

from edgelift.model.comparison import CellDifference
from edgelift.model.data_document import DataDocument, TableRecord
from edgelift.model.findings import Check, Status
from edgelift.model.move_plan import MovePlan, TableMove
from edgelift.model.row_spec import RowSpec
from edgelift.rows.engine import ChunkResult, choose_engine, hash_stream, hash_target
from edgelift.rows.hashing import MODULUS
from edgelift.sources.origin_database import SnapshotReader
from edgelift.sources.row_differences import find_differences, origin_reader, target_reader
from edgelift.sources.sqlite_catalogue import describe_orphan, quote_identifier
from edgelift.stages.data.server import ledger
from edgelift.stages.data.server.ledger import Entry
from edgelift.stages.data.server.target import find_place
from edgelift.stages.data.server.tasks import Source, Task
from edgelift.stages.data.server.workers import Workers

_MOST_DETAILS = 20
_MOST_FAULTS = 1000
_ALWAYS_ROWS = 2_000  # a first chunk as small as that is always read again


@dataclass
class Proof:
    """What is proven, and what was found so far; `sample` is the part read by a second reader.

    `known_faults` are asked for when the file has some: those that the origin has too.
    """

    db: apsw.Connection
    reader: SnapshotReader
    plan: MovePlan
    reproduce: str
    sample: float = 0.02
    tell: Callable[[str, int, int], None] = lambda _what, _done, _total: None
    engine: str = "auto"
    workers: Workers | None = None
    source: Source | None = None
    details: list[CellDifference] = field(default_factory=list)
    differing: int = 0
    tables: dict[str, TableRecord] = field(default_factory=dict)
    unequal: set[str] = field(default_factory=set)
    known_faults: Callable[[], Collection[str]] = tuple

    def check(self, what: str, title: str, started: float, **fields: object) -> Check:
        """Return a check of this database, timed from `started`."""
        return Check(
            id=f"data.{what}:{self.plan.database}",
            stage="data",
            title=title,
            reproduce=self.reproduce,
            duration_s=time.monotonic() - started,
            **fields,  # type: ignore[arg-type]
        )


def check_rows(proof: Proof) -> Check:
    """Compare every row by hash on both sides; FAIL names table, key, column and both values."""
    started = time.monotonic()
    done = 0
    for move in proof.plan.tables:
        record = _compare_table(proof, move)
        proof.tables[move.spec.target] = record
        done += record.rows
        proof.tell(f"rows of {proof.plan.database} compared", done, max(done, proof.plan.rows))
    rows = sum(record.rows for record in proof.tables.values())
    count, equal = len(proof.tables), len(proof.tables) - len(proof.unequal)
    evidence = (
        f"{equal} of {count} tables, {rows} of {rows} rows equal by hash on both sides, root hash "
        f"{hash_root(proof.tables)}"
        if not proof.unequal
        else f"{count - equal} of {count} tables differ, in at least {proof.differing} rows"
    )
    return proof.check(
        "rows", f"Every row of {proof.plan.database} is the same on both sides", started,
        status=Status.FAIL if proof.unequal else Status.PASS,
        evidence=evidence,
        detail=tuple(d.describe() for d in proof.details[:_MOST_DETAILS]),
        counts={
            "tables": count, "tables_equal": equal, "rows": rows, "rows_differing": proof.differing
        },
    )  # fmt: skip


def _compare_table(proof: Proof, move: TableMove) -> TableRecord:
    entries = ledger.read_entries(proof.db, move.spec.target)
    results = [entry.result for entry in entries if entry.result is not None]
    origin = ChunkResult(
        rows=sum(r.rows for r in results), hash=sum(r.hash for r in results) % MODULUS, bytes_in=0
    )
    target = hash_target(proof.db, move.spec, "", proof.engine)
    if (target.rows, target.hash) != (origin.rows, origin.hash):
        proof.unequal.add(move.spec.target)
        _bisect(proof, move, entries)
    return TableRecord(rows=target.rows, hash=format(target.hash, "016x"))


def _bisect(proof: Proof, move: TableMove, entries: list[Entry]) -> None:
    """Find the chunks that differ, and name their cells."""
    before = proof.differing
    places = [find_place(move, entry, len(entries)) for entry in entries]
    if None not in places:
        for entry, place in zip(entries, places, strict=True):
            assert entry.result is not None
            found = hash_target(proof.db, move.spec, place or "", proof.engine)
            if (found.rows, found.hash) != (entry.result.rows, entry.result.hash):
                _name(proof, move, move.spec, [entry], place or "")
    if proof.differing == before:  # rows outside all chunks, or chunks without a place
        _name(proof, move, move.spec, entries, "")


def _name(proof: Proof, move: TableMove, spec: RowSpec, entries: list[Entry], place: str) -> None:
    readers = [origin_reader(proof.reader, spec, entry.chunk) for entry in entries]
    found, differing = find_differences(
        move,
        spec,
        lambda: (row for read in readers for row in read()),
        target_reader(proof.db, spec, place),
        _MOST_DETAILS,
    )
    proof.differing += differing
    proof.details += found


def check_computed(proof: Proof) -> Check | None:
    """Compare the values that the target computes itself with the origin's; None without any."""
    started = time.monotonic()
    moves = [move for move in proof.plan.tables if move.computed]
    if not moves:
        return None
    before, wrong = len(proof.details), []
    for move in moves:
        keys = tuple(f for f in move.spec.fields if not move.key or f.column in move.key)
        spec = msgspec.structs.replace(move.spec, fields=(*keys, *move.computed))
        entries = ledger.read_entries(proof.db, move.spec.target)
        results = [
            hash_stream(spec, proof.reader.stream_chunk(spec, entry.chunk), proof.engine)
            for entry in entries
        ]
        target = hash_target(proof.db, spec, "", proof.engine)
        if target.hash != sum(r.hash for r in results) % MODULUS:
            wrong.append(move.spec.target)
            _name(proof, move, spec, entries, "")
    columns = sum(len(move.computed) for move in moves)
    return proof.check(
        "computed", f"Generated columns of {proof.plan.database} compute the origin's values",
        started,
        status=Status.FAIL if wrong else Status.PASS,
        evidence=f"{columns} columns of {len(moves)} tables compared with the origin's values"
        + (
            f"; {', '.join(wrong)} differ: [[schema.cast]] as = 'stored' keeps the origin's values"
            if wrong
            else ""
        ),
        detail=tuple(d.describe() for d in proof.details[before:][:_MOST_DETAILS]),
        counts={"columns": columns, "tables_differing": len(wrong)},
    )  # fmt: skip


def check_again(proof: Proof) -> Check:
    """Stream a sample of the chunks once more and decode them in Python, without the C engine."""
    started = time.monotonic()
    listed = [
        (move, entry)
        for move in proof.plan.tables
        for entry in ledger.read_entries(proof.db, move.spec.target)
        if entry.result is not None
    ]
    chosen = _choose(listed, proof.sample)
    before, wrong, rows = len(proof.details), [], 0
    for done, ((move, entry), found) in enumerate(
        zip(chosen, _read_again(proof, chosen), strict=True)
    ):
        proof.tell("chunks read again", done, len(chosen))
        assert entry.result is not None
        rows += found.rows
        if (found.rows, found.hash) != (entry.result.rows, entry.result.hash):
            wrong.append(f"{move.spec.target} chunk {entry.chunk.index}")
            chunks = len(ledger.read_entries(proof.db, move.spec.target))
            place = find_place(move, entry, chunks)
            if place is not None:
                _name(proof, move, move.spec, [entry], place)
    first = "the C engine" if choose_engine(proof.engine) == "native" else "the same engine"
    return proof.check(
        "again", f"A second reading of {proof.plan.database} gives the same rows", started,
        status=Status.FAIL if wrong else Status.PASS,
        evidence=f"{len(chosen)} of {len(listed)} chunks, {rows} rows streamed again and decoded "
        f"in Python (copied by {first}): {len(chosen) - len(wrong)} equal",
        detail=(*wrong, *(d.describe() for d in proof.details[before:]))[:_MOST_DETAILS],
        counts={"chunks": len(listed), "chunks_again": len(chosen), "rows_again": rows},
    )  # fmt: skip


def _read_again(proof: Proof, chosen: list[tuple[TableMove, Entry]]) -> Iterator[ChunkResult]:
    """Yield the results of a reading in Python, by the workers where there are some."""
    if proof.workers is not None:
        source = proof.source
        assert source is not None
        asked = (Task(source, move.spec, entry.chunk, "python") for move, entry in chosen)
        yield from (parcel.result for parcel in proof.workers.run(asked))
        return
    for move, entry in chosen:
        stream = proof.reader.stream_chunk(move.spec, entry.chunk)
        yield hash_stream(move.spec, stream, "python")


def _choose(listed: list[tuple[TableMove, Entry]], part: float) -> list[tuple[TableMove, Entry]]:
    """Return a random part of the chunks, at least one, and every small table's only one."""
    if part >= 1 or not listed:
        return listed
    wanted = max(1, round(part * len(listed)))
    drawn = set(random.SystemRandom().sample(range(len(listed)), wanted))
    return [
        pair
        for number, pair in enumerate(listed)
        if number in drawn
        or (pair[1].chunk.index == 0 and pair[1].result and pair[1].result.rows <= _ALWAYS_ROWS)
    ]


def check_counters(proof: Proof, counters: dict[str, int]) -> Check:
    """Check that AUTOINCREMENT goes on where the origin's counters stood, or behind the rows."""
    started = time.monotonic()
    title = f"AUTOINCREMENT of {proof.plan.database} continues where it stood"
    if not counters:
        return proof.check(
            "sequences", title, started, status=Status.SKIPPED,
            evidence="no table of this database has a counter that gave out a number",
        )  # fmt: skip
    rows = proof.db.execute("SELECT name, seq FROM sqlite_sequence").fetchall()
    found = {str(name): int(seq or 0) for name, seq in rows}
    wrong = [
        f"{target}: origin {last}, target {found.get(target)}"
        for target, last in counters.items()
        if found.get(target, 0) < last
    ]
    return proof.check(
        "sequences", title, started, status=Status.FAIL if wrong else Status.PASS,
        evidence=f"{len(counters) - len(wrong)} of {len(counters)} counters at or behind the "
        "origin's",
        detail=tuple(wrong),
        counts={"counters": len(counters), "counters_equal": len(counters) - len(wrong)},
    )  # fmt: skip


def check_integrity(proof: Proof, names: Iterable[str]) -> Check:
    """Check the file's structure, its own rules, every foreign key, and that all objects exist."""
    started = time.monotonic()
    proof.tell("structure and foreign keys", 0, 1)
    proof.db.execute("PRAGMA ignore_check_constraints=OFF")
    rows = proof.db.execute(f"PRAGMA quick_check({_MOST_FAULTS})").fetchall()
    faults = [f"quick_check: {row[0]}" for row in rows if row[0] != "ok"]
    rows = proof.db.execute("PRAGMA foreign_key_check").fetchall()
    faults += [describe_orphan(*row[:3]) for row in rows]
    if faults:
        known = proof.known_faults()
        faults = [fault for fault in faults if fault not in known]
    present = {row[0] for row in proof.db.execute("SELECT name FROM sqlite_schema")}
    wanted = list(names)
    missing = [name for name in wanted if name not in present]
    return proof.check(
        "integrity", f"The file of {proof.plan.database} is sound", started,
        status=Status.FAIL if faults or missing else Status.PASS,
        evidence=f"{len(wanted) - len(missing)} of {len(wanted)} tables, indexes, views and "
        f"triggers present; quick_check and foreign_key_check found {len(faults)} faults",
        detail=(*(f"missing: {name}" for name in missing), *faults)[:_MOST_DETAILS],
        counts={"objects": len(wanted), "missing": len(missing), "faults": len(faults)},
    )  # fmt: skip


def hash_root(tables: dict[str, TableRecord]) -> str:
    """Return one hash over names, counts and hashes of all tables, in the order of their names."""
    digest = hashlib.blake2b(digest_size=16)
    for name, record in sorted(tables.items()):
        digest.update(f"{name}\0{record.rows}\0{record.hash}\0".encode())
    return digest.hexdigest()


def build_document(tables: dict[str, TableRecord], target: Path) -> DataDocument:
    """Return the record of a proven database."""
    status = target.stat()
    return DataDocument(
        tables=tables,
        root=hash_root(tables),
        size_bytes=status.st_size,
        modified_ns=status.st_mtime_ns,
    )


def count_rows(db: apsw.Connection, tables: Iterable[str]) -> dict[str, int]:
    """Return the rows of tables as they lie in the file."""
    found = {}
    for table in tables:
        row = db.execute(f"SELECT count(*) FROM main.{quote_identifier(table)}").fetchone()
        found[table] = int(row[0]) if row else 0
    return found
