"""Random generators are reseeded after a restore.

Without it all isolates of one snapshot produce the same numbers. Generators the app seeded itself,
by a value it chose, keep their sequence.
"""

from __future__ import annotations

import random
import tempfile
import weakref
from typing import Any

_original_seed = random.Random.seed
_unseeded: weakref.WeakSet[random.Random] = weakref.WeakSet()


def _seed(self: random.Random, a: Any = None, version: int = 2) -> None:
    (_unseeded.add if a is None else _unseeded.discard)(self)
    _original_seed(self, a, version)


def reseed() -> None:
    """Give every generator that was seeded from the system a fresh seed.

    And temporary files fresh names.
    """
    for generator in list(_unseeded):
        _original_seed(generator)
    tempfile._name_sequence = None  # type: ignore[attr-defined]


def install() -> None:
    """Watch the generators made from now on, and the module's own."""
    if random.Random.seed is _seed:
        return
    random.Random.seed = _seed  # type: ignore[method-assign]
    shared = random._inst
    random.seed = shared.seed
    _unseeded.add(shared)
