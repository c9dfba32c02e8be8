"""What an origin must offer to be followed, and the list of those that do.

A feed speaks in the target's tables, columns and values: what it yields was decoded by the ops of
the copy. The follow stage applies it and knows nothing of slots, logs and triggers.
"""

from __future__ import annotations

import contextlib
import importlib
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from edgelift.model.findings import Status
from edgelift.model.move_plan import MovePlan
from edgelift.rows.conversions import Value
from edgelift.sources.origin_database import is_server_url, read_scheme

Key = tuple[Value, ...]
Values = dict[str, Value]


@dataclass(frozen=True, slots=True)
class Edit:
    """One row: `old` is its key before (None for an insert), `new` its values (None for a delete).

    Without `full` columns that are not in `new` keep their values. In a table without key `old`
    are the values of all columns.
    """

    table: str
    old: Key | None
    new: Values | None
    full: bool = True


@dataclass(frozen=True, slots=True)
class Emptied:
    """All rows of a table are gone."""

    table: str


@dataclass(frozen=True, slots=True)
class End:
    """A transaction is complete: `position` is where to go on, `time` its Unix seconds there."""

    position: str
    time: float


ACTING = frozenset({"CASCADE", "SET NULL"})  # what a foreign key may do to rows


@dataclass(frozen=True, slots=True)
class Action:
    """A foreign key that acts, in the target's names; what it does at an origin is not logged."""

    parent: str
    parent_columns: tuple[str, ...]
    child: str
    child_columns: tuple[str, ...]
    on_delete: str
    on_update: str


@dataclass(frozen=True, slots=True)
class Cascade:
    """What the last Edit of `action.parent` did to the rows that referred to its `old` values.

    `new` are the values since then, None when the row is gone.
    """

    action: Action
    old: Key
    new: Key | None


Change = Edit | Emptied | Cascade | End


@dataclass(frozen=True)
class FollowProblem:
    """Why changes cannot be followed, of one table or (empty) of all, and what mends it."""

    table: str
    why: str
    tip: str


@dataclass(frozen=True)
class Lag:
    """How far a position is behind the origin, `behind` in bytes of its log or in `unit`.

    `retained` bytes of log are kept for the feed.
    """

    behind: int
    seconds: float
    retained: int = 0
    unit: str = "bytes"


@dataclass(frozen=True)
class Shape:
    """A table as the target has it: its columns, those that name a row, none without a key."""

    table: str
    columns: tuple[str, ...]
    key: tuple[str, ...]


class Feed(Protocol):
    """An open stream of changes behind a position.

    All methods raise OriginUnavailable when the connection is cut, OriginError when following
    cannot go on: the schema changed, the log is gone.
    """

    def read(self, wait_s: float) -> Generator[Change, None, None]:
        """Yield changes until none came for `wait_s` seconds, or the limit of `mark` is reached."""

    def mark(self, position: str = "") -> None:
        """Set a limit: everything written before now, or exactly up to a moment's position."""

    def has_reached_mark(self) -> bool:
        """Return whether all up to the limit was yielded, with its End."""

    def confirm(self, position: str) -> None:
        """Tell the origin that all up to an End's position is safe at the target."""

    def read_lag(self, position: str, applied: float) -> Lag:
        """Return how far a position is behind; `applied` is the time of the last End, 0 if none."""

    def check(self) -> None:
        """Raise OriginError when the schema is no longer the one that was judged."""

    def close(self) -> None:
        """Close the connections; what lies at the origin stays."""


@dataclass(frozen=True)
class Comparison:
    """What comparing every row found: counts, and differences in words."""

    status: Status
    tables: int
    rows: int
    details: tuple[str, ...] = ()
    differing: int = 0


class Moment(Protocol):
    """One consistent moment of the origin, to compare the target with."""

    position: str

    def compare(self, target: Path, tell: Callable[[str, int, int], None]) -> Comparison:
        """Compare every row of both sides by hash; differences are named."""


class Followed(Protocol):
    """An origin whose changes can be followed; `open_followed` makes one."""

    product: str
    handle: str  # what following leaves at the origin, in words; empty for nothing
    shapes: Sequence[Shape]
    offloaded: Sequence[tuple[str, str]]  # (table, column) of the target whose values are objects
    actions: Sequence[Action]  # foreign keys whose doing comes as Cascade; others come as edits

    def find_problems(self) -> list[FollowProblem]:
        """Return what stands in the way."""

    def read_parts(self) -> dict[str, str]:
        """Return what the origin is like now, to compare later; empty when it tells by itself."""

    def prepare(self) -> contextlib.AbstractContextManager[str]:
        """Begin at the origin; yields the ticket of the snapshot to copy, empty when none."""

    def open(self, position: str) -> Feed:
        """Open the stream behind a position."""

    def open_moment(self, feed: Feed) -> contextlib.AbstractContextManager[Moment]:
        """Open a consistent moment whose position the feed can be read up to."""

    def read_counters(self) -> Mapping[str, int]:
        """Return the last number that each counter gave out, by the target's table."""

    def drop(self) -> None:
        """Remove what following left at the origin."""


def _refuse_object(_value: Value) -> str:
    raise AssertionError("nothing was offloaded when the database was judged")


@dataclass(frozen=True, kw_only=True)
class Subject:
    """What is followed: `plan` of a server's database, `snapshot` of a file, `name` at the origin.

    A server's subject without plan has no tables: it can be dropped only. `parts` is what the
    origin was like when following began. `keep` writes an offloaded value and returns its name.
    `consent` says that the origin may be written: triggers in a SQLite file.
    """

    database: str
    url: str
    name: str
    plan: MovePlan | None = None
    parts: Mapping[str, str] = field(default_factory=dict)
    keep: Callable[[Value], str] = _refuse_object
    path: Path | None = None
    snapshot: Path | None = None
    consent: bool = False


Opener = Callable[[Subject], contextlib.AbstractContextManager[Followed]]

FOLLOWED: Mapping[str, str] = {
    "postgres": "edgelift.sources.postgres.feed:open_followed",
    "postgresql": "edgelift.sources.postgres.feed:open_followed",
    "mysql": "edgelift.sources.mysql.feed:open_followed",
    "mariadb": "edgelift.sources.mysql.feed:open_followed",
    "": "edgelift.sources.sqlite_changes.feed:open_followed",
}


def open_followed(subject: Subject) -> contextlib.AbstractContextManager[Followed]:
    """Return a context manager that connects to the origin of a subject.

    Entering it raises OriginError when the origin refuses, UsageError when nothing can follow it.
    """
    from edgelift.errors import UsageError

    scheme = read_scheme(subject.url) if is_server_url(subject.url) else ""
    place = FOLLOWED.get(scheme)
    if place is None:
        raise UsageError(
            f"Changes of {subject.database} cannot be followed",
            why=f"no feed is known for {scheme}",
            tip="copy it after its writers stopped: edgelift data",
        )
    module, _, name = place.partition(":")
    opener: Opener = getattr(importlib.import_module(module), name)
    return opener(subject)
