"""The native engine: finds and loads the SQLite extension, feeds it chunks, explains its errors."""

from __future__ import annotations

import struct
import uuid
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import apsw

from edgelift.errors import EdgeliftError
from edgelift.rows.hashing import MODULUS
from edgelift.rows.native import build
from edgelift.rows.ops import MYSQL, PGCOPY, SQLITE
from edgelift.rows.plan import FieldPlan, RowPlan, convert_row
from edgelift.rows.python_engine import ChunkResult, explain_wire, quote, write_insert
from edgelift.rows.python_engine import hash_target as hash_target_in_python
from edgelift.rows.wires import ROW_LIMIT, describe_server_error, parse_row

ENTRY = "sqlite3_edgelift_init"
BATCH = 256 * 1024  # bytes given to one statement: what it costs to run one is spread over them
MOST_ARGUMENTS = 100  # columns of the aggregate; wider targets are hashed in Python

# The numbers are those of `enum op` and of the settings in native/ops.h.
WIRES = {PGCOPY: 0, MYSQL: 1, SQLITE: 2}
AFFINITIES = {"BLOB": 0, "TEXT": 1, "NUMERIC": 2, "INTEGER": 2, "REAL": 3}
POLICIES = {"refuse": 0, "null": 1, "text": 2, "real": 3}
OPS = (
    "keep",
    "int",
    "int_text",
    "oid",
    "bool",
    "float",
    "decimal_real15",
    "decimal_text",
    "decimal_scaled",
    "money",
    "text",
    "char",
    "jsonb",
    "blob",
    "wkb",
    "uuid",
    "uuid5",
    "uuid7",
    "date",
    "time",
    "timetz",
    "timestamp",
    "interval",
    "inet",
    "macaddr",
    "bit",
)
STYLES = {
    "uuid": ("hex", "text", "blob"),
    "uuid5": ("hex", "text", "blob"),
    "uuid7": ("hex", "text", "blob"),
    "date": ("iso", "unused", "unix", "unix_ms", "unix_us"),
    "time": ("sqlalchemy", "django"),
    "timetz": ("sqlalchemy", "django"),
    "timestamp": ("sqlalchemy", "django", "unix", "unix_ms", "unix_us"),
    "interval": ("micros", "sqlalchemy", "iso"),
    "bit": ("text", "int"),
}
_HEAD = struct.Struct("<BBHI")
_FIELD = struct.Struct("<9BxQ16s")


@cache
def find_extension() -> tuple[Path | None, str]:
    """Return the extension's file, built now if need be, or None and why there is none.

    A file that this SQLite will not load counts as none.
    """
    path, note = build.find_or_build()
    if path is not None:
        try:
            _load(apsw.Connection(":memory:"), path)
        except (apsw.Error, MemoryError) as error:
            return None, f"SQLite cannot load {path}: {error}"
    return path, note


def _load(db: apsw.Connection, path: Path) -> None:
    db.enable_load_extension(True)  # noqa: FBT003 - apsw takes it by position only
    try:
        db.load_extension(str(path), ENTRY)
    finally:
        db.enable_load_extension(False)  # noqa: FBT003


def load_into(db: apsw.Connection) -> None:
    """Give a connection the extension's functions, where `find_extension` has one."""
    _ensure_loaded(db)


def _ensure_loaded(db: apsw.Connection) -> None:
    found = db.execute("SELECT 1 FROM pragma_module_list WHERE name = 'edgelift_rows'").fetchall()
    if not found:
        path, _ = find_extension()
        assert path is not None
        _load(db, path)


def _encode_field(field: FieldPlan) -> bytes:
    settings = field.settings
    op = field.spec.op
    styles = STYLES.get(op, ("",))
    return _FIELD.pack(
        OPS.index(op),
        AFFINITIES[field.affinity],
        styles.index(settings.get("style", styles[0])),
        POLICIES[settings.get("nan", "refuse")],
        POLICIES[settings.get("infinity", "refuse")],
        POLICIES[settings.get("zero", "refuse")],
        POLICIES[settings.get("outside", "refuse")],
        settings.get("fraction") == "floor" or settings.get("rtrim") == "yes",
        int(settings.get("scale", settings.get("width", "0"))),
        int(settings.get("srid", settings.get("base", "0"))),
        uuid.UUID(settings["namespace"]).bytes if "namespace" in settings else bytes(16),
    )


def encode_plan(plan: RowPlan) -> str:
    """Return the plan as the extension reads it: packed structs in hex."""
    head = _HEAD.pack(WIRES[plan.spec.wire], 0, len(plan.fields), ROW_LIMIT)
    return (head + b"".join(_encode_field(field) for field in plan.fields)).hex()


