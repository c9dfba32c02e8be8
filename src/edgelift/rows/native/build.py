"""Compiles the extension: from the hatch hook when edgelift is built, else at first use.

Only the standard library is used, since the hook runs before anything is installed.
"""

from __future__ import annotations

import hashlib
import os
import platform
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from pathlib import Path

FOLDER = Path(__file__).parent
FLAGS = ("-std=c11", "-O3", "-fPIC", "-shared", "-fvisibility=hidden")
_TIMEOUT_S = 120


def name_library() -> str:
    """Return the file's name: it holds a hash of the source, so that an old file is never used."""
    digest = hashlib.sha256(" ".join(FLAGS).encode())
    for path in sorted([*FOLDER.glob("*.c"), *FOLDER.glob("*.h")]):
        digest.update(path.name.encode() + b"\0" + path.read_bytes())
    machine = f"{sys.platform}-{platform.machine()}".lower()
    return f"bulk-{digest.hexdigest()[:12]}-{machine}.so"


def find_compiler() -> str | None:
    """Return the C compiler: $CC, else cc, gcc or clang; None without one."""
    for name in (os.environ.get("CC", ""), "cc", "gcc", "clang"):
        found = shutil.which(name) if name else None
        if found:
            return found
    return None


def compile_library(destination: Path) -> str:
    """Compile into that file, atomically; return an empty text or why it could not be done."""
    compiler = find_compiler()
    if compiler is None:
        return "no C compiler was found (cc, gcc, clang or $CC)"
    if sys.platform == "win32":
        return "it is built on Linux and macOS only"
    try:
        destination.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=destination.parent) as scratch:
            made = Path(scratch) / destination.name
            command = [compiler, *FLAGS, "-o", str(made), str(FOLDER / "bulk.c"), "-lm"]
            done = subprocess.run(
                command, capture_output=True, text=True, timeout=_TIMEOUT_S, check=False
            )
            if done.returncode:
                last = done.stderr.strip().splitlines() or ["no message"]
                return f"{compiler} failed: {last[0]}"
            made.replace(destination)
    except (OSError, subprocess.TimeoutExpired) as error:
        return f"compiling failed: {error}"
    return ""


def _cache() -> Path:
    root = os.environ.get("EDGELIFT_CACHE")
    if root:
        return Path(root) / "rows"
    import platformdirs

    return platformdirs.user_cache_path("edgelift") / "rows"


def find_or_build() -> tuple[Path | None, str]:
    """Return the extension's file, compiled into the cache if need be, or None and why."""
    name = name_library()
    cached = _cache() / name
    for path in (FOLDER / name, cached):
        if path.is_file():
            return path, ""
    why = compile_library(cached)
    return (None, why) if why else (cached, "")


def name_platform() -> str:
    """Return the wheel's platform tag for the machine that builds."""
    return sysconfig.get_platform().replace("-", "_").replace(".", "_")
