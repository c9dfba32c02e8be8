"""Where downloads are kept between projects and runs; used by toolchain and packages."""

from __future__ import annotations

import os
from pathlib import Path

from edgelift.errors import UsageError

VARIABLE = "EDGELIFT_CACHE"


def cache_root() -> Path:
    """Return the cache folder, made when missing: `$EDGELIFT_CACHE`, else the user's cache folder.

    Raises UsageError when it cannot be made.
    """
    configured = os.environ.get(VARIABLE)
    if configured:
        root = Path(configured).expanduser().absolute()
    else:
        import platformdirs

        root = platformdirs.user_cache_path("edgelift")
    try:
        root.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(
            f"The cache folder {root} cannot be made",
            why=str(error),
            tip=f"set {VARIABLE} to a folder that you may write",
        ) from error
    return root
