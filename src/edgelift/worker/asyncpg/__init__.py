"""An asyncpg in Python on the wire-protocol core, for applications that import asyncpg.

`edgelift.worker.postgres.install` makes it importable under that name.
"""

from __future__ import annotations

import sys
from types import ModuleType

from . import exceptions, types
from .connection import Connection, connect
from .exceptions import *  # noqa: F403
from .pool import Pool, create_pool
from .record import Record
from .types import (
    BitString,
    Box,
    Circle,
    Line,
    LineSegment,
    Path,
    Point,
    Polygon,
    Range,
)

__version__ = "0.30.0"

globals().update({name: kind for name, kind in vars(exceptions).items() if isinstance(kind, type)})

__all__ = [
    "BitString",
    "Box",
    "Circle",
    "Connection",
    "Line",
    "LineSegment",
    "Path",
    "Point",
    "Polygon",
    "Pool",
    "Range",
    "Record",
    "connect",
    "create_pool",
    "exceptions",
    "types",
]


def _alias(name: str, **parts: object) -> None:
    """Make a module of the original's importable whose contents live elsewhere here."""
    module = ModuleType(f"{__name__}.{name}")
    module.__dict__.update(parts)
    sys.modules[module.__name__] = module


from .scalars import UUID as _UUID  # noqa: E402

_alias("pgproto", __path__=[])
_alias("pgproto.pgproto", UUID=_UUID)
_alias("pgproto.types", **{name: getattr(types, name) for name in types.__all__})
_alias("protocol", Record=Record, __path__=[])
_alias("protocol.record", Record=Record)
_alias("exceptions._base", **vars(exceptions))
