"""The rules that need the rows: sizes, values and broken constraints, looked up in the snapshot."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator

from edgelift.model.catalogue import Catalogue, Column, Table
from edgelift.sources.sqlite_catalogue import quote_identifier
from edgelift.sources.sqlite_rows import find_rowid, read_batches
from edgelift.sources.sqlite_values import show_value
from edgelift.stages.schema.issues import ERROR, NOTE, WARNING, Issue
from edgelift.stages.schema.server.parts import write_toml
from edgelift.targets import d1_dialect as d1

_ESCAPED = re.compile("[\udc80-\udcff]")  # what bytes that are not UTF-8 are read as
_NAMED_ROWS = 3  # rows named in one message


def judge_rows(
    db: sqlite3.Connection, catalogue: Catalogue, violations: tuple[str, ...]
) -> Iterator[Issue]:
    """Yield issues of the data in an open snapshot; `violations` are quick_check's own words."""
    yield from _judge_file(db)
    for violation in violations:
        yield Issue(
            "SCHEMA-RULE-BROKEN", ERROR, "database", "", f"rows break their table: {violation}",
            "mend these rows at the origin; D1's import would refuse them",
        )  # fmt: skip
    for table in catalogue.tables:
        if table.virtual or not table.rows or len(table.columns) > d1.MAX_COLUMNS:
            continue
        yield from _judge_values(db, table)
        yield from _judge_text(db, table)
        if table.foreign_keys:
            yield from _judge_references(db, table)


def _judge_file(db: sqlite3.Connection) -> Iterator[Issue]:
    pages, free, page_bytes = (
        int(db.execute(f"PRAGMA {name}").fetchone()[0])
        for name in ("page_count", "freelist_count", "page_size")
    )
    yield from judge_size((pages - free) * page_bytes)


def judge_size(size: int) -> Iterator[Issue]:
    """Yield what the bytes of a whole database break; whoever calls says which are counted."""
    if size > d1.MAX_DATABASE_BYTES:
        yield Issue(
            "SCHEMA-DATABASE-SIZE", ERROR, "database", "",
            f"holds {size} bytes, Cloudflare takes {d1.MAX_DATABASE_BYTES}",
            "offload large columns to R2 ([[schema.cast]] as = 'offload'), leave tables out under "
            "[schema] exclude, or split it: [data.shards]",
        )  # fmt: skip
    elif size > d1.FREE_DATABASE_BYTES:
        yield Issue(
            "SCHEMA-DATABASE-SIZE-FREE", NOTE, "database", "",
            f"holds {size} bytes; a free account takes {d1.FREE_DATABASE_BYTES}",
        )  # fmt: skip


def _size_of(column: str) -> str:
    return (
        f"CASE typeof({column}) WHEN 'text' THEN length(CAST({column} AS BLOB)) "
        f"WHEN 'blob' THEN length({column}) WHEN 'null' THEN 0 ELSE 8 END"
    )


def _judge_values(db: sqlite3.Connection, table: Table) -> Iterator[Issue]:
    """Look at every value once, in one scan of the table."""
    columns = [f"t.{quote_identifier(column.name)}" for column in table.columns]
    name = f"main.{quote_identifier(table.name)}"
    size = " + ".join(_size_of(column) for column in columns)
    limit = d1.MAX_EXACT_INTEGER
    counted = [
        f"total(typeof({c})='integer' AND ({c} > {limit} OR {c} < -{limit})), "
        f"total(typeof({c})='real' AND ({c} = 9e999 OR {c} = -9e999))"
        for c in columns
    ]
    query = f"SELECT total({size} > ?), {', '.join(counted)} FROM {name} AS t"
    large, *rest = db.execute(query, (d1.MAX_ROW_BYTES,)).fetchone()
    if large:
        yield _large_rows(db, table, int(large), size)
    for column, big, infinite in zip(table.columns, rest[::2], rest[1::2], strict=True):
        yield from _judge_numbers(table, column, int(big), int(infinite))


def _judge_numbers(table: Table, column: Column, big: int, infinite: int) -> Iterator[Issue]:
    if big:
        yield Issue(
            "SCHEMA-INTEGER-RANGE", NOTE, "table", table.name,
            f"column {column.name} holds {big} integers beyond 2^53; they are kept exactly and "
            "edgelift's driver reads them exactly, but JavaScript clients round them",
            column=column.name,
        )  # fmt: skip
    if infinite:
        yield Issue(
            "SCHEMA-FLOAT-INFINITE", NOTE, "table", table.name,
            f"column {column.name} holds {infinite} infinite numbers; they are kept exactly and "
            "edgelift's driver reads them exactly, but JavaScript clients see null",
            column=column.name,
        )  # fmt: skip


