"""Servers of moved databases inside the Worker: the app's drivers speak their protocol to them.

A driver's connection leads to a server of this process (backend.py for PostgreSQL), which reads the
app's SQL, puts it into SQLite's words by the types of the tables it names (translation.py), runs it
on the moved database and answers with the server's types, errors and transactions.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterable, Mapping
from typing import Any

from edgelift.worker.moved import finding


def install(databases: Iterable[Mapping[str, Any]]) -> None:
    """Let the drivers of moved databases' servers find them; called before the app's import.

    What reads SQL is loaded now, so that it is part of the memory snapshot.
    """
    finding.configure(databases)
    if finding.list_moved():
        importlib.import_module("edgelift.worker.moved.servers")
