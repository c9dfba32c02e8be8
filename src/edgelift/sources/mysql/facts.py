"""What the data of a MySQL table is like: limits and losses are judged on it before it moves."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec

from edgelift.model.row_spec import FieldSpec, RowSpec
from edgelift.sources.mysql.chunks import KeyIndex, build_from
from edgelift.sources.mysql.connection import MySqlSession, quote_name, quote_text
from edgelift.sources.origin_database import LARGE_ROW_BYTES, ColumnFacts, TableFacts

_EXACT_DIGITS = 15
_UTF8 = frozenset({"utf8mb4", "utf8mb3", "utf8"})
_UNICODE = _UTF8 | {"ucs2", "utf16", "utf16le", "utf32"}
_MOST_JOINED = 256 * 1024
_PRECISION = re.compile(r"\((\d+)")
_SMALL = frozenset({"tinyint", "smallint", "mediumint", "int", "year"})  # far below 2^53
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
    """Aggregates over one table, asked in one pass; each name holds a column and what is asked."""

    session: MySqlSession
    spec: RowSpec
    expressions: dict[tuple[str, str], str] = field(default_factory=dict)

    def run(self) -> dict[tuple[str, str], int | None]:
        """Return the aggregates' values."""
        where = f" WHERE {self.spec.where}" if self.spec.where else ""
        listed = ", ".join(self.expressions.values())
        source = build_from(self.spec, KeyIndex())
        found = self.session.read_texts(f"SELECT {listed} FROM {source}{where}")[0]
        numbers = [None if value is None else int(value) for value in found]
        return dict(zip(self.expressions, numbers, strict=True))


def read_facts(session: MySqlSession, spec: RowSpec) -> TableFacts:
    """Return the facts of a table: exact counts and sizes, from one pass over it.

    A second pass asks column by column where the first found something in a group of them: NULs,
    days that are none, rows of LARGE_ROW_BYTES.
    """
    described = _describe_columns(session, spec)
    given = [column for column in spec.fields if column.op != "refused"]
    fields = [_as_utf8(column, described) for column in given]
    query = _Query(session, spec, {("", "rows"): "COUNT(*)"})
    for column in fields:
        query.expressions |= {(column.column, key): sql for key, sql in _ask(column, described)}
    for column in given:
        charset = described.get(column.read, _EXPRESSION).charset or "utf8mb4"
        if charset not in _UNICODE:
            asked = _count_unmappable(column.read, charset)
            query.expressions[column.column, "unmappable"] = asked
    groups = list(_join_texts(fields, described))
    for number, (joined, columns) in enumerate(groups):
        if any(column.op == "text" for column in columns):
            query.expressions["", f"nul{number}"] = _count_nuls(joined)
    whole = _measure_all(fields, groups)
    query.expressions |= {("", "row"): f"MAX({whole})", ("", "all"): f"SUM({whole})"}
    found = query.run()
    nuls = [
        column
        for number, (_, columns) in enumerate(groups)
        for column in columns
        if found.get(("", f"nul{number}")) and column.op == "text"
    ]
    row_bytes = found["", "row"] or 0
    second = _Query(session, spec)
    for column in fields:
        large = row_bytes > LARGE_ROW_BYTES
        again = _ask_again(column, found, in_nuls=column in nuls, large=large)
        second.expressions |= {(column.column, key): sql for key, sql in again}
    if second.expressions:
        found |= second.run()
    return TableFacts(
        rows=found["", "rows"] or 0,
        row_bytes=row_bytes,
        total_bytes=found["", "all"] or 0,
        columns={column.column: _to_facts(column, found) for column in fields},
    )


def _ask_again(
    column: FieldSpec, found: Mapping[tuple[str, str], int | None], *, in_nuls: bool, large: bool
) -> Iterator[tuple[str, str]]:
    if large:
        yield "max_bytes", f"MAX({_measure(column)})"
    if in_nuls:
        yield "nul_texts", _count_nuls(column.read)
    if found.get((column.column, "no_days")):
        yield from _ask_days(column)


def read_groups(
    session: MySqlSession, spec: RowSpec, group: str
) -> dict[str | None, tuple[int, int]]:
    """Return rows and bytes by the value of an expression, from one pass over the table."""
    described = _describe_columns(session, spec)
    fields = [_as_utf8(column, described) for column in spec.fields if column.op != "refused"]
    size = _measure_all(fields, list(_join_texts(fields, described)))
    where = f" WHERE {spec.where}" if spec.where else ""
    source = build_from(spec, KeyIndex())
    found = session.read_texts(
        f"SELECT {group} AS edgelift_g, COUNT(*), SUM({size}) FROM {source}{where} "
        "GROUP BY edgelift_g"
    )
    return {value: (int(rows or 0), int(total or 0)) for value, rows, total in found}


class _Column(msgspec.Struct, frozen=True):
    """What the catalogue says of a column: `octets` is its longest value in its own charset."""

    kind: str = ""
    charset: str = ""
    collation: str = ""
    octets: int = 0


_Described = Mapping[str, _Column]
_EXPRESSION = _Column()


def _describe_columns(session: MySqlSession, spec: RowSpec) -> _Described:
    """Return a table's columns by quoted name; an expression is none of them."""
    sql = (
        "SELECT COLUMN_NAME, DATA_TYPE, CHARACTER_SET_NAME, COLLATION_NAME, "
        "CHARACTER_OCTET_LENGTH FROM information_schema.COLUMNS "
        f"WHERE TABLE_SCHEMA = {quote_text(spec.schema)} AND TABLE_NAME = {quote_text(spec.table)}"
    )
    return {
        quote_name(name or ""): _Column(
            kind or "", charset or "", collation or "", int(octets or 0)
        )
        for name, kind, charset, collation, octets in session.read_texts(sql)
    }


