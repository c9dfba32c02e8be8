"""Streams of the three wires and specs for them, as tests of rows/ need them."""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence

import apsw

from edgelift.errors import EdgeliftError
from edgelift.model.row_spec import FieldSpec, RowSpec
from edgelift.rows.engine import hash_stream, hash_target, load_chunk
from edgelift.rows.native_engine import find_extension
from edgelift.rows.ops import OPS, read_settings
from edgelift.rows.plan import read_stores
from edgelift.rows.wires import SQLITE_END, write_sqlite_row

SIGNATURE = b"PGCOPY\n\xff\r\n\0" + bytes(8)
NO_NATIVE = find_extension()[1] if find_extension()[0] is None else ""
ENGINES = ("python",) if NO_NATIVE else ("python", "native")


def write_pg(rows: Sequence[Sequence[bytes | None]]) -> bytes:
    """Return rows as COPY BINARY, bare."""
    parts = [SIGNATURE]
    for row in rows:
        parts.append(struct.pack(">h", len(row)))
        for field in row:
            parts.append(struct.pack(">i", -1 if field is None else len(field)))
            parts.append(field or b"")
    return b"".join([*parts, b"\xff\xff"])


def write_pg_messages(rows: Sequence[Sequence[bytes | None]], per_message: int = 1) -> bytes:
    """Return rows as a server sends them: a message per row or for so many bytes."""
    bare = write_pg(rows)
    step = len(bare) // max(1, len(rows) // per_message) or 1
    parts = [b"H" + struct.pack(">ibh", 7, 1, 0)]
    for at in range(0, len(bare), step):
        piece = bare[at : at + step]
        parts.append(b"d" + struct.pack(">i", len(piece) + 4) + piece)
    done = b"COPY 1\0"
    parts += [b"c" + struct.pack(">i", 4), b"C" + struct.pack(">i", len(done) + 4) + done]
    return b"".join([*parts, b"Z" + struct.pack(">i", 5) + b"I"])


def write_length(n: int) -> bytes:
    """Return a length-encoded integer of MySQL's protocol."""
    if n < 251:
        return bytes([n])
    if n < 2**16:
        return b"\xfc" + n.to_bytes(2, "little")
    return b"\xfd" + n.to_bytes(3, "little") if n < 2**24 else b"\xfe" + n.to_bytes(8, "little")


def write_packet(payload: bytes, number: int = 0) -> bytes:
    """Return a payload as one MySQL packet, or as several when it is too long for one."""
    parts = []
    for at in range(0, len(payload) + 1, 0xFFFFFF):
        piece = payload[at : at + 0xFFFFFF]
        parts.append(len(piece).to_bytes(3, "little") + bytes([number % 256]) + piece)
        number += 1
    return b"".join(parts)


def write_mysql(rows: Sequence[Sequence[bytes | None]]) -> bytes:
    """Return rows as packets of a text result, closed by EOF."""
    parts = []
    for number, row in enumerate(rows):
        fields = [b"\xfb" if f is None else write_length(len(f)) + f for f in row]
        parts.append(write_packet(b"".join(fields), number))
    return b"".join([*parts, write_packet(b"\xfe\0\0\2\0", len(rows))])


def write_sqlite(rows: Sequence[Sequence[object]]) -> bytes:
    """Return rows of SQLite values as the wire `sqlite`."""
    return b"".join(write_sqlite_row(row) for row in rows) + SQLITE_END


WRITERS = {"pgcopy": write_pg, "mysql": write_mysql, "sqlite": write_sqlite}


def cut(data: bytes, size: int) -> Iterator[bytes]:
    """Yield the data in pieces of that many bytes."""
    for at in range(0, len(data), size):
        yield data[at : at + size]


def fitting_type(op: str, argument: str) -> str:
    """Return a declared type that keeps the op's values."""
    stores = read_stores(op, read_settings(op, argument))
    order = {"INTEGER": "INTEGER", "REAL": "REAL", "TEXT": "TEXT", "BLOB": "BLOB"}
    return "BLOB" if len(stores) != 1 else order[next(iter(stores))]


def build_spec(
    wire: str, *fields: tuple[str, ...], key: tuple[str, ...] = (), table: str = "t"
) -> RowSpec:
    """Return a spec of (op, argument, declared type) fields named f0, f1 ..."""
    made = []
    for i, field in enumerate(fields):
        op, argument, target_type = (*field, "", "")[:3]
        if len(field) < 3 and op in OPS and op != "refused":
            target_type = fitting_type(op, argument)
        made.append(
            FieldSpec(
                column=f"f{i}", read=f'"f{i}"', op=op, argument=argument, target_type=target_type
            )
        )
    return RowSpec(
        schema="public", table=table, target=table, wire=wire, fields=tuple(made), key=key
    )


def make_target(spec: RowSpec) -> apsw.Connection:
    """Return a database in memory with the spec's table."""
    db = apsw.Connection(":memory:")
    columns = ", ".join(f'"{f.column}" {f.target_type}' for f in spec.fields)
    db.execute(f'CREATE TABLE "{spec.target}" ({columns})')
    return db


def run(engine: str, spec: RowSpec, stream: bytes, size: int = 0) -> object:
    """Return what an engine makes of a stream: rows with types, hash; or the error's three lines.

    The hash of the stream alone, that of the load and that of the target are compared on the way.
    """
    size = size or len(stream) or 1
    db = make_target(spec)
    try:
        result = load_chunk(db, spec, cut(stream, size), engine)
    except EdgeliftError as error:
        return type(error).__name__, str(error)
    finally:
        assert not db.in_transaction
    assert hash_stream(spec, cut(stream, size), engine) == result
    assert result.bytes_in == len(stream)
    target = hash_target(db, spec, engine=engine)
    assert (target.rows, target.hash) == (result.rows, result.hash)
    rows = db.execute(f'SELECT * FROM "{spec.target}"').fetchall()
    return [[(type(v).__name__, repr(v)) for v in row] for row in rows], result


def run_both(spec: RowSpec, stream: bytes, size: int = 0) -> object:
    """Return what both engines make of a stream, having compared it."""
    made = [run(engine, spec, stream, size) for engine in ENGINES]
    assert all(one == made[0] for one in made)
    return made[0]
