"""Virtual environments of origins, made once below .cache and shared by all tests and runs."""

from __future__ import annotations

import os
import shutil
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

    `newer_python` names a version, as 3.12, in place of the one that runs this; raises
    FileNotFoundError where the machine has neither it nor a later one.
    """
    venv = CACHE / name
    mark = venv / "ready"
    wanted = " ".join(map(_describe, requirements))
    CACHE.mkdir(exist_ok=True)
    with FileLock(CACHE / f"{name}.lock"):
        if not mark.exists() or mark.read_text() != wanted:
            uv, python = [sys.executable, "-m", "uv"], ["--python", find_python(newer_python)]
            subprocess.run(
                [*uv, "venv", "-q", "--no-python-downloads", "--clear", "--force", *python, venv],
                check=True,
            )
            install = [*uv, "pip", "install", "-q", "--python", venv / "bin/python", *requirements]
            subprocess.run(install, check=True)
            mark.write_text(wanted)
    return venv


def find_python(minimum: str | None) -> str:
    """Return an interpreter of at least a version: this one, one on PATH, or one of pyenv's."""
    number = int(minimum.partition(".")[2]) if minimum else 0
    if sys.version_info.minor >= number:
        return sys.executable
    names = [f"python3.{n}" for n in range(number, number + _LATER)]
    pyenv = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv") / "versions"
    found = [shutil.which(name) for name in names]
    found += [str(path) for name in names for path in pyenv.glob(f"*/bin/{name}")]
    for python in filter(None, found):  # a shim of pyenv may lead nowhere
        if subprocess.run([python, "-c", ""], check=False, capture_output=True).returncode == 0:
            return python
    raise FileNotFoundError(f"no Python {minimum} or later")


_LATER = 4


def _describe(requirement: str | Path) -> str:
    return requirement.read_text() if isinstance(requirement, Path) else requirement
