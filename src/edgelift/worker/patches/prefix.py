"""sys.prefix at the standard library instead of "/".

Without it Flask takes the app for a package that is installed below sys.prefix, as everything is
below "/", and looks for its instance folder in /var: the app finds none of its files and databases.
"""

from __future__ import annotations

import sys


def install() -> None:
    """Move the prefixes, as a virtual environment does; sys.base_prefix and sysconfig stay."""
    library = f"{sys.platlibdir}/python{sys.version_info.major}.{sys.version_info.minor}"
    sys.prefix = sys.exec_prefix = f"{sys.base_prefix.rstrip('/')}/{library}"
