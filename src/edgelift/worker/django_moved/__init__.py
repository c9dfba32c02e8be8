"""Django over a moved database: its server's backends lead to the SQLite that it became.

Installed before the app's import where a database of PostgreSQL or MySQL was moved and Django is
among the packages; settings and models stay as they are. `connection.vendor` is `sqlite`: whoever
asks it wants to know which SQL to write. What the statements mean is the origin's all the same.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Iterable, Mapping
from typing import Any

from edgelift.worker.django_moved import finder, places, texts


def install(databases: Iterable[Mapping[str, Any]]) -> None:
    """Put the backends in the place of Django's; nothing without Django or a moved database."""
    moved = [database for database in databases if database.get("origin")]
    if not moved or importlib.util.find_spec("django") is None:
        return
    for database in moved:
        texts.remember(database.get("texts", {}), database.get("kinds", {}))
    places.remember(moved)
    finder.install({str(database["origin"]) for database in moved})
