"""Databases that stay on their server: copies for every side, and what each side left in its own.

At the start one copy of the origin's database is made, the template; every side begins with a copy
of that. When a side has stopped, its copy is written into a SQLite file, which the comparison of
end states takes like any other. All copies are dropped at the end; those of a killed run at the
start of the next.
"""

from __future__ import annotations

import contextlib
import itertools
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from edgelift.model.catalogue import Catalogue
from edgelift.model.plan import Plan
from edgelift.model.server_url import ServerUrl
from edgelift.project import DatabaseSection, Project
from edgelift.sources.server_copies import ServerCopies, copy_prefix, open_copies
from edgelift.sources.sqlite_catalogue import read_catalogue

_numbers = itertools.count(1)


@dataclass
class OpenCopies:
    """The copies of one side: where each is, and the file that tells afterwards what it holds."""

    urls: dict[str, ServerUrl] = field(default_factory=dict)
    files: dict[str, Path] = field(default_factory=dict)
    exports: list[tuple[ServerCopies, str, Path]] = field(default_factory=list)

    def export(self) -> None:
        """Write the files; a second call does nothing."""
        while self.exports:
            copies, name, file = self.exports.pop()
            copies.export(name, file)


@dataclass
class Servers:
    """The server databases of a project; `folder` keeps the content of the templates."""

    project: Project
    plan: Plan
    folder: Path

    @cached_property
    def sections(self) -> dict[str, DatabaseSection]:
        """Return the sections of the databases that stay on their servers, by name."""
        names = {database.name for database in self.plan.databases if database.in_place}
        return {s.name: s for s in self.project.settings.databases if s.name in names}

    @cached_property
    def _copies(self) -> dict[str, ServerCopies]:
        return {name: open_copies(section) for name, section in self.sections.items()}

    def snapshot(self, name: str) -> Path:
        """Return the SQLite file with the content that all sides begin with."""
        return self.folder / f"{name}.sqlite"

    def prepare(self) -> dict[str, Catalogue]:
        """Make the templates and return their catalogues by name; raises OriginError."""
        self.drop_all()
        found = {}
        for name, section in self.sections.items():
            template = f"{copy_prefix(self.project, section)}template"
            self._copies[name].make_template(template)
            self._copies[name].export(template, self.snapshot(name))
            with contextlib.closing(sqlite3.connect(self.snapshot(name))) as db:
                found[name] = read_catalogue(db)
        return found

    def drop_all(self) -> None:
        """Drop every copy of this project, of killed runs too."""
        for name, section in self.sections.items():
            for copy in self._copies[name].list_names(copy_prefix(self.project, section)):
                self._copies[name].drop(copy)
            self.snapshot(name).unlink(missing_ok=True)

    @contextlib.contextmanager
    def open(self, folder: Path) -> Iterator[OpenCopies]:
        """Give a side a copy of each database; they are dropped when the block ends."""
        opened = OpenCopies()
        made: list[tuple[ServerCopies, str]] = []
        try:
            for name, section in self.sections.items():
                prefix = copy_prefix(self.project, section)
                copy = f"{prefix}{next(_numbers)}"
                copies = self._copies[name]
                made.append((copies, copy))
                opened.urls[name] = copies.make_copy(f"{prefix}template", copy)
                opened.files[name] = folder / f"{name}.sqlite"
                opened.exports.append((copies, copy, opened.files[name]))
            yield opened
        finally:
            for copies, copy in made:
                copies.drop(copy)