def _batches(stream: Iterable[bytes]) -> Iterator[bytes]:
    """Yield the stream in pieces of BATCH bytes or more, the last one shorter."""
    parts: list[bytes] = []
    size = 0
    for chunk in stream:
        parts.append(chunk)
        size += len(chunk)
        if size >= BATCH:
            yield parts[0] if len(parts) == 1 else b"".join(parts)
            parts, size = [], 0
    if parts:
        yield b"".join(parts)


@contextmanager
def _reader(db: apsw.Connection, plan: RowPlan) -> Iterator[str]:
    """Make the virtual table that reads streams of this plan, for the time of one stream."""
    _ensure_loaded(db)
    name = "temp.edgelift_stream"
    db.execute(f"DROP TABLE IF EXISTS {name}")
    db.execute(f"CREATE VIRTUAL TABLE {name} USING edgelift_rows('{encode_plan(plan)}')")
    try:
        yield name
    finally:
        if not db.is_interrupted:
            db.execute(f"DROP TABLE IF EXISTS {name}")


def _read_state(db: apsw.Connection, name: str) -> tuple[int, int, int, str, int, bytes | None]:
    """Return rows, hash, ended, error text, its field, and the wire bytes of the row at hand."""
    select = f"SELECT row_count, row_hash, ended, problem, field, row FROM {name}"
    found: Any = db.execute(select).fetchall()[0]
    rows, total, ended, problem, field, row = found
    return rows, total % MODULUS, ended, problem, field, row


def _explain(plan: RowPlan, state: tuple[int, int, int, str, int, bytes | None]) -> None:
    """Raise what the extension met; return when it was SQLite's own error."""
    rows, _, _, problem, _, row = state
    if problem == "refused":
        assert row is not None
        convert_row(plan, parse_row(plan.spec.wire, row, len(plan.fields)), rows + 1)
        raise EdgeliftError(
            f"{plan.place}: the row engines disagree about row {rows + 1} of a chunk",
            why="the native engine refused a value that the Python engine takes",
            tip="set EDGELIFT_ROWS_ENGINE=python and report this",
        )
    if problem == "server":
        raise explain_wire(plan, describe_server_error(plan.spec.wire, row or b""))
    if problem:
        raise explain_wire(plan, problem)


def _feed(
    db: apsw.Connection, plan: RowPlan, stream: Iterable[bytes], write_statement: str
) -> ChunkResult:
    """Run the statement once per batch; `{rows}` in it stands for the virtual table."""
    bytes_in = 0
    with _reader(db, plan) as name:
        statement = write_statement.replace("{rows}", f"{name}(?)")
        for batch in _batches(stream):
            bytes_in += len(batch)
            try:
                db.execute(statement, (batch,))
            except apsw.SQLError as error:
                # Other errors are SQLite's own; after some the virtual table is rolled back too.
                if str(error).startswith("edgelift_rows: "):
                    _explain(plan, _read_state(db, name))
                raise
        state = _read_state(db, name)
        _explain(plan, state)
        if not state[2]:
            why = "the stream ended in the middle" if bytes_in else "the stream is empty"
            raise explain_wire(plan, why)
    return ChunkResult(state[0], state[1], bytes_in)


def load_chunk(db: apsw.Connection, plan: RowPlan, stream: Iterable[bytes]) -> ChunkResult:
    """Insert the rows and return their count and hash; the caller holds the transaction."""
    columns = ", ".join(f"c{i}" for i in range(len(plan.fields)))
    return _feed(db, plan, stream, f"{write_insert(plan)} SELECT {columns} FROM {{rows}}")


def hash_stream(plan: RowPlan, stream: Iterable[bytes]) -> ChunkResult:
    """Return count and hash of the rows; nothing is written."""
    db = apsw.Connection(":memory:")
    try:
        return _feed(db, plan, stream, "SELECT count(*) FROM {rows}")
    finally:
        db.close()


def hash_target(db: apsw.Connection, plan: RowPlan, where: str) -> ChunkResult:
    """Return count and hash of the target's rows, `where` in SQLite's words."""
    columns = ", ".join(quote(field.spec.column) for field in plan.fields)
    source = f"FROM main.{quote(plan.spec.target)}" + (f" WHERE {where}" if where else "")
    if len(plan.fields) > MOST_ARGUMENTS:
        return hash_target_in_python(db, f"SELECT {columns} {source}")
    _ensure_loaded(db)
    select = f"SELECT count(*), edgelift_hash({columns}) {source}"
    found: Any = db.execute(select).fetchall()[0]
    rows, total = found
    return ChunkResult(rows, total % MODULUS, 0)
