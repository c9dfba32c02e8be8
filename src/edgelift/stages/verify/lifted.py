"""The files of lifted databases: put where the Worker opens them, read as one database afterwards.

A database of several shards is compared as a whole: the origin has never been split.
"""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from edgelift.model.plan import DatabasePlan
from edgelift.model.shard_map import Member, ShardMap, list_members
from edgelift.sources.origin_server import copy_database
from edgelift.sources.shard_files import merge_members
from edgelift.sources.sqlite_newer import read_past_newer
from edgelift.targets.workerd import database_file


@dataclass(frozen=True)
class Lifted:
    """The proven files in the folder that data left them in; `shards` has maps of split ones."""

    folder: Path
    shards: Mapping[str, ShardMap] = field(default_factory=dict)

    def list_members(self, database: DatabasePlan) -> list[Member]:
        """Return the files of a database and how the Worker reaches each."""
        found = self.shards.get(database.name)
        return list_members(database.name, database.binding, database.strategy, found)

    def find_file(self, member: str) -> Path:
        """Return the proven file of a member, never written."""
        return self.folder / f"{member}.sqlite"

    def find_whole(self, name: str, scratch: Path) -> Path:
        """Return a database as one file, put together in `scratch` when it is split."""
        found = self.shards.get(name)
        if found is None:
            return self.find_file(name)
        target = scratch / f"{name}-lifted.sqlite"
        members = list_members(name, "", "", found)
        merge_members({m.name: self.find_file(m.name) for m in members}, found, target)
        return target

    def place(self, database: DatabasePlan, state: Path) -> tuple[Path, Callable[[], None] | None]:
        """Copy a database to where a Worker with this state folder opens it.

        Returns the file that holds all of it once the Worker has stopped, and what has to be called
        then to write it, if anything.
        """
        placed: dict[str, Path] = {}
        for member in self.list_members(database):
            file = database_file(state, member.binding, database.strategy, member.shard)
            seed_database(self.find_file(member.name), file)
            placed[member.name] = file
        found = self.shards.get(database.name)
        if found is None:
            return placed[database.name], None
        whole = state / f"{database.name}-whole.sqlite"
        return whole, partial(merge_members, placed, found, whole)


def seed_database(golden: Path, file: Path) -> None:
    """Copy a lifted database to where the runtime opens it, in WAL mode as it expects."""
    copy_database(golden, file)
    with contextlib.closing(sqlite3.connect(file)) as db:
        read_past_newer(db, file)
        db.execute("PRAGMA journal_mode=WAL")
