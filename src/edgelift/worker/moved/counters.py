"""Counters go on as servers' do: a number once given out is used up, whatever becomes of its row.

PostgreSQL's sequences and InnoDB's AUTO_INCREMENT know no rollback: a row that was refused, rolled
back or turned into an update leaves a gap. SQLite's counters are rolled back with everything else.
"""

from __future__ import annotations

from typing import Any

from edgelift.worker.sqlite3 import faults

_lost: dict[int, dict[str, int]] = {}  # by the id() of connections, until they end a transaction


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
