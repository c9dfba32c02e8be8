"""Who calls whom in the origin's source, and what a request or an import may run.

Calls are resolved through names; a method on an object of unknown type is taken to be any of the
project's methods of that name, when there are few. Calls through strings, containers and signals
are not seen.
"""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from edgelift.sources.source_code.files import SourceFile, SourceTree
from edgelift.sources.source_code.names import FunctionNode, Names, walk_module, walk_own

_ROUTE_DECORATORS = frozenset({"route", "get", "post", "put", "patch", "delete", "websocket"})
_HOOK_DECORATORS = frozenset(
    {"before_request", "after_request", "teardown_request", "teardown_appcontext", "errorhandler",
     "before_app_request", "after_app_request", "teardown_app_request", "app_errorhandler",
     "context_processor", "app_context_processor", "template_filter", "template_global",
     "url_value_preprocessor", "middleware", "exception_handler", "user_loader", "request_loader",
     "listens_for", "api_view", "action"}
)  # fmt: skip
_MOST_CANDIDATES = 3
# Objects of libraries that stand for one of the app's own.
_PROXIES = frozenset({"flask_login.current_user", "flask.g", "flask_jwt_extended.current_user"})
_RUN_BY_CLASS = ("__init__", "__post_init__", "__enter__", "__exit__", "__call__")
_VIEW_METHODS = frozenset({"get", "post", "put", "patch", "delete", "head", "dispatch_request"})
# Methods every library has: one class of the project that has them too proves nothing.
_GENERIC = frozenset(
    {"get", "set", "add", "all", "close", "commit", "copy", "delete", "execute", "filter", "find",
     "first", "flush", "items", "keys", "load", "open", "pop", "put", "read", "remove", "rollback",
     "run", "save", "send", "start", "stop", "update", "values", "write", "query", "append"}
)  # fmt: skip


@dataclass(frozen=True)
class Function:
    """A function or method; `owner` is the class, "" outside one.

    A name that is defined again (a property's setter, both branches of an `if`) is `name~2` then.
    """

    file: SourceFile
    node: FunctionNode
    owner: str
    qualname: str

    @property
    def id(self) -> str:
        """Return the dotted name from its module."""
        return f"{self.file.module}.{self.qualname}"

    @property
    def first_line(self) -> int:
        """Return the line of the first decorator: what a code object reports as its first."""
        return min([self.node.lineno, *(d.lineno for d in self.node.decorator_list)])


