"""What a server's feed yields after statements at its origin, without a copy and without a target."""

from __future__ import annotations

import contextlib
import os
import uuid
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from edgelift.model.mover_settings import SchemaSection
from edgelift.sources.change_feed import (
    Change,
    Edit,
    Emptied,
    Feed,
    Followed,
    Subject,
    open_followed,
)
from edgelift.sources.origin_database import open_origin
from edgelift.targets.object_files import name_object
from tests.contract.mover.moving import NO_SETTINGS, judge

NIGHTLY = bool(os.environ.get("EDGELIFT_NIGHTLY"))


def choose(cases: Sequence[Any], every: int) -> list[Any]:
    """Return all cases of a nightly run, each so-manyth of an everyday one."""
    return list(cases if NIGHTLY else cases[::every])


@dataclass
class Feeding:
    """An open feed of a followed origin, and whom it belongs to."""

    followed: Followed
    feed: Feed

    def read(self) -> list[Change]:
        """Return all that was written until now."""
        self.feed.mark()
        found: list[Change] = []
        while not self.feed.has_reached_mark():
            found += self.feed.read(0.2)
        self.feed.check()
        return found

    def read_edits(self) -> list[Edit | Emptied]:
        """Return what concerns rows of all that was written until now."""
        return [change for change in self.read() if isinstance(change, Edit | Emptied)]


def build_subject(
    url: str, settings: SchemaSection = NO_SETTINGS, keep: Callable = name_object
) -> Subject:
    """Judge a server's database and return it as what is followed."""
    subject = Subject(
        database="main",
        url=url,
        name=f"edgelift_{uuid.uuid4().hex[:16]}",
        plan=judge(url, settings).plan,
        keep=keep,
    )
    with open_followed(subject) as followed:
        return replace(subject, parts=followed.read_parts())


@contextlib.contextmanager
def open_feed(
    url: str, settings: SchemaSection = NO_SETTINGS, keep: Callable = name_object
) -> Iterator[Feeding]:
    """Follow a server's database from now on; nothing is left there."""
    with open_followed(build_subject(url, settings, keep)) as followed:
        assert followed.find_problems() == []
        try:
            with followed.prepare() as ticket:
                position = ticket.partition("@")[2] or read_position(url)
            with contextlib.closing(followed.open(position)) as feed:
                yield Feeding(followed, feed)
        finally:
            followed.drop()


def read_position(url: str) -> str:
    """Return the position of a snapshot."""
    with open_origin(url) as adapter, contextlib.closing(adapter.open_snapshot()) as reader:
        return reader.position
