"""Errors of the disk that the target's files lie on, in one wording for all that write them."""

from __future__ import annotations

from pathlib import Path

from edgelift.errors import TargetError

TIP = (
    "free space below the project's .edgelift folder and run the same command again: it continues "
    "where it stood"
)


def explain_disk(path: Path, error: Exception) -> TargetError:
    """Return the error of a file that SQLite could not write for want of room or a sound disk."""
    return TargetError(
        f"The disk is full or broken while {path.name} is written", why=str(error), tip=TIP
    )
