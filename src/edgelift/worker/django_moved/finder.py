"""Finds our backends under the names of Django's, and patches fields of contrib.postgres."""

from __future__ import annotations

import importlib
import importlib.abc
import importlib.machinery
import importlib.util
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

HERE = Path(__file__).parent
_BACKENDS = "django.db.backends."
# Modules of ours in the place of Django's: they would speak to a server, or import its driver.
_REPLACED = {"django.contrib.postgres.signals": "postgres_signals.py"}
# Modules that are loaded as they are and patched then.
_PATCHED = {
    f"django.contrib.postgres.fields.{name}": "edgelift.worker.django_moved.postgres_fields"
    for name in ("array", "hstore", "ranges")
}


class Finder(importlib.abc.MetaPathFinder):
    """Finds the backends of engines whose databases were moved."""

    def __init__(self, engines: Iterable[str]) -> None:
        self.engines = frozenset(engines)

    def find_spec(
        self,
        fullname: str,
        path: Sequence[str] | None = None,
        target: ModuleType | None = None,
    ) -> importlib.machinery.ModuleSpec | None:
        """Return where a module lies; those of a backend are found beside it as usual."""
        if fullname.startswith(_BACKENDS):
            engine = fullname.removeprefix(_BACKENDS)
            if engine not in self.engines:
                return None
            folder = HERE / engine
            return importlib.util.spec_from_file_location(
                fullname, folder / "__init__.py", submodule_search_locations=[str(folder)]
            )
        if "postgresql" not in self.engines:
            return None
        if fullname in _REPLACED:
            return importlib.util.spec_from_file_location(fullname, HERE / _REPLACED[fullname])
        return _find_patched(fullname, path) if fullname in _PATCHED else None


def _find_patched(
    fullname: str, path: Sequence[str] | None
) -> importlib.machinery.ModuleSpec | None:
    spec = importlib.machinery.PathFinder.find_spec(fullname, path)
    if spec is not None and spec.loader is not None:
        spec.loader = _PatchingLoader(spec.loader, _PATCHED[fullname])
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


def install(engines: Iterable[str]) -> None:
    """Put a finder for the engines before all others; a second call replaces the first."""
    sys.meta_path[:] = [finder for finder in sys.meta_path if not isinstance(finder, Finder)]
    sys.meta_path.insert(0, Finder(engines))
