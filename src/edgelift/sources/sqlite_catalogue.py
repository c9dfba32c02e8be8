"""Read the typed catalogue of an open SQLite database: by pragma, and from the DDL for the rest."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from typing import Any, NamedTuple, Protocol

import apsw

from edgelift.errors import OriginError
from edgelift.model.catalogue import Catalogue, Column, ForeignKey, Index, SqlObject, Table
from edgelift.sources.sqlite_ddl import ParsedTable, parse_create_table

OLDEST_SQLITE = (3, 37, 0)  # the first with PRAGMA table_list
# What edgelift itself put into a file, such as the log of changes that `follow` reads, never moves.
NOT_OURS = "substr(name, 1, 10) <> '_edgelift_'"
_VIRTUAL, _STORED = 2, 3  # values of `hidden` in PRAGMA table_xinfo
_HIDDEN_OF_VIRTUAL_TABLE = 1


class Reader(Protocol):
    """A connection of sqlite3 or apsw; views of a target may be newer than Python's own SQLite."""

    def execute(self, sql: str, values: Any = ..., /) -> Any:
        """Run a statement and return its cursor."""


class _Entry(NamedTuple):
    """A row of sqlite_schema."""

    type: str
    name: str
    table: str
    sql: str


def quote_identifier(name: str) -> str:
    """Return a name quoted for SQL, whatever characters it holds."""
    return '"' + name.replace('"', '""') + '"'


def describe_orphan(table: object, rowid: object, parent: object) -> str:
    """Return in words what foreign_key_check found; faults of both sides are known by them."""
    return f"{table} row {rowid} has no parent in {parent}"


def read_catalogue(db: Reader) -> Catalogue:
    """Return the whole catalogue, read in one transaction, with the rows of every table counted.

    Raises the connection's own errors, and OriginError when Python's own SQLite is too old.
    """
    if isinstance(db, sqlite3.Connection) and sqlite3.sqlite_version_info < OLDEST_SQLITE:
        raise OriginError(
            "The SQLite in this Python is too old to read a catalogue",
            why=f"it is {sqlite3.sqlite_version}, needed is {'.'.join(map(str, OLDEST_SQLITE))}",
            tip="run edgelift with a newer Python",
        )
    db.execute("BEGIN")
    try:
        return _read(db)
    finally:
        db.execute("ROLLBACK")


def _read(db: Reader) -> Catalogue:
    entries = [
        _Entry(*row)
        for row in db.execute(
            "SELECT type, name, tbl_name, coalesce(sql, '') FROM sqlite_schema "
            f"WHERE {NOT_OURS} ORDER BY rowid"
        )
    ]
    kinds: dict[str, tuple[str, bool, bool]] = {
        name: (kind, bool(without_rowid), bool(strict))
        for schema, name, kind, _columns, without_rowid, strict in db.execute("PRAGMA table_list")
        if schema == "main"
    }
    shadows = {name for name, (kind, _, _) in kinds.items() if kind == "shadow"}
    system = [e.name for e in entries if e.type == "table" and e.name.startswith("sqlite_")]
    tables = [
        _read_table(db, entry, kinds.get(entry.name, ("table", False, False)))
        for entry in entries
        if entry.type == "table" and entry.name not in shadows and entry.name not in system
    ]
    sql_of_index = {e.name: e.sql for e in entries if e.type == "index"}
    return Catalogue(
        dialect="sqlite",
        tables=tuple(tables),
        indexes=_sorted_like(
            list(sql_of_index),
            [i for t in tables if not t.virtual for i in _read_indexes(db, t.name, sql_of_index)],
        ),
        views=tuple(SqlObject(name=e.name, sql=e.sql) for e in entries if e.type == "view"),
        triggers=tuple(
            SqlObject(name=e.name, sql=e.sql, table=e.table) for e in entries if e.type == "trigger"
        ),
        sequences=_read_sequences(db) if "sqlite_sequence" in system else {},
        user_version=_pragma(db, "user_version"),
        application_id=_pragma(db, "application_id"),
        encoding=str(db.execute("PRAGMA encoding").fetchone()[0]),
        shadows=tuple(e.name for e in entries if e.type == "table" and e.name in shadows),
        statistics=tuple(name for name in system if name.startswith("sqlite_stat")),
    )


