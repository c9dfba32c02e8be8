"""Chunks as plain tasks: what a worker process, here or on a cluster, is asked and answers.

A task holds all it needs, so any worker may run it, and run it again. Each thread of a worker keeps
one reader of the run's snapshot open between tasks.
"""

from __future__ import annotations

import contextlib
import os
import threading
from dataclasses import dataclass, field
from pathlib import Path

import edgelift
from edgelift.errors import OriginError
from edgelift.model.row_spec import RowSpec
from edgelift.project import Secret
from edgelift.rows.engine import (
    ChunkResult,
    choose_engine,
    hash_stream,
    load_chunk,
    open_target,
)
from edgelift.sources.origin_database import Chunk, SnapshotReader, open_origin
from edgelift.sources.sqlite_catalogue import quote_identifier
from edgelift.stages.data.server.throttle import Throttle

MEMORY = ":memory:"


@dataclass(frozen=True)
class Source:
    """A snapshot that others hold: the origin's URL, its ticket, and how fast one may read."""

    url: Secret = field(repr=False)
    ticket: str
    rows_per_s: float = 0.0
    bytes_per_s: float = 0.0


@dataclass(frozen=True)
class Task:
    """A chunk to read: loaded into the file `path` (`:memory:`: sent back), or only hashed."""

    source: Source
    spec: RowSpec
    chunk: Chunk
    engine: str = "auto"
    path: str = ""


@dataclass(frozen=True)
class Parcel:
    """A chunk's result, and the database file that holds its rows where they were asked for."""

    result: ChunkResult
    path: str = ""
    data: bytes = field(default=b"", repr=False)


@dataclass
class _Seat:
    """What one thread keeps open: a reader of one snapshot and its share of the speed."""

    source: Source
    opened: contextlib.ExitStack
    reader: SnapshotReader
    throttle: Throttle


_seats: dict[int, _Seat] = {}
_lock = threading.Lock()


def run_task(task: Task) -> Parcel:
    """Read a chunk; raises OriginError, and TargetError for a full disk."""
    seat = _take_seat(task.source)
    try:
        stream = seat.throttle.pass_bytes(seat.reader.stream_chunk(task.spec, task.chunk))
        if task.path:
            parcel = _load(task, stream)
        else:
            parcel = Parcel(hash_stream(task.spec, stream, task.engine))
    except OriginError:
        _leave_seat(threading.get_ident())
        raise
    seat.throttle.pass_rows(parcel.result.rows)
    return parcel


def _load(task: Task, stream: object) -> Parcel:
    path = Path(task.path)
    if task.path != MEMORY:
        path.unlink(missing_ok=True)  # what a worker left that was killed
    db = open_target(path, durable=False)
    try:
        columns = ", ".join(
            f"{quote_identifier(f.column)} {f.target_type}" for f in task.spec.fields
        )
        db.execute(f"CREATE TABLE {quote_identifier(task.spec.target)} ({columns})")
        result = load_chunk(db, task.spec, stream, task.engine)  # type: ignore[arg-type]
        if task.path == MEMORY:
            return Parcel(result, data=db.serialize("main"))
        return Parcel(result, task.path)
    finally:
        db.close()


def _take_seat(source: Source) -> _Seat:
    own = threading.get_ident()
    seat = _seats.get(own)
    if seat is not None and seat.source == source:
        return seat
    _leave_seat(own)
    with contextlib.ExitStack() as opened:
        adapter = opened.enter_context(open_origin(source.url.reveal()))
        reader = adapter.join_snapshot(source.ticket)
        opened.callback(reader.close)
        seat = _Seat(
            source, opened.pop_all(), reader, Throttle(source.rows_per_s, source.bytes_per_s)
        )
    with _lock:
        _seats[own] = seat
    return seat


def _leave_seat(thread: int) -> None:
    with _lock:
        seat = _seats.pop(thread, None)
    if seat is not None:
        with contextlib.suppress(OriginError):
            seat.opened.close()


def leave_all() -> None:
    """Close every reader that this process keeps."""
    for thread in list(_seats):
        _leave_seat(thread)


def describe_worker() -> tuple[str, str, int]:
    """Return edgelift's version here, the row engine, and the process id."""
    return edgelift.__version__, choose_engine(), os.getpid()
