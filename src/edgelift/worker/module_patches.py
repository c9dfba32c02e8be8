"""Patches modules of packages when they are imported: a loader for finders on sys.meta_path."""

from __future__ import annotations

import importlib
import importlib.abc
import importlib.machinery
from collections.abc import Sequence
from types import ModuleType
from typing import Any


def find_patched(
    fullname: str, path: Sequence[str] | None, patch: str
) -> importlib.machinery.ModuleSpec | None:
    """Return where a module lies, to be patched by `patch(module)` of the module `patch`."""
    spec = importlib.machinery.PathFinder.find_spec(fullname, path)
    if spec is not None and spec.loader is not None:
        spec.loader = _PatchingLoader(spec.loader, patch)
    return spec


class _PatchingLoader(importlib.abc.Loader):
    """Loads a module as usual and lets another one of ours patch it."""

    def __init__(self, loader: Any, patch: str) -> None:
        self._loader, self._patch = loader, patch

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> ModuleType | None:
        """Return the module the usual loader makes."""
        made: ModuleType | None = self._loader.create_module(spec)
        return made

    def exec_module(self, module: ModuleType) -> None:
        """Run the module, then patch it."""
        self._loader.exec_module(module)
        importlib.import_module(self._patch).patch(module)
