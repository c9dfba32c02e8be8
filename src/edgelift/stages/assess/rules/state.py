"""Rules about what lives in memory between requests: every isolate has its own."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from edgelift.model.findings import Finding, Level
from edgelift.model.rules import Rule
from edgelift.sources.source_code.view import REQUEST, CodeView, Site, read_keyword
from edgelift.stages.assess.settings_read import read_settings

GLOBAL = Rule(
    id="STATE-GLOBAL",
    level=Level.NOTE,
    title="Changes a module's variable while serving",
    why="each isolate has its own, and it is forgotten when the isolate ends",
    tip="fine for caches; keep what all requests must agree on in the database",
)
CACHE = Rule(
    id="STATE-CACHE",
    level=Level.NOTE,
    title="Caches in memory",
    why="each isolate fills its own, so hits are fewer and values may differ for a while",
    tip="nothing is to be done when entries expire or never change",
)
LIMITER = Rule(
    id="STATE-LIMITER",
    level=Level.WARNING,
    title="Counts requests in memory for a rate limit",
    why="each isolate counts for itself, so more requests pass than the limit says",
    tip="count in the database, or use Cloudflare's rate limiting in front",
)
RULES = (GLOBAL, CACHE, LIMITER)

_MUTABLE_CALLS = frozenset(
    {"dict", "list", "set", "collections.defaultdict", "collections.deque", "collections.Counter",
     "collections.OrderedDict", "itertools.count", "queue.Queue", "weakref.WeakValueDictionary"}
)  # fmt: skip
_MUTATORS = frozenset(
    {"append", "add", "update", "pop", "popitem", "setdefault", "insert", "extend", "remove",
     "discard", "clear", "appendleft", "popleft", "subtract", "put"}
)  # fmt: skip
_DECORATORS = frozenset({"functools.lru_cache", "functools.cache", "cachetools.cached",
                         "cachetools.func.ttl_cache", "cachetools.func.lru_cache"})  # fmt: skip
_CACHE_TYPES = ("cachetools.", "cachelib.SimpleCache", "cachelib.simple.SimpleCache")
_MEMORY_CACHES = frozenset({"simple", "simplecache", "flask_caching.backends.simple"})


def check_state(view: CodeView) -> Iterator[Finding]:
    """Yield module variables changed by requests, caches and limiters."""
    seen: set[tuple[str, str]] = set()
    for site in view.sites:
        if REQUEST not in site.phases or site.function is None:
            continue
        name = _changed(site)
        if name and _is_module_variable(view, site, name) and (site.path, name) not in seen:
            seen.add((site.path, name))
            yield GLOBAL.at(name, site.path, site.line)
    yield from _check_caches(view)
    yield from _check_limiters(view)


def _changed(site: Site) -> str:
    """Return the name that a node changes: by assignment to an element, or by a method."""
    node = site.node
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
        return _base(node.func.value) if node.func.attr in _MUTATORS else ""
    if isinstance(node, ast.Assign | ast.AugAssign | ast.Delete):
        targets = [node.target] if isinstance(node, ast.AugAssign) else node.targets
        for target in targets:
            if isinstance(target, ast.Subscript):
                return _base(target.value)
    if isinstance(node, ast.Global):
        return node.names[0]
    return ""


def _base(node: ast.expr) -> str:
    return node.id if isinstance(node, ast.Name) else ""


def _is_module_variable(view: CodeView, site: Site, name: str) -> bool:
    names = view.names.modules.get(site.file.module)
    if names is None or site.function is None:
        return False
    if isinstance(site.node, ast.Global):
        return _is_rebound(site, name)
    value = names.assigned.get(name)
    if value is None or name in view.names.read_locals(site.function):
        return False
    made = view.names.resolve(value, site.file.module).removesuffix("()")
    is_literal = isinstance(
        value, ast.Dict | ast.List | ast.Set | ast.DictComp | ast.ListComp | ast.SetComp
    )
    return is_literal or made in _MUTABLE_CALLS


def _is_rebound(site: Site, name: str) -> bool:
    return any(
        isinstance(node, ast.Name) and node.id == name and isinstance(node.ctx, ast.Store)
        for node in (ast.walk(site.function) if site.function else ())
    )


def _check_caches(view: CodeView) -> Iterator[Finding]:
    for function in view.graph.functions.values():
        for decorator in function.node.decorator_list:
            target = decorator.func if isinstance(decorator, ast.Call) else decorator
            name = view.names.resolve(target, function.file.module)
            if name in _DECORATORS and function.id in view.requested:
                yield CACHE.at(f"@{name}", function.file.path, decorator.lineno)
    for site, _call, name in view.calls:
        if name.startswith(_CACHE_TYPES) and name.endswith("Cache"):
            yield CACHE.at(f"{name}()", site.path, site.line)
    for site, key, value in read_settings(view):
        text = view.constant(site, value)
        if key == "CACHE_TYPE" and isinstance(text, str) and text.lower() in _MEMORY_CACHES:
            yield CACHE.at(f"CACHE_TYPE = {text!r}", site.path, site.line)


def _check_limiters(view: CodeView) -> Iterator[Finding]:
    stored = any(
        key in {"RATELIMIT_STORAGE_URI", "RATELIMIT_STORAGE_URL"}
        and not str(view.constant(site, value)).startswith("memory")
        for site, key, value in read_settings(view)
    )
    for site, call, name in view.calls:
        if name not in {"flask_limiter.Limiter", "slowapi.Limiter"} or stored:
            continue
        storage = view.constant(site, read_keyword(call, "storage_uri"))
        if read_keyword(call, "storage_uri") is None or str(storage).startswith("memory"):
            yield LIMITER.at(f"{name}()", site.path, site.line)
