"""Collects the files Python sees in the Worker and packs them into one.

A pack is a container: the head lists directories and files (path, offset, stored length, size).
"""

from __future__ import annotations

import hashlib
import os
import re
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from edgelift.errors import TargetError
from edgelift.targets.workerd.container import ALIGNMENT, write_container
from edgelift.targets.workerd.patches import LIBRARY_FILES, LIBRARY_PATCHES, apply_patches
from edgelift.targets.workerd.wasm import build_stub, module_key

PYTHON_TAG = "cpython-314"
LIBRARY = "/lib/python3.14"
SITE_PACKAGES = f"{LIBRARY}/site-packages"
APP = "/app"
WORKER_PACKAGE = Path(__file__).parents[2] / "worker"
# Measured on 35.6 MB of compiled files: level 2 gives 15.3 MB in 0.42 s, 6 gives 14.2 MB in 0.94 s.
DEFLATE_LEVEL = 2
SMALLEST_DEFLATED = 512

_UNUSED_FILE = re.compile(r"(^|/)(__pycache__|\.git|\.DS_Store)(/|$)|\.py[cdi]$|\.pyi$")


@dataclass
class FileSet:
    """Files by absolute path in the Worker; `modules` are the side modules behind stubs, by key."""

    files: dict[str, bytes] = field(default_factory=dict)
    modules: dict[str, bytes] = field(default_factory=dict)

    def add(self, path: str, data: bytes) -> None:
        """Add a file; a native side module is replaced by its stub."""
        stub = build_stub(data) if path.endswith(".so") else None
        if stub is not None:
            self.modules[module_key(data)] = data
        self.files[path] = data if stub is None else stub

    def sources(self) -> dict[str, bytes]:
        """Return the Python sources."""
        return {path: data for path, data in self.files.items() if path.endswith(".py")}

    def digest(self) -> str:
        """Return a SHA-256 over paths and contents."""
        digest = hashlib.sha256()
        for path in sorted(self.files):
            digest.update(path.encode() + b"\0" + hashlib.sha256(self.files[path]).digest())
        for key in sorted(self.modules):
            digest.update(key.encode())
        return digest.hexdigest()


def read_folder(root: Path) -> Iterator[tuple[str, bytes]]:
    """Yield (relative path, content) of all files; raises TargetError for an unreadable one."""

    def fail(error: OSError) -> None:
        raise TargetError(
            f"{error.filename} cannot be read",
            why=str(error.strerror),
            tip="check its permissions and run again",
        ) from error

    for folder, names, files in os.walk(root, onerror=fail):
        names.sort()
        for name in sorted(files):
            path = Path(folder) / name
            relative = path.relative_to(root).as_posix()
            if _UNUSED_FILE.search(relative) or not path.is_file():
                continue
            try:
                yield relative, path.read_bytes()
            except OSError as error:
                fail(error)


def add_standard_library(files: FileSet, pyodide: Path) -> None:
    """Add the standard library of npm `pyodide`, patched; raises TargetError when it is damaged."""
    archive = pyodide / "python_stdlib.zip"
    try:
        with zipfile.ZipFile(archive) as opened:
            for name in opened.namelist():
                if name.endswith("/"):
                    continue
                data = opened.read(name)
                if name in LIBRARY_FILES:
                    data = apply_patches(name, data.decode(), LIBRARY_PATCHES).encode()
                files.add(f"{LIBRARY}/{name}", data)
    except (OSError, zipfile.BadZipFile) as error:
        raise TargetError(
            "Python's standard library for the Worker cannot be read",
            why=f"{archive}: {error}",
            tip="remove the toolchain cache and run again: it is downloaded anew",
        ) from error


def add_folder(files: FileSet, source: Path, target: str) -> None:
    """Add a folder's files below `target`; raises TargetError when it is missing or unreadable."""
    if not source.is_dir():
        raise TargetError(
            f"The folder {source} does not exist",
            why="the Worker is built from it",
            tip="run the build stage again: edgelift build PATH",
        )
    for relative, data in read_folder(source):
        files.add(f"{target}/{relative}", data)


def add_adapter(files: FileSet, package: Path) -> None:
    """Add the Worker-side package as edgelift.worker, and nothing else of edgelift."""
    files.add(
        f"{SITE_PACKAGES}/edgelift/__init__.py",
        b'"""The part of edgelift that runs in Workers."""\n',
    )
    add_folder(files, package, f"{SITE_PACKAGES}/edgelift/worker")


def cached_path(source: str) -> str:
    """Return where the import system looks for the compiled form of a source path."""
    folder, _, name = source.rpartition("/")
    return f"{folder}/__pycache__/{name.removesuffix('.py')}.{PYTHON_TAG}.pyc"


def deflate(data: bytes) -> bytes:
    """Return raw deflate data, or the data itself when that is not clearly shorter."""
    if len(data) < SMALLEST_DEFLATED:
        return data
    packer = zlib.compressobj(DEFLATE_LEVEL, zlib.DEFLATED, -zlib.MAX_WBITS)
    packed = packer.compress(data) + packer.flush()
    return packed if len(packed) < 0.9 * len(data) else data


def build_pack(
    files: Mapping[str, bytes],
    compiled: Mapping[str, bytes],
    emptied: frozenset[str] = frozenset(),
    *,
    small: bool = False,
) -> bytes:
    """Return the pack of `files` and compiled sources; `emptied` sources keep their name only.

    With `small` the contents are deflated, and inflated by the Worker when they are read.
    """
    contents = {path: b"" if path in emptied else data for path, data in files.items()}
    contents |= {cached_path(path): data for path, data in compiled.items() if data}
    directories: set[str] = set()
    entries: list[tuple[str, int, int, int]] = []
    parts: list[bytes] = []
    offset = 0
    for path in sorted(contents):
        data = deflate(contents[path]) if small else contents[path]
        directories.add(path.rpartition("/")[0])
        entries.append((path, offset, len(data), len(contents[path])))
        padding = -len(data) % ALIGNMENT
        parts += (data, bytes(padding))
        offset += len(data) + padding
    head = {"directories": sorted(directories), "files": entries}
    return write_container(head, parts)
