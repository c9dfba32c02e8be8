"""The origin's Python packages in the Worker: resolved for its tags and markers, then vendored."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from edgelift.targets.packages.requirements import OriginUse, RequirementLine, read_requirements
from edgelift.targets.packages.resolve import Resolution, resolve_packages
from edgelift.targets.packages.wheels import Wheel, unpack_wheels

__all__ = [
    "OriginUse",
    "RequirementLine",
    "Resolution",
    "Wheel",
    "install_packages",
    "read_requirements",
    "resolve_packages",
]


def install_packages(
    resolution: Resolution,
    destination: Path,
    *,
    cache: Path,
    note: Callable[[str], None] = lambda _text: None,
) -> None:
    """Fill a folder with exactly the resolved wheels, atomically; an earlier content is replaced.

    Raises TargetError for a damaged wheel, which is removed so that resolving again fetches it.
    """
    note(f"installing {len(resolution.wheels)} packages for the Worker")
    unpack_wheels(resolution.wheels, destination, cache)
