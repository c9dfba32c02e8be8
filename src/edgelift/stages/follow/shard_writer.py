"""Applies the net effect of changes to all shards of a deployed database, each by requests.

No transaction reaches over shards. So the last batches of all shards, which hold the position, are
written down here before the first is sent: after a kill they are sent before anything else, each
once, and all shards stand at the same position again.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from edgelift.errors import TargetError
from edgelift.model.shard_map import ShardMap
from edgelift.sources.change_feed import Action, Cascade, Shape
from edgelift.sources.shard_files import merge_members
from edgelift.sources.sqlite_snapshot import sync_path
from edgelift.stages.follow.door_target import DoorTarget
from edgelift.stages.follow.file_writer import Checkpoint
from edgelift.stages.follow.net import Net
from edgelift.stages.follow.request_writer import RequestWriter, write_counter
from edgelift.stages.follow.routing import Router
from edgelift.targets.door.batches import Request
from edgelift.targets.door.remote import Message


@dataclass(frozen=True)
class Shards:
    """The deployed members of a database: its shards by name, and what gives out their numbers.

    `pending` is the file of what is sent; `whole` that of all rows, while they are compared.
    """

    map: ShardMap
    targets: Mapping[str, DoorTarget]
    counters: DoorTarget | None
    pending: Path
    whole: Path
    spread: bool


class ShardWriter:
    """Applies to all shards; their positions are the same whenever it is open."""

    def __init__(self, shards: Shards) -> None:
        """Open all shards; raises TargetError."""
        self._shards = shards
        self._finish_pending()
        self._writers = {name: RequestWriter(target) for name, target in shards.targets.items()}
        found = {writer.checkpoint for writer in self._writers.values()}
        if len({checkpoint.position for checkpoint in found}) > 1:
            raise TargetError(
                f"The shards of {shards.map.database} stand at different positions",
                why="a run on another machine was killed while it sent to them",
                tip="run the same command there, or copy anew with --force --replace",
            )
        self.checkpoint = next(iter(found))
        first = next(iter(shards.targets.values()))
        self._router = Router(shards.map, first.read_catalogue(), self._read, spread=shards.spread)

    def _read(self, shard: str, request: Request) -> list[list[Any]]:
        return self._shards.targets[shard].remote.read(request.sql, *request.parameters)

    def prepare(self, shapes: Sequence[Shape], actions: Sequence[Action]) -> None:
        """Learn the tables; raises TargetError for what cannot be followed by requests."""
        for writer in self._writers.values():
            writer.prepare(shapes, actions)

    def apply(self, net: Net, cascades: Sequence[Cascade] = ()) -> None:
        """Divide a net effect, and send what fills batches."""
        for name, part in self._router.split(net).items():
            self._writers[name].apply(part, cascades)

    def commit(self, checkpoint: Checkpoint) -> None:
        """Write down what is left with the position, then send it to every shard."""
        messages: dict[str, list[Message]] = {}
        for name, writer in self._writers.items():
            with self._shards.targets[name].hold() as held:
                writer.commit(checkpoint)
            messages[name] = self._shards.targets[name].remote.build(held)
        self._keep(messages)
        for name, kept in messages.items():
            for message in kept:
                self._shards.targets[name].remote.send(message)
        self._shards.pending.unlink()
        self.checkpoint = checkpoint

    def _keep(self, messages: Mapping[str, Sequence[Message]]) -> None:
        path = self._shards.pending
        part = path.with_name(f"{path.name}.part")
        path.parent.mkdir(parents=True, exist_ok=True)
        part.write_bytes(msgspec.json.encode(messages))
        sync_path(part)
        part.replace(path)
        sync_path(path.parent)

    def _finish_pending(self) -> None:
        """Send what a killed run had written down."""
        path = self._shards.pending
        if path.exists():
            kept = msgspec.json.decode(path.read_bytes(), type=dict[str, list[Message]])
            for name, messages in kept.items():
                self._shards.targets[name].remote.send_again(messages)
            path.unlink()

    def roll_back(self) -> None:
        """Forget what was not sent; what was sent is sent again with the transaction."""
        for writer in self._writers.values():
            writer.roll_back()

    def raise_counters(self, counters: Iterable[tuple[str, int]]) -> None:
        """Let numbers go on where the origin's counters stand, in the database that gives them."""
        target = self._shards.counters
        wanted = [r for table, last in counters for r in write_counter(table, last)]
        if target is not None and wanted:
            target.remote.open()
            target.send(wanted)

    def find_orphans(self) -> list[str]:
        """Return rows whose parent is missing, in words."""
        found = self._writers.items()
        return [f"{name}: {text}" for name, writer in found for text in writer.find_orphans()]

    def read_names(self, columns: Sequence[tuple[str, str]]) -> set[str]:
        """Return the names of objects that the rows of such columns hold."""
        return set().union(*(w.read_names(columns) for w in self._writers.values()))

    @contextlib.contextmanager
    def open_file(self) -> Iterator[Path]:
        """Read all rows of all shards back and put them together, as one file inside the block."""
        whole = self._shards.whole
        targets = dict(self._shards.targets)
        if self._shards.counters is not None:
            targets[self._shards.counters.member] = self._shards.counters
        with contextlib.ExitStack() as stack:
            files = {n: stack.enter_context(target.open_file()) for n, target in targets.items()}
            merge_members(files, self._shards.map, whole)
            try:
                yield whole
            finally:
                whole.unlink()

    def close(self) -> None:
        """Forget what was not sent."""
        for writer in self._writers.values():
            writer.close()
