"""The whole catalogue of a MySQL or MariaDB database, read into OriginSchema."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

import msgspec

from edgelift.model.origin_schema import (
    OriginCheck,
    OriginColumn,
    OriginForeignKey,
    OriginIndex,
    OriginKey,
    OriginSchema,
    OriginSequence,
    OriginTable,
)
from edgelift.sources.mysql import catalogue_objects as objects
from edgelift.sources.mysql.catalogue_columns import (
    fix_byte_defaults,
    holds_bytes,
    read_byte_defaults,
    read_columns,
)
from edgelift.sources.mysql.catalogue_keys import (
    TableKeys,
    find_json_columns,
    read_checks,
    read_foreign_keys,
    read_index_lines,
    read_keys,
)
from edgelift.sources.mysql.connection import MySqlSession, quote_name, quote_text

_TABLES = """
SELECT TABLE_NAME, TABLE_TYPE, ENGINE, TABLE_ROWS, DATA_LENGTH + INDEX_LENGTH, AUTO_INCREMENT,
  TABLE_COMMENT FROM information_schema.TABLES WHERE TABLE_SCHEMA = {schema} ORDER BY TABLE_NAME
"""
_FOREIGN = frozenset({"FEDERATED", "CONNECT", "SPIDER", "S3", "OQGRAPH"})
_TRANSACTIONAL = frozenset({"INNODB", "ROCKSDB", "NDBCLUSTER", "TOKUDB"})
_PARTITIONS = re.compile(r"\n(?:/\*!\d+)?\s*(PARTITION BY .*?)(?:\s*\*/)?\s*$", re.DOTALL)
_ROW_END = re.compile(r"PERIOD FOR SYSTEM_TIME \(`(?:[^`]|``)+`, `((?:[^`]|``)+)`\)")
_PERIOD = re.compile(r"^\s*PERIOD FOR (`(?:[^`]|``)+`|SYSTEM_TIME)", re.MULTILINE)


@dataclass(frozen=True)
class _Listed:
    """One row of information_schema.TABLES."""

    name: str
    type: str
    engine: str
    rows: int
    size: int
    auto_increment: int
    comment: str


@dataclass
class _Parts:
    """What was read of all tables at once, by table."""

    columns: dict[str, list[OriginColumn]]
    keys: dict[str, TableKeys]
    foreign_keys: dict[str, list[OriginForeignKey]]
    checks: dict[str, list[OriginCheck]]
    others: list[tuple[str, str]] = field(default_factory=list)


def read_schema(session: MySqlSession) -> OriginSchema:
    """Return the catalogue of the database that the session's URL names."""
    schema = session.place.database
    listed = list(_list_tables(session, schema))
    checks = read_checks(session, schema)
    columns = read_columns(session, schema, find_json_columns(checks))
    keys, foreign = read_keys(session, schema), read_foreign_keys(session, schema)
    parts = _Parts(columns, keys, foreign, checks)
    real = [row for row in listed if row.type in {"BASE TABLE", "SYSTEM VERSIONED"}]
    tables = [_read_table(session, schema, row, parts) for row in real if row.engine]
    parts.others += [
        ("broken table", f"{row.name}: {row.comment}") for row in real if not row.engine
    ]
    named = [row.name for row in listed if row.type == "SEQUENCE"]
    return OriginSchema(
        dialect="mysql",
        version=session.version.written,
        database=schema,
        tables=tuple(tables),
        views=tuple(objects.read_views(session, schema, columns)),
        triggers=tuple(objects.read_triggers(session, schema)),
        routines=tuple(objects.read_routines(session, schema)),
        sequences=(
            *_list_counters(schema, real, parts),
            *objects.read_sequences(session, schema, named),
        ),
        others=(
            *parts.others,
            *objects.list_others(session, schema),
            *objects.read_hidden(session, schema),
        ),
    )


