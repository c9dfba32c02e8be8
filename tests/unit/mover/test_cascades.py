"""Cascades that come back to their table: which foreign keys are told of."""

from __future__ import annotations

import pytest

from edgelift.stages.schema.cascades import find_rounds


@pytest.mark.parametrize(
    ("pairs", "rounds"),
    [
        ([], []),
        ([("n", "n")], [("n", "n")]),
        ([("b", "a"), ("c", "b")], []),
        ([("b", "a"), ("a", "b")], [("b", "a"), ("a", "b")]),
        ([("b", "a"), ("c", "b"), ("a", "c"), ("d", "a")], [("b", "a"), ("c", "b"), ("a", "c")]),
        ([("leaf", "n"), ("n", "n")], [("n", "n")]),
    ],
)
def test_rounds(pairs: list, rounds: list) -> None:
    assert find_rounds(pairs) == frozenset(rounds)
