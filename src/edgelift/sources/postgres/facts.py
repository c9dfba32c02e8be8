"""Measure the real data of a table in one scan: what limits and losses are judged on."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from edgelift.model.row_spec import FieldSpec, RowSpec
from edgelift.rows.ops import read_settings
from edgelift.sources.origin_database import LARGE_ROW_BYTES, ColumnFacts, TableFacts
from edgelift.sources.postgres.chunks import Extent
from edgelift.sources.postgres.connection import Connection
from edgelift.sources.postgres.mapping import EXACT_DIGITS
from edgelift.sources.postgres.names import quote_table

# Types of a result by oid (src/include/catalog/pg_type.dat); others are measured as text.
_INTEGERS = {20: 8, 21: 2, 23: 4, 26: 4}
_LONG = 20
_NUMERIC = 1700
_DATES = {1082: "date", 1114: "timestamp", 1184: "timestamptz"}
# Values of one length in SQLite: booleans, times, uuid, network addresses (the longest).
_FIXED = {16: 1, 18: 1, 2950: 36, 829: 17, 774: 23, 869: 43, 650: 43}
_TEXTS = frozenset({25, 1043, 1042, 19})
_DATE_BYTES = {"date": 10, "timestamp": 26, "timestamptz": 26}


@dataclass
class Measure:
    """The aggregates of one column: (fact's name, SQL), and its largest value's size in SQL.

    `known` are facts that hold for any value of the type, so that nothing is asked.
    """

    size: str
    aggregates: dict[str, str] = field(default_factory=dict)
    known: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class _Reading:
    """A table's reads as columns c0, c1, ... and how each is measured."""

    source: str
    fields: list[FieldSpec]
    inner: str
    measures: list[Measure]

    @property
    def row_size(self) -> str:
        """Return the SQL of a row's bytes."""
        return " + ".join(f"coalesce({m.size}, 0)" for m in self.measures) or "0"


def _prepare(connection: Connection, spec: RowSpec, extent: Extent) -> _Reading:
    where = f" WHERE {spec.where}" if spec.where else ""
    source = f"{extent.source}{quote_table(spec.schema, spec.table)}{where}"
    fields = [f for f in spec.fields if f.op != "refused"]
    if not fields:
        return _Reading(source, [], "1 AS c0", [])
    inner = ", ".join(f"({f.read}) AS c{i}" for i, f in enumerate(fields))
    described = connection.execute(f"SELECT {inner} FROM {source} LIMIT 0".encode()).description
    assert described is not None
    measures = [
        measure(f"c{i}", f, d.type_code, d.precision)
        for i, (f, d) in enumerate(zip(fields, described, strict=True))
    ]
    return _Reading(source, fields, inner, measures)


def read_facts(connection: Connection, spec: RowSpec, extent: Extent) -> TableFacts:
    """Return the facts of a table; raises psycopg errors.

    All sizes are of the values as SQLite will hold them; a number has at most 8 bytes. A second
    pass tells each column's largest value where there are large rows.
    """
    reading = _prepare(connection, spec, extent)
    if not reading.fields:
        row = connection.execute(f"SELECT count(*) FROM {reading.source}".encode()).fetchone()
        return TableFacts(rows=row[0] if row else 0)
    size = reading.row_size
    wanted = ["count(*)", f"max({size})", f"sum(({size})::numeric)"]
    for m in reading.measures:
        wanted += m.aggregates.values()
    rows, row_bytes, total, *values = _ask(connection, reading, wanted)
    largest: Sequence[int | None] = [0] * len(reading.measures)
    if (row_bytes or 0) > LARGE_ROW_BYTES:
        largest = _ask(connection, reading, [f"max({m.size})" for m in reading.measures])
    return TableFacts(
        rows=rows,
        row_bytes=int(row_bytes or 0),
        total_bytes=int(total or 0),
        columns=_to_facts(iter(values), largest, reading, known=rows > 0),
    )


def _ask(connection: Connection, reading: _Reading, wanted: list[str]) -> tuple[Any, ...]:
    """Return aggregates of one pass over the table."""
    # OFFSET 0 keeps the reads from being computed once for each aggregate.
    inner = f"SELECT {reading.inner} FROM {reading.source} OFFSET 0"
    row = connection.execute(f"SELECT {', '.join(wanted)} FROM ({inner}) s".encode()).fetchone()
    assert row is not None
    return row


def read_groups(
    connection: Connection, spec: RowSpec, extent: Extent, group: str
) -> dict[str | None, tuple[int, int]]:
    """Return rows and bytes by the value of an expression; raises psycopg errors."""
    reading = _prepare(connection, spec, extent)
    inner = f"SELECT ({group})::text AS g, {reading.inner} FROM {reading.source} OFFSET 0"
    query = f"SELECT g, count(*), sum(({reading.row_size})::numeric) FROM ({inner}) s GROUP BY g"
    found = connection.execute(query.encode()).fetchall()
    return {value: (int(rows), int(size or 0)) for value, rows, size in found}


def _to_facts(
    values: Iterator[Any], largest: Sequence[int | None], reading: _Reading, *, known: bool
) -> dict[str, ColumnFacts]:
    columns = {}
    for f, m, size in zip(reading.fields, reading.measures, largest, strict=True):
        asked = {name: next(values) for name in m.aggregates}
        found: dict[str, Any] = {name: int(v) for name, v in asked.items() if v is not None}
        facts = (m.known if known else {}) | found
        columns[f.column] = ColumnFacts(max_bytes=size or 0, **facts)
    return columns


def measure(name: str, spec: FieldSpec, oid: int, precision: int | None = None) -> Measure:
    """Return how a column `name` of type `oid` is measured; `precision` is that of a numeric."""
    numeric = oid == _NUMERIC
    return _measure_numeric(name, spec, precision) if numeric else _measure(name, spec, oid)


def _measure(name: str, spec: FieldSpec, oid: int) -> Measure:
    if oid in _MAKERS:
        return _MAKERS[oid](name, spec)
    if oid in _INTEGERS:  # others than these are far below 2^53
        bounds = {"min_int": f"min({name})", "max_int": f"max({name})"}
        return Measure(f"{_INTEGERS[oid]}", bounds if oid == _LONG else {})
    if oid in _DATES:
        found = _measure_date(name, _DATES[oid])
        words = spec.argument.split()
        if "fraction=floor" in words:
            unit = "milliseconds" if "style=unix_ms" in words else "second"
            found.aggregates["fractions"] = _count(f"date_trunc('{unit}', {name}) <> {name}")
        return found
    if oid in _FIXED:
        return Measure(f"CASE WHEN {name} IS NOT NULL THEN {_FIXED[oid]} END")
    if oid in _TEXTS or spec.op == "text":
        return _measure_text(name, spec, oid)
    return Measure(f"octet_length({name}::text)")


def _measure_text(name: str, spec: FieldSpec, oid: int) -> Measure:
    # Casting char(n) takes its padding off, which travels.
    size = f"octet_length({name})" if oid in _TEXTS else f"octet_length({name}::text)"
    beyond = _count(f"octet_length({name}::text) <> length({name}::text)")
    return Measure(size, {"non_ascii": beyond} if spec.folds else {})


def _measure_float(name: str, _spec: FieldSpec) -> Measure:
    return Measure(
        "8",
        {
            "nans": _count(f"{name} = 'NaN'"),
            "infinities": _count(f"{name} IN ('Infinity', '-Infinity')"),
        },
    )


def _measure_money(name: str, _spec: FieldSpec) -> Measure:
    units = f"('x' || encode(cash_send({name}), 'hex'))::bit(64)::int8"
    digits = f"max(length(trim(BOTH '0' FROM ltrim(({units})::text, '-'))))"
    return Measure("8", {"digits": digits, "min_int": f"min({units})", "max_int": f"max({units})"})


def _measure_interval(name: str, spec: FieldSpec) -> Measure:
    months = f"date_part('year', {name}) <> 0 OR date_part('month', {name}) <> 0"
    found = {"months": _count(months)}
    bounds = _INTERVALS.get(read_settings(spec.op, spec.argument).get("style", ""))
    if bounds:
        epoch = f"extract(epoch FROM {name})"
        outside = f"({epoch} < {bounds[0]} OR {epoch} >= {bounds[1]})"
        found["outside_dates"] = _count(f"NOT ({months}) AND {outside}")
    return Measure("26", found)


# Seconds from which on and up to which an interval has a form: 64 bits of microseconds, and the
# years 1 to 9999 as a time since 1970.
_INTERVALS = {
    "micros": ("-9223372036854", "9223372036854"),
    "sqlalchemy": ("-62135596800", "253402300800"),
}


def _measure_time(name: str, _spec: FieldSpec) -> Measure:
    return Measure(f"CASE WHEN {name} IS NOT NULL THEN 15 END", _ask_midnight(name))


def _measure_timetz(name: str, _spec: FieldSpec) -> Measure:
    return Measure(f"CASE WHEN {name} IS NOT NULL THEN 24 END", _ask_midnight(name))


def _ask_midnight(name: str) -> dict[str, str]:
    """Return the count of the one time that is none of a day: 24:00:00."""
    return {"outside_dates": _count(f"{name}::time = '24:00:00'")}


def _measure_bytes(name: str, _spec: FieldSpec) -> Measure:
    return Measure(f"octet_length({name})")


def _count(condition: str) -> str:
    return f"count(*) FILTER (WHERE {condition})"


def _measure_numeric(name: str, spec: FieldSpec, precision: int | None) -> Measure:
    """Measure decimals; a type of 15 digits at most says itself what its values have.

    Counting the digits of each value costs as much as all else together, and only a type without
    digits of its own takes infinities.
    """
    size = f"length({name}::text)" if spec.op == "decimal_text" else "8"
    nans = {"nans": _count(f"{name} = 'NaN'")}
    if precision and precision <= EXACT_DIGITS:
        return Measure(size, nans, {"digits": precision})
    finite = f"FILTER (WHERE {name} NOT IN ('NaN', 'Infinity', '-Infinity'))"
    digits = f"length(trim(BOTH '0' FROM translate({name}::text, '-.', '')))"
    return Measure(
        size,
        {
            "digits": f"max({digits}) {finite}",
            **nans,
            "infinities": _count(f"{name} IN ('Infinity', '-Infinity')"),
            "min_int": f"floor(min({name}) {finite})",
            "max_int": f"ceil(max({name}) {finite})",
        },
    )


def _measure_date(name: str, kind: str) -> Measure:
    low, high = f"'0001-01-01'::{kind}", f"'10000-01-01'::{kind}"
    outside = f"isfinite({name}) AND ({name} < {low} OR {name} >= {high})"
    return Measure(
        str(_DATE_BYTES[kind]),
        {"infinities": _count(f"NOT isfinite({name})"), "outside_dates": _count(outside)},
    )


_MAKERS: dict[int, Callable[[str, FieldSpec], Measure]] = {
    17: _measure_bytes,
    1083: _measure_time,
    1266: _measure_timetz,
    700: _measure_float,
    701: _measure_float,
    790: _measure_money,
    1186: _measure_interval,
}
