"""The databases of a project that are followed: where they are, and their files here."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

from edgelift.errors import UsageError
from edgelift.model.data_document import DataDocument
from edgelift.model.follow_state import FollowState
from edgelift.model.followed_parts import FollowedParts
from edgelift.model.move_plan import MovePlan
from edgelift.model.shard_map import Member
from edgelift.project import expand_variables
from edgelift.rows.conversions import Value
from edgelift.run import Run
from edgelift.sources.change_feed import Subject
from edgelift.sources.origin_database import is_server_url
from edgelift.sources.shard_files import find_members, list_placed
from edgelift.sources.sqlite_changes.feed import read_start
from edgelift.sources.sqlite_url import find_sqlite_file
from edgelift.stages.follow.file_writer import read_checkpoint
from edgelift.targets.object_files import name_object, write_object


@dataclass(frozen=True)
class Database:
    """A database to follow; `copy` is what data made, `target` the file that is kept up to date.

    `objects` is the folder of the offloaded values, those of data's copy and those of changes.
    """

    name: str
    url: str
    path: Path | None
    snapshot: Path
    copy: Path
    target: Path
    objects: Path
    handle: str
    members: tuple[Member, ...]

    @property
    def is_server(self) -> bool:
        """Return whether it is a server's."""
        return self.path is None

    def to_subject(self, run: Run, *, consent: bool = False) -> Subject:
        """Return what a feed needs of it; raises UsageError before it was judged."""
        plan = run.journal.read_document(f"move:{self.name}", MovePlan)
        if self.is_server and plan is None:
            raise UsageError(
                f"The database {self.name} was not judged yet",
                why="the schema stage has not ended well",
                tip=f"run: {run.command('schema')}",
            )
        known = run.journal.read_document(f"followed:{self.name}", FollowedParts)
        return Subject(
            database=self.name,
            url=self.url,
            name=self.handle,
            plan=plan,
            parts=known.parts if known is not None else {},
            keep=self.keep,
            path=self.path,
            snapshot=self.snapshot,
            consent=consent,
        )

    def keep(self, value: Value) -> str:
        """Write an offloaded value and return its name, which stands in the row."""
        write_object(self.objects, value)
        return name_object(value)

    def to_bare_subject(self) -> Subject:
        """Return what is enough to remove what following left at the origin."""
        return Subject(
            database=self.name, url=self.url, name=self.handle, path=self.path, consent=True
        )

    def is_begun(self) -> bool:
        """Return whether its file is there with a position."""
        return read_checkpoint(self.target) is not None

    def is_copied(self, run: Run) -> bool:
        """Return whether its copy has a position, behind which a deployed database goes on."""
        step = run.journal.read_step("data")
        known = run.journal.read_document(f"follow:{self.name}", FollowState)
        begun = not self.is_server or (known is not None and known.state != "ended")
        done = step is not None and step.status == "done"
        return begun and done and self.copy.is_file() and bool(self.read_start(run))

    def read_start(self, run: Run) -> str:
        """Return the position of the snapshot that was copied, empty when it has none."""
        if not self.is_server:
            return read_start(self.snapshot)
        document = run.journal.read_document(f"data:{self.members[0].name}", DataDocument)
        return document.position if document is not None else ""


def list_databases(run: Run) -> list[Database]:
    """Return the databases that move, as plan or project name them."""
    folder = run.project.state
    found = []
    for database in list_placed(run.project.settings, run.journal):
        url = expand_variables(database.url)
        path = None if is_server_url(url) else find_sqlite_file(database.url, run.project.root)
        name = database.name
        members = tuple(find_members(run.project.settings.data, run.journal, database))
        found.append(
            Database(
                name=name,
                url=url,
                path=path,
                snapshot=folder / "data" / "snapshot" / f"{name}.sqlite",
                copy=folder / "data" / "target" / f"{members[0].name}.sqlite",
                target=folder / "follow" / f"{name}.sqlite",
                objects=folder / "data" / "objects" / name,
                handle=_choose_handle(run, name),
                members=members,
            )
        )
    return found


def refuse_shards(run: Run) -> None:
    """Raise UsageError for a database that is split: only deployed shards are followed."""
    shards = run.project.settings.data.shards
    for database in list_placed(run.project.settings, run.journal) if shards else ():
        if shards is not None and shards.database in {"", database.name}:
            raise UsageError(
                f"The database {database.name} cannot be followed into a file",
                why="edgelift.toml splits it into shards",
                tip="follow into the deployed shards with --upload URL, or take [data.shards] out",
            )


def _choose_handle(run: Run, name: str) -> str:
    """Return the name of slot and publication: one of its own for every project's folder."""
    known = run.journal.read_document(f"follow:{name}", FollowState)
    if known is not None and known.handle.startswith("edgelift_"):
        return known.handle
    place = f"{run.project.state.resolve()} {name}"
    return f"edgelift_{hashlib.sha256(place.encode()).hexdigest()[:16]}"