class CodeGraph:
    """All functions of the given files, and the calls between them."""

    def __init__(self, tree: SourceTree, paths: Iterable[str] | None = None) -> None:
        self.tree = tree
        self.names = Names(tree)
        chosen = set(tree.files) if paths is None else set(paths)
        self.files = [tree.files[path] for path in sorted(chosen) if path in tree.files]
        self.functions: dict[str, Function] = {}
        # The later definitions of a name, by the id of the first: any of them may be meant.
        self._again: defaultdict[str, list[str]] = defaultdict(list)
        # The functions that stand in a function or module, by its id.
        self._inner: defaultdict[str, set[str]] = defaultdict(set)
        self.classes: dict[str, ast.ClassDef] = {}
        self._methods: defaultdict[str, list[Function]] = defaultdict(list)
        for file in self.files:
            self._collect(file, file.tree, "", "")
        self._callees: dict[str, set[str]] = {}

    def _collect(self, file: SourceFile, node: ast.AST, prefix: str, owner: str) -> None:
        for child in ast.iter_child_nodes(node):
            if isinstance(child, FunctionNode):
                function = self._define(Function(file, child, owner, f"{prefix}{child.name}"))
                if owner:
                    self._methods[child.name].append(function)
                self._collect(file, child, f"{function.qualname}.", "")
            elif isinstance(child, ast.ClassDef):
                self.classes.setdefault(f"{file.module}.{prefix}{child.name}", child)
                self._collect(file, child, f"{prefix}{child.name}.", child.name)
            else:
                self._collect(file, child, prefix, owner)

    def _define(self, function: Function) -> Function:
        first = function.id
        if first in self.functions:
            again = self._again[first]
            function = replace(function, qualname=f"{function.qualname}~{len(again) + 2}")
            again.append(function.id)
        self.functions[function.id] = function
        if not function.owner:
            self._inner[function.id.rpartition(".")[0]].add(function.id)
        return function

    def _all(self, name: str) -> list[str]:
        return [name, *self._again.get(name, ())]

    def find_at(self, path: str, line: int) -> list[Function]:
        """Return the function whose first line that is, or all methods of the class there."""
        exact = [
            f
            for f in self.functions.values()
            if f.file.path == path and line in (f.first_line, f.node.lineno)
        ]
        if exact:
            return exact
        names = [
            name
            for name, node in self.classes.items()
            if line in (node.lineno, *(d.lineno for d in node.decorator_list))
        ]
        return [
            f
            for f in self.functions.values()
            if f.file.path == path and f.id.rpartition(".")[0] in names
        ]

    def callees(self, function: Function) -> set[str]:
        """Return the ids of project functions that a function calls or hands on."""
        known = self._callees.get(function.id)
        if known is None:
            known = set()
            for node in walk_own(function.node):
                if isinstance(node, ast.Name | ast.Attribute) and isinstance(node.ctx, ast.Load):
                    known |= set(self.find_targets(node, function))
            known |= self._inner.get(function.id, set())
            self._callees[function.id] = known - {function.id}
        return known

    def find_targets(
        self, node: ast.expr, function: Function | None, module: str = ""
    ) -> list[str]:
        """Return the ids of the project functions an expression may refer to."""
        owner_module = function.file.module if function else module
        if isinstance(node, ast.Attribute) and function is not None and _is_self(node.value):
            return self._find_method(node.attr, function)
        dotted = self.names.resolve(node, owner_module, function.node if function else None)
        direct = self._find_function(dotted)
        if direct:
            return direct
        if isinstance(node, ast.Attribute) and _is_unknown(dotted) and node.attr not in _GENERIC:
            candidates = self._methods.get(node.attr, [])
            return [c.id for c in candidates] if len(candidates) <= _MOST_CANDIDATES else []
        return []

    def _find_function(self, dotted: str) -> list[str]:
        plain = dotted.replace("()", "")
        if dotted in self.functions or (plain in self.functions and plain != dotted):
            return self._all(plain)
        if dotted in self.classes:
            methods = [f"{dotted}.{m}" for m in _RUN_BY_CLASS if f"{dotted}.{m}" in self.functions]
            return [name for method in methods for name in self._all(method)]
        return []

    def _find_method(self, name: str, function: Function) -> list[str]:
        scope = function.id.rpartition(".")[0]
        if f"{scope}.{name}" in self.functions:
            return self._all(f"{scope}.{name}")
        candidates = self._methods.get(name, [])
        return [c.id for c in candidates] if len(candidates) <= _MOST_CANDIDATES else []

    def reach(self, roots: Iterable[str]) -> set[str]:
        """Return the ids of all functions that the roots may run, themselves included."""
        found: set[str] = set()
        waiting = [name for name in roots if name in self.functions]
        while waiting:
            name = waiting.pop()
            if name not in found:
                found.add(name)
                waiting.extend(self.callees(self.functions[name]))
        return found

    def find_handlers(self, places: Iterable[tuple[str, int]] = ()) -> set[str]:
        """Return the ids of what the server calls: routes at `places`, by decorators, and hooks."""
        found = {f.id for path, line in places for f in self.find_at(path, line)}
        hooks = _ROUTE_DECORATORS | _HOOK_DECORATORS
        for function in self.functions.values():
            by_decorator = any(_decorator_name(d) in hooks for d in function.node.decorator_list)
            by_class = function.owner and function.node.name in _VIEW_METHODS
            if by_decorator or (by_class and self._is_view(function)):
                found.add(function.id)
        return found

    def _is_view(self, function: Function) -> bool:
        node = self.classes.get(function.id.rpartition(".")[0])
        bases = node.bases if node else []
        return any("View" in ast.unparse(b) or "Resource" in ast.unparse(b) for b in bases)

    def find_import_time(self, entry: str = "") -> set[str]:
        """Return the ids of functions that importing the files runs; `entry` as in AppSection."""
        roots: set[str] = set()
        for file in self.files:
            for node in walk_module(file.tree):
                if isinstance(node, ast.Call):
                    roots |= set(self.find_targets(node.func, None, file.module))
        module, _, name = entry.partition(":")
        if name.endswith("()"):
            roots.add(f"{module}.{name.removesuffix('()')}")
        found: set[str] = set()
        waiting = list(roots)
        while waiting:
            current = waiting.pop()
            if current in found or current not in self.functions:
                continue
            found.add(current)
            function = self.functions[current]
            for call in (n for n in walk_own(function.node) if isinstance(n, ast.Call)):
                waiting.extend(self.find_targets(call.func, function))
        return found

    def enclosing(self, file: SourceFile, line: int) -> Function | None:
        """Return the innermost function around a line."""
        around = [
            f
            for f in self.functions.values()
            if f.file is file and f.first_line <= line <= (f.node.end_lineno or line)
        ]
        return max(around, key=lambda f: f.first_line, default=None)


def _is_unknown(dotted: str) -> bool:
    """Return whether a method's receiver may be of any type: a library function returned it."""
    if not dotted:
        return True
    owner = dotted.rpartition(".")[0]
    if owner in _PROXIES:
        return True
    maker = owner.removesuffix("()").rpartition(".")[2]
    return owner.endswith("()") and not maker[:1].isupper()


def _is_self(node: ast.expr) -> bool:
    return isinstance(node, ast.Name) and node.id in {"self", "cls"}


def _decorator_name(node: ast.expr) -> str:
    target = node.func if isinstance(node, ast.Call) else node
    return target.attr if isinstance(target, ast.Attribute) else getattr(target, "id", "")


def iter_calls(function: Function) -> Iterator[ast.Call]:
    """Yield the calls a function makes itself, in source order."""
    for node in walk_own(function.node):
        if isinstance(node, ast.Call):
            yield node


def walk_with_function(
    node: ast.AST, function: FunctionNode | None = None
) -> Iterator[tuple[ast.AST, FunctionNode | None]]:
    """Yield every node below one with the function it lies in, in source order."""
    for child in ast.iter_child_nodes(node):
        yield child, function
        inner = child if isinstance(child, FunctionNode) else function
        yield from walk_with_function(child, inner)


def iter_calls_with_function(tree: ast.AST) -> Iterator[tuple[ast.Call, FunctionNode | None]]:
    """Yield all calls below a node with the function each lies in."""
    for node, function in walk_with_function(tree):
        if isinstance(node, ast.Call):
            yield node, function
