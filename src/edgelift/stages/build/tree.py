"""Writes the generated project without ever destroying what its user changed in it.

A manifest holds, for every generated file, the hashes of what edgelift wrote. A file whose hash is
not among them is the user's: it stays, and is reported. New hashes enter the manifest before a file
is written, so a build that is killed recognises its own half-done work.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from edgelift.errors import OriginError, TargetError

Content = bytes | Path


@dataclass
class Outcome:
    """What writing did: hashes of all files as they should be, and those the user holds changed."""

    hashes: dict[str, str] = field(default_factory=dict)
    edited: list[str] = field(default_factory=list)


def write_tree(
    folder: Path,
    manifest: Path,
    files: Mapping[str, Content],
    progress: Callable[[int, int], None] = lambda _done, _total: None,
) -> Outcome:
    """Make `folder` hold `files` (relative name to content or source file).

    Files of the last build that are no longer among them are removed. Raises OriginError when a
    source cannot be read, TargetError when the folder cannot be written.
    """
    known = read_manifest(manifest)
    outcome = Outcome(hashes={name: hash_content(content) for name, content in files.items()})
    claimed = {
        name: sorted({*known.get(name, ()), outcome.hashes[name]}) for name in outcome.hashes
    }
    _write_manifest(manifest, {**known, **claimed})
    try:
        for name in sorted(set(known) - set(files)):
            _remove(folder, name, known[name], outcome)
        for done, (name, content) in enumerate(sorted(files.items()), 1):
            target, ours = folder / name, claimed[name]
            current = hash_content(target) if target.is_file() else outcome.hashes[name]
            if current not in ours:
                outcome.edited.append(name)
            elif not target.is_file() or current != outcome.hashes[name]:
                _write(target, content, manifest.with_name(".part"))
            progress(done, len(files))
    except OSError as error:
        raise TargetError(
            f"The Worker project {folder} cannot be written",
            why=str(error),
            tip="check free space and permissions of the .edgelift folder",
        ) from error
    made = {name: [sha256] for name, sha256 in outcome.hashes.items()}
    _write_manifest(manifest, made)
    return outcome


def read_manifest(manifest: Path) -> dict[str, list[str]]:
    """Return the hashes that edgelift wrote, by file name; nothing when there was no build."""
    try:
        return msgspec.json.decode(manifest.read_bytes(), type=dict[str, list[str]])
    except (FileNotFoundError, msgspec.DecodeError):
        return {}


def hash_content(content: Content) -> str:
    """Return the SHA-256 of bytes or of a file; raises OriginError when it cannot be read."""
    if isinstance(content, bytes):
        return hashlib.sha256(content).hexdigest()
    try:
        with content.open("rb") as handle:
            return hashlib.file_digest(handle, "sha256").hexdigest()
    except OSError as error:
        raise OriginError(
            f"The file {content} cannot be read",
            why=str(error.strerror),
            tip="check its permissions",
        ) from error


def stamp_tree(folder: Path) -> str:
    """Return a hash over names, sizes and times of all files: whether anything was touched."""
    digest = hashlib.sha256()
    for here, names, files in os.walk(folder):
        names.sort()
        for name in sorted(files):
            path = Path(here, name)
            status = path.lstat()
            line = f"{path.relative_to(folder)}\0{status.st_size}\0{status.st_mtime_ns}\n"
            digest.update(line.encode(errors="surrogateescape"))
    return digest.hexdigest()


def _write(target: Path, content: Content, temporary: Path) -> None:
    temporary.write_bytes(content if isinstance(content, bytes) else content.read_bytes())
    target.parent.mkdir(parents=True, exist_ok=True)
    temporary.replace(target)


def _remove(folder: Path, name: str, ours: list[str], outcome: Outcome) -> None:
    target = folder / name
    if not target.is_file():
        return
    if hash_content(target) not in ours:
        outcome.edited.append(name)
        return
    target.unlink()
    for parent in Path(name).parents:
        with contextlib.suppress(OSError):
            if parent.name:
                (folder / parent).rmdir()


def _write_manifest(manifest: Path, known: Mapping[str, list[str]]) -> None:
    manifest.parent.mkdir(parents=True, exist_ok=True)
    temporary = manifest.with_name(f".{manifest.name}.part")
    temporary.write_bytes(msgspec.json.format(msgspec.json.encode(known), indent=1))
    temporary.replace(manifest)
