"""edgelift: lift a running backend to Cloudflare Workers, with proof.

`edgelift.lift("path/of/backend")` runs the whole pipeline; every CLI verb is a function here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from edgelift.model.follow_state import FollowOptions
    from edgelift.model.upload_state import UploadOptions
    from edgelift.serving import dev, serve
    from edgelift.verbs import (
        Options,
        Outcome,
        assess,
        build,
        data,
        files,
        follow,
        init,
        lift,
        move,
        plan,
        preview,
        report,
        schema,
        status,
        verify,
    )

__version__ = "0.1.0"
__all__ = [
    "FollowOptions",
    "Options",
    "Outcome",
    "UploadOptions",
    "assess",
    "build",
    "data",
    "dev",
    "files",
    "follow",
    "init",
    "lift",
    "move",
    "plan",
    "preview",
    "report",
    "schema",
    "serve",
    "status",
    "verify",
]


def __getattr__(name: str) -> object:
    """Load the verbs when first asked for, so that `import edgelift` stays light."""
    if name in {"dev", "serve"}:
        from edgelift import serving as module

        return getattr(module, name)
    if name in __all__:
        from edgelift import verbs

        return getattr(verbs, name)
    raise AttributeError(name)
