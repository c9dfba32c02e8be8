"""Databases on servers: copies for each side that works on one, and what each left in its own.

At the start one copy of the origin's database is made, the template; every side begins with a copy
of that. When a side has stopped, its copy is written into a SQLite file, which the comparison of
end states takes like any other: the server's own text where the database stays on its server, the
target's form, by the specs of the move, where it was moved and the Worker works on SQLite. All
copies are dropped at the end; those of a killed run at the start of the next.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property, partial
from pathlib import Path

from edgelift.model.catalogue import Catalogue
from edgelift.model.plan import Plan
from edgelift.model.server_url import ServerUrl, parse_server_url
from edgelift.project import DatabaseSection, Project, expand_variables
from edgelift.sources.server_copies import ServerCopies, copy_prefix, open_copies
from edgelift.sources.server_copies.moved import Move, export_moved
from edgelift.sources.sqlite_catalogue import read_catalogue

_numbers = itertools.count(1)


@dataclass
class OpenCopies:
    """The copies of one side: where each is, and the file that tells afterwards what it holds."""

    urls: dict[str, ServerUrl] = field(default_factory=dict)
    files: dict[str, Path] = field(default_factory=dict)
    exports: list[Callable[[], None]] = field(default_factory=list)

    def export(self) -> None:
        """Write the files; a second call does nothing."""
        while self.exports:
            self.exports.pop()()


@dataclass
class Servers:
    """The server databases of a project; `folder` keeps the content of the templates.

    `moves` says of each database that was moved how it was.
    """

    project: Project
    plan: Plan
    folder: Path
    moves: Mapping[str, Move] = field(default_factory=dict)

    @cached_property
    def sections(self) -> dict[str, DatabaseSection]:
        """Return the sections of the databases that are on servers at the origin, by name."""
        names = {database.name for database in self.plan.databases if database.in_place}
        names |= set(self.moves)
        return {s.name: s for s in self.project.settings.databases if s.name in names}

    @property
    def kept(self) -> list[str]:
        """Return the names of the databases that the Worker reaches on their servers."""
        return [name for name in self.sections if name not in self.moves]

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
            self._export(name, template, self.snapshot(name))
            if name not in self.moves:
                with contextlib.closing(sqlite3.connect(self.snapshot(name))) as db:
                    found[name] = read_catalogue(db)
        return found

    def _export(self, name: str, copy: str, file: Path) -> None:
        move = self.moves.get(name)
        if move is None:
            self._copies[name].export(copy, file)
            return
        section = self.sections[name]
        place = parse_server_url(expand_variables(section.copies or section.url), os.environ)
        assert place is not None  # open_copies has seen it
        export_moved(place.with_parts(database=copy), move, file)

    def drop_all(self) -> None:
        """Drop every copy of this project, of killed runs too."""
        for name, section in self.sections.items():
            for copy in self._copies[name].list_names(copy_prefix(self.project, section)):
                self._copies[name].drop(copy)
            self.snapshot(name).unlink(missing_ok=True)

    @contextlib.contextmanager
    def open(self, folder: Path, names: Iterable[str] | None = None) -> Iterator[OpenCopies]:
        """Give a side a copy of each database, or of `names`; the block's end drops them."""
        opened = OpenCopies()
        made: list[tuple[ServerCopies, str]] = []
        try:
            for name in self.sections if names is None else names:
                prefix = copy_prefix(self.project, self.sections[name])
                copy = f"{prefix}{next(_numbers)}"
                copies = self._copies[name]
                made.append((copies, copy))
                opened.urls[name] = copies.make_copy(f"{prefix}template", copy)
                opened.files[name] = folder / f"{name}.sqlite"
                export = partial(self._export, name, copy, opened.files[name])
                opened.exports.append(export)
            yield opened
        finally:
            for copies, copy in made:
                copies.drop(copy)
