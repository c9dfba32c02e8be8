"""What the origin's own tests need beside the app, installed beside the origin.

An environment that edgelift made gets them; a project's own environment is left alone, and the
packages go into a folder under `.edgelift/` that the tests see through PYTHONPATH.
"""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import uv

from edgelift.errors import OriginError
from edgelift.project import Project
from edgelift.sources.origin_server import has_module

# Where projects write down what their tests need, in the order of preference.
FILES = (
    "requirements-dev.txt",
    "requirements-test.txt",
    "requirements-tests.txt",
    "dev-requirements.txt",
    "test-requirements.txt",
    "requirements/dev.txt",
    "requirements/test.txt",
    "tests/requirements.txt",
)


def ensure_pytest(project: Project, python: Path, note: Callable[[str], None]) -> Path | None:
    """Make pytest importable for the origin's tests; returns a folder for PYTHONPATH, or None.

    Raises OriginError when the test requirements cannot be installed.
    """
    if has_module(python, "pytest"):
        return None
    own = python.absolute().is_relative_to(project.state)
    folder = project.state / "test-packages"
    if not own and (folder / "pytest").is_dir():
        return folder
    file = next((f for f in FILES if (project.root / f).is_file()), None)
    wanted = ["-r", file] if file else ["pytest"]
    note(f"installing what the tests need: {' '.join(wanted)}")
    place = [] if own else ["--target", str(folder)]
    arguments = ["pip", "install", "-q", "--python", str(python), *place, *wanted]
    try:
        subprocess.run(
            [uv.find_uv_bin(), *arguments],
            cwd=project.root,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=True,
        )
    except subprocess.CalledProcessError as error:
        raise OriginError(
            "The packages that the origin's tests need cannot be installed",
            why=" ".join(error.stderr.split())[-300:],
            tip="install them into the origin's Python yourself, and name it as app.python",
        ) from error
    has_module.cache_clear()
    return None if own else folder
