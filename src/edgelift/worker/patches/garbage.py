"""Garbage is collected at a request's start only.

Without it an automatic collection while another stack is suspended in JavaScript destroys the
interpreter: "memory access out of bounds", then every request fails (python-holes.md section 1).
The app's gc.enable() and gc.disable() keep their effect on gc.isenabled() only.
"""

from __future__ import annotations

import gc

from edgelift.worker.flows import overlapping

# CPython's first threshold is 2000 (700 before 3.13); a request of ours may not stop in the middle.
_YOUNG_LIMIT = 4000
# A full collection follows when what outlived young ones is a quarter of what the last full one
# left, CPython's own rule, and at least this many objects.
_OLD_LIMIT = 8000

_collect = gc.collect
_wanted = -1
_promoted = 0
_left = 0
_enabled = True


def collect_garbage() -> None:
    """Collect when enough was allocated, or when the app asked for it.

    Called before the app's code runs.
    """
    global _wanted, _promoted, _left
    made = gc.get_count()[0]
    if made <= _YOUNG_LIMIT and _wanted < 0:
        return
    if _wanted > 0 or _promoted + made > max(_OLD_LIMIT, _left // 4):
        _collect()
        _promoted, _left = 0, len(gc.get_objects())
    else:
        _promoted += max(0, made - _collect(0))
    _wanted = -1


def _app_collect(generation: int = 2) -> int:
    """Collect now when nothing else is suspended, else at the next request's start."""
    global _wanted
    if not 0 <= generation <= 2:
        raise ValueError("invalid generation")
    if not overlapping():
        return _collect(generation)
    _wanted = max(_wanted, generation)
    return 0


def _app_enable() -> None:
    global _enabled
    _enabled = True


def _app_disable() -> None:
    global _enabled
    _enabled = False


def freeze_imports() -> None:
    """Collect the import's garbage and exclude what stays from later collections."""
    _collect()
    gc.freeze()


def install() -> None:
    """Turn automatic collection off and take over the app's switches."""
    gc.disable()
    gc.enable = _app_enable
    gc.disable = _app_disable
    gc.isenabled = lambda: _enabled
    gc.collect = _app_collect
