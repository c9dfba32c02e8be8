"""The text patches of Pyodide."""

from __future__ import annotations

from pathlib import Path

import pytest

from edgelift.errors import TargetError
from edgelift.targets.workerd.patches import (
    LIBRARY_PATCHES,
    PATCHES,
    Patch,
    apply_patches,
    read_patched,
)

ONE = Patch(file="a.mjs", breaks="nothing works", old="old();", new="new();")
TWO = Patch(file="a.mjs", breaks="half works", old="x", new="y", count=2)


def test_patches_of_the_file_are_applied_and_others_are_not() -> None:
    assert apply_patches("a.mjs", "x old(); x", (ONE, TWO)) == "y new(); y"
    assert apply_patches("b.mjs", "x old(); x", (ONE, TWO)) == "x old(); x"


@pytest.mark.parametrize("text", ["", "old(); old(); xx", "old(); x", "old(); xxx"])
def test_a_patch_that_does_not_match_exactly_stops_the_build(text: str) -> None:
    with pytest.raises(TargetError) as caught:
        apply_patches("a.mjs", text, (ONE, TWO))
    assert "a.mjs cannot be patched" in caught.value.what
    assert "works" in caught.value.why


def test_every_patch_says_what_breaks_and_changes_something() -> None:
    for patch in (*PATCHES, *LIBRARY_PATCHES):
        assert len(patch.breaks) > 20
        assert patch.old != patch.new


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(TargetError, match=r"pyodide\.mjs cannot be read"):
        read_patched(tmp_path)
