"""Rows into SQLite: the door of this package; it chooses the engine and opens the target's file."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

import apsw

from edgelift.errors import OriginError, TargetError, UsageError
from edgelift.model.row_spec import RowSpec
from edgelift.rows import native_engine, python_engine
from edgelift.rows.conversions import Value
from edgelift.rows.plan import RowPlan, build_plan
from edgelift.rows.python_engine import ChunkResult, quote
from edgelift.rows.wires import Buffer

__all__ = [
    "ChunkResult",
    "check_spec",
    "choose_engine",
    "describe_engine",
    "hash_stream",
    "hash_target",
    "load_chunk",
    "open_target",
    "read_rows",
]

ENGINES = ("auto", "native", "python")
OVERRIDE = "EDGELIFT_ROWS_ENGINE"
_CACHE_KB = 64 * 1024
_BUSY_MS = 10_000


def check_spec(spec: RowSpec) -> None:
    """Raise UsageError when the spec cannot run: an unknown op, an affinity that changes values."""
    build_plan(spec)


def choose_engine(engine: str = "auto") -> str:
    """Return `native` or `python`; the environment's EDGELIFT_ROWS_ENGINE outweighs `auto`.

    UsageError: the name is unknown, or `native` is asked for where it cannot be had.
    """
    wanted = os.environ.get(OVERRIDE, "auto") if engine == "auto" else engine
    if wanted not in ENGINES:
        names = ", ".join(ENGINES)
        raise UsageError(f"no row engine is called {wanted!r}", why=f"there are {names}", tip=names)
    if wanted == "python":
        return wanted
    found, note = native_engine.find_extension()
    if wanted == "native" and found is None:
        raise UsageError(
            "the native row engine cannot be used",
            why=note,
            tip=f"unset {OVERRIDE}: the Python engine gives the same rows, slower",
        )
    return "python" if found is None else "native"


def describe_engine(engine: str = "auto") -> str:
    """Return one line for a run's notes: which engine moves rows, and why not the quicker one."""
    if choose_engine(engine) == "native":
        return "rows are moved by the native engine"
    found, why = native_engine.find_extension()
    reason = why if found is None else f"{OVERRIDE} or the call asks for it"
    return f"rows are moved by the Python engine: {reason}"


def open_target(path: Path, *, durable: bool) -> apsw.Connection:
    """Open or make the target's SQLite file for loading.

    `durable`: each commit survives a crash (WAL). Otherwise nothing is journaled: the fastest way,
    but an error or a crash inside a chunk spoils the file, which is then to be thrown away.
    """
    try:
        db = apsw.Connection(str(path))
        db.set_busy_timeout(_BUSY_MS)
        db.execute(
            f"PRAGMA page_size=4096; PRAGMA temp_store=MEMORY; PRAGMA cache_size=-{_CACHE_KB}"
        )
        if durable:
            _write_ahead(db)
        else:
            db.execute(
                "PRAGMA locking_mode=EXCLUSIVE; PRAGMA journal_mode=OFF; PRAGMA synchronous=OFF"
            ).fetchall()
    except apsw.Error as error:
        raise _explain_target(f"{path} cannot be opened", error) from None
    return db


def _write_ahead(db: apsw.Connection) -> None:
    """Let commits survive crashes, also when a reader is just leaving or mending the file's log.

    SQLite does not wait for that by itself where it changes the journal or recovers it.
    """
    deadline = time.monotonic() + _BUSY_MS / 1000
    while True:
        try:
            db.execute("PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL").fetchall()
        except (apsw.BusyError, apsw.LockedError):
            if time.monotonic() > deadline:
                raise
            time.sleep(0.01)
        else:
            return


def load_chunk(
    db: apsw.Connection, spec: RowSpec, stream: Iterable[bytes], engine: str = "auto"
) -> ChunkResult:
    """Insert a stream's rows into the target's table and return their count and hash.

    Without an open transaction the chunk is one of its own. OriginError names table, column and key
    of a value that its op refuses or that breaks a constraint, or says what is wrong with the
    stream; TargetError is SQLite's: a full disk.
    """
    plan = build_plan(spec)
    work = native_engine.load_chunk if choose_engine(engine) == "native" else None
    own = not db.in_transaction
    if own:
        db.execute("BEGIN IMMEDIATE")
    try:
        result = (work or python_engine.load_chunk)(db, plan, stream)
        if own:
            db.execute("COMMIT")
    except apsw.Error as error:
        raise _explain_target(f"{spec.target}: rows cannot be written", error) from None
    finally:
        if own and db.in_transaction:
            db.execute("ROLLBACK")
    return result


def hash_stream(spec: RowSpec, stream: Iterable[bytes], engine: str = "auto") -> ChunkResult:
    """Return count and hash of a stream's rows without writing them."""
    plan = build_plan(spec)
    if choose_engine(engine) == "native":
        return native_engine.hash_stream(plan, stream)
    return python_engine.hash_stream(plan, stream)


def hash_target(
    db: apsw.Connection, spec: RowSpec, where: str = "", engine: str = "auto"
) -> ChunkResult:
    """Return count and hash of what lies in the target, `where` in SQLite's words."""
    plan = build_plan(spec)
    select = _write_select(plan, where)
    try:
        if choose_engine(engine) == "native":
            return native_engine.hash_target(db, plan, where)
        return python_engine.hash_target(db, select)
    except apsw.Error as error:
        raise _explain_target(f"{spec.target}: rows cannot be read", error) from None


def read_rows(spec: RowSpec, stream: Iterable[bytes]) -> Iterator[tuple[Value, ...]]:
    """Yield the target's values of each row, decoded in Python whatever the engine.

    OriginError as in load_chunk.
    """
    return python_engine.decode(build_plan(spec), Buffer(stream))


def _write_select(plan: RowPlan, where: str) -> str:
    columns = ", ".join(quote(field.spec.column) for field in plan.fields)
    clause = f" WHERE {where}" if where else ""
    return f"SELECT {columns} FROM main.{quote(plan.spec.target)}{clause}"


def _explain_target(what: str, error: apsw.Error) -> TargetError | OriginError:
    if isinstance(error, apsw.ConstraintError):
        return OriginError(
            what,
            why=f"they break a rule of the target: {error}",
            tip="they came in after the schema was judged: judge it anew, edgelift schema --force",
        )
    return TargetError(
        what,
        why=f"SQLite says: {error}",
        tip="look at the disk's free space and the target's constraints, then run again",
    )
