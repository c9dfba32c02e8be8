"""Reads settings out of source: `config["NAME"] = v`, `NAME = v`, `{"NAME": v}`, `f(NAME=v)`."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from edgelift.sources.source_code.view import CodeView, Site


def read_settings(view: CodeView) -> Iterator[tuple[Site, str, ast.expr]]:
    """Yield (site, name, value) of everything that looks like a setting."""
    for site in view.sites:
        node = site.node
        if isinstance(node, ast.Assign):
            name = _target_name(view, site, node.targets[0])
            if name:
                yield site, name, node.value
        elif isinstance(node, ast.Dict):
            for key, value in zip(node.keys, node.values, strict=True):
                if isinstance(key, ast.Constant) and isinstance(key.value, str):
                    yield site, key.value, value
        elif isinstance(node, ast.Call):
            for keyword in node.keywords:
                if keyword.arg is not None:
                    yield site, keyword.arg, keyword.value


def _target_name(view: CodeView, site: Site, target: ast.expr) -> str:
    if isinstance(target, ast.Name):
        return target.id
    if isinstance(target, ast.Attribute):
        return target.attr
    if isinstance(target, ast.Subscript):
        key = view.constant(site, target.slice)
        return key if isinstance(key, str) else ""
    return ""
