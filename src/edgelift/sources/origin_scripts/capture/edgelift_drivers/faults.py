"""Lets statements on servers fail where verify says so, as ../../inject_faults.py does for SQLite.

The error comes from the server itself (statements.py), so that what it does to the transaction is
the server's: PostgreSQL refuses all that follows until a rollback, MySQL takes back nothing.
"""

from __future__ import annotations

import os
import threading

from . import statements

_lock = threading.Lock()
_seen: dict[str, int] = {}  # how often the armed place was met, by serial
_folder = ""
_databases: frozenset[str] = frozenset()


def start(folder: str) -> None:
    """Look into a folder for what is to fail; its file `servers` names the databases."""
    global _folder, _databases
    _folder = folder
    try:
        with open(os.path.join(folder, "servers"), encoding="utf-8") as file:
            _databases = frozenset(file.read().splitlines())
    except OSError:
        return
    statements.judges.append(is_armed)


def is_armed(kind: str, database: str) -> bool:
    """Return whether this place is the one that was armed, and count it as fired."""
    if database not in _databases:
        return False
    try:
        with open(os.path.join(_folder, "armed"), encoding="utf-8") as file:
            serial, armed, number = file.read().split()
    except (OSError, ValueError):
        return False
    if kind != armed:
        return False
    with _lock:
        _seen[serial] = _seen.get(serial, 0) + 1
        if _seen[serial] != int(number):
            return False
        with open(os.path.join(_folder, "fired"), "a", encoding="utf-8") as file:
            file.write(f"{serial}\n")
    return True
