"""The state of a transaction while the source is walked: what is pending, what is written."""

from __future__ import annotations

from dataclasses import dataclass, replace

# Enough to tell one write from several and to name the first ones.
_MOST_WRITES = 6


@dataclass(frozen=True)
class Write:
    """A write at a place; `many` when it is several statements; `key` names the object written.

    `trail` holds the lines of the calls that led to it.
    """

    path: str
    line: int
    text: str
    many: bool = False
    key: str = ""
    trail: tuple[int, ...] = ()

    @property
    def identity(self) -> tuple[object, ...]:
        """Return what makes two writes the same one."""
        return (self.path, self.line, self.key, self.trail)

    @property
    def place(self) -> str:
        """Return file and line."""
        return f"{self.path}:{self.line}"


@dataclass(frozen=True)
class State:
    """Writes since the last commit: `pending` in the session, `written` by the database.

    `flushed` is the line of an explicit flush after which the unit went on; `begun` whether an
    explicit BEGIN is open.
    """

    pending: tuple[Write, ...] = ()
    written: tuple[Write, ...] = ()
    flushed: str = ""
    begun: bool = False

    @property
    def writes(self) -> tuple[Write, ...]:
        """Return all writes of the unit."""
        return _merge(self.written, self.pending)

    def add(self, write: Write) -> State:
        """Return the state with a write that the next flush will send."""
        if write.key and any(w.key == write.key for w in self.pending):
            return self
        return replace(self, pending=_merge(self.pending, (write,)))

    def flush(self) -> State:
        """Return the state after the pending writes were sent."""
        if not self.pending:
            return self
        return replace(self, pending=(), written=_merge(self.written, self.pending))

    def write(self, write: Write) -> State:
        """Return the state after a statement was executed."""
        flushed = self.flush()
        return replace(flushed, written=_merge(flushed.written, (write,)))

    def end(self) -> State:
        """Return the state after a commit or rollback."""
        return State()

    def before_failing(self, *, flushes: bool) -> State:
        """Return what stays written when the next statement fails.

        A failing flush of several pending writes leaves all but the failing one.
        """
        kept = self.written
        if flushes and (len(self.pending) > 1 or any(w.many for w in self.pending)):
            kept = _merge(kept, self.pending[:1])
        return replace(self, pending=(), written=kept)

    def join(self, other: State) -> State:
        """Return the state after one of two ways: the one that wrote more.

        A union would take the two branches of an `if` for two writes.
        """
        more = max(self, other, key=lambda state: (count(state.writes), count(state.written)))
        return replace(more, flushed=self.flushed or other.flushed, begun=self.begun or other.begun)

    def repeat(self, before: State) -> State:
        """Return the state after a loop: writes it made and left open happen many times."""

        def many(writes: tuple[Write, ...], known: tuple[Write, ...]) -> tuple[Write, ...]:
            return tuple(w if w in known else replace(w, many=True) for w in writes)

        return replace(
            self,
            pending=many(self.pending, before.pending),
            written=many(self.written, before.written),
        )


def count(writes: tuple[Write, ...]) -> int:
    """Return the number of statements, 2 standing for any higher number of a repeated one."""
    return sum(2 if write.many else 1 for write in writes)


def _merge(first: tuple[Write, ...], second: tuple[Write, ...]) -> tuple[Write, ...]:
    known = {w.identity for w in first}
    more = tuple(w for w in second if w.identity not in known)
    grown = {w.identity for w in second if w.many}
    kept = tuple(replace(w, many=True) if w.identity in grown else w for w in first)
    return (kept + more)[:_MOST_WRITES]