def _list_tables(session: MySqlSession, schema: str) -> Iterator[_Listed]:
    for row in session.read_texts(_TABLES.format(schema=quote_text(schema))):
        name, kind, engine, rows, size, counter, comment = (value or "" for value in row)
        yield _Listed(
            name, kind, engine, int(rows or 0), int(size or 0), int(counter or 0), comment
        )


def _read_table(session: MySqlSession, schema: str, row: _Listed, parts: _Parts) -> OriginTable:
    created = session.read_texts(f"SHOW CREATE TABLE {quote_name(schema)}.{quote_name(row.name)}")
    written = created[0][1] or ""
    columns = parts.columns.get(row.name, [])
    if any(holds_bytes(column) for column in columns):
        columns = fix_byte_defaults(columns, _read_raw_defaults(session, schema, row.name))
    partitions = _PARTITIONS.search(written)
    parts.others += _list_specials(row, written)
    of_table = parts.keys.get(row.name, TableKeys())
    return OriginTable(
        schema=schema,
        name=row.name,
        columns=tuple(columns),
        kind=_read_kind(row, partitioned=partitions is not None),
        keys=tuple(_without_row_end(of_table.keys, written)),
        foreign_keys=tuple(parts.foreign_keys.get(row.name, ())),
        checks=tuple(parts.checks.get(row.name, ())),
        indexes=tuple(_with_lines(of_table.indexes, written)),
        partition_bound=" ".join(partitions.group(1).split()) if partitions else "",
        comment=row.comment,
        row_estimate=row.rows,
        size_bytes=row.size,
        transactional=row.engine.upper() in _TRANSACTIONAL,
    )


def _read_kind(row: _Listed, *, partitioned: bool) -> str:
    if row.engine.upper() in _FOREIGN:
        return "foreign"
    if row.engine.upper() == "MEMORY":
        return "unlogged"
    return "partitioned" if partitioned else "table"


def _list_specials(row: _Listed, written: str) -> Iterator[tuple[str, str]]:
    """Yield what a table is beyond a table: what SQLite has no word for."""
    if row.type == "SYSTEM VERSIONED":
        yield "system-versioned table", row.name
    for period in _PERIOD.findall(written):
        if period != "SYSTEM_TIME":
            yield "period", f"{row.name}.{period.strip('`')}"


def _without_row_end(keys: list[OriginKey], written: str) -> Iterator[OriginKey]:
    """Yield the keys as today's rows have them: the server adds the end of each version."""
    found = _ROW_END.search(written)
    end = found.group(1).replace("``", "`") if found else ""
    for key in keys:
        columns = tuple(column for column in key.columns if column != end)
        yield msgspec.structs.replace(key, columns=columns)


def _with_lines(indexes: list[OriginIndex], written: str) -> Iterator[OriginIndex]:
    lines = read_index_lines(written)
    for index in indexes:
        yield msgspec.structs.replace(index, written=lines.get(index.name, ""))


def _read_raw_defaults(session: MySqlSession, schema: str, table: str) -> dict[str, str]:
    """Return the defaults of binary columns: the server sends them unharmed only unconverted."""
    session.run("SET SESSION character_set_results = NULL")
    try:
        place = f"{quote_name(schema)}.{quote_name(table)}"
        row = session.read_texts(f"SHOW CREATE TABLE {place}")[0]
    finally:
        session.run("SET SESSION character_set_results = utf8mb4")
    return read_byte_defaults((row[1] or "").encode(errors="surrogateescape"))


def _list_counters(schema: str, listed: list[_Listed], parts: _Parts) -> Iterator[OriginSequence]:
    """Yield the state of each AUTO_INCREMENT column; its sequence has the table's name."""
    for row in listed:
        for column in parts.columns.get(row.name, ()):
            if column.identity:
                yield OriginSequence(
                    schema=schema,
                    name=row.name,
                    last=row.auto_increment - 1 if row.auto_increment > 1 else None,
                    owner=f"{schema}.{row.name}.{column.name}",
                )
