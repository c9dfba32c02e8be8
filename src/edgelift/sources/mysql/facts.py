"""What the data of a MySQL table is like: limits and losses are judged on it before it moves."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

import msgspec

from edgelift.model.row_spec import FieldSpec, RowSpec
from edgelift.sources.mysql.chunks import KeyIndex, build_from
from edgelift.sources.mysql.connection import MySqlSession, quote_name, quote_text
from edgelift.sources.origin_database import ColumnFacts, TableFacts

_EXACT_DIGITS = 15
_UTF8 = frozenset({"utf8mb4", "utf8mb3", "utf8"})
_UNICODE = _UTF8 | {"ucs2", "utf16", "utf16le", "utf32"}
_PRECISION = re.compile(r"\((\d+)")
_DAY_END = "'23:59:59.999999'"
# Bytes that a value of a bounded form takes in SQLite, at most; its NULLs count as much.
_SIZES: Mapping[str, int] = {
    "int": 8,
    "int_text": 20,
    "bool": 1,
    "float": 8,
    "decimal_real15": 8,
    "decimal_scaled": 8,
    "uuid": 36,
    "uuid5": 36,
    "uuid7": 36,
    "date": 10,
    "time": 15,
    "timestamp": 26,
    "interval": 26,
    "bit": 64,
}
_STYLE_SIZES: Mapping[str, int] = {
    "style=int": 8,
    "style=unix": 8,
    "style=unix_ms": 8,
    "style=unix_us": 8,
    "style=micros": 8,
    "style=hex": 32,
    "style=blob": 16,
}


@dataclass
class _Query:
    """The aggregates of one table: each is asked for once and found again by its place."""

    expressions: list[str] = field(default_factory=list)

    def add(self, expression: str) -> int:
        """Return the place of an aggregate in the result."""
        if expression not in self.expressions:
            self.expressions.append(expression)
        return self.expressions.index(expression)


def read_facts(session: MySqlSession, spec: RowSpec) -> TableFacts:
    """Return the facts of a table: exact counts and sizes, from one pass over it."""
    query = _Query()
    rows = query.add("COUNT(*)")
    charsets = _read_charsets(session, spec)
    given = [column for column in spec.fields if column.op != "refused"]
    fields = [_as_utf8(column, charsets.get(column.read, "")) for column in given]
    places = {column.column: _ask(query, column) for column in fields}
    for column in given:
        charset = charsets.get(column.read, "utf8mb4")
        if charset not in _UNICODE:
            places[column.column]["unmappable"] = query.add(_count_unmappable(column.read, charset))
    sizes = [_measure(column) for column in fields]
    whole = " + ".join(f"COALESCE({size}, 0)" for size in sizes) or "0"
    largest, total = query.add(f"MAX({whole})"), query.add(f"SUM({whole})")
    where = f" WHERE {spec.where}" if spec.where else ""
    found = session.read_texts(
        f"SELECT {', '.join(query.expressions)} FROM {build_from(spec, KeyIndex())}{where}"
    )[0]
    numbers = [None if value is None else int(value) for value in found]
    return TableFacts(
        rows=numbers[rows] or 0,
        row_bytes=numbers[largest] or 0,
        total_bytes=numbers[total] or 0,
        columns={
            name: _to_facts({key: numbers[place] for key, place in asked.items()})
            for name, asked in places.items()
        },
    )


def _read_charsets(session: MySqlSession, spec: RowSpec) -> dict[str, str]:
    """Return the character sets of a table's text columns by quoted name."""
    sql = (
        "SELECT COLUMN_NAME, CHARACTER_SET_NAME FROM information_schema.COLUMNS "
        f"WHERE TABLE_SCHEMA = {quote_text(spec.schema)} AND TABLE_NAME = {quote_text(spec.table)} "
        "AND CHARACTER_SET_NAME IS NOT NULL"
    )
    return {quote_name(name or ""): charset or "" for name, charset in session.read_texts(sql)}


def _as_utf8(column: FieldSpec, charset: str) -> FieldSpec:
    """Return a text column so that its bytes are those that the server sends."""
    if column.op in _SIZES or column.op in {"blob", "wkb"} or charset in _UTF8:
        return column
    return msgspec.structs.replace(column, read=f"CONVERT({column.read} USING utf8mb4)")


