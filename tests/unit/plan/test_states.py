"""The state of a transaction: what is pending, what is written, what stays when something fails."""

from __future__ import annotations

import pytest

from edgelift.stages.plan.transactions.states import State, Write, count


def make_write(
    line: int, key: str = "", *, many: bool = False, trail: tuple[int, ...] = ()
) -> Write:
    return Write("app.py", line, f"write {line}", many, key, trail)


A, B, C = (make_write(n) for n in (1, 2, 3))


def lines(writes: tuple[Write, ...]) -> list[int]:
    return [write.line for write in writes]


def test_a_place_and_what_makes_two_writes_one() -> None:
    assert A.place == "app.py:1"
    assert A.identity == make_write(1, many=True).identity
    assert A.identity != make_write(1, key="x").identity
    assert A.identity != make_write(1, trail=(9,)).identity


def test_pending_writes_are_sent_by_a_flush() -> None:
    state = State().add(A).add(B)
    assert (state.pending, state.written) == ((A, B), ())
    flushed = state.flush()
    assert (flushed.pending, flushed.written) == ((), (A, B))
    assert flushed.flush() is flushed
    assert state.writes == flushed.writes == (A, B)


def test_a_statement_sends_what_is_pending_first() -> None:
    assert State().add(A).write(B).written == (A, B)
    assert State().write(B).add(A).writes == (B, A)


def test_an_object_is_written_once_however_often_it_is_changed() -> None:
    once = make_write(1, "config")
    state = State().add(once)
    assert state.add(make_write(2, "config")) is state
    assert lines(state.add(make_write(2, "other")).pending) == [1, 2]
    assert lines(State().add(A).add(B).pending) == [1, 2]  # without a key each is its own
    assert lines(state.flush().add(make_write(2, "config")).writes) == [1, 2]


def test_the_end_forgets_everything() -> None:
    assert State((A,), (B,), "app.py:5", begun=True).end() == State()
    assert not State().begun
    assert State().writes == ()


@pytest.mark.parametrize(
    ("pending", "flushes", "kept"),
    [
        ((), True, []),
        ((A,), True, []),  # the one that fails is not there
        ((A, B), True, [1]),
        ((A, B, C), True, [1]),
        ((A, B), False, []),
        ((make_write(1, many=True),), True, [1]),
        ((make_write(1, many=True),), False, []),
    ],
)
def test_what_stays_when_the_next_statement_fails(pending, flushes: bool, kept: list[int]) -> None:
    state = State(pending, (C,) if C not in pending else (), "x", begun=True)
    left = state.before_failing(flushes=flushes)
    assert lines(left.written) == lines(state.written) + kept
    assert (left.pending, left.flushed, left.begun) == ((), "x", True)


def test_two_ways_join_as_the_one_that_wrote_more() -> None:
    less, more = State((A,)), State((), (B, C))
    assert less.join(more).writes == more.join(less).writes == (B, C)
    assert State((A,)).join(State((), (A,))).written == (A,)  # what is sent weighs more
    assert State((A,)).join(State((make_write(2, many=True),))).pending[0].line == 2


@pytest.mark.parametrize("one", [True, False])
@pytest.mark.parametrize("two", [True, False])
def test_a_begin_or_a_flush_on_either_way_counts(one: bool, two: bool) -> None:
    first, second = State(begun=one, flushed="a" * one), State(begun=two, flushed="a" * two)
    joined = first.join(second)
    assert joined.begun == (one or two)
    assert bool(joined.flushed) == (one or two)


def test_writes_of_a_loop_happen_many_times() -> None:
    before = State((A,), (B,))
    after = before.add(C).repeat(before)
    assert [w.many for w in after.pending] == [False, True]
    assert [w.many for w in after.written] == [False]
    written = before.write(C).repeat(before)
    assert [(w.line, w.many) for w in written.written] == [(2, False), (1, True), (3, True)]


def test_a_repeated_write_counts_as_two() -> None:
    assert count(()) == 0
    assert count((A, B)) == 2
    assert count((make_write(1, many=True), B)) == 3


def test_the_same_write_twice_is_one_that_may_have_grown() -> None:
    state = State((), (A,)).write(make_write(1, many=True))
    assert [(w.line, w.many) for w in state.written] == [(1, True)]
    assert State((), (A, B)).write(A).written == (A, B)


@pytest.mark.parametrize("number", [5, 6, 7, 20])
def test_so_many_writes_are_kept(number: int) -> None:
    state = State()
    for line in range(number):
        state = state.add(make_write(line))
    assert lines(state.pending) == list(range(min(number, 6)))
    assert lines(state.flush().writes) == list(range(min(number, 6)))
