"""Run tasks on a Dask distributed cluster: rows come back as databases in memory, in order.

Workers need edgelift and a way to the origin, no folder that is shared. The scheduler runs a task
again when its worker is lost, also when the result was ready and not fetched yet.
"""

from __future__ import annotations

import contextlib
import uuid
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any

import edgelift
from edgelift.errors import EdgeliftError, TargetError, TargetUnavailable, UsageError
from edgelift.stages.data.server import tasks
from edgelift.stages.data.server.tasks import MEMORY, Parcel, Task
from edgelift.stages.data.server.workers import AHEAD

if TYPE_CHECKING:
    from distributed import Client

_CONNECT_S = 5


class ClusterWorkers:
    """The workers of a scheduler, as many as were there at the beginning and join later."""

    def __init__(self, address: str, note: Callable[[str], None]) -> None:
        self._address = address
        self._client = _connect(address)
        try:
            found = self._greet()
        except BaseException:
            self._client.close()
            raise
        threads = self._client.nthreads()
        self.count = sum(threads.values())
        note(
            f"{len(threads)} workers with {self.count} threads at {address}, "
            f"row engine {', '.join(sorted(found))}"
        )

    def _greet(self) -> set[str]:
        """Return the workers' row engines; they must have this version of edgelift."""
        try:
            self._client.wait_for_workers(1, timeout=_CONNECT_S)
        except TimeoutError as error:
            raise TargetUnavailable(
                f"The Dask scheduler {self._address} has no workers",
                why=f"none joined it within {_CONNECT_S} s",
                tip=f"start some: dask worker {self._address}",
            ) from error
        try:
            answers = self._client.run(tasks.describe_worker)
        except (ImportError, AttributeError) as error:
            raise UsageError(
                f"The workers of {self._address} cannot run edgelift's tasks",
                why=str(error),
                tip="install the same version of edgelift[dask] where they run",
            ) from error
        others = {version for version, _, _ in answers.values()} - {edgelift.__version__}
        if others:
            raise UsageError(
                f"The workers of {self._address} have another version of edgelift",
                why=f"they have {', '.join(sorted(others))}, this is {edgelift.__version__}",
                tip="install the same version everywhere",
            )
        return {engine for _, engine, _ in answers.values()}

    def place(self, name: str) -> str:
        """Return where rows are loaded: into memory, since no folder is shared."""
        del name
        return MEMORY

    def run(self, wanted: Iterable[Task]) -> Iterator[Parcel]:
        """Yield the parcels in order; at most two for each thread wait on the cluster."""
        waiting: deque[Any] = deque()
        for task in wanted:
            waiting.append(self._submit(task))
            if len(waiting) >= AHEAD * self.count:
                yield self._fetch(waiting.popleft())
        while waiting:
            yield self._fetch(waiting.popleft())

    def _submit(self, task: Task) -> Any:
        name = f"{task.spec.target}-{task.chunk.index}-{uuid.uuid4().hex[:8]}"
        return self._client.submit(tasks.run_task, task, key=f"edgelift-{name}", pure=False)

    def _fetch(self, future: Any) -> Parcel:
        from distributed import CancelledError, KilledWorker
        from distributed.comm import CommClosedError

        try:
            parcel: Parcel = future.result()
        except EdgeliftError:
            raise
        except KilledWorker as error:
            raise TargetError(
                f"A chunk ended several workers of {self._address}",
                why=str(error),
                tip="look at the workers' logs; fewer [data] chunk_rows take less memory",
            ) from error
        except (CancelledError, CommClosedError, TimeoutError, OSError) as error:
            raise TargetUnavailable(
                f"The Dask scheduler {self._address} went away",
                why=str(error) or type(error).__name__,
                tip="run the same command again: finished chunks are kept",
            ) from error
        future.release()
        return parcel

    def close(self) -> None:
        """Let the workers close their readers, and leave the cluster as it was."""
        with contextlib.suppress(OSError, TimeoutError):
            if self._client.status == "running":
                self._client.run(tasks.leave_all, on_error="ignore")
        self._client.close(timeout=_CONNECT_S)


def _connect(address: str) -> Client:
    try:
        from distributed import Client
    except ImportError as error:
        raise UsageError(
            "A scheduler needs Dask, which is not installed",
            why=str(error),
            tip="install it: pip install 'edgelift[dask]'",
        ) from error
    try:
        return Client(address, timeout=_CONNECT_S, set_as_default=False)
    except (OSError, TimeoutError, ValueError) as error:
        raise TargetUnavailable(
            f"The Dask scheduler {address} cannot be reached",
            why=str(error) or "it did not answer in time",
            tip="start one: dask scheduler; its address looks like tcp://host:8786",
        ) from error