def _join_texts(
    fields: Iterable[FieldSpec], described: _Described
) -> Iterator[tuple[str, list[FieldSpec]]]:
    """Yield the texts of a row, those of one collation as one text, which is asked at once.

    A function's result is NULL when it may not be sent in one packet, so only columns whose longest
    values fit the smallest default (max_allowed_packet, 1 MB) together are joined.
    """
    groups: dict[tuple[str, int], list[FieldSpec]] = {}
    filled: dict[str, int] = {}
    for column in fields:
        if not _is_text(column):
            continue
        known = described.get(column.read, _EXPRESSION)
        if not known.collation or not 0 < known.octets <= _MOST_JOINED:
            yield column.read, [column]
            continue
        filled[known.collation] = filled.get(known.collation, 0) + known.octets
        place = (known.collation, filled[known.collation] // _MOST_JOINED)
        groups.setdefault(place, []).append(column)
    for columns in groups.values():
        reads = ", ".join(column.read for column in columns)
        yield (f"CONCAT_WS('', {reads})" if len(columns) > 1 else reads), columns


def _measure_all(fields: Iterable[FieldSpec], groups: list[tuple[str, list[FieldSpec]]]) -> str:
    """Return the bytes of a row; values of a bounded form count as their largest."""
    joined = {column.column for _, columns in groups for column in columns}
    sizes = [_measure(column) for column in fields if column.column not in joined]
    sizes += [f"LENGTH({text})" for text, _ in groups]
    fixed = sum(int(size) for size in sizes if size.isdigit())
    asked = [f"COALESCE({size}, 0)" for size in sizes if not size.isdigit()]
    return " + ".join([str(fixed), *asked])


def _is_text(column: FieldSpec) -> bool:
    """Return whether a column's values become texts of their own length."""
    return column.op not in _SIZES and column.op not in {"blob", "wkb"}


def _as_utf8(column: FieldSpec, described: _Described) -> FieldSpec:
    """Return a text column so that its bytes are those that the server sends."""
    if not _is_text(column) or described.get(column.read, _EXPRESSION).charset in _UTF8:
        return column
    return msgspec.structs.replace(column, read=f"CONVERT({column.read} USING utf8mb4)")


def _count_unmappable(read: str, charset: str) -> str:
    """Return the count of texts with bytes that their character set gives no meaning to.

    The server sends a question mark for each, without a word.
    """
    back = f"CONVERT(CONVERT({read} USING utf8mb4) USING {charset})"
    return _count(f"CAST({back} AS BINARY) <> CAST({read} AS BINARY)")


def _to_facts(column: FieldSpec, found: Mapping[tuple[str, str], int | None]) -> ColumnFacts:
    own = {key: value for (name, key), value in found.items() if name == column.column}
    own.pop("no_days", None)
    bounds = {"min_int", "max_int"}
    counts: dict[str, Any] = {k: v or 0 for k, v in own.items() if k not in bounds}
    return ColumnFacts(min_int=own.get("min_int"), max_int=own.get("max_int"), **counts)


def _count(condition: str) -> str:
    """Return the aggregate that counts rows; SUM would add decimals, at twice the cost."""
    return f"COUNT(({condition}) OR NULL)"


def _ask(column: FieldSpec, described: _Described) -> Iterator[tuple[str, str]]:
    known = described.get(column.read, _EXPRESSION)
    if known.kind in _SMALL and column.op in {"int", "int_text"}:
        return
    maker = _QUESTIONS.get(column.op)
    if maker is _ask_integer and known.charset:
        # A text: what is no number counts as none here, and is refused when it is tried.
        read = f"CAST({column.read} AS DECIMAL(60, 0))"
        yield from maker(msgspec.structs.replace(column, read=read))
    elif maker is not None:
        yield from maker(column)


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


def _count_nuls(text: str) -> str:
    return _count(rf"{text} LIKE BINARY '%\0%'")  # a third of what INSTR costs


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
    if column.folds:
        yield "non_ascii", _count(f"LENGTH({read}) <> CHAR_LENGTH({read})")


def _ask_day(column: FieldSpec) -> Iterator[tuple[str, str]]:
    read = column.read
    lost = f"({read} + INTERVAL 0 DAY) IS NULL"  # what is no day
    yield "no_days", _count(lost if column.not_null else f"{lost} AND {read} IS NOT NULL")
    words = column.argument.split()
    if "fraction=floor" in words:
        unit = 1000 if "style=unix_ms" in words else 1_000_000
        yield "fractions", _count(f"MICROSECOND({read}) % {unit} <> 0")


def _ask_days(column: FieldSpec) -> Iterator[tuple[str, str]]:
    """Ask for zero dates, and for the year 0 and 2024-02-31 (ALLOW_INVALID_DATES)."""
    read = column.read
    zero = f"(DAYOFMONTH({read}) = 0 OR MONTH({read}) = 0)"
    yield "zero_dates", _count(zero)
    yield "outside_dates", _count(f"NOT {zero} AND ({read} + INTERVAL 0 DAY) IS NULL")


def _ask_time(column: FieldSpec) -> Iterator[tuple[str, str]]:
    yield "outside_dates", _count(f"{column.read} < '00:00:00' OR {column.read} > {_DAY_END}")


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
