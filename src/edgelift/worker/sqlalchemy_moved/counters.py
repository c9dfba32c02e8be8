"""Counters go on as servers' do: a number once given out is used up, whatever becomes of its row.

PostgreSQL's sequences and InnoDB's AUTO_INCREMENT know no rollback: a row that was refused, rolled
back or turned into an update leaves a gap. SQLite's counters are rolled back with everything else.
"""

from __future__ import annotations

import re
from typing import Any

from edgelift.worker.sqlite3 import faults

_INSERT = re.compile(
    r"""\s*INSERT\s+(?:OR\s+\w+\s+)?INTO\s+["`\[]?(?P<name>\w+)["`\]]?\s*(?:\((?P<columns>[^)]*)\))?""",
    re.IGNORECASE,
)
_CONFLICT = re.compile(r"\bON\s+CONFLICT\b", re.IGNORECASE)
_keys: dict[str, str] = {}  # of tables that texts insert into: the column that counts, or ""
_lost: dict[int, dict[str, int]] = {}  # by the id() of connections, until they end a transaction


def find_counter(context: Any, connection: Any) -> str | None:
    """Return the table whose counter an INSERT uses, None when it uses none."""
    compiled = getattr(context, "compiled", None)
    if compiled is None or not getattr(context, "isinsert", False):
        return _find_in_text(str(getattr(context, "statement", "")), connection)
    table = compiled.compile_state.dml_table if compiled.compile_state else None
    column = getattr(table, "_autoincrement_column", None)
    if column is None:
        return None
    given = any(column.key in row for row in context.compiled_parameters)
    return None if given else str(compiled.preparer.format_table(table)).strip('"')


def _find_in_text(sql: str, connection: Any) -> str | None:
    """Return the table of an INSERT that the app wrote as text, if its counter gives the key."""
    found = _INSERT.match(sql)
    if found is None:
        return None
    name, columns = found["name"], found["columns"]
    if name not in _keys:
        _keys[name] = _read_key(name, connection)
    key = _keys[name]
    given = [column.strip(' "`[]').lower() for column in (columns or "").split(",")]
    return None if not key or not columns or key.lower() in given else name


def _read_key(table: str, connection: Any) -> str:
    """Return the column that a table's counter fills, "" where it has none."""
    cursor = connection.cursor()
    try:
        cursor.execute(
            "SELECT c.name FROM sqlite_master m, pragma_table_info(m.name) c "
            "WHERE m.type = 'table' AND m.name = ? COLLATE NOCASE "
            "AND m.sql LIKE '%AUTOINCREMENT%' AND c.pk = 1",
            (table,),
        )
        row = cursor.fetchone()
        return str(row[0]) if row else ""
    finally:
        cursor.close()


def count_rows(context: Any) -> int:
    """Return how many numbers an INSERT takes: one for each of its parameters' rows."""
    return max(1, len(getattr(context, "compiled_parameters", None) or ()))


def is_upsert(context: Any) -> bool:
    """Return whether an INSERT may end as an update of another row."""
    if not getattr(context, "isinsert", False):
        return _CONFLICT.search(str(context.statement)) is not None
    statement = getattr(context.compiled, "statement", None)
    return getattr(statement, "_post_values_clause", None) is not None


def read_counters(connection: Any, table: str = "") -> dict[str, int]:
    """Return the last number of each counter, or of one."""
    where = " WHERE name = ?" if table else ""
    cursor = connection.cursor()
    try:
        cursor.execute(f"SELECT name, seq FROM sqlite_sequence{where}", (table,) if table else ())
        return {name: int(last) for name, last in cursor.fetchall()}
    except connection.OperationalError:  # no table has a counter
        return {}
    finally:
        cursor.close()


def lose(connection: Any, table: str, count: int) -> None:
    """Remember that numbers of a table were given out to rows that were refused."""
    lost = _lost.setdefault(id(connection), {})
    lost[table] = lost.get(table, 0) + count


def has_lost(connection: Any) -> bool:
    """Return whether numbers were lost that no counter shows yet."""
    return bool(_lost.get(id(connection)))


def forget(connection: Any) -> None:
    """Forget a connection that is closed."""
    _lost.pop(id(connection), None)


def read_used(connection: Any) -> dict[str, int]:
    """Return how far each counter is before a rollback, with what was lost to refused rows."""
    used = read_counters(connection)
    for table, count in _lost.pop(id(connection), {}).items():
        used[table] = used.get(table, 0) + count
    return used


def raise_counters(connection: Any, used: dict[str, int]) -> None:
    """Let counters go on behind numbers that were used."""
    now = read_counters(connection)
    cursor = connection.cursor()
    try:
        with faults.aside():
            _write_counters(cursor, now, used)
    finally:
        cursor.close()


def _write_counters(cursor: Any, now: dict[str, int], used: dict[str, int]) -> None:
    for table, last in used.items():
        if table not in now:
            cursor.execute("INSERT INTO sqlite_sequence (name, seq) VALUES (?, ?)", (table, last))
        elif last > now[table]:
            cursor.execute("UPDATE sqlite_sequence SET seq = ? WHERE name = ?", (last, table))
