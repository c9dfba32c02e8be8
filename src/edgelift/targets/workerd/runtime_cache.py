"""What all builds share in the toolchain's cache: recorded wasm modules, compiled sources."""

from __future__ import annotations

import contextlib
import hashlib
import os
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from edgelift.errors import TargetError
from edgelift.toolchain import Toolchain


@dataclass(frozen=True)
class RuntimeCache:
    """A folder per version of Pyodide; files are named by what they hold."""

    root: Path

    def read_recorded(self) -> dict[str, bytes]:
        """Return the wasm modules recorded so far, by their key (the bytes as hex)."""
        found: dict[str, bytes] = {}
        for path in sorted((self.root / "wasm").glob("*.wasm")):
            data = path.read_bytes()
            found[data.hex()] = data
        return found

    def keep_recorded(self, modules: Mapping[str, bytes]) -> None:
        """Add recorded modules."""
        for data in modules.values():
            self._write(f"wasm/{hashlib.sha256(data).hexdigest()[:32]}.wasm", data)

    def read_compiled(self, path: str, source: bytes) -> bytes | None:
        """Return the compiled form of a source; b"": it does not compile; None: not known."""
        with contextlib.suppress(FileNotFoundError):
            return (self.root / _compiled_name(path, source)).read_bytes()
        return None

    def keep_compiled(self, path: str, source: bytes, compiled: bytes) -> None:
        """Add the compiled form of a source; the path counts because tracebacks name it."""
        self._write(_compiled_name(path, source), compiled)

    def _write(self, name: str, data: bytes) -> None:
        target = self.root / name
        if target.exists():
            return
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            handle, temporary = tempfile.mkstemp(dir=target.parent, prefix=".new-")
            with os.fdopen(handle, "wb") as opened:
                opened.write(data)
            Path(temporary).replace(target)
        except OSError as error:
            raise TargetError(
                "The toolchain's cache cannot be written",
                why=f"{target}: {error.strerror}",
                tip="free space there, or point EDGELIFT_CACHE to another folder",
            ) from error


def _compiled_name(path: str, source: bytes) -> str:
    digest = hashlib.sha256(path.encode() + b"\0" + source).hexdigest()
    return f"pyc/{digest[:2]}/{digest[2:40]}.pyc"


def open_cache(toolchain: Toolchain) -> RuntimeCache:
    """Return the cache of the toolchain's Pyodide; raises TargetError when that is damaged."""
    digest = hashlib.sha256()
    for name in ("package.json", "pyodide.asm.wasm"):
        file = toolchain.pyodide / name
        try:
            with file.open("rb") as opened:
                digest.update(hashlib.file_digest(opened, "sha256").digest())
        except OSError as error:
            raise TargetError(
                f"Pyodide's {name} cannot be read",
                why=f"{file}: {error.strerror}",
                tip="remove the toolchain cache and run again: it is downloaded anew",
            ) from error
    return RuntimeCache(toolchain.root / f"python-{digest.hexdigest()[:16]}")
