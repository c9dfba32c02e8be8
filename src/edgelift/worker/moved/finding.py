"""Which moved database a connection of the app's drivers means; servers.py opens what is found.

Apart from it, so that patches of drivers cost nothing where no database was moved.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

SUFFIX = ".moved.edgelift"


class Moved(NamedTuple):
    """A moved database with its settings."""

    name: str
    engine: str
    path: str
    database: str
    settings: Mapping[str, Any]

    @property
    def host(self) -> str:
        """Return the host that stands for it: dialing it opens a server of this process."""
        return f"{self.name}{SUFFIX}".lower()


_moved: list[Moved] = []


def configure(databases: Iterable[Mapping[str, Any]]) -> None:
    """Take the moved databases of the settings JSON in place of what was known."""
    _moved[:] = [
        Moved(one["name"], one["origin"], one["path"], one.get("database", ""), one)
        for one in databases
        if one.get("origin") and one.get("catalogue")
    ]


def list_moved() -> list[Moved]:
    """Return the moved databases that drivers may reach."""
    return list(_moved)


def find_moved(engine: str, names: Iterable[str | None]) -> Moved | None:
    """Return the database that a connection means, by a database's name or path, or its host.

    The first of an engine is meant by every other connection of its drivers.
    """
    listed = [one for one in _moved if one.engine == engine]
    wanted = {name.lower() for name in names if name}
    for one in listed:
        known = {one.name, one.path, one.path.lstrip("/"), one.database, one.host}
        if wanted & {name.lower() for name in known if name}:
            return one
    return listed[0] if listed else None


def find_host(host: str) -> Moved:
    """Return the database that a host stands for; raises OSError for any other."""
    for one in _moved:
        if one.host == host:
            return one
    raise OSError(f"{host} is no moved database")
