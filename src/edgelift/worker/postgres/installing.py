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

WORKER = Path(__file__).resolve().parents[1]

# Module, and the distributions it stands for with the version whose behaviour it has.
DISTRIBUTIONS = {
    "psycopg2": {"psycopg2": "2.9.10", "psycopg2-binary": "2.9.10"},
    "asyncpg": {"asyncpg": "0.30.0"},
    "aiopg": {"aiopg": "1.4.0"},
}


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

    def __init__(self, names: Iterable[str]) -> None:
        self.names = frozenset(names)

    def find_spec(
        self,
        fullname: str,
        path: Sequence[str] | None = None,
        target: ModuleType | None = None,
    ) -> importlib.machinery.ModuleSpec | None:
        """Return where a package lies; its submodules are found beside it as usual."""
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


def install(names: Iterable[str] = tuple(DISTRIBUTIONS)) -> None:
    """Make `import NAME` give the compatible package; the real one is not looked for any more.

    Packages imported before stay as they are: call this before the app's import. A second call
    replaces the first.
    """
    sys.meta_path[:] = [finder for finder in sys.meta_path if not isinstance(finder, Finder)]
    sys.meta_path.insert(0, Finder(names))
