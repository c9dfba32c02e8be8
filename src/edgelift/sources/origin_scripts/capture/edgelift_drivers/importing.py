"""Changes modules right after the app has imported them, and not before."""

from __future__ import annotations

import importlib.abc
import importlib.machinery
import importlib.util
import sys
from collections.abc import Callable, Mapping, Sequence
from types import ModuleType
from typing import Any

Patch = Callable[[Any], None]


class Loader(importlib.abc.Loader):
    """Loads as another loader does, then changes the module."""

    def __init__(self, inner: Any, patch: Patch) -> None:
        self._inner = inner
        self._patch = patch

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> ModuleType | None:
        """Make the module as the other loader does."""
        made: ModuleType | None = self._inner.create_module(spec)
        return made

    def exec_module(self, module: ModuleType) -> None:
        """Run the module, then change it."""
        self._inner.exec_module(module)
        self._patch(module)


class Finder(importlib.abc.MetaPathFinder):
    """Finds the modules that are to be changed where they are, and gives them a Loader."""

    def __init__(self, patches: Mapping[str, Patch]) -> None:
        self._patches = patches
        self._busy: set[str] = set()

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        """Return the spec of a module to change, None for all others."""
        del path, target
        patch = self._patches.get(fullname)
        if patch is None or fullname in self._busy:
            return None
        self._busy.add(fullname)
        try:
            spec = importlib.util.find_spec(fullname)
        finally:
            self._busy.discard(fullname)
        if spec is not None and spec.loader is not None:
            spec.loader = Loader(spec.loader, patch)
        return spec


def watch(patches: Mapping[str, Patch]) -> None:
    """Change modules, by name, as soon as they have been imported."""
    sys.meta_path.insert(0, Finder(patches))
