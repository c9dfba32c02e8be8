"""Where tasks run beside this process: a pool of processes here, or a Dask cluster (cluster.py)."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import shutil
import signal
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing.connection import wait
from pathlib import Path
from typing import Protocol

from edgelift.errors import TargetError
from edgelift.sources.origin_database import Capabilities
from edgelift.stages.data.server import tasks
from edgelift.stages.data.server.tasks import Parcel, Task

AHEAD = 2  # tasks under way for each worker: one runs while the result before waits
_MOST_BREAKS = 3  # times that worker processes may end before one task is done


class Workers(Protocol):
    """Runs tasks; `count` is how many at once."""

    count: int

    def place(self, name: str) -> str:
        """Return the path that a task's rows are to be loaded into."""

    def run(self, wanted: Iterable[Task]) -> Iterator[Parcel]:
        """Yield the parcels of tasks in their order; raises what a task raises."""

    def close(self) -> None:
        """End what was started."""


class LocalWorkers:
    """Processes on this machine; what one loads lies in `folder` until it is merged."""

    def __init__(self, count: int, folder: Path) -> None:
        self.count = count
        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self._pool = self._start()

    def _start(self) -> ProcessPoolExecutor:
        return ProcessPoolExecutor(
            self.count, multiprocessing.get_context("spawn"), initializer=_begin
        )

    def place(self, name: str) -> str:
        """Return the path of a file of that name."""
        return str(self._folder / name)

    def run(self, wanted: Iterable[Task]) -> Iterator[Parcel]:
        """Yield the parcels in order; a task whose process was killed is run again."""
        waiting: deque[tuple[Task, Future[Parcel]]] = deque()
        for task in wanted:
            waiting.append((task, self._submit(task)))
            if len(waiting) >= AHEAD * self.count:
                yield self._take(waiting)
        while waiting:
            yield self._take(waiting)

    def _submit(self, task: Task) -> Future[Parcel]:
        try:
            return self._pool.submit(tasks.run_task, task)
        except BrokenProcessPool as error:
            failed: Future[Parcel] = Future()
            failed.set_exception(error)
            return failed

    def _take(self, waiting: deque[tuple[Task, Future[Parcel]]]) -> Parcel:
        for _ in range(_MOST_BREAKS):
            try:
                parcel = waiting[0][1].result()
            except BrokenProcessPool:
                self._pool.shutdown(cancel_futures=True)
                self._pool = self._start()
                again = [(task, self._submit(task)) for task, _ in waiting]
                waiting.clear()
                waiting.extend(again)
            else:
                waiting.popleft()
                return parcel
        raise TargetError(
            "The worker processes end again and again",
            why="they were killed, perhaps for their memory",
            tip="run with fewer --workers: finished chunks are kept",
        )

    def close(self) -> None:
        """End the processes and remove their files."""
        self._pool.shutdown(cancel_futures=True)
        shutil.rmtree(self._folder, ignore_errors=True)


def _begin() -> None:
    """Prepare a worker process: it ends with its parent, which alone answers to Ctrl-C."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = multiprocessing.parent_process()
    assert parent is not None

    def watch(sentinel: int) -> None:
        wait([sentinel])
        os._exit(1)

    threading.Thread(target=watch, args=(parent.sentinel,), daemon=True).start()


@contextlib.contextmanager
def open_workers(
    capabilities: Capabilities,
    folder: Path,
    *,
    count: int,
    scheduler: str,
    note: Callable[[str], None],
) -> Iterator[Workers | None]:
    """Open the workers that settings ask for; None where this process reads alone.

    `folder` is for files of theirs alone. Raises UsageError and TargetUnavailable as the cluster
    does.
    """
    shutil.rmtree(folder, ignore_errors=True)  # what a killed run left
    if not scheduler and count <= 1:
        yield None
        return
    if not capabilities.joins:
        note(f"{capabilities.product} lets no other process join a snapshot: this one reads alone")
        yield None
        return
    if scheduler and capabilities.is_local:
        note(f"a snapshot of {capabilities.product} is a file of this machine: it reads alone")
        yield None
        return
    workers: Workers
    if scheduler:
        from edgelift.stages.data.server.cluster import ClusterWorkers

        workers = ClusterWorkers(scheduler, note)
    else:
        workers = LocalWorkers(count, folder)
    try:
        yield workers
    finally:
        workers.close()
