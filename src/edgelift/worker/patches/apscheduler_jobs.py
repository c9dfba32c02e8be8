"""APScheduler's schedulers keep their jobs and start no thread; cron triggers run them (jobs.py).

Without it a scheduler's thread lives and dies with the request that happened to start the isolate.
"""

from __future__ import annotations

import importlib.util
from typing import Any

_started: list[Any] = []


def find_recorded_job(name: str) -> Any:
    """Return the job with this id or name of any scheduler that was started, or None."""
    for scheduler in _started:
        for job in scheduler.get_jobs():
            if name in (job.id, job.name):
                return job
    return None


def _start(self: Any, *args: Any, **kwargs: Any) -> None:
    from threading import Event

    from apscheduler.schedulers.base import BaseScheduler

    self._event = Event()
    BaseScheduler.start(self, *args, **kwargs)
    _started.append(self)


def _start_asyncio(self: Any, *args: Any, **kwargs: Any) -> None:
    from apscheduler.schedulers.base import BaseScheduler

    BaseScheduler.start(self, *args, **kwargs)
    _started.append(self)


def _shutdown(self: Any, wait: bool = True) -> None:
    from apscheduler.schedulers.base import BaseScheduler

    BaseScheduler.shutdown(self, wait)
    _started.remove(self)


def _wakeup(_self: Any) -> None:
    """Process nothing: no scheduler runs jobs by itself."""


def install() -> None:
    """Patch APScheduler 3 when it is among the packages."""
    if importlib.util.find_spec("apscheduler") is None:
        return
    from apscheduler.schedulers.asyncio import AsyncIOScheduler
    from apscheduler.schedulers.background import BackgroundScheduler
    from apscheduler.schedulers.blocking import BlockingScheduler

    for kind, start in (
        (BlockingScheduler, _start),
        (BackgroundScheduler, _start),
        (AsyncIOScheduler, _start_asyncio),
    ):
        kind.start = start
        kind.shutdown = _shutdown
        kind.wakeup = _wakeup
