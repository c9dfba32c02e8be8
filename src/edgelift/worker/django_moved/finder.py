"""Finds our backends under the names of Django's, and patches fields of contrib.postgres."""

from __future__ import annotations

import importlib.abc
import importlib.machinery
import importlib.util
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from types import ModuleType

from edgelift.worker.module_patches import find_patched

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
        if fullname in _PATCHED:
            return find_patched(fullname, path, _PATCHED[fullname])
        return None


def install(engines: Iterable[str]) -> None:
    """Put a finder for the engines before all others; a second call replaces the first."""
    sys.meta_path[:] = [finder for finder in sys.meta_path if not isinstance(finder, Finder)]
    sys.meta_path.insert(0, Finder(engines))
