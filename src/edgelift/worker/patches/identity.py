"""threading.get_ident() of the running flow.

Without it all requests are one thread, so RLock lets two of them in at once, and SQLAlchemy's
scoped_session, asgiref and logging mix them up.
"""

from __future__ import annotations

import _thread
import threading
from typing import Any

from edgelift.worker.flows import get_ident


def install() -> None:
    """Replace get_ident everywhere it is looked up."""
    threads: Any = threading
    raw: Any = _thread
    threads.get_ident = raw.get_ident = get_ident
    threads.get_native_id = raw.get_native_id = get_ident
