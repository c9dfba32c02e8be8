"""Turn changed rows of the replication stream into the target's values, by the copy's own ops.

The values come in binary, so that a changed row is put together as a row of COPY BINARY and read
by the same row engine as the copy: both must give the same. Columns that are read through an
expression are computed by the server from the value that was sent, never from the row as it is now.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence

import msgspec
import psycopg
from psycopg import pq

from edgelift.errors import OriginError
from edgelift.model.origin_schema import OriginTable
from edgelift.model.row_spec import FieldSpec, RowSpec
from edgelift.rows.conversions import Value as TargetValue
from edgelift.rows.engine import read_rows
from edgelift.rows.wires import SIGNATURE
from edgelift.sources.postgres.connection import Connection
from edgelift.sources.postgres.errors import origin_errors
from edgelift.sources.postgres.messages import (
    BINARY,
    UNCHANGED,
    Cell,
    Cells,
    Relation,
    Value,
)
from edgelift.sources.postgres.names import quote

_VALUES_A_QUERY = 500
_HEADER = SIGNATURE + bytes(8)
_END = b"\xff\xff"
_NULL = b"\xff\xff\xff\xff"
TargetRow = dict[str, TargetValue]


class RowDecoder:
    """Decodes the rows of one table; `absent` are target columns that the stream does not carry.

    Generated columns are such: the target computes them itself, or its value has to be read again.
    """

    def __init__(self, connection: Connection, spec: RowSpec, relation: Relation) -> None:
        self._connection = connection
        self._spec = spec
        self._relation = relation
        self._place = f"table {spec.schema}.{spec.table}"
        with origin_errors(self._place):
            # Texts and JSON must come out as in the copy, whatever the user's own settings are.
            connection.execute(_SESSION)
        numbers = {column.name: i for i, column in enumerate(relation.columns)}
        moved = [field for field in spec.fields if field.op != "refused"]
        self._fields = [
            (field, numbers[field.origin]) for field in moved if field.origin in numbers
        ]
        self.absent = tuple(field.column for field in moved if field.origin not in numbers)
        self._absent: list[tuple[FieldSpec, str]] = []
        key = {column.name for column in relation.columns if column.in_key}
        self.key = tuple(field.column for field, _ in self._fields if field.origin in key)

    def decode(self, rows: Sequence[Cells], *, key_only: bool = False) -> list[TargetRow]:
        """Return the rows' values by target column, in their order; unchanged ones are left out.

        `key_only` reads the replica identity alone. Raises OriginError as the copy does for a value
        that an op refuses.
        """
        found: dict[int, TargetRow] = {}
        groups: dict[tuple[int, ...], list[int]] = {}
        for index, row in enumerate(rows):
            present = tuple(
                place
                for place, (field, number) in enumerate(self._fields)
                if row[number] is not UNCHANGED and (not key_only or field.column in self.key)
            )
            groups.setdefault(present, []).append(index)
        for present, indexes in groups.items():
            fields = [self._fields[place] for place in present]
            decoded = self._decode_alike([rows[index] for index in indexes], fields)
            found.update(zip(indexes, decoded, strict=True))
        return [found[index] for index in range(len(rows))]

    def prepare_absent(self, table: OriginTable) -> None:
        """Find out how the columns are computed that the stream does not carry."""
        for field in self._spec.fields:
            column = table.read_column(field.origin)
            if field.column in self.absent and column is not None and column.generated:
                self._absent.append((field, column.generated))

    def decode_whole(self, rows: Sequence[Cells]) -> list[TargetRow]:
        """Return the rows' values with those of generated columns, which the server computes."""
        found = self.decode(rows)
        if self._absent:
            for row, values in zip(rows, found, strict=True):
                values.update(self._compute_absent(row))
        return found

    def _compute_absent(self, row: Cells) -> TargetRow:
        """Compute a row's generated values from what was sent.

        Where a part was not sent, because it did not change, the row is read as it is now: had it
        changed since, a later change brings its values.
        """
        columns = self._relation.columns
        listed = ", ".join(
            f"(${number + 1})::{_cast(self._connection, column.type_oid, column.modifier)} "
            f"AS {quote(column.name)}"
            for number, column in enumerate(columns)
        )
        computed = ", ".join(
            f"({expression}) AS {quote(field.origin)}" for field, expression in self._absent
        )
        source = f"(SELECT v.*, {computed} FROM (SELECT {listed}) AS v) AS w"
        given = list(enumerate(row))
        if any(cell is UNCHANGED for cell in row):
            given = [(i, cell) for i, cell in given if columns[i].in_key]
            conditions = " AND ".join(
                f"{quote(columns[i].name)} = ${place}" for place, (i, _) in enumerate(given, 1)
            )
            source = f"{quote(self._spec.schema)}.{quote(self._spec.table)} WHERE {conditions}"
        reads = ", ".join(field.read for field, _ in self._absent)
        cells = [cell if isinstance(cell, Value) else None for _, cell in given]
        with origin_errors(self._place):
            result = self._connection.pgconn.exec_params(
                f"SELECT {reads} FROM {source}".encode(),
                [None if cell is None else cell.data for cell in cells],
                [columns[i].type_oid for i, _ in given],
                [BINARY if cell is None else cell.format for cell in cells],
                BINARY,
            )
            if result.status != pq.ExecStatus.TUPLES_OK:
                raise psycopg.errors.error_from_result(result)
        if not result.ntuples:  # the row is gone by now: its deletion follows
            return {field.column: None for field, _ in self._absent}
        parts = [_HEADER, struct.pack(">h", len(self._absent))]
        for place in range(len(self._absent)):
            data = result.get_value(0, place)
            parts.append(_NULL if data is None else _pack(data))
        spec = msgspec.structs.replace(self._spec, fields=tuple(f for f, _ in self._absent))
        (values,) = read_rows(spec, [b"".join([*parts, _END])])
        return dict(zip((f.column for f, _ in self._absent), values, strict=True))

    def _decode_alike(
        self, rows: list[Cells], fields: list[tuple[FieldSpec, int]]
    ) -> list[TargetRow]:
        if not fields:
            return [{} for _ in rows]
        columns = [
            self._to_wire(field, number, [row[number] for row in rows]) for field, number in fields
        ]
        count = struct.pack(">h", len(fields))
        parts = [_HEADER]
        for values in zip(*columns, strict=True):
            parts.append(count)
            parts += [_NULL if data is None else _pack(data) for data in values]
        parts.append(_END)
        spec = msgspec.structs.replace(self._spec, fields=tuple(field for field, _ in fields))
        names = [field.column for field, _ in fields]
        return [
            dict(zip(names, values, strict=True)) for values in read_rows(spec, [b"".join(parts)])
        ]

    def _to_wire(self, field: FieldSpec, number: int, cells: Sequence[Cell]) -> list[bytes | None]:
        """Return a column's values as COPY BINARY of the field's `read` would send them."""
        values = [cell if isinstance(cell, Value) else None for cell in cells]
        plain = field.read == quote(field.origin)
        if plain and all(value is None or value.format == BINARY for value in values):
            return [None if value is None else value.data for value in values]
        result: list[bytes | None] = [None] * len(values)
        waiting = [(i, value) for i, value in enumerate(values) if value is not None]
        for start in range(0, len(waiting), _VALUES_A_QUERY):
            part = waiting[start : start + _VALUES_A_QUERY]
            computed = self._compute(field, number, [value for _, value in part])
            for (index, _), data in zip(part, computed, strict=True):
                result[index] = data
        return result

    def _compute(self, field: FieldSpec, number: int, values: list[Value]) -> list[bytes | None]:
        """Let the server compute a field's `read` from values that it sent."""
        oid = self._relation.columns[number].type_oid
        listed = ", ".join(f"({i}, ${i})" for i in range(1, len(values) + 1))
        name = quote(field.origin)
        source = f"(VALUES {listed}) AS v(edgelift_n, {name})"
        query = f"SELECT {field.read} FROM {source} ORDER BY edgelift_n"
        with origin_errors(self._place):
            pgconn = self._connection.pgconn
            result = pgconn.exec_params(
                query.encode(),
                [value.data for value in values],
                [oid] * len(values),
                [value.format for value in values],
                BINARY,
            )
            if result.status != pq.ExecStatus.TUPLES_OK:
                raise psycopg.errors.error_from_result(result)
        return [result.get_value(row, 0) for row in range(result.ntuples)]


