"""Fills python_modules: the resolved packages and edgelift's own Worker-side adapter."""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path

import sqlglot

import edgelift
from edgelift.errors import TargetError
from edgelift.targets.packages import Resolution, install_packages

ADAPTER = Path(edgelift.__file__).parent / "worker"
MARK = ".python_modules.sha256"
# Of sqlglot: what reads PostgreSQL's and MySQL's SQL and writes SQLite's.
_DIALECTS = ("postgres", "mysql", "sqlite")
_UNUSED = frozenset({"executor", "__main__.py", "planner.py", "lineage.py", "anonymize.py"})


def fill_modules(
    resolution: Resolution,
    worker: Path,
    *,
    cache: Path,
    note: Callable[[str], None],
    translates: bool = False,
) -> None:
    """Make `worker/python_modules` hold exactly packages and adapter, unless it does already.

    `translates` adds the parser with which drivers' SQL is translated in the Worker.

    Raises TargetError when someone changed a file in it, rather than losing the change.
    """
    modules, mark = worker / "python_modules", worker.parent / MARK
    recorded = mark.read_text(encoding="utf-8").split() if mark.is_file() else []
    wanted = _hash_wanted(resolution, translates=translates)
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
    if translates:
        _add_parser(staged)
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


def _hash_wanted(resolution: Resolution, *, translates: bool) -> str:
    listed = [f"{wheel.filename} {wheel.sha256}" for wheel in resolution.wheels]
    listed += [version("sqlglot")] if translates else []
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


def _add_parser(modules: Path) -> None:
    """Copy edgelift's own sqlglot, the dialects that moved databases have, without its extras."""
    folder = Path(sqlglot.__file__).parent
    target = modules / folder.name
    if target.exists():
        return  # the app has one of its own
    kept = {"__init__.py", "dialect.py", "base.py", *(f"{name}.py" for name in _DIALECTS)}

    def leave_out(here: str, names: list[str]) -> set[str]:
        if Path(here) == folder:
            return {name for name in names if name in _UNUSED or not _is_source(name)}
        if Path(here).name in {"dialects", "generators", "parsers", "typing"}:
            return {name for name in names if name not in kept}
        return {name for name in names if not _is_source(name)}

    shutil.copytree(folder, target, ignore=leave_out)


def _is_source(name: str) -> bool:
    return name.endswith(".py") or ("." not in name and name != "__pycache__")
