"""Scratch copies of a server's database, on which verify runs the origin and the Worker alike.

The origin's own database is only read. All copies of a project begin with the same prefix, so that
those of a killed run are found and dropped. `export_database` writes what a copy holds into a
SQLite file, which the comparisons of SQLite databases then take.
"""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import Protocol

from edgelift.errors import OriginError
from edgelift.model.server_url import ServerUrl, parse_server_url
from edgelift.project import DatabaseSection, Project, expand_variables


class ServerCopies(Protocol):
    """Makes and drops copies of one origin database on one server."""

    def make_template(self, name: str) -> None:
        """Make a database that holds what the origin's holds now; nobody else opens it."""
        ...

    def make_copy(self, template: str, name: str) -> ServerUrl:
        """Make a copy of a template and return where it is."""
        ...

    def drop(self, name: str) -> None:
        """Drop a copy, whoever is connected to it; one that is not there is no error."""
        ...

    def list_names(self, prefix: str) -> list[str]:
        """Return the databases of the server whose names begin with a prefix."""
        ...

    def export(self, name: str, file: Path) -> None:
        """Write what a copy holds into a new SQLite file."""
        ...


def open_copies(section: DatabaseSection) -> ServerCopies:
    """Return what makes copies of a section's database, on its own server or on `copies`."""
    origin = parse_server_url(expand_variables(section.url), os.environ)
    place = parse_server_url(expand_variables(section.copies)) if section.copies else origin
    if origin is None or place is None or origin.engine != place.engine:
        raise OriginError(
            f"No copies of {section.name} can be made",
            why="its url or its copies is no URL of a server of the same kind",
            tip="write scheme://user:password@host:port/database, through a variable",
        )
    if origin.engine == "postgresql":
        from edgelift.sources.server_copies.postgres import PostgresCopies

        return PostgresCopies(origin, place)
    from edgelift.sources.server_copies.mysql import MysqlCopies

    return MysqlCopies(origin, place)


def copy_prefix(project: Project, section: DatabaseSection, purpose: str = "verify") -> str:
    """Return the prefix of the names of all copies of a project's database for one purpose."""
    digest = hashlib.sha256(f"{project.root}:{section.name}".encode()).hexdigest()[:10]
    return f"edgelift_{purpose}_{digest}_"
