"""The packages of one project, asked for alike by plan and build so that both get one answer."""

from __future__ import annotations

import ast
import sys
from collections.abc import Callable, Mapping

from edgelift.model.inventory import Inventory
from edgelift.project import Project, read_engine
from edgelift.sources.source_code import read_sources
from edgelift.sources.source_code.files import read_imports
from edgelift.sources.source_code.names import is_main_guard, is_type_checking
from edgelift.targets.packages.requirements import OriginUse, read_requirements
from edgelift.targets.packages.resolve import Resolution, resolve_packages
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
        use=OriginUse(
            imported=tuple(find_own_imports(project)),
            versions=dict(versions),
            idle=inventory.idle,
            engines=tuple(
                sorted(engine for section in settings.databases if (engine := read_engine(section)))
            ),
        ),
    )


def find_own_imports(project: Project) -> list[str]:
    """Return the top-level modules that the app's own code cannot do without.

    Looks at the files that importing the app may import. Imports under `if TYPE_CHECKING` and
    `if __name__ == "__main__"`, and those whose failure the code catches, do not count.
    """
    app = project.settings.app
    sources = read_sources(project.root, app.root)
    own = {name.partition(".")[0] for name in sources.modules}
    found: set[str] = set()
    for path in sources.find_reachable(app.entry.partition(":")[0]):
        _DropNeedless().visit(sources.files[path].tree)
        found |= {name.partition(".")[0] for name in read_imports(sources.files[path])}
    return sorted(found - own - sys.stdlib_module_names - {""})


class _DropNeedless(ast.NodeTransformer):
    """Removes code that the Worker does not run, or may fail to import without harm."""

    def visit_If(self, node: ast.If) -> object:
        """Keep only the other branch of a guard."""
        self.generic_visit(node)
        return node.orelse if is_main_guard(node) or is_type_checking(node) else node

    def visit_Try(self, node: ast.Try) -> object:
        """Drop the body of a try whose handler expects a failing import."""
        self.generic_visit(node)
        caught = [ast.unparse(h.type) if h.type else "" for h in node.handlers]
        if any("ImportError" in text or "ModuleNotFoundError" in text for text in caught):
            return [part for handler in node.handlers for part in handler.body] + node.finalbody
        return node
