"""Values that lie in files of their own, each under the SHA-256 of its bytes, as R2 will hold them.

data writes those of the copy, follow those of changed rows; the rows hold the names.
"""

from __future__ import annotations

import hashlib
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from pathlib import Path

from edgelift.errors import TargetError
from edgelift.targets.disk import TIP


def name_object(value: object) -> str:
    """Return the name of a value's object: the SHA-256 of its bytes, of UTF-8 for a text."""
    return hashlib.sha256(_to_bytes(value)).hexdigest()


def _to_bytes(value: object) -> bytes:
    assert isinstance(value, str | bytes)
    return value.encode() if isinstance(value, str) else value


def find_object(folder: Path, key: str) -> Path:
    """Return where the object of a key lies: in 256 folders by its first two digits."""
    return folder / key[:2] / key


def write_object(folder: Path, value: object) -> bool:
    """Write a value's object unless it is there, and return whether it was written.

    Raises TargetError when the disk refuses.
    """
    path = find_object(folder, name_object(value))
    if path.is_file():
        return False
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_name(f"{path.name}.part")
        part.write_bytes(_to_bytes(value))
        part.replace(path)
    except OSError as error:
        raise TargetError(
            f"The object {path.name} cannot be written",
            why=str(error),
            tip=TIP,
        ) from error
    return True


@dataclass(frozen=True)
class Sweep:
    """What looking through a folder of objects found: counts, and names without a file."""

    wanted: int
    missing: tuple[str, ...]
    kept: int
    removed: int


def sweep_objects(folder: Path, wanted: AbstractSet[str], others: AbstractSet[str]) -> Sweep:
    """Remove the objects that nobody names any more.

    `wanted` are the names that rows hold now, `others` those that somebody else still needs. Raises
    TargetError when a file cannot be removed.
    """
    kept = removed = 0
    there = set()
    for path in folder.glob("??/*"):
        name = path.name
        if name in wanted:
            there.add(name)
        elif name in others:
            kept += 1
        else:
            try:
                path.unlink()
            except OSError as error:
                raise TargetError(
                    f"The object {name} cannot be removed",
                    why=str(error),
                    tip="look at the folder's rights, and run the same command again",
                ) from error
            removed += 1
    return Sweep(len(wanted), tuple(sorted(wanted - there)), kept, removed)
