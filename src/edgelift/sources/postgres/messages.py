"""What pgoutput sends, as Python values: the messages of PostgreSQL's logical replication.

https://www.postgresql.org/docs/15/protocol-logicalrep-message-formats.html, protocol version 1.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass

TEXT, BINARY = 0, 1  # formats as libpq numbers them


class Unchanged:
    """Stands for a TOASTed value that an UPDATE left alone and pgoutput therefore does not send."""

    def __repr__(self) -> str:
        return "UNCHANGED"


UNCHANGED = Unchanged()


@dataclass(frozen=True, slots=True)
class Value:
    """One value as sent: its bytes in TEXT or BINARY format."""

    data: bytes
    format: int


Cell = Value | Unchanged | None
Cells = tuple[Cell, ...]


@dataclass(frozen=True, slots=True)
class Begin:
    """A transaction begins; `commit` is the position of its commit record."""

    commit: int
    xid: int


@dataclass(frozen=True, slots=True)
class Commit:
    """A transaction is complete; `end` is where reading goes on when all of it is applied."""

    commit: int
    end: int
    micros: int


@dataclass(frozen=True, slots=True)
class ColumnShape:
    """A column as it travels; `in_key` says that it is part of the replica identity."""

    name: str
    type_oid: int
    modifier: int
    in_key: bool


@dataclass(frozen=True, slots=True)
class Relation:
    """What a table looks like from here on; `identity` is d, n, f or i (pg_class.relreplident).

    A partition is announced too, although its rows come under its table's oid.
    """

    oid: int
    schema: str
    table: str
    identity: str
    columns: tuple[ColumnShape, ...]


@dataclass(frozen=True, slots=True)
class RowChange:
    """A row was written: `kind` is insert, update or delete.

    `old` are the values before: the key's alone (`old_is_key`, others None) or all of them; None
    when an UPDATE left the key alone. `new` is None for a delete.
    """

    kind: str
    oid: int
    old: Cells | None = None
    old_is_key: bool = False
    new: Cells | None = None


@dataclass(frozen=True, slots=True)
class Truncate:
    """Tables were emptied."""

    oids: tuple[int, ...]
    cascade: bool
    restart_identity: bool


@dataclass(frozen=True, slots=True)
class Marker:
    """A message that `pg_logical_emit_message` put between the changes."""

    position: int
    prefix: str
    content: bytes
    transactional: bool


Change = Begin | Commit | Relation | RowChange | Truncate | Marker

_KINDS = {b"I": "insert", b"U": "update", b"D": "delete"}


class _Reader:
    """Takes fields from the front of a message; struct.error when it is too short."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def take(self, form: str) -> tuple[int, ...]:
        found = struct.unpack_from(form, self._data, self._at)
        self._at += struct.calcsize(form)
        return found

    def take_byte(self) -> bytes:
        return bytes(self.take_bytes(1))

    def take_bytes(self, size: int) -> bytes:
        end = self._at + size
        if size < 0 or end > len(self._data):
            raise struct.error("a message ends in the middle")
        found = self._data[self._at : end]
        self._at = end
        return found

    def take_text(self) -> str:
        end = self._data.find(b"\0", self._at)
        if end < 0:
            raise struct.error("a text has no end")
        found = self._data[self._at : end].decode()
        self._at = end + 1
        return found

    def take_cells(self) -> Cells:
        (count,) = self.take(">h")
        cells: list[Cell] = []
        for _ in range(count):
            kind = self.take_byte()
            if kind == b"n":
                cells.append(None)
            elif kind == b"u":
                cells.append(UNCHANGED)
            elif kind in {b"t", b"b"}:
                data = self.take_bytes(self.take(">i")[0])
                cells.append(Value(data, BINARY if kind == b"b" else TEXT))
            else:
                raise struct.error(f"a value of the unknown kind {kind!r}")
        return tuple(cells)


def read_message(data: bytes) -> Change | None:
    """Return a message's meaning, None for those that say nothing here; ValueError if malformed."""
    try:
        reader = _Reader(data)
        kind = reader.take_byte()
        maker = _MAKERS.get(kind)
        if maker is not None:
            return maker(reader)
        if kind in _KINDS:
            return _read_row(reader, _KINDS[kind])
        if kind in {b"O", b"Y"}:  # origin of a cascaded change, name of a type
            return None
        raise ValueError(f"pgoutput sent a message of the unknown kind {kind!r}")
    except struct.error as error:
        raise ValueError(f"pgoutput sent a malformed message: {error}") from error


def _read_begin(reader: _Reader) -> Begin:
    commit, _micros, xid = reader.take(">QqI")
    return Begin(commit, xid)


def _read_commit(reader: _Reader) -> Commit:
    _flags, commit, end, micros = reader.take(">bQQq")
    return Commit(commit, end, micros)


def _read_relation(reader: _Reader) -> Relation:
    (oid,) = reader.take(">I")
    schema, table = reader.take_text(), reader.take_text()
    identity = reader.take_byte().decode()
    (count,) = reader.take(">h")
    columns = []
    for _ in range(count):
        (flags,) = reader.take(">b")
        name = reader.take_text()
        type_oid, modifier = reader.take(">Ii")
        columns.append(ColumnShape(name, type_oid, modifier, bool(flags & 1)))
    return Relation(oid, schema or "pg_catalog", table, identity, tuple(columns))


def _read_row(reader: _Reader, kind: str) -> RowChange:
    (oid,) = reader.take(">I")
    old: Cells | None = None
    old_is_key = False
    part = reader.take_byte()
    if part in {b"K", b"O"}:
        old, old_is_key = reader.take_cells(), part == b"K"
        if kind == "delete":
            return RowChange(kind, oid, old, old_is_key)
        part = reader.take_byte()
    if part != b"N":
        raise struct.error(f"a row has the unknown part {part!r}")
    return RowChange(kind, oid, old, old_is_key, reader.take_cells())


def _read_truncate(reader: _Reader) -> Truncate:
    count, options = reader.take(">Ib")
    oids = tuple(reader.take(">I")[0] for _ in range(count))
    return Truncate(oids, bool(options & 1), bool(options & 2))


def _read_marker(reader: _Reader) -> Marker:
    flags, position = reader.take(">bQ")
    prefix = reader.take_text()
    content = reader.take_bytes(reader.take(">I")[0])
    return Marker(position, prefix, content, bool(flags & 1))


_MAKERS: dict[bytes, Callable[[_Reader], Change]] = {
    b"B": _read_begin,
    b"C": _read_commit,
    b"R": _read_relation,
    b"T": _read_truncate,
    b"M": _read_marker,
}


def to_position(lsn: str) -> int:
    """Return an LSN like `16/B374D848` as a number."""
    high, _, low = lsn.partition("/")
    return (int(high, 16) << 32) + int(low, 16)


def write_position(position: int) -> str:
    """Return a position as PostgreSQL writes LSNs."""
    return f"{position >> 32:X}/{position & 0xFFFFFFFF:X}"
