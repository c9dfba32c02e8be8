"""The origin's source with what each part of it is for: run on import, by a request, by a command.

All rules look through this view. A place that neither the import nor a request is seen to reach
has the phase `unknown`: calls through containers and strings are not followed.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property

from edgelift.model.inventory import Inventory
from edgelift.project import Project
from edgelift.sources.probe import Probe
from edgelift.sources.source_code.files import SourceFile, SourceTree, read_sources
from edgelift.sources.source_code.graph import CodeGraph, Function, walk_with_function
from edgelift.sources.source_code.names import FunctionNode, is_main_guard, is_type_checking

IMPORT, REQUEST, COMMAND, UNKNOWN = "import", "request", "command", "unknown"
_DEEPEST = 10_000
_COMMAND_DECORATORS = frozenset({"command", "group", "cli_command"})


@dataclass(frozen=True)
class Site:
    """A node of the source with its file, its function, and when it runs."""

    file: SourceFile
    node: ast.AST
    function: FunctionNode | None
    phases: frozenset[str]

    @property
    def path(self) -> str:
        """Return the file's path relative to the project."""
        return self.file.path

    @property
    def line(self) -> int:
        """Return the line, counted from 1."""
        return int(getattr(self.node, "lineno", 1))

    @property
    def serves(self) -> bool:
        """Return whether it runs in a Worker: on import, for a request, or for all we know."""
        return self.phases != {COMMAND}

    @property
    def certain(self) -> bool:
        """Return whether the import or a request is seen to reach it."""
        return bool(self.phases & {IMPORT, REQUEST})


class CodeView:
    """All sites of the app's own files."""

    def __init__(
        self,
        project: Project,
        tree: SourceTree,
        paths: Iterable[str],
        *,
        probe: Probe | None = None,
        inventory: Inventory | None = None,
    ) -> None:
        self.project = project
        self.tree = tree
        self.probe = probe
        self.inventory = inventory
        self.graph = CodeGraph(tree, paths)
        self.names = self.graph.names

    @cached_property
    def handlers(self) -> set[str]:
        """Return the ids of functions that the server or a declared job calls."""
        known = self.probe or self.inventory
        places = [
            (route.path, route.line)
            for route in (known.routes if known else ())
            if route.path is not None and route.line is not None
        ]
        found = self.graph.find_handlers(places)
        calls = [job.call for job in self.project.settings.jobs]
        calls += [job.call for job in (known.jobs if known else ())]
        found |= {call.replace(":", ".") for call in calls}
        return found & set(self.graph.functions)

    @cached_property
    def requested(self) -> set[str]:
        """Return the ids of functions that requests and jobs may run."""
        return self.graph.reach(self.handlers)

    @cached_property
    def imported(self) -> set[str]:
        """Return the ids of functions that run on import."""
        return self.graph.find_import_time(self.project.settings.app.entry)

    @cached_property
    def commands(self) -> set[str]:
        """Return the ids of functions that only commands run."""
        roots = [
            f.id
            for f in self.graph.functions.values()
            if any(_last_name(d) in _COMMAND_DECORATORS for d in f.node.decorator_list)
        ]
        return self.graph.reach(roots) - self.requested - self.imported

    @cached_property
    def _phases(self) -> dict[int, frozenset[str]]:
        sets = ((IMPORT, self.imported), (REQUEST, self.requested), (COMMAND, self.commands))
        return {
            id(function.node): frozenset(name for name, ids in sets if function.id in ids)
            or frozenset({UNKNOWN})
            for function in self.graph.functions.values()
        }

    @cached_property
    def by_node(self) -> dict[int, Function]:
        """Return the functions by the id() of their nodes."""
        return {id(function.node): function for function in self.graph.functions.values()}

    @cached_property
    def sites(self) -> list[Site]:
        """Return every node of the app's files that may run in a Worker."""
        return [site for file in self.graph.files for site in self._read(file)]

    def _read(self, file: SourceFile) -> Iterator[Site]:
        skipped: set[int] = set()
        later: set[int] = set()
        for node, function in walk_with_function(file.tree):
            if is_main_guard(node) or is_type_checking(node):
                skipped |= {id(inner) for inner in ast.walk(node)}
            if isinstance(node, ast.Lambda):
                later |= {id(inner) for inner in ast.walk(node.body)}
            if id(node) in skipped:
                continue
            phases = frozenset({IMPORT}) if function is None else self._phases[id(function)]
            if id(node) in later:  # a lambda runs when it is called, which is not seen
                phases = (phases - {IMPORT}) or frozenset({UNKNOWN})
            site = Site(file, node, function, phases)
            if site.serves:
                yield site

    @cached_property
    def calls(self) -> list[tuple[Site, ast.Call, str]]:
        """Return every call with the resolved name of what is called ("" when unknown)."""
        return [
            (site, site.node, self.resolve(site, site.node.func))
            for site in self.sites
            if isinstance(site.node, ast.Call)
        ]

    @cached_property
    def imports(self) -> list[tuple[Site, str]]:
        """Return every imported module with its site, relative imports left out."""
        found = []
        for site in self.sites:
            if isinstance(site.node, ast.Import):
                found += [(site, alias.name) for alias in site.node.names]
            elif isinstance(site.node, ast.ImportFrom) and site.node.module and not site.node.level:
                found.append((site, site.node.module))
        return found

    def resolve(self, site: Site, node: ast.expr) -> str:
        """Return what an expression at a site refers to; see source_code.names."""
        return self.names.resolve(node, site.file.module, site.function)

    def constant(self, site: Site, node: ast.expr | None) -> object:
        """Return the value of a constant expression at a site, else None."""
        return self.names.constant(node, site.file.module, site.function)


def build_view(
    project: Project, *, probe: Probe | None = None, inventory: Inventory | None = None
) -> CodeView:
    """Read the project's source and return the view of what the app consists of.

    That is what importing it has shown (`probe`, or an `inventory` taken before) and what its entry
    module may import.
    """
    # Walking goes as deep as the source nests: an `elif` is an `if` inside the one before.
    sys.setrecursionlimit(max(sys.getrecursionlimit(), _DEEPEST))
    app = project.settings.app
    tree = read_sources(project.root, app.root)
    loaded = probe.sources if probe else (inventory.sources if inventory else ())
    paths = tree.find_reachable(app.entry.partition(":")[0], loaded)
    return CodeView(project, tree, paths, probe=probe, inventory=inventory)


def read_keyword(call: ast.Call, name: str) -> ast.expr | None:
    """Return the value of a keyword argument, or None."""
    return next((keyword.value for keyword in call.keywords if keyword.arg == name), None)


def _last_name(node: ast.expr) -> str:
    target = node.func if isinstance(node, ast.Call) else node
    return target.attr if isinstance(target, ast.Attribute) else getattr(target, "id", "")
