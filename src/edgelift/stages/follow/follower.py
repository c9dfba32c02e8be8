"""Follow one database: read changes, apply their net effect, save the position, tell the lag.

Many small transactions of the origin become one here; a large one is written in parts, all in one
transaction too. When the origin goes away, everything is opened anew where it was applied.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TypeVar

import msgspec

from edgelift.errors import EdgeliftError, OriginUnavailable
from edgelift.events import FollowLag
from edgelift.model.findings import Status
from edgelift.model.follow_state import FollowState
from edgelift.run import Run
from edgelift.sources.change_feed import (
    Cascade,
    Comparison,
    Edit,
    Emptied,
    End,
    Feed,
    Followed,
    Lag,
    open_followed,
)
from edgelift.stages.follow.file_writer import Checkpoint, FileWriter
from edgelift.stages.follow.net import Net
from edgelift.stages.follow.request_writer import RequestWriter
from edgelift.stages.follow.shard_writer import ShardWriter
from edgelift.stages.follow.subjects import Database

T = TypeVar("T")
Writer = FileWriter | RequestWriter | ShardWriter
_BATCH = 1000  # changes after which whole transactions are committed
_PART, _PART_BYTES = 20_000, 16_000_000  # changes of one transaction that are held in memory
_COMMIT_S = 0.5
_TELL_S = 1.0
_TURN_S = 2.0  # that one database may take while others wait
_CHECK_S = 30.0  # how often the catalogue is compared while nothing comes
_FIRST_WAIT_S, _LONGEST_WAIT_S = 0.5, 10.0
_MOMENTS = 5  # to compare with, at most
_RETAINED = 1 << 30  # bytes of log at the origin that are worth a warning


@dataclass
class Session:
    """What is open at the origin."""

    followed: Followed
    feed: Feed
    stack: contextlib.ExitStack


class Follower:
    """Follows one database; a context manager that leaves file and origin fit to go on."""

    def __init__(self, run: Run, database: Database, writer: Writer, *, patience_s: float) -> None:
        self.run = run
        self.database = database
        self.writer = writer
        self.state = FollowState(
            database=database.name, product="", handle="", start=self.writer.checkpoint.start
        )
        self._patience_s = patience_s
        self._session: Session | None = None
        self._net = Net(())
        self._end: End | None = None
        self._cascades: list[Cascade] = []
        self._counted = self._rows = self._open = self._emptied = 0
        self._committed = self._told = self._checked = time.monotonic()
        self._warned = False

    def open(self) -> None:
        """Open origin and stream at the position that is applied."""
        with contextlib.ExitStack() as stack:
            subject = self.database.to_subject(self.run, consent=True)
            followed = stack.enter_context(open_followed(subject))
            feed = followed.open(self.writer.checkpoint.position)
            stack.callback(feed.close)
            feed.check()
            self.writer.prepare(followed.shapes, followed.actions)
            self._net = Net(followed.shapes)
            self._session = Session(followed, feed, stack.pop_all())
        handle = self.database.handle if self.database.is_server else followed.handle
        self.state = msgspec.structs.replace(
            self.state, product=followed.product, handle=handle if followed.handle else ""
        )

    @property
    def session(self) -> Session:
        """Return what is open, opened when it is not."""
        if self._session is None:
            self.open()
        assert self._session is not None
        return self._session

    def advance(self, wait_s: float) -> None:
        """Apply what comes until nothing came for `wait_s` seconds; outlives a lost connection."""
        self.try_again(lambda: self._advance(wait_s))

    def catch_up(self) -> None:
        """Apply everything that was written at the origin before now."""
        marked: Session | None = None
        while marked is None or not marked.feed.has_reached_mark():
            if self._session is not marked or marked is None:
                marked = self.try_again(self._mark)
            self.advance(0.2)
            self.tell()
        # What a changed schema did to rows no log tells: nobody may believe to be caught up then.
        self.try_again(self._check_schema)
        self.tell("caught up", force=True)

    def _check_schema(self) -> None:
        self.session.feed.check()

    def _mark(self) -> Session:
        self.session.feed.mark()
        return self.session

    def compare(self) -> Comparison:
        """Compare every row with a moment of the origin, once exactly that much is applied.

        A table that was emptied after the moment looks empty in it (PostgreSQL's TRUNCATE does not
        obey snapshots), so a difference then says nothing and another moment is taken.
        """
        for _ in range(_MOMENTS - 1):
            emptied = self._emptied
            found = self._compare_once()
            if found.status is not Status.FAIL:
                return found
            self.catch_up()
            if self._emptied == emptied:
                return found
        return self._compare_once()

    def _compare_once(self) -> Comparison:
        session = self.session
        with session.followed.open_moment(session.feed) as moment:
            session.feed.mark(moment.position)
            while not session.feed.has_reached_mark():
                self._advance(0.2)
            with self.writer.open_file() as file:
                return moment.compare(file, self.run.progress)

    def _advance(self, wait_s: float) -> None:
        feed = self.session.feed
        deadline = time.monotonic() + _TURN_S
        with contextlib.closing(feed.read(wait_s)) as changes:
            for change in changes:
                if isinstance(change, End):
                    self._take_end(change)
                    if time.monotonic() > deadline:  # other databases wait for their turn
                        break
                    continue
                self._take(change)
        if self._open == 0:
            self._commit()
        if time.monotonic() - self._checked > _CHECK_S:
            feed.check()
            self._checked = time.monotonic()

    def _take(self, change: Edit | Emptied | Cascade) -> None:
        self._open += 1
        if isinstance(change, Cascade):
            self._cascades.append(change)
            return
        if self._cascades and not self._may_join(change):
            self._apply()
        self._net.add(change)
        self._emptied += isinstance(change, Emptied)
        if self._net.size >= _PART or self._net.bytes >= _PART_BYTES:
            self._apply()

    def _may_join(self, change: Edit | Emptied) -> bool:
        """Return whether cascades that wait may be done behind a change too: rows that go alike."""
        gone = isinstance(change, Edit) and change.new is None
        return gone and change.table == self._cascades[-1].action.parent

    def _take_end(self, end: End) -> None:
        before = self._end
        self._end = end
        self._counted += 1
        self._open = 0
        late = time.monotonic() - self._committed > _COMMIT_S
        full = self._net.size >= _BATCH or self._net.bytes >= _PART_BYTES
        if full or (late and before is not None):
            self._commit()
            self.tell()

    def _apply(self) -> None:
        self.writer.apply(self._net, self._cascades)
        self._rows += self._net.size
        self._net.clear()
        self._cascades.clear()

    def _commit(self) -> None:
        end = self._end
        if end is None:
            return
        if self._net.size or self._cascades:
            self._apply()
        done = self.writer.checkpoint
        self.writer.commit(
            Checkpoint(
                start=done.start,
                position=end.position,
                transactions=done.transactions + self._counted,
                rows=done.rows + self._rows,
                time=end.time,
            )
        )
        self.session.feed.confirm(end.position)
        self._forget()

    def _forget(self) -> None:
        self._end = None
        self._counted = self._rows = self._open = 0
        self._net.clear()
        self._cascades.clear()
        self._committed = time.monotonic()

    def try_again(self, work: Callable[[], T]) -> T:
        """Do work at the origin; when it goes away open everything anew, for a while."""
        deadline, wait_s = time.monotonic() + self._patience_s, _FIRST_WAIT_S
        while True:
            try:
                return work()
            except OriginUnavailable as error:
                self._drop_session()
                if time.monotonic() > deadline:
                    raise
                self.run.note(f"{error.what}: {error.why}; trying again in {wait_s:.1f} s")
                time.sleep(wait_s)
                wait_s = min(wait_s * 2, _LONGEST_WAIT_S)

    def _drop_session(self) -> None:
        self.writer.roll_back()
        self._forget()
        if self._session is not None:
            session, self._session = self._session, None
            with contextlib.suppress(OriginUnavailable):
                session.stack.close()

    def tell(self, state: str = "following", *, force: bool = False) -> None:
        """Tell the lag and write it down, about once a second."""
        if not force and time.monotonic() - self._told < _TELL_S:
            return
        self._told = time.monotonic()
        done = self.writer.checkpoint
        lag = self.try_again(lambda: self.session.feed.read_lag(done.position, done.time))
        self.save(state, lag)
        self.run.emit(
            FollowLag(
                stage="follow",
                database=self.database.name,
                state=state,
                transactions=done.transactions,
                rows=done.rows,
                lag=lag.behind,
                lag_unit=lag.unit,
                lag_s=lag.seconds,
                retained_bytes=lag.retained,
            )
        )
        if lag.retained > _RETAINED and not self._warned:
            self._warned = True
            self.run.note(
                f"the origin keeps {lag.retained >> 20} MiB of its log for {self.database.name}: "
                "its disk fills while following is behind or stopped"
            )

    def save(self, state: str, lag: Lag | None = None, error: str = "", verified: str = "") -> None:
        """Write down where following stands."""
        done = self.writer.checkpoint
        self.state = msgspec.structs.replace(
            self.state,
            state=state,
            position=done.position,
            transactions=done.transactions,
            rows=done.rows,
            lag=lag.behind if lag else self.state.lag,
            lag_unit=lag.unit if lag else self.state.lag_unit,
            lag_s=lag.seconds if lag else self.state.lag_s,
            retained_bytes=lag.retained if lag else self.state.retained_bytes,
            updated=time.time(),
            error=error,
            verified=verified or self.state.verified,
        )
        self.run.journal.write_document(f"follow:{self.database.name}", self.state)

    def close(self) -> None:
        """Forget what is not committed and close both sides."""
        self._drop_session()
        self.writer.close()


@contextlib.contextmanager
def open_follower(
    run: Run, database: Database, writer: Writer, *, patience_s: float
) -> Iterator[Follower]:
    """Open a follower that applies by a writer, which it closes; what stops it is written down."""
    follower = Follower(run, database, writer, patience_s=patience_s)
    try:
        yield follower
    except EdgeliftError as error:
        follower.save("failed", error=error.what)
        raise
    finally:
        follower.close()
