"""Chooses what changes are applied by: a file, requests to a file, a deployed database."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from dataclasses import dataclass

import httpx

from edgelift.model.follow_state import FollowOptions
from edgelift.model.shard_map import Member, counters_name
from edgelift.run import Run
from edgelift.sources.shard_files import read_map
from edgelift.stages.follow.door_target import DoorTarget
from edgelift.stages.follow.file_target import FileTarget
from edgelift.stages.follow.file_writer import CHECKPOINT, Checkpoint, FileWriter, read_checkpoint
from edgelift.stages.follow.follower import Writer
from edgelift.stages.follow.request_writer import RequestWriter
from edgelift.stages.follow.shard_writer import Shards, ShardWriter
from edgelift.stages.follow.subjects import Database
from edgelift.targets.door.batches import Request
from edgelift.targets.door.client import SECRET_VARIABLE, TRIES, Door, check_door
from edgelift.targets.door.remote import Remote

_LONG_TRIES = 240  # about an hour, for who follows until Ctrl-C


@dataclass(frozen=True)
class Writers:
    """Opens writers as the options say; `client` is for those of deployed databases."""

    run: Run
    options: FollowOptions
    client: httpx.Client

    def open(self, database: Database) -> Writer:
        """Return the writer of a database; raises TargetError."""
        if self.options.upload:
            shards = self._find_shards(database)
            return ShardWriter(shards) if shards else RequestWriter(self._reach(database))
        if self.options.requests:
            return RequestWriter(FileTarget(database.target))
        return FileWriter(database.target)

    def read_checkpoint(self, database: Database) -> Checkpoint | None:
        """Return up to where all is applied, None before following began; changes nothing."""
        if self.options.upload:
            return self._reach(database).read_checkpoint()
        return read_checkpoint(database.target)

    def finish(self, database: Database) -> None:
        """Let a deployed database forget up to where it was followed."""
        for member in database.members:
            remote = self._reach(database, member).remote
            remote.open()
            remote.apply([Request(f"DROP TABLE IF EXISTS {CHECKPOINT}")])

    def _find_shards(self, database: Database) -> Shards | None:
        """Return the deployed shards of a database, None for one that is whole."""
        data = self.run.project.settings.data
        found = read_map(data, self.run.journal, database.name)
        if found is None:
            return None
        targets = {m.name: self._reach(database, m) for m in database.members}
        route = data.shards.route if data.shards else None
        return Shards(
            map=found,
            counters=targets.pop(counters_name(database.name), None),
            targets=targets,
            pending=database.target.with_name(f"{database.name}.pending.json"),
            whole=database.target.with_name(f"{database.name}.deployed.sqlite"),
            spread=route is not None and route.unknown == "spread",
        )

    def _reach(self, database: Database, member: Member | None = None) -> DoorTarget:
        member = member or database.members[0]
        secret = os.environ.get(SECRET_VARIABLE, "")
        check_door(self.options.upload, secret)
        door = Door(
            client=self.client,
            url=self.options.upload,
            secret=secret,
            binding=member.binding,
            target=member.object_name,
            note=self.run.note,
        )
        waits = self.options.until_caught_up or self.options.preview or self.options.drop
        return DoorTarget(
            remote=Remote(door, TRIES if waits else _LONG_TRIES),
            member=member.name,
            copy=database.copy.with_name(f"{member.name}.sqlite"),
            scratch=database.target.with_name(f"{member.name}.read-back.sqlite"),
            start=database.read_start(self.run),
        )


@contextlib.contextmanager
def open_writers(run: Run, options: FollowOptions) -> Iterator[Writers]:
    """Hold the connections that writers use."""
    with httpx.Client(follow_redirects=False) as client:
        yield Writers(run, options, client)
