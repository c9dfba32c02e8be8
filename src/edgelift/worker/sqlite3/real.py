"""The interpreter's own sqlite3, for every path that is no configured database."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator
from types import ModuleType


def _find(name: str) -> ModuleType | None:
    try:
        module = importlib.import_module(name)
    except ImportError:
        return None
    return None if module.__name__.startswith("edgelift.") else module


# Read before `install` puts the driver in sqlite3's place, and kept.
real = _find("sqlite3")
_dump_module = _find("sqlite3.dump") if real else None
dump: Callable[..., Iterator[str]] | None = getattr(_dump_module, "_iterdump", None)
