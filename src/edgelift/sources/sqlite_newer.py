"""Let Python's SQLite read a file whose views a newer SQLite wrote; used wherever targets open.

D1's engine and apsw are newer than what many Pythons carry: there a view with
`group_concat(x ORDER BY y)` (SQLite 3.44) makes SQLite refuse the whole file, its tables too.
"""

from __future__ import annotations

import contextlib
import sqlite3
from pathlib import Path

import apsw

_REFUSAL = "malformed database schema"


def read_past_newer(db: sqlite3.Connection, path: Path) -> None:
    """Let `db` leave out what its SQLite cannot parse, when a newer SQLite reads the file whole.

    Tables, indexes and data stay readable; the views concerned are missing. A file that is damaged
    for both stays refused.
    """
    try:
        db.execute("SELECT 1 FROM sqlite_schema LIMIT 0")
    except sqlite3.DatabaseError as error:
        if _REFUSAL not in str(error) or find_refusal(path):
            return
        # With it SQLite goes on behind an entry that it cannot parse; nothing is written by it.
        db.execute("PRAGMA writable_schema=ON")


def find_refusal(path: Path) -> str:
    """Return why apsw's SQLite does not read a file's schema, empty when it does."""
    try:
        with contextlib.closing(apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READONLY)) as db:
            db.execute("SELECT 1 FROM sqlite_schema LIMIT 0").fetchall()
    except apsw.Error as error:
        return str(error)
    return ""
