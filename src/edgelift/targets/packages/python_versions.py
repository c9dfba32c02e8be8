"""Finds versions that install for the Worker's Python but do not run on it (too_old.toml)."""

from __future__ import annotations

import functools
import tomllib
from pathlib import Path

import msgspec
from packaging.utils import canonicalize_name, parse_wheel_filename
from packaging.version import Version

SOURCE = Path(__file__).parent / "too_old.toml"


class TooOld(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename={"since": "from"}):
    """Versions of a project below `before`, not below `since`, and what they fail at."""

    name: str
    before: str
    reason: str
    since: str = "0"

    @property
    def series(self) -> str:
        """Return the nearest versions that run, which the other packages are made for."""
        return f"{self.before.rpartition('.')[0] or self.before}.*"

    def holds(self, version: Version) -> bool:
        """Return whether a version is one of these."""
        return Version(self.since) <= version < Version(self.before)


@functools.cache
def read_too_old() -> tuple[TooOld, ...]:
    """Return the versions that ship with edgelift."""
    rows = tomllib.loads(SOURCE.read_text(encoding="utf-8"))["too_old"]
    return msgspec.convert(rows, tuple[TooOld, ...])


def find_too_old(folder: Path) -> dict[str, tuple[Version, TooOld]]:
    """Return, by normalised name, the wheels of a folder that do not run, with why."""
    found = {}
    for file in folder.glob("*.whl"):
        parsed = parse_wheel_filename(file.name)
        name, version = canonicalize_name(parsed[0]), parsed[1]
        for row in read_too_old():
            if row.name == name and row.holds(version):
                found[str(name)] = (version, row)
    return found
