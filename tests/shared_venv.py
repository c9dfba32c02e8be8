"""Virtual environments of origins, made once below .cache and shared by all tests and runs."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from filelock import FileLock

CACHE = Path(__file__).resolve().parents[1] / ".cache"


def make_venv(
    name: str, requirements: Sequence[str | Path], newer_python: str | None = None
) -> Path:
    """Return the folder of an environment with these requirements; test workers wait for one maker.

    `newer_python` names a version, which the machine must have, in place of the one that runs this.
    """
    venv = CACHE / name
    mark = venv / "ready"
    wanted = " ".join(map(_describe, requirements))
    CACHE.mkdir(exist_ok=True)
    with FileLock(CACHE / f"{name}.lock"):
        if not mark.exists() or mark.read_text() != wanted:
            uv, python = [sys.executable, "-m", "uv"], ["--python", newer_python or sys.executable]
            subprocess.run(
                [*uv, "venv", "-q", "--no-python-downloads", "--clear", "--force", *python, venv],
                check=True,
            )
            install = [*uv, "pip", "install", "-q", "--python", venv / "bin/python", *requirements]
            subprocess.run(install, check=True)
            mark.write_text(wanted)
    return venv


def _describe(requirement: str | Path) -> str:
    return requirement.read_text() if isinstance(requirement, Path) else requirement
