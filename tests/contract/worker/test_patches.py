"""The patches that also make sense under CPython, installed in a process of their own."""

from __future__ import annotations

import subprocess
import sys

INSTALL = "from edgelift.worker.patches import install_patches; install_patches()\n"


def run(program: str) -> str:
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", INSTALL + program],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_the_standard_library_uses_the_locks() -> None:
    program = """
import threading, queue, logging
from edgelift.worker.patches import locks
q = queue.Queue(); q.put(1)
event = threading.Event(); event.set()
print(type(threading.Lock()) is locks.Lock, type(threading.Condition()._lock) is locks.RLock,
      type(q.mutex) is locks.Lock, q.get(), event.wait(1), queue.SimpleQueue.__module__,
      isinstance(logging.StreamHandler().lock, locks.RLock), threading.current_thread().name)
"""
    assert run(program) == "True True True 1 True queue True MainThread"


def test_automatic_collection_stays_off() -> None:
    program = """
import gc, weakref
class Node: pass
node = Node(); node.self = node; reference = weakref.ref(node); del node
gc.enable()
nodes = [[] for _ in range(100000)]
alive = reference() is not None
gc.collect()
print(gc.isenabled(), alive, reference() is None)
gc.disable(); print(gc.isenabled())
from edgelift.worker.patches import garbage
for _ in range(3): garbage.collect_garbage()
"""
    assert run(program) == "True True True\nFalse"


def test_collections_of_the_app_wait_while_others_are_suspended() -> None:
    program = """
import gc, weakref
from edgelift.worker import flows
from edgelift.worker.patches import garbage
class Node: pass
flows.open_stack(1); flows.open_stack(2)
node = Node(); node.self = node; reference = weakref.ref(node); del node
print(gc.collect(), reference() is not None)
garbage.collect_garbage()
print(reference() is None)
"""
    assert run(program) == "0 True\nTrue"


def test_only_generators_nobody_seeded_are_reseeded() -> None:
    program = """
import random
from edgelift.worker.patches import randomness
free, chosen = random.Random(), random.Random(42)
state, shared, fixed = free.getstate(), random.getstate(), chosen.getstate()
randomness.reseed()
print(free.getstate() != state, random.getstate() != shared, chosen.getstate() == fixed)
random.seed(1); shared = random.getstate(); randomness.reseed(); print(random.getstate() == shared)
"""
    assert run(program) == "True True True\nTrue"


def test_without_the_patches_a_wait_would_hang() -> None:
    program = """
import threading
lock = threading.Lock(); lock.acquire()
try: lock.acquire()
except RuntimeError as error: print(error)
"""
    assert "wait for ever" in run(program)


def test_installing_twice_changes_nothing() -> None:
    assert (
        run(
            "import threading; first = threading.Lock\n"
            + INSTALL
            + "print(first is threading.Lock)"
        )
        == "True"
    )
