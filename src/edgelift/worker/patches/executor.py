"""ThreadPoolExecutor whose workers end when there is no work.

Without it an idle worker waits in a request that is long over, and the executor of a module counts
on it for ever. What is submitted works on the shards of who submits it, whoever's thread runs it.
"""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable
from concurrent.futures import _base
from concurrent.futures import thread as pools
from queue import Empty
from typing import Any

from edgelift.worker.sharding.choice import carry


def _work(reference: Any, context: Any, queue: Any) -> None:
    executor = reference()
    try:
        context.initialize()
    except BaseException:  # noqa: BLE001 - any error of the initializer breaks the pool, as in thread.py
        _base.LOGGER.critical("Exception in initializer:", exc_info=True)
        if executor is not None:
            executor._initializer_failed()
        return
    del executor
    try:
        while True:
            try:
                item = queue.get_nowait()
            except Empty:
                return
            if item is not None:
                item.run(context)
            del item
    finally:
        context.finalize()
        executor = reference()
        if executor is not None:
            executor._threads.discard(threading.current_thread())


def _adjust_thread_count(self: Any) -> None:
    import weakref

    number = len(self._threads)
    if number >= self._max_workers:
        return
    name = f"{self._thread_name_prefix or self}_{number}"
    thread = threading.Thread(
        name=name,
        target=_work,
        args=(weakref.ref(self), self._create_worker_context(), self._work_queue),
    )
    self._threads.add(thread)
    thread.start()


def _shutdown(self: Any, wait: bool = True, *, cancel_futures: bool = False) -> None:
    self._shutdown = True
    while cancel_futures:
        try:
            item = self._work_queue.get_nowait()
        except Empty:
            break
        if item is not None:
            item.future.cancel()
    while wait and self._threads:
        next(iter(self._threads)).join()


def _submit(original: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(original)
    def submit(self: Any, function: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Any:
        return original(self, carry(function), *args, **kwargs)

    return submit


def install() -> None:
    """Patch the class; subclasses and asyncio's default executor follow."""
    pool: Any = pools.ThreadPoolExecutor
    if not hasattr(pool.submit, "__wrapped__"):
        pool.submit = _submit(pool.submit)
    pool._adjust_thread_count = _adjust_thread_count
    pool.shutdown = _shutdown
