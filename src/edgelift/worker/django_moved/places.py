"""Which moved database an alias of settings.DATABASES means, and how its rows are written."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

_known: dict[str, list[Place]] = {}


class Place(NamedTuple):
    """A moved database: what the app opens, its name on the server, the form of its UUIDs."""

    path: str
    name: str
    uuid: str


def remember(databases: Sequence[Mapping[str, Any]]) -> None:
    """Know the moved databases of the settings document, in place of those known before."""
    _known.clear()
    for database in databases:
        place = Place(
            database["path"], database.get("server_name", ""), database.get("uuid") or "text"
        )
        _known.setdefault(database["origin"], []).append(place)


def find_place(origin: str, name: str) -> Place | None:
    """Return the database of an engine that NAME means; a name that is of none means the first."""
    known = _known.get(origin, [])
    for place in known:
        if name and name.lstrip("/") in {place.path.lstrip("/"), place.name}:
            return place
    return known[0] if known else None
