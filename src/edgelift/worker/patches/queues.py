"""queue.SimpleQueue in Python: the C one waits on a native lock and freezes the isolate."""

from __future__ import annotations

import queue
from typing import Any


def install() -> None:
    """Use the standard library's own Python version, built on threading.Semaphore."""
    queues: Any = queue
    queues.SimpleQueue = queues._PySimpleQueue
