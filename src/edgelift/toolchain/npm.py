"""Installs one part of the toolchain from its lock file into the cache, atomically.

A part appears under its final name only when it is whole: `npm ci` (which checks every package
against the integrity hash in the lock file) runs in a temporary folder, the result is tried, a
marker is written, and the folder is renamed. A killed install leaves a temporary folder that the
next one removes.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from edgelift.errors import TargetError, TargetUnavailable

Note = Callable[[str], None]

PARTS = Path(__file__).parent / "parts"
MARKER = "complete.json"
INSTALL_TIMEOUT_S = 1800
# npm's and Node's error codes for "the registry did not answer".
UNREACHABLE = (
    "ENOTFOUND", "ECONNREFUSED", "ECONNRESET", "ETIMEDOUT", "EAI_AGAIN", "ENETUNREACH",
    "ERR_SOCKET_TIMEOUT", "EIDLETIMEOUT", "ECONNABORTED", "ENETWORK", "ENOTCACHED",
)  # fmt: skip


@dataclass(frozen=True)
class PartFolder:
    """A part in the cache: `key_files` (relative) prove it whole, `probe` must run."""

    name: str
    cache: Path
    key_files: tuple[str, ...]
    probe: str | None = None

    @property
    def final(self) -> Path:
        """Return the folder's name: it changes with the lock file and the platform."""
        lock = (PARTS / self.name / "package-lock.json").read_bytes()
        key = hashlib.sha256(lock + sys.platform.encode() + os.uname().machine.encode())
        return self.cache / f"{self.name}-{key.hexdigest()[:16]}"


def find_part(part: PartFolder) -> Path | None:
    """Return the folder of an installed part, or None when it is missing or damaged.

    Compares only the sizes of the key files with the marker, so that a warm start costs no time.
    """
    final = part.final
    try:
        sizes = json.loads((final / MARKER).read_text(encoding="utf-8"))["sizes"]
        whole = all(sizes[name] == (final / name).stat().st_size for name in part.key_files)
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return final if whole else None


def install_part(part: PartFolder, node: Path, npm: Path, note: Note) -> Path:
    """Install a part, or wait for another process that does; return its folder.

    Raises TargetUnavailable without a network, TargetError for everything else.
    """
    import filelock

    lock = filelock.FileLock(f"{part.final}.lock")
    try:
        try:
            lock.acquire(blocking=False)
        except filelock.Timeout:
            note(f"waiting for another process that downloads the {part.name} toolchain")
            lock.acquire()
        try:
            return find_part(part) or _install_locked(part, node, npm, note)
        finally:
            lock.release()
    except OSError as error:
        raise TargetError(
            f"The {part.name} toolchain could not be installed",
            why=str(error),
            tip=f"check free space and permissions of {part.cache}",
        ) from error


def _install_locked(part: PartFolder, node: Path, npm: Path, note: Note) -> Path:
    final = part.final
    for left_over in part.cache.glob(f".{final.name}.*"):
        # npm of a killed edgelift may still write there; then the next install removes it.
        shutil.rmtree(left_over, ignore_errors=True)
    if final.exists():
        note(f"the {part.name} toolchain in the cache is damaged and is installed again")
        shutil.rmtree(final)
    temporary = part.cache / f".{final.name}.{os.getpid()}"
    shutil.copytree(PARTS / part.name, temporary)
    try:
        note(f"downloading the {part.name} toolchain into {part.cache} (once)")
        _run_npm(part, node, npm, temporary)
        version = _probe(temporary / part.probe) if part.probe else ""
        _write_marker(part, temporary, version)
        temporary.rename(final)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    return final


def _run_npm(part: PartFolder, node: Path, npm: Path, folder: Path) -> None:
    command = [
        str(node),
        str(npm),
        "ci",
        "--ignore-scripts",
        "--no-audit",
        "--no-fund",
        "--loglevel=error",
    ]
    environment = {**os.environ, "PATH": f"{node.parent}{os.pathsep}{os.environ.get('PATH', '')}"}
    try:
        done = subprocess.run(
            command,
            cwd=folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=INSTALL_TIMEOUT_S,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise TargetUnavailable(
            f"The {part.name} toolchain could not be downloaded",
            why=f"npm did not end within {INSTALL_TIMEOUT_S} s",
            tip="check the network and run again",
        ) from error
    if done.returncode != 0:
        raise explain_npm(part.name, done.stderr or done.stdout)


def explain_npm(name: str, output: str) -> TargetError:
    """Return the error for npm's output: no network, an altered package, or the rest."""
    lines = [line.removeprefix("npm error ") for line in output.splitlines() if line.strip()]
    why = " ".join(lines[:3]) or "npm gave no reason"
    what = f"The {name} toolchain could not be downloaded"
    if any(code in output for code in UNREACHABLE):
        return TargetUnavailable(
            what,
            why=why,
            tip="connect to the network, or set npm's registry and proxy in your .npmrc, and run "
            "again; once downloaded, edgelift works offline",
        )
    if "EINTEGRITY" in output:
        return TargetError(
            what,
            why=f"a package is not the one that edgelift was tested with: {why}",
            tip="check the registry and proxy npm uses; `npm cache clean --force` drops bad copies",
        )
    return TargetError(what, why=why, tip="run again; npm keeps its full log in its cache folder")


def _probe(binary: Path) -> str:
    try:
        done = subprocess.run(
            [binary, "--version"], capture_output=True, text=True, timeout=60, check=True
        )
    except (OSError, subprocess.SubprocessError) as error:
        detail = getattr(error, "stderr", "") or ""
        raise TargetError(
            f"{binary.name} does not run on this machine",
            why=f"{error} {detail}".strip(),
            tip="workerd needs glibc (Alpine has another C library) or a current macOS",
        ) from error
    return done.stdout.strip()


def _write_marker(part: PartFolder, folder: Path, version: str) -> None:
    marker = {
        "part": part.name,
        "version": version,
        "sizes": {name: (folder / name).stat().st_size for name in part.key_files},
    }
    for name in part.key_files:
        with (folder / name).open("rb") as handle:
            os.fsync(handle.fileno())
    with (folder / MARKER).open("w", encoding="utf-8") as handle:
        json.dump(marker, handle, indent=1)
        handle.flush()
        os.fsync(handle.fileno())