def _cast(connection: Connection, oid: int, modifier: int) -> str:
    row = connection.execute("SELECT format_type(%s, %s)", (oid, modifier)).fetchone()
    assert row is not None
    return str(row[0])


_SESSION = (
    b"SET timezone = 'UTC'; SET datestyle = 'ISO, YMD'; SET intervalstyle = 'iso_8601';"
    b"SET bytea_output = 'hex'; SET extra_float_digits = 1; SET xmlbinary = 'base64'"
)


def _pack(data: bytes) -> bytes:
    return struct.pack(">i", len(data)) + data


def check_relation(connection: Connection, table: OriginTable, relation: Relation) -> None:
    """Raise OriginError when a table no longer looks as the schema stage saw it.

    Columns are compared by name and type; what the stream never carries (generated ones) is not.
    """
    with origin_errors(f"table {table.schema}.{table.name}"):
        rows = connection.execute(
            "SELECT format_type(o, m) FROM unnest(%s::oid[], %s::int[]) WITH ORDINALITY "
            "AS t(o, m, n) ORDER BY n",
            (
                [column.type_oid for column in relation.columns],
                [column.modifier for column in relation.columns],
            ),
        ).fetchall()
    now = {
        column.name: str(written) for column, (written,) in zip(relation.columns, rows, strict=True)
    }
    then = {column.name: column.type.written for column in table.columns if not column.generated}
    changes = describe_changes(then, now)
    if changes:
        raise OriginError(
            f"The table {table.schema}.{table.name} changed while it was followed",
            why="; ".join(changes),
            tip="all changes before are applied; judge and copy anew: run the same command with "
            "--force",
        )


def describe_changes(then: Mapping[str, str], now: Mapping[str, str]) -> list[str]:
    """Return in words how columns (name: type) differ."""
    gone = [f"column {name} is gone" for name in then if name not in now]
    new = [f"column {name} is new" for name in now if name not in then]
    types = [
        f"column {name} was {then[name]} and is {now[name]}"
        for name in then
        if name in now and then[name] != now[name]
    ]
    return gone + new + types
