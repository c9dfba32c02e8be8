"""What a lift with shards needs before the cut: a route, its function, no writes to every shard.

Places are lines of edgelift.toml and of the app's own code.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from edgelift.model.findings import Finding
from edgelift.model.mover_settings import DataSection, ShardsSection
from edgelift.model.plan import DatabasePlan
from edgelift.model.shard_rules import CALL, ORIGIN, ROUTE, WRITE
from edgelift.project import Project, expand_variables
from edgelift.sources.origin_database import is_server_url
from edgelift.sources.source_code.server_texts import read_texts
from edgelift.sources.source_code.view import CodeView

_TABLE = re.compile(r"^\s*\[\s*data\s*\.\s*shards\b")
_ROUTE_TABLE = re.compile(r"^\s*\[\s*data\s*\.\s*shards\s*\.\s*route\s*\]")
_WRITES = re.compile(
    r"\b(?:INSERT\s+(?:OR\s+\w+\s+|IGNORE\s+)?INTO|REPLACE\s+INTO|UPDATE|DELETE\s+FROM)\s+"
    r'["`]?(?:\w+["`]?\.["`]?)?(?P<table>\w+)',
    re.IGNORECASE,
)


def check_shards(
    project: Project, plans: Sequence[DatabasePlan], view: CodeView
) -> Iterator[Finding]:
    """Yield what stands in the way of a lift whose database is split; nothing without shards."""
    shards = project.settings.data.shards
    if shards is None or not project.settings.has_app:
        return
    meant = [p for p in plans if not p.in_place and shards.database in {"", p.name}]
    split = [p for p in meant if is_server_url(expand_variables(p.url))]
    path = _relative(project, project.settings_path)
    if not split or len(split) < len(meant):
        others = [p.name for p in meant if p not in split]
        named = ", ".join(others) or shards.database or "no database is moved"
        yield ORIGIN.at(named, path, find_line(project.settings_path, _TABLE))
        return
    names = ", ".join(plan.name for plan in split)
    if shards.route is None:
        yield ROUTE.at(names, path, find_line(project.settings_path, _TABLE))
    elif shards.route.call and not has_function(project, shards.route.call):
        line = find_line(project.settings_path, _ROUTE_TABLE)
        yield CALL.at(shards.route.call, path, line)
    yield from _check_writes(view, shards)


def describe_shards(data: DataSection, name: str) -> Iterator[str]:
    """Yield the steps of the plan that split a database and lead requests to its shards."""
    shards = data.shards
    if shards is None or shards.database not in {"", name}:
        return
    count = f"{shards.count} shards" if shards.count else f"shards of {shards.max_bytes} bytes"
    key = shards.column or f"the key of {shards.table}"
    hashed = "the hash of " if shards.by == "key" else ""
    yield f"data: split {name} into {count} by {hashed}{key}"
    if shards.route is not None:
        source = " or ".join(shards.route.listed) or f"{shards.route.call}()"
        yield f"build: lead each request to its shard of {name} by {source}"


def find_line(file: Path, pattern: re.Pattern[str]) -> int | None:
    """Return the first line of a file that a pattern is found in, None without one."""
    try:
        lines = file.read_text(encoding="utf-8").splitlines()
    except OSError:
        return None
    return next((n for n, line in enumerate(lines, 1) if pattern.search(line)), None)


def has_function(project: Project, call: str) -> bool:
    """Return whether `module:function` is defined, or imported, at the top of a file of the app."""
    module, _, name = call.partition(":")
    place = project.root / project.settings.app.root / Path(*module.split("."))
    for file in (place.with_suffix(".py"), place / "__init__.py"):
        try:
            tree = ast.parse(file.read_bytes())
        except (OSError, SyntaxError, ValueError, RecursionError, MemoryError):
            continue
        return name.partition(".")[0] in set(_list_names(tree))
    return False


def _list_names(tree: ast.Module) -> Iterator[str]:
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield node.name
        elif isinstance(node, ast.Import | ast.ImportFrom):
            yield from (alias.asname or alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.Assign):
            yield from (target.id for target in node.targets if isinstance(target, ast.Name))


def _check_writes(view: CodeView, shards: ShardsSection) -> Iterator[Finding]:
    """Yield the places that write replicated tables: SQL texts, and rows made of models."""
    whole = {name.rpartition(".")[2].lower() for name in shards.replicate}
    if not whole:
        return
    for site, text in read_texts(view):
        for found in _WRITES.finditer(text):
            if found["table"].lower() in whole:
                yield WRITE.at(" ".join(text.split())[:70], site.path, site.line)
    models = {
        f"{site.file.module}.{site.node.name}": table
        for site in view.sites
        if isinstance(site.node, ast.ClassDef) and (table := _read_table(site.node)) in whole
    }
    for site, _call, name in view.calls:
        if name in models:
            yield WRITE.at(f"{name.rpartition('.')[2]}() of {models[name]}", site.path, site.line)


def _read_table(model: ast.ClassDef) -> str:
    for node in model.body:
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant):
            named = any(isinstance(t, ast.Name) and t.id == "__tablename__" for t in node.targets)
            if named:
                return str(node.value.value).lower()
    return ""


def _relative(project: Project, file: Path) -> str:
    inside = file.is_relative_to(project.root)
    return (file.relative_to(project.root) if inside else file).as_posix()
