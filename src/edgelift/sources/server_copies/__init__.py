"""Scratch copies of a server's database, on which verify runs the origin and the Worker alike.

The origin's own database is only read. All copies of a project begin with the same prefix, so that
those of a killed run are found and dropped. `export_database` writes what a copy holds into a
SQLite file, which the comparisons of SQLite databases then take.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Protocol

from edgelift.errors import OriginError
from edgelift.model.server_url import ServerUrl, parse_server_url
from edgelift.project import DatabaseSection, Project, expand_variables
from edgelift.sources.server_copies.url_variables import find_url_variables


class ServerCopies(Protocol):
    """Makes and drops copies of one origin database on one server."""

    def measure(self) -> int:
        """Return about how many bytes the origin's database takes."""
        ...

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


def name_copies(
    sections: Mapping[str, DatabaseSection], urls: Mapping[str, ServerUrl]
) -> dict[str, str]:
    """Return the variables that lead the origin to its copies; raises OriginError without any."""
    found: dict[str, str] = {}
    for name, section in sections.items():
        found |= find_url_variables(section, urls[name])
    return found


@contextlib.contextmanager
def open_scratch(
    project: Project,
    sections: Mapping[str, DatabaseSection],
    purpose: str,
    most_bytes: int | None = None,
) -> Iterator[dict[str, ServerUrl]]:
    """Give one copy of each database as it is now; the block's end drops them.

    Those of a killed run for the same purpose are dropped first. Raises OriginError, also for a
    database of more than `most_bytes`.
    """
    made: dict[str, ServerCopies] = {}
    urls = {}
    try:
        for name, section in sections.items():
            copies = made[name] = open_copies(section)
            if most_bytes is not None and (size := copies.measure()) > most_bytes:
                raise OriginError(
                    f"No scratch copy of {name} is made for this",
                    why=f"it has about {size:,} bytes, and the server is to be spared",
                    tip="name a smaller copy of it as url while you plan",
                )
            prefix = copy_prefix(project, section, purpose)
            for left in copies.list_names(prefix):
                copies.drop(left)
            copies.make_template(f"{prefix}template")
            urls[name] = copies.make_copy(f"{prefix}template", f"{prefix}copy")
        yield urls
    finally:
        for name, copies in made.items():
            prefix = copy_prefix(project, sections[name], purpose)
            for left in copies.list_names(prefix):
                copies.drop(left)
