"""Puts a module that behaves as mysqlclient's MySQLdb, over PyMySQL, where `import MySQLdb` looks.

mysqlclient is C over libmysqlclient, which the Worker has not. PyMySQL speaks the same protocol and
shares mysqlclient's cursors and converters in origin; what differs is made equal in module/.
"""

from __future__ import annotations

import importlib.abc
import importlib.machinery
import importlib.metadata
import importlib.util
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

NAME = "MySQLdb"
DISTRIBUTION = "mysqlclient"
VERSION = "2.2.7"  # whose behaviour module/ has
_FOLDER = Path(__file__).parent / "module"


class _Distribution(importlib.metadata.Distribution):
    """mysqlclient's metadata, for those who ask which version is installed."""

    def read_text(self, filename: str) -> str | None:
        """Return the text of a metadata file, None for one that does not exist."""
        texts = {
            "METADATA": f"Metadata-Version: 2.1\nName: {DISTRIBUTION}\nVersion: {VERSION}\n",
            "top_level.txt": f"{NAME}\n",
            "INSTALLER": "edgelift\n",
        }
        return texts.get(filename)

    def locate_file(self, path: Any) -> Any:
        """Return where a file of the distribution would lie."""
        return _FOLDER / str(path)


class Finder(importlib.abc.MetaPathFinder):
    """Finds the package and its distribution."""

    def find_spec(
        self,
        fullname: str,
        path: Sequence[str] | None = None,
        target: ModuleType | None = None,
    ) -> importlib.machinery.ModuleSpec | None:
        """Return where the package lies; its submodules are found beside it as usual."""
        if fullname != NAME:
            return None
        return importlib.util.spec_from_file_location(
            fullname, _FOLDER / "__init__.py", submodule_search_locations=[str(_FOLDER)]
        )

    def find_distributions(self, context: Any = None) -> Iterator[importlib.metadata.Distribution]:
        """Yield mysqlclient's when it, or everything, is asked for."""
        wanted = getattr(context, "name", None)
        if wanted is None or str(wanted).lower() == DISTRIBUTION:
            yield _Distribution()


def install() -> None:
    """Make `import MySQLdb` give this package; call it before the app's import."""
    sys.meta_path[:] = [finder for finder in sys.meta_path if not isinstance(finder, Finder)]
    sys.meta_path.insert(0, Finder())
