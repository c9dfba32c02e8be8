"""Makes a database fail on purpose, so that verify can compare what is left of a failed request.

`arm` is called by a control request of the local runtime only; sources/origin_scripts/
inject_faults.py does the same on the origin. The error is what SQLite says when a disk fails.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from edgelift.worker.sqlite3.errors import make_error

WRITE, WRITTEN, COMMIT = "write", "written", "commit"
_armed = ""
_number = 0
_met = 0
_fired = 0
_aside = 0


def arm(fault: str) -> int:
    """Let "<kind> <n>" fail from now on, "" nothing; return how many faults have been raised.

    Kinds: `write` (the n-th write fails and is not run), `written` (an error follows it), `commit`
    (the n-th COMMIT of a transaction fails and is not run).
    """
    global _armed, _number, _met
    kind, _, number = fault.partition(" ")
    _armed, _number, _met = kind, int(number or 0), 0
    return _fired


@contextlib.contextmanager
def aside() -> Iterator[None]:
    """Let nothing fail that the adapter does for itself, and the app knows nothing of."""
    global _aside
    _aside += 1
    try:
        yield
    finally:
        _aside -= 1


def meet(kind: str) -> None:
    """Raise OperationalError when this is the place that was armed."""
    global _met, _fired
    if kind != _armed or _aside:
        return
    _met += 1
    if _met == _number:
        _fired += 1
        raise make_error("disk I/O error", "SQLITE_IOERR")
