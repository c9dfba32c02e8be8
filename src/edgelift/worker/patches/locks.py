"""Locks that suspend the flow that waits for them.

Without it a Lock held across a wait freezes the isolate, since CPython's blocks the only native
thread, and its RLock takes all requests for one thread and lets them in together. Condition, Event,
Semaphore, Barrier and Queue of the standard library are built on these names and follow.
"""

from __future__ import annotations

import _thread
import threading
import time
from collections import deque
from typing import Any

from edgelift.worker.flows import get_ident
from edgelift.worker.host import Parking

# A waiter looks again this often even if nobody wakes it, see Parking.park.
_LONGEST_PARK_S = 0.1


class Lock:
    """A mutual exclusion lock with the interface of threading.Lock."""

    __slots__ = ("__weakref__", "_held", "_waiting")

    def __init__(self) -> None:
        self._held = False
        self._waiting: deque[Parking] | None = None

    def acquire(self, blocking: bool = True, timeout: float = -1) -> bool:
        """Take the lock, waiting for it if asked to; return whether it was taken."""
        if not self._held:
            self._held = True
            return True
        if not blocking:
            if timeout != -1:
                raise ValueError("can't specify a timeout for a non-blocking call")
            return False
        if timeout < 0 and timeout != -1:
            raise ValueError("timeout value must be a non-negative number")
        if timeout > threading.TIMEOUT_MAX:
            raise OverflowError("timeout value is too large")
        return self._wait(None if timeout == -1 else time.monotonic() + timeout)

    def _wait(self, deadline: float | None) -> bool:
        parking = Parking()
        if self._waiting is None:
            self._waiting = deque()
        self._waiting.append(parking)
        try:
            while self._held:
                limit = _LONGEST_PARK_S
                if deadline is not None:
                    limit = min(limit, deadline - time.monotonic())
                    if limit <= 0:
                        return False
                parking.park(limit * 1000)
            self._held = True
            return True
        finally:
            self._waiting.remove(parking)

    def release(self) -> None:
        """Give the lock back and wake whoever has waited longest."""
        if not self._held:
            raise RuntimeError("release unlocked lock")
        self._held = False
        if self._waiting:
            self._waiting[0].wake()

    def locked(self) -> bool:
        """Return whether someone holds the lock."""
        return self._held

    def __enter__(self) -> bool:
        return self.acquire()

    def __exit__(self, *_error: object) -> None:
        self.release()

    def __repr__(self) -> str:
        state = "locked" if self._held else "unlocked"
        return f"<{state} {type(self).__module__}.{type(self).__qualname__} at {id(self):#x}>"

    acquire_lock = acquire
    release_lock = release
    locked_lock = locked

    def _at_fork_reinit(self) -> None:
        self._held = False


class RLock:
    """A lock its owner may take again, with the interface of threading.RLock."""

    __slots__ = ("__weakref__", "_count", "_lock", "_owner")

    def __init__(self) -> None:
        self._lock = Lock()
        self._owner: int | None = None
        self._count = 0

    def acquire(self, blocking: bool = True, timeout: float = -1) -> bool:
        """Take the lock, or once more if this thread has it; return whether it was taken."""
        me = get_ident()
        if self._owner == me:
            self._count += 1
            return True
        if self._lock.acquire(blocking, timeout):
            self._owner = me
            self._count = 1
            return True
        return False

    def release(self) -> None:
        """Give the lock back once."""
        if self._owner != get_ident():
            raise RuntimeError("cannot release un-acquired lock")
        self._count -= 1
        if not self._count:
            self._owner = None
            self._lock.release()

    def locked(self) -> bool:
        """Return whether someone holds the lock."""
        return self._lock.locked()

    def __enter__(self) -> bool:
        return self.acquire()

    def __exit__(self, *_error: object) -> None:
        self.release()

    def __repr__(self) -> str:
        state = "locked" if self.locked() else "unlocked"
        return f"<{state} RLock owner={self._owner} count={self._count} at {id(self):#x}>"

    def _at_fork_reinit(self) -> None:
        self._lock._at_fork_reinit()
        self._owner = None
        self._count = 0

    # What threading.Condition asks of its lock.
    def _release_save(self) -> tuple[int, int | None]:
        if not self._count:
            raise RuntimeError("cannot release un-acquired lock")
        state = (self._count, self._owner)
        self._count, self._owner = 0, None
        self._lock.release()
        return state

    def _acquire_restore(self, state: tuple[int, int | None]) -> None:
        self._lock.acquire()
        self._count, self._owner = state

    def _is_owned(self) -> bool:
        return self._owner == get_ident()

    def _recursion_count(self) -> int:
        return self._count if self._owner == get_ident() else 0


def install() -> None:
    """Put both under every name the standard library makes locks by."""
    threads: Any = threading
    raw: Any = _thread
    threads.Lock = threads._allocate_lock = threads._LockType = Lock
    raw.allocate_lock = raw.allocate = raw.LockType = raw.lock = Lock
    threads.RLock = threads._CRLock = threads._PyRLock = raw.RLock = RLock
    # Made before this patch and taken around starts and ends of threads, which may wait.
    threads._active_limbo_lock = RLock()
