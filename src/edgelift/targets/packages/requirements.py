"""Reads what a project asks for: requirement files with their includes, and pyproject.toml."""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec
from packaging.requirements import InvalidRequirement, Requirement

from edgelift.errors import OriginError


class OriginUse(msgspec.Struct, frozen=True, kw_only=True):
    """How the origin uses its packages.

    `imported` are the top-level modules that the app's own code imports at run time: a package that
    is known to be needless is kept or refused when it is imported. `versions` maps project names to
    the versions the origin runs with; they are kept where the target has them. `idle` are projects
    that nothing loads: one of them that cannot run in the Worker is left out instead of refused.
    `engines` are those of the database servers that stay: postgresql, mysql.
    """

    imported: tuple[str, ...] = ()
    versions: dict[str, str] = {}
    idle: tuple[str, ...] = ()
    engines: tuple[str, ...] = ()


UNKNOWN_USE = OriginUse()


class RequirementLine(msgspec.Struct, frozen=True):
    """One requirement as written, with the file (relative to the project) and line it stands on."""

    text: str
    path: str | None = None
    line: int | None = None


def read_requirements(root: Path, files: Sequence[str]) -> list[RequirementLine]:
    """Return the requirement lines of files below `root`, in order, includes followed.

    Understands pip's requirement format (comments, continued lines, `-r`, options) and
    `[project] dependencies` of pyproject.toml. Constraint files only narrow versions and are left
    out. Raises OriginError when a file cannot be read.
    """
    lines: list[RequirementLine] = []
    seen: set[Path] = set()
    for name in files:
        lines.extend(_read_file(root, root / name, seen))
    return lines


def _read_file(root: Path, path: Path, seen: set[Path]) -> Iterator[RequirementLine]:
    if path.resolve() in seen:
        return
    seen.add(path.resolve())
    text = _read_text(path)
    shown = path.relative_to(root).as_posix() if path.is_relative_to(root) else str(path)
    if path.suffix == ".toml":
        yield from _read_pyproject(path, text, shown)
        return
    for number, line in _join_lines(text):
        include = re.match(r"(?:-r|--requirement)[\s=]\s*(\S+)|-r(\S+)", line)
        if include:
            included = os.path.normpath(path.parent / (include[1] or include[2]))
            yield from _read_file(root, Path(included), seen)
        elif not line.startswith("-") or line.startswith(("-e", "--editable")):
            yield RequirementLine(line, shown, number)


def _read_text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise OriginError(
            f"The requirement file {path} cannot be read",
            why=str(error),
            tip="check [app] requirements in edgelift.toml, and the file's permissions",
        ) from error


def _read_pyproject(path: Path, text: str, shown: str) -> Iterator[RequirementLine]:
    try:
        wanted = tomllib.loads(text).get("project", {}).get("dependencies", [])
    except tomllib.TOMLDecodeError as error:
        raise OriginError(
            f"{path} is not valid TOML", why=str(error), tip="mend that line and run again"
        ) from error
    rows = text.splitlines()
    for requirement in wanted:
        line = next((i for i, row in enumerate(rows, 1) if str(requirement) in row), None)
        yield RequirementLine(str(requirement), shown, line)


def _join_lines(text: str) -> Iterator[tuple[int, str]]:
    """Yield (number, line) without comments and blank lines; a final backslash continues a line."""
    start, joined = 0, ""
    for number, row in enumerate(text.splitlines(), 1):
        start = start or number
        if row.endswith("\\"):
            joined += row[:-1] + " "
            continue
        line = re.sub(r"(^|\s)#.*$", "", joined + row).strip()
        if line:
            yield start, line
        start, joined = 0, ""


def parse_requirement(text: str) -> Requirement | None:
    """Return the parsed requirement without comment and per-line options, or None for none.

    Paths, URLs without a name and editable installs give None.
    """
    bare = re.split(r"\s(?:#|--?(?:hash|config-settings|global-option)\b)", text, maxsplit=1)[0]
    try:
        return Requirement(bare.strip())
    except InvalidRequirement:
        return None