def _count_unmappable(read: str, charset: str) -> str:
    """Return the count of texts with bytes that their character set gives no meaning to.

    The server sends a question mark for each, without a word.
    """
    back = f"CONVERT(CONVERT({read} USING utf8mb4) USING {charset})"
    return f"SUM(CAST({back} AS BINARY) <> CAST({read} AS BINARY))"


def _to_facts(found: Mapping[str, int | None]) -> ColumnFacts:
    counts = {key: value or 0 for key, value in found.items() if key not in {"min_int", "max_int"}}
    return ColumnFacts(min_int=found.get("min_int"), max_int=found.get("max_int"), **counts)


def _ask(query: _Query, column: FieldSpec) -> dict[str, int]:
    asked = {"max_bytes": query.add(f"MAX({_measure(column)})")}
    if not column.not_null:
        asked["nulls"] = query.add(f"SUM({column.read} IS NULL)")
    maker = _QUESTIONS.get(column.op)
    if maker is not None:
        asked |= {name: query.add(sql) for name, sql in maker(column)}
    return asked


def _measure(column: FieldSpec) -> str:
    """Return the bytes of a value as it will lie in SQLite."""
    read = column.read
    if column.op == "blob":
        return f"LENGTH({read})"
    if column.op == "wkb":
        return f"LENGTH({read}) - 4"
    if column.op in _SIZES:
        styles = [_STYLE_SIZES[word] for word in column.argument.split() if word in _STYLE_SIZES]
        return str(styles[0] if styles else _SIZES[column.op])
    return f"LENGTH({read})"


def _ask_integer(column: FieldSpec) -> Iterator[tuple[str, str]]:
    yield "min_int", f"MIN({column.read})"
    yield "max_int", f"MAX({column.read})"


def _ask_bits(column: FieldSpec) -> Iterator[tuple[str, str]]:
    yield "max_int", f"MAX({column.read} + 0)"


def _ask_srid(column: FieldSpec) -> Iterator[tuple[str, str]]:
    yield "min_int", f"MIN(ST_SRID({column.read}))"
    yield "max_int", f"MAX(ST_SRID({column.read}))"


def _ask_decimal(column: FieldSpec) -> Iterator[tuple[str, str]]:
    declared = _PRECISION.search(column.target_type)
    if declared and int(declared.group(1)) <= _EXACT_DIGITS:
        return
    bare = f"REPLACE(REPLACE({column.read}, '-', ''), '.', '')"
    yield "digits", f"MAX(LENGTH(TRIM(BOTH '0' FROM {bare})))"


def _ask_text(column: FieldSpec) -> Iterator[tuple[str, str]]:
    read = column.read
    yield "non_ascii", f"SUM(LENGTH({read}) <> CHAR_LENGTH({read}))"
    yield "nul_texts", rf"SUM({read} LIKE BINARY '%\0%')"  # three times as fast as INSTR


def _ask_day(column: FieldSpec) -> Iterator[tuple[str, str]]:
    read = column.read
    zero = f"(DAYOFMONTH({read}) = 0 OR MONTH({read}) = 0)"
    yield "zero_dates", f"SUM({zero})"
    # What is no day gives NULL: 2024-02-31 of ALLOW_INVALID_DATES, the year 0.
    yield "outside_dates", f"SUM(NOT {zero} AND ({read} + INTERVAL 0 DAY) IS NULL)"


def _ask_time(column: FieldSpec) -> Iterator[tuple[str, str]]:
    yield "outside_dates", f"SUM({column.read} < '00:00:00' OR {column.read} > {_DAY_END})"


_QUESTIONS: Mapping[str, Callable[[FieldSpec], Iterator[tuple[str, str]]]] = {
    "int": _ask_integer,
    "int_text": _ask_integer,
    "uuid5": _ask_integer,
    "uuid7": _ask_integer,
    "bool": _ask_integer,
    "bit": _ask_bits,
    "wkb": _ask_srid,
    "decimal_real15": _ask_decimal,
    "decimal_scaled": _ask_decimal,
    "text": _ask_text,
    "date": _ask_day,
    "timestamp": _ask_day,
    "time": _ask_time,
}
