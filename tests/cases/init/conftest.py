"""One virtual environment with the frameworks that the case projects use, kept between runs."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

PACKAGES = ("flask", "flask-sqlalchemy", "apscheduler", "fastapi", "django")


@pytest.fixture(scope="session")
def frameworks() -> Path:
    """Return the folder of a virtual environment that has every framework of the cases."""
    venv = Path(__file__).resolve().parents[3] / ".cache" / "frameworks-venv"
    mark = venv / "ready"
    wanted = " ".join(PACKAGES)
    if not mark.exists() or mark.read_text() != wanted:
        uv = [sys.executable, "-m", "uv"]
        subprocess.run([*uv, "venv", "-q", "--clear", "--force", venv], check=True)
        install = [*uv, "pip", "install", "-q", "--python", venv / "bin/python", *PACKAGES]
        subprocess.run(install, check=True)
        mark.write_text(wanted)
    return venv
