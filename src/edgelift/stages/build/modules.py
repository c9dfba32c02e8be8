"""Fills python_modules: the resolved packages and edgelift's own Worker-side adapter."""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import edgelift
from edgelift.errors import TargetError
from edgelift.targets.packages import Resolution, install_packages

ADAPTER = Path(edgelift.__file__).parent / "worker"
MARK = ".python_modules.sha256"


def fill_modules(
    resolution: Resolution, worker: Path, *, cache: Path, note: Callable[[str], None]
) -> None:
    """Make `worker/python_modules` hold exactly packages and adapter, unless it does already.

    Raises TargetError when someone changed a file in it, rather than losing the change.
    """
    modules, mark = worker / "python_modules", worker.parent / MARK
    recorded = mark.read_text(encoding="utf-8").split() if mark.is_file() else []
    wanted = _hash_wanted(resolution)
    present = hash_folder(modules) if modules.is_dir() else ""
    if present and recorded == [wanted, present]:
        return
    if present and recorded and present != recorded[1]:
        raise TargetError(
            "python_modules of the built Worker was changed by hand",
            why=f"{modules} is made from the packages and would be made anew, losing the change",
            tip=f"keep your change elsewhere, remove {modules} and run again",
        )
    mark.unlink(missing_ok=True)
    staged = worker.parent / ".python_modules"
    install_packages(resolution, staged, cache=cache, note=note)
    _add_adapter(staged)
    if modules.exists():
        shutil.rmtree(modules)
    worker.mkdir(parents=True, exist_ok=True)
    staged.rename(modules)
    mark.write_text(f"{wanted}\n{hash_folder(modules)}\n", encoding="utf-8")


def hash_adapter() -> str:
    """Return a hash over the adapter's files, part of what a build depends on."""
    return hash_folder(ADAPTER)


def hash_runtime() -> str:
    """Return a hash over the code that makes the local bundle."""
    return hash_folder(Path(edgelift.__file__).parent / "targets" / "workerd")


def hash_folder(folder: Path) -> str:
    """Return a SHA-256 over names and contents of a folder's files, compiled Python left out."""
    digest = hashlib.sha256()
    for here, names, files in os.walk(folder):
        names[:] = sorted(n for n in names if n != "__pycache__")
        for name in sorted(files):
            path = Path(here, name)
            digest.update(path.relative_to(folder).as_posix().encode() + b"\0")
            digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()


def _hash_wanted(resolution: Resolution) -> str:
    listed = [f"{wheel.filename} {wheel.sha256}" for wheel in resolution.wheels]
    listed.append(edgelift.__version__)
    return hashlib.sha256("\n".join([*listed, hash_adapter()]).encode()).hexdigest()


def _add_adapter(modules: Path) -> None:
    """Copy edgelift.worker and nothing else of edgelift."""
    package = modules / "edgelift"
    shutil.copytree(
        ADAPTER, package / "worker", ignore=shutil.ignore_patterns("__pycache__", "*.pyc")
    )
    (package / "__init__.py").write_text(
        '"""The part of edgelift that runs in Workers."""\n', encoding="utf-8"
    )
