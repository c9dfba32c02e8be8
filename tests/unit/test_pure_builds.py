"""Wheels that a project tags for this machine although they hold no native code."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest

from edgelift.targets.packages.knowledge import find_pure_build
from edgelift.targets.packages.pure_builds import BuildError, _as_pure


def make_wheel(folder: Path, name: str, *members: str) -> Path:
    wheel = folder / name
    with zipfile.ZipFile(wheel, "w") as archive:
        for member in members:
            archive.writestr(member, "")
    return wheel


@pytest.mark.parametrize("name", ["sqlalchemy", "pyyaml", "wrapt"])
def test_who_is_told_to_leave_its_native_part_out_is_pure(tmp_path: Path, name: str) -> None:
    """SQLAlchemy 1.4 tags every wheel that it builds for this machine."""
    assert find_pure_build(name).settings or find_pure_build(name).environment
    wheel = make_wheel(tmp_path, f"{name}-1.4-cp311-cp311-linux_x86_64.whl", f"{name}/a.py")
    assert _as_pure(wheel).name == f"{name}-1.4-py3-none-any.whl"


def test_a_pure_wheel_keeps_its_name(tmp_path: Path) -> None:
    wheel = make_wheel(tmp_path, "other-1.0-py3-none-any.whl", "other/a.py")
    assert _as_pure(wheel) == wheel


@pytest.mark.parametrize("suffix", [".so", ".pyd", ".a"])
def test_native_code_is_refused_whatever_the_tag_says(tmp_path: Path, suffix: str) -> None:
    wheel = make_wheel(tmp_path, "sqlalchemy-1.4-py3-none-any.whl", f"sqlalchemy/c{suffix}")
    with pytest.raises(BuildError, match="holds native code"):
        _as_pure(wheel)


def test_the_machine_s_tag_of_an_unknown_project_is_believed(tmp_path: Path) -> None:
    wheel = make_wheel(tmp_path, "other-1.0-cp311-cp311-linux_x86_64.whl", "other/a.py")
    with pytest.raises(BuildError, match="this machine's Python only"):
        _as_pure(wheel)