def _read_table(db: Reader, entry: _Entry, kind: tuple[str, bool, bool]) -> Table:
    virtual = _read_module(entry.sql) if kind[0] == "virtual" else ""
    if virtual:
        columns, rows = _read_virtual(db, entry.name)
        return Table(name=entry.name, sql=entry.sql, columns=columns, virtual=virtual, rows=rows)
    parsed = parse_create_table(entry.sql)
    return Table(
        name=entry.name,
        sql=entry.sql,
        columns=_read_columns(db, entry.name, parsed),
        foreign_keys=_read_foreign_keys(db, entry.name, parsed),
        checks=tuple(parsed.checks),
        without_rowid=kind[1],
        strict=kind[2],
        autoincrement=parsed.autoincrement,
        rows=_count(db, entry.name),
    )


def _read_module(sql: str) -> str:
    from edgelift.sources.sqlite_tokens import tokenize

    tokens = tokenize(sql)
    using = next((i for i, t in enumerate(tokens) if t.upper == "USING"), None)
    known = using is not None and using + 1 < len(tokens)
    return tokens[using + 1].name.lower() if known and using is not None else "unknown"


def _read_virtual(db: Reader, name: str) -> tuple[tuple[Column, ...], int]:
    try:
        return _read_columns(db, name, ParsedTable()), _count(db, name)
    except (
        sqlite3.OperationalError,
        apsw.SQLError,
    ):  # no such module, or one whose rows cannot be listed
        return (), 0


def _count(db: Reader, name: str) -> int:
    return int(db.execute(f"SELECT count(*) FROM main.{quote_identifier(name)}").fetchone()[0])


def _read_columns(db: Reader, name: str, parsed: ParsedTable) -> tuple[Column, ...]:
    columns = []
    for _id, column, declared, not_null, default, key, hidden in db.execute(
        "SELECT * FROM pragma_table_xinfo(?)", (name,)
    ):
        if hidden == _HIDDEN_OF_VIRTUAL_TABLE:
            continue
        more = parsed.columns.get(column.lower())
        kind = {_VIRTUAL: "virtual", _STORED: "stored"}.get(hidden, "")
        columns.append(
            Column(
                name=column,
                declared=declared,
                not_null=bool(not_null),
                default=default,
                generated=(more.generated if more else None) if kind else None,
                generated_kind=kind,
                primary_key=key,
                collation=more.collation if more else "BINARY",
            )
        )
    return tuple(columns)


def _read_foreign_keys(db: Reader, name: str, parsed: ParsedTable) -> tuple[ForeignKey, ...]:
    grouped: dict[int, list[tuple[object, ...]]] = {}
    for row in db.execute(
        "SELECT * FROM pragma_foreign_key_list(?) ORDER BY id DESC, seq", (name,)
    ):
        grouped.setdefault(row[0], []).append(row)
    keys = []
    for position, rows in enumerate(grouped.values()):  # id counts backwards from the last written
        _id, _seq, target, _from, _to, on_update, on_delete, _match = rows[0]
        keys.append(
            ForeignKey(
                columns=tuple(str(row[3]) for row in rows),
                target_table=str(target),
                target_columns=tuple(str(row[4]) for row in rows if row[4] is not None),
                on_update=str(on_update),
                on_delete=str(on_delete),
                deferred=position < len(parsed.deferred) and parsed.deferred[position],
            )
        )
    return tuple(keys)


def _read_indexes(db: Reader, table: str, sql_of_index: Mapping[str, str]) -> list[Index]:
    indexes = []
    for _seq, name, unique, _origin, partial in db.execute(
        "SELECT * FROM pragma_index_list(?)", (table,)
    ).fetchall():
        columns = db.execute(
            "SELECT coalesce(name, '(expression)') FROM pragma_index_xinfo(?) "
            "WHERE key ORDER BY seqno",
            (name,),
        )
        indexes.append(
            Index(
                name=name,
                table=table,
                columns=tuple(str(row[0]) for row in columns),
                unique=bool(unique),
                partial=bool(partial),
                sql=sql_of_index.get(name, ""),
            )
        )
    return indexes


def _sorted_like(order: list[str], indexes: list[Index]) -> tuple[Index, ...]:
    place = {name: i for i, name in enumerate(order)}
    return tuple(sorted(indexes, key=lambda index: place.get(index.name, len(place))))


def _read_sequences(db: Reader) -> dict[str, int]:
    rows = db.execute("SELECT name, seq FROM sqlite_sequence WHERE typeof(seq)='integer'")
    return {str(name): int(value) for name, value in rows if name is not None}


def _pragma(db: Reader, name: str) -> int:
    return int(db.execute(f"PRAGMA {name}").fetchone()[0])
