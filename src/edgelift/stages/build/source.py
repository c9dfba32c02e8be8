"""Chooses which files of the origin ride in the Worker; everything else is left out by name."""

from __future__ import annotations

import fnmatch
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from edgelift.errors import OriginError
from edgelift.project import FILE_NAME, Project, expand_variables, list_files
from edgelift.sources.sqlite_url import find_sqlite_file, is_sqlite_url

# SQLite's own companions of a database file (sqlite.org/tempfiles.html).
DATABASE_SUFFIXES = ("", "-wal", "-shm", "-journal")
SECRET_NAMES = (".env", ".env.*", ".dev.vars", ".dev.vars.*", ".netrc", ".pypirc", ".npmrc")
TEST_FOLDERS = frozenset({"tests", "test"})
# Above this, static files are served from the assets only: the app's code may read small ones
# (manifests, inlined styles), but all of a large site would count twice towards the upload.
KEPT_STATIC_BYTES = 4 * 1024 * 1024


@dataclass(frozen=True)
class Selection:
    """Files to copy, relative to the project, and the left-out ones with the reason."""

    files: tuple[str, ...]
    left_out: dict[str, str]


def select_source(
    project: Project, imported: Collection[str], exported: Collection[str]
) -> Selection:
    """Return the origin's files that the app may read at run time.

    `imported` are the modules the app imports, `exported` the relative paths of files that
    something else stands in for. Raises OriginError for a folder or file that cannot be read.
    """
    root = project.root
    databases = set(_database_files(project))
    static = _large_static(project)
    kept: list[str] = []
    left_out: dict[str, str] = {}
    for file in list_files(root):
        relative = file.relative_to(root).as_posix()
        if relative == FILE_NAME:
            continue
        reason = (
            _reason(file, relative, imported)
            or ("a database, which is in D1" if file in databases else "")
            or ("its export is read instead" if relative in exported else "")
            or ("a static file, served as an asset" if file in static else "")
        )
        if reason:
            left_out[relative] = reason
        else:
            kept.append(relative)
    return Selection(tuple(kept), left_out)


def _database_files(project: Project) -> list[Path]:
    return [
        Path(f"{find_sqlite_file(database.url, project.root)}{suffix}")
        for database in project.settings.databases
        if is_sqlite_url(expand_variables(database.url))
        for suffix in DATABASE_SUFFIXES
    ]


def _large_static(project: Project) -> set[Path]:
    files = {
        file
        for section in project.settings.static
        for file in (project.root / section.path).rglob("*")
        if file.is_file()
    }
    return files if sum(file.stat().st_size for file in files) > KEPT_STATIC_BYTES else set()


def _reason(file: Path, relative: str, imported: Collection[str]) -> str:
    if any(fnmatch.fnmatch(file.name, pattern) for pattern in SECRET_NAMES):
        return "it holds secrets"
    if _holds_private_key(file):
        return "it holds a private key"
    top, _, rest = relative.partition("/")
    if rest and top in TEST_FOLDERS and top not in imported:
        return "tests are not part of the running app"
    return ""


def _holds_private_key(file: Path) -> bool:
    """Return whether a file is a PEM private key (RFC 7468); its name says nothing reliable."""
    try:
        with file.open("rb") as handle:
            head = handle.read(4096)
    except OSError as error:
        raise OriginError(
            f"The file {file} cannot be read",
            why=str(error.strerror),
            tip="check its permissions",
        ) from error
    return b"-----BEGIN" in head and b"PRIVATE KEY-----" in head
