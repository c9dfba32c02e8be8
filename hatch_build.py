"""The build hook: compiles the row engine's SQLite extension into the wheel where a compiler is.

Without one the wheel is a pure one, and edgelift uses its Python engine or compiles at first use.
EDGELIFT_PURE_WHEEL=1 leaves the extension out, for a wheel that installs on every machine.
"""

from __future__ import annotations

import importlib.util
import os
from pathlib import Path
from types import ModuleType
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

PLACE = Path("src/edgelift/rows/native")


def load_build_module(root: Path) -> ModuleType:
    """Return rows/native/build.py; the package around it cannot be imported yet."""
    spec = importlib.util.spec_from_file_location("rows_native_build", root / PLACE / "build.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class RowsBuildHook(BuildHookInterface[Any]):
    """Adds the compiled extension to the wheel and names the wheel after its platform."""

    PLUGIN_NAME = "custom"

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Compile beside the source; an editable install uses it there, a wheel gets a copy."""
        root = Path(self.root)
        build = load_build_module(root)
        for old in (root / PLACE).glob("bulk-*.so"):
            old.unlink()
        if os.environ.get("EDGELIFT_PURE_WHEEL") == "1":
            return
        library = root / PLACE / build.name_library()
        why = build.compile_library(library)
        if why:
            self.app.display_warning(f"edgelift: rows are moved by the Python engine: {why}")
        elif version != "editable":
            build_data["force_include"][str(library)] = f"edgelift/rows/native/{library.name}"
            build_data["pure_python"] = False
            build_data["tag"] = f"py3-none-{build.name_platform()}"
