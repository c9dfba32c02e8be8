"""Answers the PRAGMAs that D1 refuses, as a database file would; the others go to D1."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

from edgelift.worker.sqlite3.fitting import Fitted
from edgelift.worker.sqlite3.statement import Statement
from edgelift.worker.sqlite3.tokens import quote_text, unquote
from edgelift.worker.sqlite3.transport import JSON, RAW, RUN

if TYPE_CHECKING:
    from edgelift.worker.sqlite3.connection import Connection

log = logging.getLogger("edgelift.sqlite3")

# Values that a connection keeps for itself, with SQLite's defaults (sqlite.org/pragma.html).
_SETTINGS: dict[str, object] = {
    "analysis_limit": 0,
    "auto_vacuum": 0,
    "automatic_index": 1,
    "busy_timeout": 5000,
    "cache_size": -2000,
    "cache_spill": 483,
    "cell_size_check": 0,
    "checkpoint_fullfsync": 0,
    "count_changes": 0,
    "empty_result_callbacks": 0,
    "encoding": "UTF-8",
    "freelist_count": 0,
    "full_column_names": 0,
    "fullfsync": 0,
    "hard_heap_limit": 0,
    "journal_mode": "delete",
    "journal_size_limit": -1,
    "locking_mode": "normal",
    "max_page_count": 4294967294,
    "mmap_size": 0,
    "query_only": 0,
    "read_uncommitted": 0,
    "reverse_unordered_selects": 0,
    "schema_version": 0,
    "secure_delete": 0,
    "short_column_names": 1,
    "soft_heap_limit": 0,
    "synchronous": 2,
    "temp_store": 0,
    "threads": 0,
    "trusted_schema": 1,
    "wal_autocheckpoint": 1000,
    "writable_schema": 0,
}
# Setting these gives the new value as a row; setting the others gives no row.
_ANSWER_WHEN_SET = frozenset(
    {
        "busy_timeout", "hard_heap_limit", "journal_mode", "journal_size_limit", "locking_mode",
        "max_page_count", "mmap_size", "secure_delete", "soft_heap_limit", "threads",
        "wal_autocheckpoint", "analysis_limit",
    }
)  # fmt: skip
_READ_ONLY = frozenset({"freelist_count", "schema_version"})
_ON = {"on": 1, "yes": 1, "true": 1, "off": 0, "no": 0, "false": 0}
_WORD_VALUES = {
    "synchronous": {"off": 0, "normal": 1, "full": 2, "extra": 3},
    "temp_store": {"default": 0, "file": 1, "memory": 2},
    "auto_vacuum": {"none": 0, "full": 1, "incremental": 2},
}
# Numbers that live in the database file's header, which D1 does not show: kept in a table of the
# driver's.
_STORED = frozenset({"user_version", "application_id"})
STORE_TABLE = "_edgelift_pragmas"

# What D1's authorizer lets through (workerd src/workerd/util/sqlite.c++), or should refuse by its
# own words.
_FOR_D1 = frozenset(
    {
        "case_sensitive_like", "data_version", "defer_foreign_keys", "foreign_key_check",
        "foreign_key_list", "function_list", "ignore_check_constraints", "index_info",
        "index_list", "index_xinfo", "legacy_alter_table", "module_list", "optimize",
        "page_count", "page_size", "pragma_list", "quick_check", "recursive_triggers",
        "table_info", "table_xinfo",
    }
)  # fmt: skip
_NAMES = {
    "table_info": ["cid", "name", "type", "notnull", "dflt_value", "pk"],
    "table_xinfo": ["cid", "name", "type", "notnull", "dflt_value", "pk", "hidden"],
    "index_list": ["seq", "name", "unique", "origin", "partial"],
    "index_info": ["seqno", "cid", "name"],
    "foreign_key_list": ["id", "seq", "table", "from", "to", "on_update", "on_delete", "match"],
}

Table = tuple[list[str], list[tuple[object, ...]]]


class Pragma(NamedTuple):
    """A PRAGMA: lower-case name, argument or None, whether it names the temp schema."""

    name: str
    argument: str | None
    temporary: bool


def read_pragma(statement: Statement) -> Pragma:
    """Return the parts of `PRAGMA [schema.]name [= value | (value)]`."""
    tokens = list(statement.tokens[1:])
    schema = ""
    if len(tokens) > 2 and tokens[1].text == ".":
        schema, tokens = unquote(tokens[0]).lower(), tokens[2:]
    name = unquote(tokens[0]).lower() if tokens else ""
    rest = [t for t in tokens[1:] if t.text not in {"=", "(", ")"}]
    sign = "".join(t.text for t in rest[:-1] if t.text in {"-", "+"})
    argument = sign + unquote(rest[-1]) if rest else None
    return Pragma(name, argument, schema == "temp")


def run_pragma(connection: Connection, statement: Statement) -> Table | None:
    """Return names and rows of a PRAGMA that is answered here, None when D1 should answer it."""
    pragma = read_pragma(statement)
    if pragma.temporary:
        return _NAMES.get(pragma.name, []), []  # D1 has no temporary tables
    handler = _HANDLERS.get(pragma.name)
    if handler is not None:
        return handler(connection, pragma)
    if pragma.name in _SETTINGS:
        return _run_setting(connection, pragma)
    if pragma.name in _STORED:
        return _run_stored(connection, pragma)
    return None if pragma.name in _FOR_D1 else ([], [])  # SQLite ignores what it does not know


def _run_setting(connection: Connection, pragma: Pragma) -> Table:
    name, settings = pragma.name, connection.pragma_values
    answers = pragma.argument is None or name in _ANSWER_WHEN_SET
    if pragma.argument is not None and name not in _READ_ONLY:
        settings[name] = _read_value(name, pragma.argument, settings.get(name, _SETTINGS[name]))
    column = "timeout" if name == "busy_timeout" else name
    return ([column], [(settings.get(name, _SETTINGS[name]),)]) if answers else ([], [])


def _read_value(name: str, text: str, current: object) -> object:
    lowered = text.lower()
    if isinstance(_SETTINGS[name], str):
        return lowered if name != "encoding" else current
    words = _WORD_VALUES.get(name, {})
    if lowered in words or lowered in _ON:
        return words.get(lowered, _ON.get(lowered))
    try:
        return int(text)
    except ValueError:
        return current


def _run_stored(connection: Connection, pragma: Pragma) -> Table:
    database = connection.database
    if pragma.argument is None:
        named = f"sqlite_master WHERE name={quote_text(STORE_TABLE)}"
        exists = f"SELECT json_array(count(*)) AS j FROM {named}"
        if not database.ask([(Fitted(exists, []), JSON)]).results[0].rows[0][0]:
            return [pragma.name], [(0,)]
        query = (
            f"SELECT json_array(value) AS j FROM {STORE_TABLE} WHERE name={quote_text(pragma.name)}"
        )
        rows = database.ask([(Fitted(query, []), JSON)]).results[0].rows
        return [pragma.name], [(rows[0][0] if rows else 0,)]
    try:
        value = int(pragma.argument, 0)
    except ValueError:
        value = 0
    columns = "(name TEXT PRIMARY KEY, value INTEGER) WITHOUT ROWID"
    create = f"CREATE TABLE IF NOT EXISTS {STORE_TABLE}{columns}"
    store = f"INSERT OR REPLACE INTO {STORE_TABLE} VALUES({quote_text(pragma.name)}, {value})"
    database.ask([(Fitted(sql, []), RUN) for sql in (create, store)], writes=True)
    return [], []


def _run_foreign_keys(connection: Connection, pragma: Pragma) -> Table:
    """Keep what is set; OFF makes the checks of a transaction wait for its end.

    As in SQLite, setting it inside a transaction does nothing.
    """
    if pragma.argument is None:
        return ["foreign_keys"], [(connection.pragma_values.get("foreign_keys", 1),)]
    if not connection.in_transaction:
        value = _read_value("query_only", pragma.argument, 1)
        connection.pragma_values["foreign_keys"] = int(value == 1)
        if value == 0:
            log.info(
                "edgelift: PRAGMA foreign_keys=OFF: %s checks foreign keys all the same",
                "the end of a transaction" if connection.database.groups else "D1",
            )
    return [], []


def _run_database_list(connection: Connection, _pragma: Pragma) -> Table:
    return ["seq", "name", "file"], [(0, "main", connection.path)]


def _run_table_list(connection: Connection, pragma: Pragma) -> Table:
    from edgelift.worker.sqlite3.rewrite import OWN_PREFIXES

    argument = f"({quote_text(pragma.argument)})" if pragma.argument is not None else ""
    result = connection.database.ask([(Fitted(f"PRAGMA table_list{argument}", []), RAW)]).results[0]
    rows = [tuple(row) for row in result.rows if not row[1].startswith(OWN_PREFIXES)]
    return result.columns, rows


def _run_integrity_check(connection: Connection, _pragma: Pragma) -> Table:
    rows = connection.database.ask([(Fitted("PRAGMA quick_check", []), RAW)]).results[0].rows
    return ["integrity_check"], [tuple(row) for row in rows]


def _fixed(columns: list[str], rows: list[tuple[object, ...]]) -> Callable[..., Table]:
    return lambda _connection, _pragma: (columns, rows)


_HANDLERS: dict[str, Callable[[Connection, Pragma], Table]] = {
    "foreign_keys": _run_foreign_keys,
    "database_list": _run_database_list,
    "table_list": _run_table_list,
    "integrity_check": _run_integrity_check,
    "wal_checkpoint": _fixed(["busy", "log", "checkpointed"], [(0, -1, -1)]),
    "collation_list": _fixed(["seq", "name"], [(0, "RTRIM"), (1, "NOCASE"), (2, "BINARY")]),
    "compile_options": _fixed(["compile_options"], []),
    "shrink_memory": _fixed([], []),
    "incremental_vacuum": _fixed([], []),
}
