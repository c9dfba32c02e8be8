"""Resolves names in source to what they mean: `db.session` to `flask_sqlalchemy.SQLAlchemy()...`.

A resolved name is dotted from a module; a call stands as `()`. It is found through imports,
re-exports inside the project and simple assignments; flow, attributes set elsewhere and containers
are not followed, so an unresolved name means "not known", never "not used".
"""

from __future__ import annotations

import ast
import builtins
from collections.abc import Iterator

from edgelift.sources.source_code.files import SourceFile, SourceTree, resolve_relative

_DEPTH = 8
FunctionNode = ast.FunctionDef | ast.AsyncFunctionDef
_BUILTINS = frozenset(dir(builtins))


class ModuleNames:
    """What the names of one module stand for."""

    def __init__(self, file: SourceFile) -> None:
        self.file = file
        self.imported: dict[str, str] = {}
        self.assigned: dict[str, ast.expr] = {}
        self.defined: set[str] = set()
        for node in ast.walk(file.tree):
            if isinstance(node, ast.Import):
                for alias in node.names:
                    top = alias.name.partition(".")[0]
                    self.imported[alias.asname or top] = alias.name if alias.asname else top
            elif isinstance(node, ast.ImportFrom):
                base = resolve_relative(file, node)
                for alias in node.names:
                    self.imported[alias.asname or alias.name] = f"{base}.{alias.name}"
        for statement in walk_module(file.tree):
            if isinstance(statement, FunctionNode | ast.ClassDef):
                self.defined.add(statement.name)
            for name, value in read_bindings(statement):
                self.assigned.setdefault(name, value)


class Names:
    """Resolves expressions anywhere in a source tree."""

    def __init__(self, tree: SourceTree) -> None:
        self.modules = {file.module: ModuleNames(file) for file in tree.files.values()}
        self._locals: dict[int, dict[str, ast.expr]] = {}

    def resolve(self, node: ast.expr, module: str, function: FunctionNode | None = None) -> str:
        """Return the dotted name of an expression, "" when it is not known."""
        return self._resolve(node, module, function, _DEPTH)

    def _resolve(
        self, node: ast.expr, module: str, function: FunctionNode | None, depth: int
    ) -> str:
        if isinstance(node, ast.Await):
            node = node.value
        if depth <= 0 or not isinstance(node, ast.Attribute | ast.Call | ast.Name):
            return ""
        if isinstance(node, ast.Name):
            return self._resolve_name(node.id, module, function, depth)
        if isinstance(node, ast.Call):
            base = self._resolve(node.func, module, function, depth)
            return f"{base}()" if base else ""
        base = self._resolve(node.value, module, function, depth)
        return self._follow(f"{base}.{node.attr}", depth - 1) if base else ""

    def _resolve_name(
        self, name: str, module: str, function: FunctionNode | None, depth: int
    ) -> str:
        if function is not None:
            if name in {a.arg for a in _all_arguments(function.args)}:
                return ""
            bound = self.read_locals(function).get(name)
            if bound is not None:
                return self._resolve(bound, module, function, depth - 1)
        return (
            self._follow(f"{module}.{name}", depth)
            if self._owns(module, name)
            else (name if name in _BUILTINS else "")
        )

    def _owns(self, module: str, name: str) -> bool:
        names = self.modules.get(module)
        return names is not None and (
            name in names.imported or name in names.assigned or name in names.defined
        )

    def _follow(self, dotted: str, depth: int) -> str:
        """Replace the longest prefix that names a member of a project module by what it is."""
        parts = dotted.split(".")
        for count in range(len(parts) - 1, 0, -1) if depth > 0 else ():
            names = self.modules.get(".".join(parts[:count]))
            if names is not None:
                target = self._read_member(names, parts[count], depth)
                if target in {"", dotted}:
                    return dotted
                return self._follow(".".join([target, *parts[count + 1 :]]), depth - 1)
        return dotted

    def _read_member(self, names: ModuleNames, name: str, depth: int) -> str:
        """Return what a member of a project module stands for, "" when it stands for itself."""
        if f"{names.file.module}.{name}" in self.modules or name in names.defined:
            return ""
        if name in names.imported:
            return names.imported[name]
        value = names.assigned.get(name)
        return self._resolve(value, names.file.module, None, depth - 1) if value else ""

    def read_locals(self, function: FunctionNode) -> dict[str, ast.expr]:
        """Return what the local names of a function are first bound to."""
        known = self._locals.get(id(function))
        if known is None:
            known = {}
            for statement in walk_own(function):
                for name, value in read_bindings(statement):
                    known.setdefault(name, value)
            self._locals[id(function)] = known
        return known

    def constant(
        self, node: ast.expr | None, module: str, function: FunctionNode | None = None
    ) -> object:
        """Return the value of an expression of literals, arithmetic and constants, else None."""
        return self._constant(node, module, function, _DEPTH)

    def _constant(
        self, node: ast.expr | None, module: str, function: FunctionNode | None, depth: int
    ) -> object:
        if depth <= 0 or node is None:
            return None
        if isinstance(node, ast.Constant):
            return node.value
        if isinstance(node, ast.JoinedStr):
            return "".join(
                str(part.value) if isinstance(part, ast.Constant) else "{}" for part in node.values
            )
        if isinstance(node, ast.BinOp):
            left = self._constant(node.left, module, function, depth - 1)
            right = self._constant(node.right, module, function, depth - 1)
            return _combine(left, node.op, right)
        if isinstance(node, ast.Name):
            value = self.read_locals(function).get(node.id) if function else None
            names = self.modules.get(module)
            value = value or (names.assigned.get(node.id) if names else None)
            return self._constant(value, module, function, depth - 1)
        return None


