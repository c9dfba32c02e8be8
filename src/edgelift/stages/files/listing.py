"""Lists the origin's static files with their paths in the Worker, and those that are refused."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from edgelift.errors import OriginError
from edgelift.model.findings import Finding, Level
from edgelift.project import Project, StaticSection

# Limits of Workers static assets: 25 MiB a file, 100,000 files of a version (paid plan).
MAX_FILE_BYTES = 25 * 1024 * 1024
MAX_FILES = 100_000
# Read by Cloudflare's asset server instead of being served, at the root only.
CONTROL_FILES = frozenset({"_headers", "_redirects", ".assetsignore", "_worker.js"})


@dataclass(frozen=True)
class StaticFile:
    """A file of the origin and its path below `public`, with forward slashes."""

    source: Path
    target: str


@dataclass
class Listing:
    """All static files, sorted by target, and the findings of those left out."""

    files: list[StaticFile] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)


def list_static(project: Project) -> Listing:
    """Return the files of all static sections.

    Raises OriginError for a missing or unreadable folder, and for two files with one URL.
    """
    listing = Listing()
    taken: dict[str, Path] = {}
    for section in project.settings.static:
        for file in _list_section(project.root, section, listing.findings):
            if taken.setdefault(file.target, file.source) != file.source:
                raise OriginError(
                    f"Two static files have the URL /{file.target}",
                    why=f"{taken[file.target]} and {file.source}",
                    tip="give each [[static]] section in edgelift.toml its own url",
                )
            listing.files.append(file)
    listing.files = sorted(
        {file.target: file for file in listing.files}.values(), key=lambda file: file.target
    )
    if len(listing.files) > MAX_FILES:
        listing.findings.append(
            Finding(
                rule="LIMIT-ASSET-COUNT",
                level=Level.ERROR,
                message=f"{len(listing.files)} static files; a Worker takes {MAX_FILES}",
                path=project.settings.static[0].path,
                tip="serve a part of them from object storage",
            )
        )
    return listing


def _list_section(
    root: Path, section: StaticSection, findings: list[Finding]
) -> Iterator[StaticFile]:
    folder = root / section.path
    if not folder.is_dir():
        raise OriginError(
            f"The static folder {folder} does not exist",
            why=f"edgelift.toml names it under [[static]] with the url {section.url}",
            tip="correct [[static]] path, or remove the section",
        )
    prefix = section.url.strip("/")
    for file in _walk(root, folder, folder, findings, set()):
        relative = file.relative_to(folder).as_posix()
        target = f"{prefix}/{relative}" if prefix else relative
        if finding := _check(root, file, target):
            findings.append(finding)
        else:
            yield StaticFile(file, target)


def _walk(
    root: Path, top: Path, folder: Path, findings: list[Finding], seen: set[Path]
) -> Iterator[Path]:
    """Yield the files below a folder; links are followed inside the project, refused outside it."""
    if folder.resolve() in seen:
        return
    try:
        entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
    except OSError as error:
        raise OriginError(
            f"The static folder {folder} cannot be read",
            why=str(error.strerror),
            tip="check its permissions",
        ) from error
    for entry in entries:
        path = Path(entry.path)
        if entry.is_symlink() and (finding := _check_link(root, path)):
            findings.append(finding)
        elif entry.is_dir():
            yield from _walk(root, top, path, findings, seen | {folder.resolve()})
        elif entry.is_file():
            yield path


def _check_link(root: Path, link: Path) -> Finding | None:
    if not link.exists():
        why = f"it points to {link.readlink()}, which does not exist"
    elif not link.resolve().is_relative_to(root.resolve()):
        why = f"it leads out of the project, to {link.resolve()}"
    else:
        return None
    return Finding(
        rule="FILES-LINK",
        level=Level.ERROR,
        message=f"the static link {link.relative_to(root)} is not lifted: {why}",
        path=link.relative_to(root).as_posix(),
        tip="replace the link by a copy, or accept it under [accept] rules to go on without it",
    )


def _check(root: Path, file: Path, target: str) -> Finding | None:
    shown = file.relative_to(root).as_posix()
    try:
        size_bytes = file.stat().st_size
        target.encode()
    except OSError as error:
        raise OriginError(
            f"The static file {shown} cannot be read",
            why=str(error.strerror),
            tip="check its permissions",
        ) from error
    except UnicodeEncodeError as error:
        raise OriginError(
            f"The static file {shown!r} has no valid name",
            why="its name is not UTF-8, so it has no URL",
            tip="rename the file",
        ) from error
    if size_bytes > MAX_FILE_BYTES:
        return Finding(
            rule="LIMIT-ASSET-SIZE",
            level=Level.ERROR,
            message=f"the static file {shown} has {size_bytes} bytes; an asset of a Worker at most "
            f"{MAX_FILE_BYTES}",
            path=shown,
            tip="serve it from object storage, or accept it under [accept] rules to leave it out",
        )
    if target in CONTROL_FILES:
        return Finding(
            rule="FILES-CONTROL",
            level=Level.WARNING,
            message=f"the static file {shown} is not lifted: Cloudflare would read it as a rule "
            "file instead of serving it",
            path=shown,
            tip="rename the file when it should be served",
        )
    return None
