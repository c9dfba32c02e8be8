"""The origin's Python: probe, verify and the model export run the app with it.

In this order: the one configured as `app.python`, the project's own virtual environment when it has
the app's requirements, else one that uv makes under `.edgelift/origin-venv` from the requirement
files. A marker inside it, written last, says that it is whole and for which requirements.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Callable, Sequence
from pathlib import Path

import uv
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

from edgelift.errors import OriginError, OriginUnavailable, UsageError
from edgelift.project import Project, hash_inputs
from edgelift.sources.origin_copy import copy_origin
from edgelift.targets.packages.requirements import (
    RequirementLine,
    parse_requirement,
    read_requirements,
)

Note = Callable[[str], None]

OWN_VENVS = (".venv", "venv", "env", ".virtualenv")
VENV_FOLDER = "origin-venv"
_MARKER = "edgelift.complete"
_LOCAL = re.compile(r"^(?:-e\b|--editable\b|\.{1,2}(?:/|$|\[)|/|file:)|@\s*(?:\.|file:)")
_UNREACHABLE = ("failed to fetch", "error sending request", "dns error", "timed out", "connect")
_FULL = ("no space left", "disk quota", "read-only file system")
_NO_PYTHON = ("no interpreter found", "python-build-standalone")
_LISTING = (
    "import importlib.metadata as m, json, sys;"
    "print(json.dumps({'version': sys.version_info[:3],"
    "'names': {d.metadata['Name']: d.version for d in m.distributions() if d.metadata['Name']}}))"
)


def ensure_origin_python(project: Project, note: Note) -> Path:
    """Return a Python that has the origin's requirements, made when there is none.

    Raises UsageError for a configured Python that does not run, OriginError when the requirements
    cannot be installed, OriginUnavailable when the package index does not answer.
    """
    if project.settings.app.python:
        return find_configured(project)
    lines = read_requirements(project.root, project.settings.app.requirements)
    for folder in OWN_VENVS:
        python = project.root / folder / "bin" / "python"
        if not python.exists():
            continue
        missing = find_missing(python, lines)
        if not missing:
            return python
        note(f"{folder} is not used: it lacks {', '.join(missing[:5])}")
    return _ensure_own(project, lines, note)


def find_configured(project: Project) -> Path:
    """Return the Python of `app.python`: a path from the project, or a program on the PATH."""
    wanted = project.settings.app.python or ""
    candidate = project.root / wanted
    found = str(candidate) if candidate.is_file() else shutil.which(wanted)
    if found is None or read_distributions(Path(found)) is None:
        raise UsageError(
            f"The origin's Python {wanted} does not run",
            why="app.python in edgelift.toml names no working Python",
            tip="name a Python that has the app's packages, or remove app.python to have one made",
        )
    return Path(found).absolute()  # not resolved: a virtual environment's python is a link


def read_distributions(python: Path) -> dict[str, str] | None:
    """Return version by canonical name of all that is installed; None when Python does not run."""
    try:
        done = subprocess.run(
            [python, "-c", _LISTING], capture_output=True, text=True, check=True, timeout=60
        )
        names: dict[str, str] = json.loads(done.stdout)["names"]
    except (OSError, subprocess.SubprocessError, ValueError):
        return None
    return {canonicalize_name(name): version for name, version in names.items()}


def find_missing(python: Path, lines: Sequence[RequirementLine]) -> list[str]:
    """Return the requirements that a Python lacks or has in another version, as written.

    Requirements whose markers exclude this platform, paths and URLs are not looked at.
    """
    installed = read_distributions(python)
    if installed is None:
        return ["a Python that runs"]
    missing = []
    for line in lines:
        wanted = parse_requirement(line.text)
        if wanted is None or (wanted.marker is not None and not wanted.marker.evaluate()):
            continue
        version = installed.get(canonicalize_name(wanted.name))
        if version is None or not wanted.specifier.contains(version, prereleases=True):
            missing.append(wanted.name)
    return missing


def _ensure_own(project: Project, lines: list[RequirementLine], note: Note) -> Path:
    venv = project.state / VENV_FOLDER
    python = venv / "bin" / "python"
    key = hash_inputs(
        [line.text for line in lines],
        _read_texts(project),
        list(sys.version_info[:3]),
        _choose_base(project),
    )
    marker = venv / _MARKER
    if marker.is_file() and marker.read_text() == key and read_distributions(python) is not None:
        return python
    note(f"making the origin's Python environment: {len(lines)} requirements")
    marker.unlink(missing_ok=True)
    base = ["--python", _choose_base(project), "--no-project", "--clear", "--force", str(venv)]
    _run_uv(["venv", "-q", *base], project.root)
    _install(project, lines, python)
    # Written last, in one step: an environment without it is made anew.
    part = marker.with_suffix(".part")
    part.write_text(key)
    part.replace(marker)
    return python


def _choose_base(project: Project) -> str:
    """Return edgelift's own Python, or what uv shall look for when the origin wants another."""
    own = ".".join(map(str, sys.version_info[:3]))
    for folder in (project.root, project.root / project.settings.app.root):
        try:
            text = (folder / "pyproject.toml").read_text(encoding="utf-8")
            wanted = str(tomllib.loads(text)["project"]["requires-python"])
            if not SpecifierSet(wanted).contains(own, prereleases=True):
                return wanted
        except (OSError, ValueError, LookupError, TypeError):
            continue
    return sys.executable


