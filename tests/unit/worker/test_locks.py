"""The cooperative locks as far as one stack goes; contention is tested in workerd (adapter/test_concurrency.py)."""

from __future__ import annotations

import threading

import pytest

from edgelift.worker import flows
from edgelift.worker.patches.locks import Lock, RLock


def run_as(flow: flows.Flow, function: object) -> object:
    return flows.new_context(flow).run(function)  # type: ignore[arg-type]


@pytest.fixture
def other() -> flows.Flow:
    return flows.Flow(7, flows.new_identity())


def test_a_lock_is_taken_once() -> None:
    lock = Lock()
    assert lock.acquire()
    assert lock.locked()
    assert not lock.acquire(blocking=False)
    assert not lock.acquire(timeout=0)
    lock.release()
    with lock:
        assert lock.locked()
    assert not lock.locked()


@pytest.mark.parametrize("kind", [Lock, threading.Lock])
def test_misuse_is_refused_like_cpython(kind: type[Lock]) -> None:
    lock = kind()
    with pytest.raises(RuntimeError):
        lock.release()
    lock.acquire()
    with pytest.raises(ValueError, match="non-blocking"):
        lock.acquire(False, 1)
    with pytest.raises(ValueError, match="must be"):
        lock.acquire(True, -2)
    with pytest.raises(OverflowError):
        lock.acquire(True, threading.TIMEOUT_MAX + 1)


def test_waiting_where_nothing_else_can_run_is_an_error_not_a_hang() -> None:
    lock = Lock()
    lock.acquire()
    with pytest.raises(RuntimeError, match="wait for ever"):
        lock.acquire()


@pytest.mark.parametrize("kind", [RLock, threading.RLock])
def test_an_rlock_counts(kind: type[RLock]) -> None:
    lock = kind()
    with lock, lock:
        assert lock._is_owned()
    with pytest.raises(RuntimeError):
        lock.release()


def test_an_rlock_belongs_to_one_flow(other: flows.Flow) -> None:
    lock = RLock()
    with lock:
        assert not run_as(other, lambda: lock.acquire(blocking=False))
        assert not run_as(other, lock._is_owned)
        with pytest.raises(RuntimeError, match="un-acquired"):
            run_as(other, lock.release)
    assert run_as(other, lambda: lock.acquire(blocking=False))
    assert not lock.acquire(blocking=False)


def test_condition_and_semaphore_stand_on_them() -> None:
    condition = threading.Condition(RLock())  # type: ignore[arg-type]
    with condition:
        condition.notify_all()
    with pytest.raises(RuntimeError):
        condition.notify()
    plain = threading.Condition(Lock())  # type: ignore[arg-type]
    with plain:
        plain.notify()
