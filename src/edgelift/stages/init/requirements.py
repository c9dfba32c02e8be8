"""Finds the files that say what the app needs, and makes one where only other formats are there."""

from __future__ import annotations

import ast
import configparser
import re
import tomllib
from pathlib import Path
from typing import Any

from edgelift.project import STATE_FOLDER, list_files

GENERATED = f"{STATE_FOLDER}/requirements.txt"
_FILES = (
    "requirements.txt",
    "requirements/production.txt",
    "requirements/prod.txt",
    "requirements/base.txt",
    "requirements/main.txt",
    "requirements-prod.txt",
    "reqs.txt",
)


def find_requirements(root: Path, import_root: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return (requirement files, lines): lines are for GENERATED when other formats hold them.

    Looked for in the project and in its import root, in this order: requirement files,
    pyproject.toml, Pipfile, setup.cfg, setup.py; at last below the import root.
    """
    for folder in dict.fromkeys((".", import_root)):
        base = root / folder
        prefix = "" if folder == "." else f"{folder}/"
        for name in _FILES:
            if (base / name).is_file():
                return (f"{prefix}{name}",), ()
        project = _read_toml(base / "pyproject.toml")
        if project.get("project", {}).get("dependencies"):
            return (f"{prefix}pyproject.toml",), ()
        lines = (
            _from_poetry(project)
            or _from_pipfile(_read_toml(base / "Pipfile"))
            or _from_setup_cfg(base / "setup.cfg")
            or _from_setup_py(base / "setup.py")
        )
        if lines:
            return (GENERATED,), tuple(lines)
    return _find_deeper(root, import_root), ()


def _find_deeper(root: Path, import_root: str) -> tuple[str, ...]:
    """Return the requirement file nearest below the import root, as some keep it in a package."""
    base = root / import_root
    found = [f for f in list_files(root) if f.name in _FILES and f.is_relative_to(base)]
    nearest = min(found, key=lambda f: (len(f.parts), _FILES.index(f.name), f), default=None)
    return (nearest.relative_to(root).as_posix(),) if nearest else ()


def _read_toml(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}


def _from_poetry(project: dict[str, Any]) -> list[str]:
    wanted = project.get("tool", {}).get("poetry", {}).get("dependencies", {})
    return [_to_line(name, spec) for name, spec in wanted.items() if name.lower() != "python"]


def _from_pipfile(pipfile: dict[str, Any]) -> list[str]:
    return [_to_line(name, spec) for name, spec in pipfile.get("packages", {}).items()]


def _to_line(name: str, spec: Any) -> str:
    """Return a requirement line for a version specification of Poetry or Pipenv."""
    options = spec if isinstance(spec, dict) else {"version": spec}
    extras = ",".join(options.get("extras", ()))
    version = _to_specifier(str(options.get("version", "*")))
    marker = f"; {options['markers']}" if options.get("markers") else ""
    if options.get("git"):
        reference = options.get("ref") or options.get("rev") or options.get("tag") or ""
        return f"{name} @ git+{options['git']}{f'@{reference}' if reference else ''}"
    return f"{name}{f'[{extras}]' if extras else ''}{version}{marker}"


def _to_specifier(version: str) -> str:
    if version in {"", "*"}:
        return ""
    parts = []
    for part in version.split(","):
        text = part.strip()
        caret = re.fullmatch(r"\^\s*(\d+(?:\.\d+)*)(.*)", text)
        tilde = re.fullmatch(r"~\s*(\d+(?:\.\d+)*)", text)
        if caret:
            parts.append(f">={caret[1]}{caret[2]},<{_next_breaking(caret[1])}")
        elif tilde:
            numbers = tilde[1].split(".")
            upper = (
                [numbers[0], str(int(numbers[1]) + 1)]
                if len(numbers) > 1
                else [str(int(numbers[0]) + 1)]
            )
            parts.append(f">={tilde[1]},<{'.'.join(upper)}")
        else:
            parts.append(text if re.match(r"[<>=!~]", text) else f"=={text}")
    return ",".join(parts)


def _next_breaking(version: str) -> str:
    """Return the first version that Poetry's caret excludes: the leftmost non-zero part raised."""
    numbers = [int(part) for part in version.split(".")]
    index = next((i for i, n in enumerate(numbers) if n), len(numbers) - 1)
    return ".".join(map(str, [*numbers[:index], numbers[index] + 1]))


def _from_setup_cfg(path: Path) -> list[str]:
    parser = configparser.ConfigParser()
    try:
        parser.read(path, encoding="utf-8")
        text = parser.get("options", "install_requires", fallback="")
    except (configparser.Error, UnicodeDecodeError):
        return []
    return [line.strip() for line in text.splitlines() if line.strip()]


def _from_setup_py(path: Path) -> list[str]:
    try:
        tree = ast.parse(path.read_bytes())
    except (OSError, SyntaxError, ValueError, RecursionError, MemoryError):
        return []
    for node in ast.walk(tree):
        if isinstance(node, ast.keyword) and node.arg == "install_requires":
            try:
                return [str(item) for item in ast.literal_eval(node.value)]
            except (ValueError, TypeError):
                return []
    return []
