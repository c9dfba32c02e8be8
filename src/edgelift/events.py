"""What a run tells while it works: stages emit events, displays and tests consume them."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from edgelift.model.findings import Check, Finding


class Event(msgspec.Struct, frozen=True, kw_only=True, tag_field="event"):
    """Base of all events; `stage` is the verb that speaks."""

    stage: str


class StageStarted(Event, frozen=True, kw_only=True, tag="stage.started"):
    """A stage begins to work."""


class StageSkipped(Event, frozen=True, kw_only=True, tag="stage.skipped"):
    """A stage was finished before with the same inputs; `reason` says so in a sentence."""

    reason: str


class StageFinished(Event, frozen=True, kw_only=True, tag="stage.finished"):
    """A stage ended well; `summary` is one line for people."""

    summary: str
    duration_s: float


class StageFailed(Event, frozen=True, kw_only=True, tag="stage.failed"):
    """A stage ended with an error that follows as the exception."""

    error: str


class Progress(Event, frozen=True, kw_only=True, tag="progress"):
    """`done` of `total` units of `what` (rows, requests, files); `total` None while unknown."""

    what: str
    done: int
    total: int | None = None


class Note(Event, frozen=True, kw_only=True, tag="note"):
    """One line of information."""

    text: str


class FindingRaised(Event, frozen=True, kw_only=True, tag="finding"):
    """A finding was recorded."""

    finding: Finding


class CheckRecorded(Event, frozen=True, kw_only=True, tag="check"):
    """A check was recorded with its evidence."""

    check: Check


class FollowLag(Event, frozen=True, kw_only=True, tag="follow.lag"):
    """How far a followed database is behind its origin, told about once a second.

    `state` is following or caught up; `lag` is in `lag_unit`; `retained_bytes` is the log that the
    origin keeps for it.
    """

    database: str
    state: str
    transactions: int
    rows: int
    lag: int
    lag_unit: str
    lag_s: float
    retained_bytes: int = 0


Emit = Callable[[Event], None]


def ignore(event: Event) -> None:
    """Drop an event: the subscriber of library calls that want no progress."""
    del event
