"""Hold a stream back to the rate that the origin may be asked for, and tell how far a copy is."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field

_TELL_S = 0.2


@dataclass
class Throttle:
    """Limits in rows and bytes per second, 0 for none; `clock` and `sleep` are those of time."""

    rows_per_s: float = 0.0
    bytes_per_s: float = 0.0
    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep
    _due: float = field(default=0.0, init=False)

    def pass_bytes(self, stream: Iterable[bytes]) -> Iterator[bytes]:
        """Yield the stream no faster than its limit in bytes."""
        if not self.bytes_per_s:
            yield from stream
            return
        for part in stream:
            self._wait(len(part) / self.bytes_per_s)
            yield part

    def pass_rows(self, rows: int) -> None:
        """Wait as long as so many rows have to take."""
        if self.rows_per_s:
            self._wait(rows / self.rows_per_s)

    def choose_rows(self, chunk_rows: int) -> int:
        """Return the rows of a chunk: under a limit of rows about a second's worth."""
        if not self.rows_per_s:
            return chunk_rows
        return max(1, min(chunk_rows, int(self.rows_per_s)))

    def _wait(self, cost_s: float) -> None:
        now = self.clock()
        self._due = max(self._due, now) + cost_s
        if self._due > now:
            self.sleep(self._due - now)


@dataclass
class Meter:
    """Tells progress with speed and time left; `tell` gets (what, done, total)."""

    what: str
    total: int
    tell: Callable[[str, int, int], None]
    clock: Callable[[], float] = time.monotonic
    done: int = 0
    skipped: int = 0
    _started: float | None = field(default=None, init=False)
    _told: float = field(default=float("-inf"), init=False)

    def skip(self, rows: int) -> None:
        """Count rows that were there before: they say nothing of the speed."""
        self.done += rows
        self.skipped += rows

    def add(self, rows: int) -> None:
        """Count rows and tell about it, not too often."""
        now = self.clock()
        if self._started is None:
            self._started = now
        self.done += rows
        if now - self._told >= _TELL_S:
            self._told = now
            self.tell(self.what + self._describe(now), self.done, max(self.total, self.done))

    def _describe(self, now: float) -> str:
        took = now - (self._started or now)
        fresh = self.done - self.skipped
        if took < 1 or fresh <= 0:
            return ""
        rate = fresh / took
        left_s = max(0, self.total - self.done) / rate
        return f", {rate:,.0f} rows/s, {format_time(left_s)} left"


def format_time(seconds: float) -> str:
    """Return a time for people: 40 s, 3 min, 2 h 5 min."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 90 else f"{minutes // 60} h {minutes % 60} min"
