"""Puts the compatible modules where `import psycopg2` finds them, with their distributions.

A finder on sys.meta_path loads them under their own names, so that `__module__` of their classes is
what pickles, migrations and error reports expect, and answers `importlib.metadata` for them.
"""

from __future__ import annotations

import importlib.abc
import importlib.machinery
import importlib.metadata
import importlib.util
import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

from edgelift.worker.module_patches import find_patched

WORKER = Path(__file__).resolve().parents[1]

# Module, and the distributions it stands for with the version whose behaviour it has.
DISTRIBUTIONS = {
    "psycopg2": {"psycopg2": "2.9.10", "psycopg2-binary": "2.9.10"},
    "asyncpg": {"asyncpg": "0.30.0"},
}
# psycopg 3 is the application's own, pure Python but for libpq, which this stands in for.
PSYCOPG_LIBPQ = "psycopg.pq.pq_ctypes"
# Modules that are patched after their load where nothing can poll a descriptor.
PATCHES = {
    "psycopg.waiting": "edgelift.worker.psycopg.waiting",
    "aiopg.connection": "edgelift.worker.aiopg",
}
PSYCOPG_BUILDS = ("psycopg_c", "psycopg_binary")


class _Distribution(importlib.metadata.Distribution):
    """The metadata of a distribution that is not installed as files."""

    def __init__(self, name: str, version: str, module: str) -> None:
        self._texts = {
            "METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n",
            "top_level.txt": f"{module}\n",
            "INSTALLER": "edgelift\n",
        }

    def read_text(self, filename: str) -> str | None:
        """Return the text of a metadata file, None for one that does not exist."""
        return self._texts.get(filename)

    def locate_file(self, path: Any) -> Any:
        """Return where a file of the distribution would lie."""
        return WORKER / str(path)


class Finder(importlib.abc.MetaPathFinder):
    """Finds the compatible packages and their distributions."""

    def __init__(self, names: Iterable[str], *, blocking: bool) -> None:
        self.names = frozenset(names)
        self.blocking = blocking

    def find_spec(
        self,
        fullname: str,
        path: Sequence[str] | None = None,
        target: ModuleType | None = None,
    ) -> importlib.machinery.ModuleSpec | None:
        """Return where a package lies; its submodules are found beside it as usual."""
        if fullname in PSYCOPG_BUILDS:
            raise ModuleNotFoundError(f"No module named {fullname!r}", name=fullname)
        if fullname == PSYCOPG_LIBPQ:
            file = WORKER / "psycopg" / "pq_module.py"
            return importlib.util.spec_from_file_location(fullname, file)
        if fullname in PATCHES and self.blocking:
            return find_patched(fullname, path, PATCHES[fullname])
        if fullname not in self.names:
            return None
        folder = WORKER / fullname
        return importlib.util.spec_from_file_location(
            fullname, folder / "__init__.py", submodule_search_locations=[str(folder)]
        )

    def find_distributions(self, context: Any = None) -> Iterator[importlib.metadata.Distribution]:
        """Yield the distributions the packages stand for."""
        wanted = getattr(context, "name", None)
        for module in sorted(self.names):
            for name, version in DISTRIBUTIONS[module].items():
                if wanted is None or _normal(wanted) == _normal(name):
                    yield _Distribution(name, version, module)


def _normal(name: str) -> str:
    return name.lower().replace("_", "-").replace(".", "-")


def install(
    names: Iterable[str] = tuple(DISTRIBUTIONS), *, blocking: bool = sys.platform == "emscripten"
) -> None:
    """Make `import NAME` give the compatible package; the real one is not looked for any more.

    An installed psycopg 3 gets its libpq from here, an installed aiopg this psycopg2; `blocking`
    is how they wait in the Worker.
    Packages imported before stay as they are: call this before the app's import. A second call
    replaces the first. Raises KeyError for a name that is no package of ours.
    """
    listed = {name: DISTRIBUTIONS[name] for name in names}
    sys.meta_path[:] = [finder for finder in sys.meta_path if not isinstance(finder, Finder)]
    sys.meta_path.insert(0, Finder(listed, blocking=blocking))