def _read_texts(project: Project) -> list[str]:
    """Return the files' whole texts: they also hold options and constraints, which matter to uv."""
    names = project.settings.app.requirements
    return [(project.root / name).read_text(encoding="utf-8-sig") for name in names]


def _install(project: Project, lines: list[RequirementLine], python: Path) -> None:
    if not lines:
        return
    if not any(_LOCAL.search(line.text) for line in lines):
        _install_from(project.root, project, python)
        return
    # A local package is built beside its source, so it is built in a copy: the origin stays clean.
    with tempfile.TemporaryDirectory(prefix="edgelift-install-") as folder:
        _install_from(copy_origin(project, Path(folder) / "app"), project, python)


def _install_from(root: Path, project: Project, python: Path) -> None:
    files = [part for name in project.settings.app.requirements for part in ("-r", name)]
    arguments = ["pip", "install", "-q", "--python", str(python), *files]
    try:
        _run_uv(arguments, root)
    except OriginUnavailable as unavailable:
        try:
            _run_uv([*arguments, "--offline"], root)  # uv's cache may hold all of it
        except OriginError:
            raise unavailable from None


def _run_uv(arguments: Sequence[str], cwd: Path) -> None:
    environment = {k: v for k, v in os.environ.items() if k not in {"VIRTUAL_ENV", "PYTHONPATH"}}
    try:
        subprocess.run(
            [uv.find_uv_bin(), *arguments],
            cwd=cwd,
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=True,
        )
    except subprocess.CalledProcessError as error:
        lines = [
            line.strip(" │╰─▶\N{MULTIPLICATION SIGN}")
            for line in error.stderr.splitlines()
            if line.strip()
        ]
        kind, tip = _judge_output(error.stderr)
        raise kind(
            "The origin's Python environment cannot be made",
            why=" ".join(lines[-6:]) or f"uv ended with code {error.returncode}",
            tip=tip,
        ) from error
    except OSError as error:
        raise OriginError(
            "The origin's Python environment cannot be made",
            why=f"uv does not run: {error}",
            tip="install edgelift again: uv is one of its packages",
        ) from error


def _judge_output(output: str) -> tuple[type[OriginError], str]:
    """Return the kind of a failure of uv by its words, and what helps."""
    words = output.lower()
    if any(word in words for word in _FULL):
        return OriginError, "free space there and run the same command again"
    if any(word in words for word in _NO_PYTHON):
        return OriginError, (
            "the project's requires-python wants another Python than edgelift's "
            f"({sys.version_info[0]}.{sys.version_info[1]}): install it, or set app.python in "
            "edgelift.toml to one that has the app's packages"
        )
    if any(word in words for word in _UNREACHABLE):
        return OriginUnavailable, "check the network and run the same command again"
    return OriginError, (
        "mend the requirement files, or set app.python in edgelift.toml to a Python that has the "
        "app's packages"
    )
