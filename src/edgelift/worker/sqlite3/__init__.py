"""A sqlite3 module over D1 and SQL objects, which `install` puts in sqlite3's place.

Applications stay as they are: connect() with a configured path gives a Connection that speaks to
the database through the runtime's host module; every other path is opened by the interpreter's
own sqlite3.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping
from typing import Any

from edgelift.worker.sqlite3 import dbapi2
from edgelift.worker.sqlite3.dbapi2 import *  # noqa: F403
from edgelift.worker.sqlite3.object_transport import ObjectTransport
from edgelift.worker.sqlite3.registry import configure
from edgelift.worker.sqlite3.transport import Transport


def install(
    databases: Iterable[Mapping[str, Any]],
    transport: Transport | None = None,
    carrier: ObjectTransport | None = None,
) -> None:
    """Become the module `sqlite3`, with these databases of the settings JSON.

    `transport` carries what goes to D1, `carrier` what goes to SQL objects; without them, the
    Worker's host module does.
    """
    configure(databases, transport, carrier)
    sys.modules["sqlite3"] = sys.modules[__name__]
    sys.modules["sqlite3.dbapi2"] = dbapi2
