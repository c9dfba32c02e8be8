"""The packages of one project, asked for alike by plan and build so that both get one answer."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from edgelift.model.inventory import Inventory
from edgelift.project import Project
from edgelift.targets.packages.requirements import read_requirements
from edgelift.targets.packages.resolve import OriginUse, Resolution, resolve_packages
from edgelift.toolchain import cache_root

# What the adapter itself needs: Cloudflare's WSGI and ASGI entry points, and time zones, which the
# Worker has no system files for.
RUNTIME_REQUIREMENTS = ("workers-runtime-sdk==1.9.5", "tzdata")


def resolve_origin(
    project: Project,
    inventory: Inventory,
    *,
    versions: Mapping[str, str],
    note: Callable[[str], None],
) -> Resolution:
    """Resolve a project's requirement files for the Worker, with what the adapter needs.

    `versions` maps the origin's installed packages to their versions, which are kept where the
    Worker's Python has them. Raises as resolve_packages does.
    """
    settings = project.settings
    return resolve_packages(
        read_requirements(project.root, settings.app.requirements) or list(inventory.requirements),
        cache=cache_root(),
        exclude=settings.packages.exclude,
        include=(*settings.packages.include, *RUNTIME_REQUIREMENTS),
        note=note,
        use=OriginUse(imported=tuple(sorted(inventory.modules)), versions=dict(versions)),
    )
