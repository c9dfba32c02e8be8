"""Errors: three lines each, and the exit codes that the documentation promises."""

from __future__ import annotations

import inspect

import pytest

from edgelift import errors

TREE = [
    kind
    for _, kind in inspect.getmembers(errors, inspect.isclass)
    if issubclass(kind, errors.EdgeliftError)
]


def test_every_error_is_drawn_in_the_docstring() -> None:
    drawn = inspect.getdoc(errors) or ""
    for kind in TREE:
        line = next(
            (text for text in drawn.splitlines() if f" {kind.__name__} " in f" {text} "), None
        )
        assert line is not None, kind.__name__
        assert f"exit {kind.exit_code}" in line


@pytest.mark.parametrize("kind", TREE)
def test_a_user_reads_three_lines(kind: type[errors.EdgeliftError]) -> None:
    lines = str(kind("It failed", why="because\nof this", tip="do that")).splitlines()
    assert lines == ["It failed", "because of this", "Tip: do that"]


def test_a_bare_error_has_three_lines_too() -> None:
    assert len(errors.EdgeliftError("It failed").lines()) == 3


def test_transient_is_a_property_of_the_type() -> None:
    assert issubclass(errors.OriginUnavailable, errors.Transient)
    assert not issubclass(errors.OriginError, errors.Transient)
