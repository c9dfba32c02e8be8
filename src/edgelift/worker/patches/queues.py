"""queue.SimpleQueue in Python.

Without it one that waits freezes the isolate: the C version waits on a native lock.
"""

from __future__ import annotations

import queue
from typing import Any


def install() -> None:
    """Use the standard library's own Python version, built on threading.Semaphore."""
    queues: Any = queue
    queues.SimpleQueue = queues._PySimpleQueue
