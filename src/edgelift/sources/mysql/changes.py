"""Turn changed rows of the binary log into the target's values, by the copy's own ops.

A changed row is put together as a row of the text protocol and read by the same row engine as the
copy: both must give the same. Columns that are read through an expression are computed by the
server from the value that was logged, never from the row as it is now.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator, Mapping, Sequence

import msgspec

from edgelift.model.origin_schema import OriginColumn, OriginTable
from edgelift.model.row_spec import FieldSpec, RowSpec
from edgelift.rows.conversions import Value
from edgelift.rows.engine import read_rows
from edgelift.rows.wires import Buffer, split_mysql
from edgelift.sources.mysql.binlog_values import Cells
from edgelift.sources.mysql.connection import MySqlSession, quote_name
from edgelift.sources.mysql.types import SPATIAL

TargetRow = dict[str, Value]
_VALUES_A_QUERY = 500
_PACKET = 0xFFFFFF
_END = b"\x05\0\0\0\xfe\0\0\x02\0"
# What the mapping reads a FLOAT by: the log has all its digits anyway.
_WIDENED = ("CAST({} AS DOUBLE)", "({} * 1E0)")


class RowDecoder:
    """Decodes the rows of one table; `key` are the target columns by which a row is found again."""

    def __init__(self, session: MySqlSession, table: OriginTable, spec: RowSpec) -> None:
        self._session = session
        self._spec = spec
        self._table = table
        places = {column.name: i for i, column in enumerate(table.columns)}
        self._fields = [
            (field, places[field.origin]) for field in spec.fields if field.op != "refused"
        ]
        named = set(spec.key)
        self.key_columns = {f.column for f, _ in self._fields if quote_name(f.origin) in named}
        self.key = tuple(f.column for f, _ in self._fields if quote_name(f.origin) in named)

    def decode(self, rows: Sequence[Cells], *, key_only: bool = False) -> list[TargetRow]:
        """Return the rows' values by target column, in their order; or of `key_columns` alone.

        Raises OriginError as the copy does for a value that an op refuses.
        """
        chosen = [
            pair for pair in self._fields if not key_only or pair[0].column in self.key_columns
        ]
        if not rows or not chosen:
            return [{} for _ in rows]
        columns = [self._read_column(field, place, rows) for field, place in chosen]
        stream = [b"".join([*map(_pack_row, zip(*columns, strict=True)), _END])]
        names = [field.column for field, _ in chosen]
        spec = msgspec.structs.replace(self._spec, fields=tuple(field for field, _ in chosen))
        return [dict(zip(names, values, strict=True)) for values in read_rows(spec, stream)]

    def _read_column(
        self, field: FieldSpec, place: int, rows: Sequence[Cells]
    ) -> list[bytes | None]:
        """Return a column's values as the field's `read` would send them."""
        name = quote_name(field.origin)
        values = [row[place] for row in rows]
        column = self._table.columns[place]
        # Python and the server write the same number differently: all the same but for a text.
        free = column.type.name in {"float", "double"} and not column.type.arguments
        widened = {way.format(name) for way in _WIDENED} if free and field.op == "float" else ()
        if field.read in widened or (field.read == name and (field.op == "float" or not free)):
            return values
        computed: list[bytes | None] = []
        for start in range(0, len(values), _VALUES_A_QUERY):
            computed += self._compute(field, column, values[start : start + _VALUES_A_QUERY])
        return computed

    def _compute(
        self, field: FieldSpec, column: OriginColumn, values: list[bytes | None]
    ) -> list[bytes | None]:
        """Let the server compute a field's `read` from values that it logged."""
        name = quote_name(field.origin)
        literals = ["NULL" if value is None else write_literal(column, value) for value in values]
        listed = " UNION ALL ".join(
            f"SELECT {number} AS edgelift_n, {literal} AS {name}"
            for number, literal in enumerate(literals)
        )
        sql = f"SELECT {field.read} FROM ({listed}) AS v ORDER BY edgelift_n"
        place = f"table {self._spec.schema}.{self._spec.table}"
        rows = split_mysql(Buffer(self._session.stream_rows(sql, place)), 1)
        return [None if row[0] is None else bytes(row[0]) for row in rows]  # type: ignore[arg-type]


def write_literal(column: OriginColumn, value: bytes) -> str:
    """Return a logged value as an expression of its column's type."""
    kind = column.type
    if kind.name in SPATIAL:
        srid = struct.unpack_from("<I", value)[0]
        return f"ST_GeomFromWKB(X'{value[4:].hex()}', {srid})"
    if kind.charset:
        text = f"_utf8mb4 X'{value.hex()}'"
        return f"CONVERT({text} USING {kind.charset})"
    maker = _TYPED.get(kind.name)
    return maker(column, value.decode("latin-1")) if maker else f"X'{value.hex()}'"


def _as_number(_column: OriginColumn, text: str) -> str:
    return text


def _as_type(type_name: str) -> Callable[[OriginColumn, str], str]:
    def make(column: OriginColumn, text: str) -> str:
        given = ", ".join(map(str, column.type.arguments))
        return f"CAST('{text}' AS {type_name}{f'({given})' if given else ''})"

    return make


_TYPED: Mapping[str, Callable[[OriginColumn, str], str]] = {
    **dict.fromkeys(("tinyint", "smallint", "mediumint", "int", "bigint", "year"), _as_number),
    "float": lambda _column, text: f"CAST({text} AS FLOAT)",
    "double": lambda _column, text: f"({text} + 0E0)",
    "decimal": _as_type("DECIMAL"),
    "date": _as_type("DATE"),
    "time": _as_type("TIME"),
    "datetime": _as_type("DATETIME"),
    "timestamp": _as_type("DATETIME"),
    "uuid": _as_type("UUID"),
    "inet4": _as_type("INET4"),
    "inet6": _as_type("INET6"),
}


def _pack_row(values: Sequence[bytes | None]) -> bytes:
    return b"".join(_frame(b"".join(map(_pack_value, values))))


def _pack_value(value: bytes | None) -> bytes:
    if value is None:
        return b"\xfb"
    size = len(value)
    if size < 251:
        return bytes((size,)) + value
    if size < 2**16:
        return b"\xfc" + struct.pack("<H", size) + value
    if size < 2**24:
        return b"\xfd" + size.to_bytes(3, "little") + value
    return b"\xfe" + struct.pack("<Q", size) + value


def _frame(payload: bytes) -> Iterator[bytes]:
    """Yield a payload in packets; one of full length says that another follows."""
    for start in range(0, len(payload) + 1, _PACKET):
        part = payload[start : start + _PACKET]
        yield len(part).to_bytes(3, "little") + b"\0" + part
