"""Chooses what changes are applied by: a file, requests to a file, a deployed database."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from dataclasses import dataclass

import httpx

from edgelift.model.follow_state import FollowOptions
from edgelift.run import Run
from edgelift.stages.follow.door_target import DoorTarget
from edgelift.stages.follow.file_target import FileTarget
from edgelift.stages.follow.file_writer import CHECKPOINT, Checkpoint, FileWriter, read_checkpoint
from edgelift.stages.follow.follower import Writer
from edgelift.stages.follow.request_writer import RequestWriter
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
            return RequestWriter(self._reach(database))
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
        remote = self._reach(database).remote
        remote.open()
        remote.apply([Request(f"DROP TABLE IF EXISTS {CHECKPOINT}")])

    def _reach(self, database: Database) -> DoorTarget:
        secret = os.environ.get(SECRET_VARIABLE, "")
        check_door(self.options.upload, secret)
        door = Door(
            client=self.client,
            url=self.options.upload,
            secret=secret,
            binding=database.binding,
            target=database.binding,
            note=self.run.note,
        )
        waits = self.options.until_caught_up or self.options.preview or self.options.drop
        return DoorTarget(
            remote=Remote(door, TRIES if waits else _LONG_TRIES),
            copy=database.copy,
            scratch=database.target.with_name(f"{database.name}.deployed.sqlite"),
            start=database.read_start(self.run),
        )


@contextlib.contextmanager
def open_writers(run: Run, options: FollowOptions) -> Iterator[Writers]:
    """Hold the connections that writers use."""
    with httpx.Client(follow_redirects=False) as client:
        yield Writers(run, options, client)