def _combine(left: object, operator: ast.operator, right: object) -> object:
    if isinstance(left, str) and isinstance(right, str) and isinstance(operator, ast.Add):
        return left + right
    if isinstance(left, int | float) and isinstance(right, int | float):
        if isinstance(operator, ast.Mult):
            return left * right
        if isinstance(operator, ast.Add):
            return left + right
        if isinstance(operator, ast.Sub):
            return left - right
        if isinstance(operator, ast.Pow) and abs(right) <= 64 and abs(left) <= 1024:
            return left**right
    return None


def _all_arguments(arguments: ast.arguments) -> list[ast.arg]:
    extra = [a for a in (arguments.vararg, arguments.kwarg) if a is not None]
    return [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs, *extra]


def read_bindings(node: ast.AST) -> Iterator[tuple[str, ast.expr]]:
    """Yield (name, expression) for simple assignments, `with ... as` and annotated ones."""
    if isinstance(node, ast.Assign):
        for target in node.targets:
            if isinstance(target, ast.Name):
                yield target.id, node.value
    elif isinstance(node, ast.AnnAssign | ast.NamedExpr):
        if isinstance(node.target, ast.Name) and node.value is not None:
            yield node.target.id, node.value
    elif isinstance(node, ast.With | ast.AsyncWith):
        for item in node.items:
            if isinstance(item.optional_vars, ast.Name):
                yield item.optional_vars.id, item.context_expr


def walk_own(node: ast.AST) -> Iterator[ast.AST]:
    """Yield all nodes below one in source order, without the bodies of functions and classes."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, FunctionNode | ast.ClassDef | ast.Lambda):
            continue
        yield child
        yield from walk_own(child)


def walk_module(tree: ast.Module) -> Iterator[ast.AST]:
    """Yield all nodes that run on import, definitions included, less what a main guard holds."""
    waiting: list[ast.AST] = list(reversed(tree.body))
    while waiting:
        node = waiting.pop()
        if is_main_guard(node) or is_type_checking(node):
            continue
        yield node
        if not isinstance(node, FunctionNode | ast.ClassDef | ast.Lambda):
            waiting.extend(reversed(list(ast.iter_child_nodes(node))))
        elif isinstance(node, ast.ClassDef):
            waiting.extend(n for n in reversed(node.body) if not isinstance(n, FunctionNode))


def is_main_guard(node: ast.AST) -> bool:
    """Return whether a node is `if __name__ == "__main__":`."""
    if not isinstance(node, ast.If) or not isinstance(node.test, ast.Compare):
        return False
    sides = [node.test.left, *node.test.comparators]
    return any(isinstance(s, ast.Name) and s.id == "__name__" for s in sides) and any(
        isinstance(s, ast.Constant) and s.value == "__main__" for s in sides
    )


def is_type_checking(node: ast.AST) -> bool:
    """Return whether a node is `if TYPE_CHECKING:`."""
    if not isinstance(node, ast.If):
        return False
    test = node.test
    name = test.id if isinstance(test, ast.Name) else getattr(test, "attr", "")
    return name == "TYPE_CHECKING"