def _large_rows(db: sqlite3.Connection, table: Table, count: int, size: str) -> Issue:
    key = table.primary_key or ((find_rowid(table),) if find_rowid(table) else ())
    names = [f"t.{quote_identifier(k)}" if k in table.primary_key else k for k in key]
    listed = "".join(f"{name}, " for name in names)
    rows = db.execute(
        f"SELECT {listed}{size} FROM main.{quote_identifier(table.name)} AS t "
        f"WHERE {size} > ? LIMIT {_NAMED_ROWS}",
        (d1.MAX_ROW_BYTES,),
    ).fetchall()
    named = "; ".join(f"{_show_key(key, row[:-1])} has {row[-1]} bytes" for row in rows)
    column = write_toml(_find_largest(db, table))
    return Issue(
        "SCHEMA-ROW-SIZE", ERROR, "table", table.name,
        f"{count} of {table.rows} rows are larger than the {d1.MAX_ROW_BYTES} bytes Cloudflare "
        f"takes: {named}",
        f"offload the large values to R2: [[schema.cast]] table = {write_toml(table.name)}, column "
        f"= {column}, as = 'offload'; below an app move them to files or R2 at the origin first",
    )  # fmt: skip


def _find_largest(db: sqlite3.Connection, table: Table) -> str:
    """Return the column that holds the largest value."""
    sizes = ", ".join(f"max({_size_of(quote_identifier(c.name))})" for c in table.columns)
    found = db.execute(f"SELECT {sizes} FROM main.{quote_identifier(table.name)}").fetchone()
    most = max(range(len(found)), key=lambda place: found[place] or 0)
    return table.columns[most].name


def _show_key(key: tuple[str, ...], values: tuple[object, ...]) -> str:
    shown = (f"{k}={show_value(v)}" for k, v in zip(key, values, strict=True))
    return ", ".join(shown) or "a row"


def _judge_text(db: sqlite3.Connection, table: Table) -> Iterator[Issue]:
    names = [f"t.{quote_identifier(column.name)}" for column in table.columns]
    texts = ", ".join(f"CASE WHEN typeof({name})='text' THEN {name} END" for name in names)
    query = f"SELECT {texts} FROM main.{quote_identifier(table.name)} AS t"
    if _is_readable(db, query):
        return
    wrong = [0] * len(names)
    for batch in read_batches(db, query):
        for row in batch:
            for place, text in enumerate(row):
                wrong[place] += text is not None and bool(_ESCAPED.search(text))
    for column, count in zip(table.columns, wrong, strict=True):
        if count:
            yield Issue(
                "SCHEMA-TEXT-INVALID", WARNING, "table", table.name,
                f"column {column.name} holds {count} texts that are not UTF-8; their bytes are "
                "kept, but JavaScript shows U+FFFD where they are wrong",
                "store bytes as BLOB at the origin", column=column.name,
            )  # fmt: skip


def _is_readable(db: sqlite3.Connection, query: str) -> bool:
    """Return whether Python decodes every text of a query's rows as UTF-8."""
    db.text_factory = str
    try:
        for _ in db.execute(query):
            pass
    except sqlite3.OperationalError as error:
        if "decode" not in str(error).lower():
            raise
        return False
    return True


def _judge_references(db: sqlite3.Connection, table: Table) -> Iterator[Issue]:
    tip = "mend these rows at the origin; Cloudflare enforces foreign keys always"
    try:
        rows = db.execute(
            f"PRAGMA main.foreign_key_check({quote_identifier(table.name)})"
        ).fetchall()
    except sqlite3.OperationalError as error:
        yield Issue(
            "SCHEMA-FK-VIOLATION", ERROR, "table", table.name,
            f"its foreign keys cannot be checked: {error}", tip,
        )  # fmt: skip
        return
    if rows:
        named = "; ".join(
            f"rowid {rowid} refers to a missing row of {parent}"
            for _, rowid, parent, _ in rows[:_NAMED_ROWS]
        )
        yield Issue(
            "SCHEMA-FK-VIOLATION", ERROR, "table", table.name,
            f"{len(rows)} rows break a foreign key: {named}", tip,
        )  # fmt: skip
