"""Finds the query parameters and body fields that each handler reads, helpers included.

A helper that takes the name as an argument (`read_int("page", 1)`) is followed: what its callers
pass is what they read. Names made at run time are not seen.
"""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property

import msgspec

from edgelift.model.inventory import Route
from edgelift.sources.source_code import CodeGraph, Function
from edgelift.sources.source_code.graph import iter_calls
from edgelift.sources.source_code.names import walk_own

_QUERIES = ("request.args", "request.values", "request.GET", "request.query_params")
_FORMS = ("request.form", "request.POST")
_BODIES = ("request.get_json(", "request.json", "request.data", "request.get_data(",
           "request.body")  # fmt: skip
_KEY_METHODS = frozenset({"get", "getlist", "pop", "setdefault", "getall"})


@dataclass
class Reads:
    """What one function reads itself: names, and parameters of its own that hold names."""

    query: set[str] = field(default_factory=set)
    body: set[str] = field(default_factory=set)
    query_parameters: set[str] = field(default_factory=set)
    body_parameters: set[str] = field(default_factory=set)


class RequestReads:
    """Answers for any route what its handler reads."""

    def __init__(self, graph: CodeGraph) -> None:
        self.graph = graph
        self._reads: dict[str, Reads] = {}

    @cached_property
    def _body_makers(self) -> set[str]:
        """Return the ids of functions that return the request's decoded body."""
        return {
            name
            for name, function in self.graph.functions.items()
            if any(
                isinstance(node, ast.Return) and node.value is not None
                and self._is_body(node.value, function, makers=False)
                for node in walk_own(function.node)
            )
        }  # fmt: skip

    def add_to(self, route: Route) -> Route:
        """Return the route with what its handler reads added."""
        if route.path is None or route.line is None:
            return route
        handlers = self.graph.find_at(route.path, route.line)
        query, body = set(route.query), set(route.json_fields)
        for name in self.graph.reach(handler.id for handler in handlers):
            function = self.graph.functions[name]
            reads = self._read(function)
            query |= reads.query
            body |= reads.body
            for kind, given in self._passed(function):
                (query if kind == "query" else body).add(given)
        writes = {"POST", "PUT", "PATCH", "DELETE"} & set(route.methods)
        return msgspec.structs.replace(
            route,
            query=tuple(sorted(query)),
            json_fields=tuple(sorted(body)) if writes else route.json_fields,
        )

    def _read(self, function: Function) -> Reads:
        known = self._reads.get(function.id)
        if known is None:
            known = self._reads[function.id] = Reads()
            parameters = {a.arg for a in function.node.args.args}
            for source, key in _accesses(function):
                text = ast.unparse(source)
                names = _loop_values(key, function)
                if names and text.endswith(_QUERIES):
                    known.query |= names
                elif names and (text.endswith(_FORMS) or self._is_body(source, function)):
                    known.body |= names
                name = self.graph.names.constant(key, function.file.module, function.node)
                parameter = key.id if isinstance(key, ast.Name) and key.id in parameters else ""
                if text.endswith(_QUERIES):
                    _add(known.query, known.query_parameters, name, parameter)
                elif text.endswith(_FORMS) or self._is_body(source, function):
                    _add(known.body, known.body_parameters, name, parameter)
        return known

    def _is_body(self, node: ast.expr, function: Function, *, makers: bool = True) -> bool:
        """Return whether an expression is the decoded body of the request."""
        if isinstance(node, ast.Name):
            bound = self.graph.names.read_locals(function.node).get(node.id)
            return (
                bound is not None
                and not isinstance(bound, ast.Name)
                and self._is_body(bound, function, makers=makers)
            )
        text = ast.unparse(node)
        if any(form in text for form in _BODIES):
            return isinstance(node, ast.Call | ast.Attribute | ast.BoolOp | ast.Await | ast.IfExp)
        if makers and isinstance(node, ast.BoolOp | ast.IfExp):
            parts = node.values if isinstance(node, ast.BoolOp) else [node.body, node.orelse]
            return any(self._is_body(part, function) for part in parts)
        if makers and isinstance(node, ast.Call):
            return bool(self._body_makers & set(self.graph.find_targets(node.func, function)))
        return False

    def _passed(self, function: Function) -> Iterator[tuple[str, str]]:
        """Yield names that a function hands to helpers which read them from the request."""
        for call in iter_calls(function):
            for target in self.graph.find_targets(call.func, function):
                reads = self._read(self.graph.functions[target])
                given = _bind(call, self.graph.functions[target])
                wanted = [("query", p) for p in reads.query_parameters]
                wanted += [("body", p) for p in reads.body_parameters]
                for kind, parameter in wanted:
                    value = self.graph.names.constant(
                        given.get(parameter), function.file.module, function.node
                    )
                    if isinstance(value, str):
                        yield kind, value


def _add(names: set[str], parameters: set[str], name: object, parameter: str) -> None:
    if parameter:
        parameters.add(parameter)
    elif isinstance(name, str):
        names.add(name)


def _accesses(function: Function) -> Iterator[tuple[ast.expr, ast.expr]]:
    """Yield (mapping, key) of `m.get(k)`, `m[k]` and `k in m`."""
    for node in walk_own(function.node):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            if node.func.attr in _KEY_METHODS and node.args:
                yield node.func.value, node.args[0]
        elif isinstance(node, ast.Subscript):
            yield node.value, node.slice
        elif isinstance(node, ast.Compare) and isinstance(node.ops[0], ast.In | ast.NotIn):
            yield node.comparators[0], node.left


def _bind(call: ast.Call, function: Function) -> dict[str, ast.expr]:
    """Return the arguments of a call by parameter name; `self` is skipped for methods."""
    names = [a.arg for a in (*function.node.args.posonlyargs, *function.node.args.args)]
    if function.owner:
        names = names[1:]
    bound: defaultdict[str, ast.expr] = defaultdict()
    bound.update(zip(names, call.args, strict=False))
    bound.update({k.arg: k.value for k in call.keywords if k.arg is not None})
    return bound


def _loop_values(key: ast.expr, function: Function) -> set[str]:
    """Return the literals that a loop or comprehension variable takes: `for name in ("a", "b")`."""
    if not isinstance(key, ast.Name):
        return set()
    return {
        element.value
        for node in ast.walk(function.node)
        if isinstance(node, ast.For | ast.comprehension)
        and isinstance(node.target, ast.Name)
        and node.target.id == key.id
        and isinstance(node.iter, ast.Tuple | ast.List | ast.Set)
        for element in node.iter.elts
        if isinstance(element, ast.Constant) and isinstance(element.value, str)
    }
