"""threading.local by flow behaves like CPython's by thread."""

from __future__ import annotations

import gc
import weakref
from typing import Any

import pytest

from edgelift.worker import flows
from edgelift.worker.patches.thread_locals import local


def run_as(flow: flows.Flow, function: Any) -> Any:
    return flows.new_context(flow).run(function)


@pytest.fixture
def other() -> flows.Flow:
    return flows.Flow(7, flows.new_identity())


def test_values_are_apart(other: flows.Flow) -> None:
    mine = local()
    mine.value = "here"

    def there() -> str:
        assert not hasattr(mine, "value")
        mine.value = "there"
        return str(mine.value)

    assert run_as(other, there) == "there"
    assert mine.value == "here"
    del mine.value
    assert not hasattr(mine, "value")
    assert run_as(other, lambda: mine.value) == "there"


def test_a_subclass_is_initialised_once_per_thread(other: flows.Flow) -> None:
    made = []

    class Mine(local):
        kind = "class attribute"

        def __init__(self, start: int) -> None:
            made.append(start)
            self.number = start

    mine = Mine(5)
    mine.number += 1
    assert run_as(other, lambda: (mine.number, mine.kind)) == (5, "class attribute")
    assert run_as(other, lambda: mine.number) == 5
    assert (mine.number, made) == (6, [5, 5])


def test_the_dict_is_the_threads_own_and_read_only(other: flows.Flow) -> None:
    mine = local()
    mine.a = 1
    assert mine.__dict__ == {"a": 1}
    assert run_as(other, lambda: dict(mine.__dict__)) == {}
    with pytest.raises(AttributeError, match="read-only"):
        mine.__dict__ = {}
    with pytest.raises(AttributeError, match="read-only"):
        del mine.__dict__


def test_arguments_need_an_init() -> None:
    with pytest.raises(TypeError, match="not supported"):
        local(1)


def test_the_end_of_a_thread_ends_its_values(other: flows.Flow) -> None:
    class Value:
        pass

    mine = local()
    run_as(other, lambda: setattr(mine, "value", Value()))
    reference = run_as(other, lambda: weakref.ref(mine.value))
    gc.collect()
    assert reference() is not None
    other.identity.forget_locals()
    gc.collect()
    assert reference() is None


def test_a_local_that_is_dropped_frees_its_values() -> None:
    mine = local()
    reference = weakref.ref(mine)
    mine.value = 1
    del mine
    gc.collect()
    assert reference() is None
