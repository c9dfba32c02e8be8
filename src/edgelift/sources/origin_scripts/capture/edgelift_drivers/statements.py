"""What happens around each statement that a driver sends: it is told, and may be made to fail."""

from __future__ import annotations

import contextvars
import functools
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

_WRITE = re.compile(
    r"\s*(?:(?:--[^\n]*\n|/\*.*?\*/)\s*)*(insert|update|delete|replace|merge)\b",
    re.IGNORECASE | re.DOTALL,
)
_COMMIT = re.compile(r"\s*(commit|end)\b(?!\s+prepared)", re.IGNORECASE)
_OPTIONS = ("prepare", "binary", "timeout", "size", "page_size", "template", "fetch", "writer")
# Whether a driver is at work on a statement: what it sends to do so is no statement of the app.
_inside: contextvars.ContextVar[bool] = contextvars.ContextVar("edgelift_inside", default=False)


class Statement(NamedTuple):
    """A statement as the app gave it to the driver; `bound` tells that parameters came with it."""

    engine: str
    sql: str
    bound: bool
    database: str


class Seat(NamedTuple):
    """How a driver's classes are asked: by the object on which the statement runs.

    `run` sends a text of ours on its connection: a function, or one to await.
    """

    engine: str
    read_text: Callable[[Any, Any], str]
    read_database: Callable[[Any], str]
    run: Callable[[Any, str], Any]

    def fail(self, owner: Any, kind: str) -> None:
        """Let the server raise an error; a COMMIT that fails ends the transaction."""
        try:
            self.run(owner, FAILURES[self.engine])
        finally:
            if kind == "commit":
                self.run(owner, "ROLLBACK")

    async def fail_async(self, owner: Any, kind: str) -> None:
        """Do the same where it must be awaited."""
        try:
            await self.run(owner, FAILURES[self.engine])
        finally:
            if kind == "commit":
                await self.run(owner, "ROLLBACK")


# The server's own error, so that what it does to the transaction is the server's.
FAILURES = {
    "postgresql": "DO $$ BEGIN RAISE EXCEPTION 'disk I/O error' USING ERRCODE = '58030'; END $$",
    "mysql": "SIGNAL SQLSTATE 'HY000' SET MYSQL_ERRNO = 1030, MESSAGE_TEXT = 'disk I/O error'",
}
# Told each statement of the app, before it runs.
observers: list[Callable[[Statement], None]] = []
# Asked whether a place is to fail: its kind (write, written, commit) and the database's name.
judges: list[Callable[[str, str], bool]] = []


def kind_of(sql: str) -> str:
    """Return `write`, `commit` or nothing."""
    if _WRITE.match(sql):
        return "write"
    return "commit" if _COMMIT.match(sql) else ""


def is_due(kind: str, database: str) -> bool:
    """Return whether a place is to fail."""
    return bool(kind) and any(judge(kind, database) for judge in judges)


def is_bound(given: tuple[Any, ...], named: dict[str, Any]) -> bool:
    """Return whether a statement comes with parameters."""
    values = [value for name, value in named.items() if name not in _OPTIONS]
    return any(value is not None for value in (*given[:1], *values))


@contextmanager
def at_work() -> Iterator[bool]:
    """Mark that a driver is at work; yields whether it was before."""
    before = _inside.get()
    mark = _inside.set(True)
    try:
        yield before
    finally:
        _inside.reset(mark)


def _tell(seat: Seat, owner: Any, sql: Any, *, bound: bool) -> tuple[str, str]:
    """Tell the observers, and return the kind of the statement and its database."""
    text = seat.read_text(sql, owner)
    database = seat.read_database(owner) if judges else ""
    for observer in observers:
        observer(Statement(seat.engine, text, bound, database))
    return kind_of(text), database


def around(function: Any, seat: Seat) -> Any:
    """Return a method `(self, sql, ...)` that tells of its statement and may fail."""

    @functools.wraps(function)
    def run(self: Any, sql: Any, *given: Any, **named: Any) -> Any:
        if _inside.get():
            return function(self, sql, *given, **named)
        kind, database = _tell(seat, self, sql, bound=is_bound(given, named))
        with at_work():
            if is_due(kind, database):
                seat.fail(self, kind)
            result = function(self, sql, *given, **named)
            if kind == "write" and is_due("written", database):
                seat.fail(self, "written")
            return result

    return run


def around_async(function: Any, seat: Seat, *, runs: bool = True) -> Any:
    """Return the same of a method that is awaited; `runs` is False for one that only prepares."""

    @functools.wraps(function)
    def run(self: Any, sql: Any, *given: Any, **named: Any) -> Any:
        if _inside.get():
            return function(self, sql, *given, **named)
        kind, database = _tell(seat, self, sql, bound=is_bound(given, named))
        if not runs:
            return function(self, sql, *given, **named)
        return failing(self, lambda: function(self, sql, *given, **named), kind, database)

    async def failing(self: Any, work: Callable[[], Any], kind: str, database: str) -> Any:
        with at_work():
            if is_due(kind, database):
                await seat.fail_async(self, kind)
            result = await work()
            if kind == "write" and is_due("written", database):
                await seat.fail_async(self, "written")
            return result

    return run


def around_commit(function: Any, seat: Seat) -> Any:
    """Return a method `commit(self)` that may fail."""

    @functools.wraps(function)
    def commit(self: Any, *given: Any, **named: Any) -> Any:
        if not _inside.get() and is_due("commit", seat.read_database(self)):
            with at_work():
                seat.fail(self, "commit")
        return function(self, *given, **named)

    return commit


def around_commit_async(function: Any, seat: Seat) -> Any:
    """Return the same of a method that is awaited."""

    @functools.wraps(function)
    async def commit(self: Any, *given: Any, **named: Any) -> Any:
        if not _inside.get() and is_due("commit", seat.read_database(self)):
            with at_work():
                await seat.fail_async(self, "commit")
        return await function(self, *given, **named)

    return commit


def replace(owner: Any, names: tuple[str, ...], make: Callable[[Any], Any]) -> None:
    """Replace the methods that a class has itself by what `make` makes of them."""
    for name in names:
        function = vars(owner).get(name)
        if callable(function):
            setattr(owner, name, make(function))
