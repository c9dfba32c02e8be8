"""Garbage is collected at a request's start only.

Without it an automatic collection while another stack is suspended in JavaScript destroys the
interpreter: "memory access out of bounds", then every request fails (python-holes.md section 1).
The app's gc.enable() and gc.disable() keep their effect on gc.isenabled() only.
"""

from __future__ import annotations

import gc

from edgelift.worker.flows import overlapping

# CPython's own first threshold times three: objects that hold others, made since the last
# collection.
_YOUNG_LIMIT = 6000
# Every so many young collections a full one, as CPython's thresholds of 10 and 10 would give, but
# for our own limit.
_FULL_EVERY = 20

_collect = gc.collect
_enable = gc.enable
_wanted = -1
_young = 0
_enabled = True


def collect_garbage() -> None:
    """Collect when enough was allocated, or when the app asked for it.

    Called before the app's code runs.
    """
    global _wanted, _young
    generation = _wanted
    if gc.get_count()[0] > _YOUNG_LIMIT:
        _young += 1
        generation = max(generation, 2 if _young % _FULL_EVERY == 0 else 0)
    if generation >= 0:
        _wanted = -1
        _collect(generation)


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
