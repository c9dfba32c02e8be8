"""Finds what may be the app: server command lines, Django's wsgi module, app objects, factories.

Order of preference, documented for users in docs/verbs/init.md: a command line of a server
(Procfile, Dockerfile, compose file, unit file, FLASK_APP), then Django, then app objects, then
factories; among equals by the file's name and depth.
"""

from __future__ import annotations

import ast
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

from edgelift.project import list_files
from edgelift.sources.source_code import CodeGraph, Function, SourceFile, SourceTree
from edgelift.sources.source_code.names import walk_module, walk_own

FRAMEWORK_CLASSES = {
    "flask.Flask()": "flask",
    "fastapi.FastAPI()": "fastapi",
    "starlette.applications.Starlette()": "asgi",
    "quart.Quart()": "asgi",
    "litestar.Litestar()": "asgi",
    "bottle.Bottle()": "wsgi",
    "falcon.App()": "wsgi",
    "falcon.asgi.App()": "asgi",
    "pyramid.config.Configurator().make_wsgi_app()": "wsgi",
    "django.core.wsgi.get_wsgi_application()": "django",
    "django.core.asgi.get_asgi_application()": "django",
    "connexion.FlaskApp()": "flask",
    "apiflask.APIFlask()": "flask",
}
FILE_ORDER = ("wsgi", "app", "main", "server", "application", "run", "api", "index", "asgi")
OBJECT_NAMES = ("app", "application", "api", "server")
FACTORY_NAMES = ("create_app", "make_app", "build_app", "get_app", "create_application")

_COMMAND_FILES = re.compile(
    r"(^|/)(Procfile|Dockerfile[\w.-]*|Containerfile|[\w.-]*compose[\w.-]*\.ya?ml|fly\.toml"
    r"|render\.yaml|app\.yaml|app\.json|\.flaskenv|[\w.@-]+\.service|[\w.-]+\.sh|Makefile"
    r"|supervisord?\.conf|zappa_settings\.json)$"
)
_SERVER = re.compile(r"\b(gunicorn|uvicorn|hypercorn|daphne|waitress-serve|granian|uwsgi)\b(.*)")
_TARGET = re.compile(r"(?<![\w./-])([A-Za-z_][\w.]*):([A-Za-z_]\w*(?:\(\))?)(?![\w/:])")
_FLASK_APP = re.compile(
    r"(?:FLASK_APP\s*[=: ]\s*|flask\s+--app[ =])[\"']?"
    r"([\w./]+?)(?:\.py)?(?::(\w+(?:\(\))?))?[\"']?(?:\s|$)"
)
_CHDIR = re.compile(r"--(?:chdir|app-dir|working-dir)[\s=\",']+([\w./-]+)")


@dataclass(frozen=True)
class Candidate:
    """A possible app: entry and import root as in AppSection, and how it was found."""

    entry: str
    root: str
    framework: str
    reason: str
    path: str | None = None
    line: int | None = None

    @property
    def place(self) -> str:
        """Return where it was found."""
        return f"{self.path}:{self.line}" if self.line else (self.path or "")


def find_candidates(root: Path, tree: SourceTree) -> list[Candidate]:
    """Return all candidates, the most likely first, one for each entry."""
    own = [path for path, file in tree.files.items() if not file.is_test]
    graph = CodeGraph(_name_from_import_roots(tree), own)
    objects = sorted(_find_objects(graph), key=_rank)
    factories = sorted(_find_factories(graph), key=_rank)
    commands = list(_find_commands(root, tree, [*objects, *factories]))
    django = [c for c in objects if c.framework == "django"]
    ordered = [*commands, *django, *objects, *factories]
    unique: dict[tuple[str, str], Candidate] = {}
    for candidate in ordered:
        unique.setdefault((candidate.root, candidate.entry), candidate)
    return list(unique.values())


def _rank(candidate: Candidate) -> tuple[object, ...]:
    path = PurePosixPath(candidate.path or "")
    stem = path.parent.name if path.name == "__init__.py" else path.stem
    name = candidate.entry.partition(":")[2].removesuffix("()")
    names = [*OBJECT_NAMES, *FACTORY_NAMES]
    depth = len(path.parts) - (1 if path.parts[0] == "src" else 0)
    aside = any(part in {"examples", "example", "docs", "scripts", "bin"} for part in path.parts)
    return (
        aside,
        # An ASGI twin of a WSGI entry comes second.
        stem == "asgi",
        depth,
        FILE_ORDER.index(stem) if stem in FILE_ORDER else len(FILE_ORDER),
        names.index(name) if name in names else len(names),
        str(path),
        candidate.line or 0,
    )


def _name_from_import_roots(tree: SourceTree) -> SourceTree:
    """Return a tree whose modules have the names under which its files import one another.

    An app in a subfolder says `from shop import ...`, not `from backend.shop`. Where two import
    roots hold a module of one name, these keep their long names.
    """
    names = {path: place_module(tree, file)[1] for path, file in tree.files.items()}
    often = Counter(names.values())
    files = {
        path: replace(file, module=names[path]) if often[names[path]] == 1 else file
        for path, file in tree.files.items()
    }
    return replace(tree, files=files)


def place_module(tree: SourceTree, file: SourceFile) -> tuple[str, str]:
    """Return (import root, module) of a file: the root is the folder above its topmost package."""
    parts = list(PurePosixPath(file.path).with_suffix("").parts)
    folders = parts[:-1]
    start = len(folders)
    while start > 0 and "/".join([*folders[:start], "__init__.py"]) in tree.files:
        start -= 1
    module = [part for part in parts[start:] if part != "__init__"]
    return "/".join(folders[:start]) or ".", ".".join(module)


def _find_objects(graph: CodeGraph) -> Iterator[Candidate]:
    makers = _find_makers(graph)
    classes = _find_classes(graph)
    for file in graph.files:
        seen: set[str] = set()
        for node in walk_module(file.tree):
            if not isinstance(node, ast.Assign | ast.AnnAssign) or node.value is None:
                continue
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            made = graph.names.resolve(node.value, file.module)
            framework = classes.get(made) or makers.get(made.removesuffix("()"), "")
            name = targets[0].id if isinstance(targets[0], ast.Name) else ""
            if framework and name and name not in seen:
                seen.add(name)
                root, module = place_module(graph.tree, file)
                reason = f"{name} = {ast.unparse(node.value)[:60]}"
                yield Candidate(f"{module}:{name}", root, framework, reason, file.path, node.lineno)


def _find_makers(graph: CodeGraph) -> dict[str, str]:
    """Return framework by id of functions that make and return an app."""
    makers: dict[str, str] = {}
    classes = _find_classes(graph)
    for function in graph.functions.values():
        framework = _made_by(graph, function, classes)
        if framework:
            makers[function.id] = framework
    return makers


def _find_classes(graph: CodeGraph) -> dict[str, str]:
    """Return framework by resolved constructor call, subclasses of the project included."""
    found = dict(FRAMEWORK_CLASSES)
    for name, node in graph.classes.items():
        file = next((f for f in graph.files if name.startswith(f"{f.module}.")), None)
        for base in node.bases if file else ():
            resolved = graph.names.resolve(base, file.module) if file else ""
            if f"{resolved}()" in FRAMEWORK_CLASSES:
                found[f"{name}()"] = FRAMEWORK_CLASSES[f"{resolved}()"]
    return found


def _made_by(graph: CodeGraph, function: Function, classes: dict[str, str]) -> str:
    for node in walk_own(function.node):
        if isinstance(node, ast.Return) and node.value is not None:
            made = graph.names.resolve(node.value, function.file.module, function.node)
            if made in classes:
                return classes[made]
    return ""


def _find_factories(graph: CodeGraph) -> Iterator[Candidate]:
    for name, framework in _find_makers(graph).items():
        function = graph.functions[name]
        if function.owner or "." in function.qualname or _needs_arguments(function):
            continue
        root, module = place_module(graph.tree, function.file)
        entry = f"{module}:{function.qualname}()"
        reason = f"def {function.qualname}() makes the app"
        yield Candidate(entry, root, framework, reason, function.file.path, function.node.lineno)


def _needs_arguments(function: Function) -> bool:
    arguments = function.node.args
    positional = len(arguments.posonlyargs) + len(arguments.args)
    return positional > len(arguments.defaults) or None in arguments.kw_defaults


def _find_commands(root: Path, tree: SourceTree, known: list[Candidate]) -> Iterator[Candidate]:
    for file in list_files(root):
        path = file.relative_to(root).as_posix()
        if not _COMMAND_FILES.search(path) or file.stat().st_size > 1_000_000:
            continue
        text = file.read_text(encoding="utf-8", errors="replace").replace("\\\n", "  ")
        for number, line in enumerate(text.splitlines(), 1):
            if line.lstrip().startswith("#"):
                continue
            for module, name, folder in _read_command(line):
                found = _place_command(tree, known, module, name, folder)
                if found is not None:
                    entry, import_root, framework = found
                    reason = f"{path} starts it: {line.strip()[:80]}"
                    yield Candidate(entry, import_root, framework, reason, path, number)


def _read_command(line: str) -> Iterator[tuple[str, str, str]]:
    """Yield (module, object, folder) of the servers that a line starts; object may be empty."""
    server = _SERVER.search(line)
    if server is not None:
        folder = _CHDIR.search(server[2])
        for target in _TARGET.finditer(server[2]):
            yield target[1], target[2], folder[1] if folder else ""
    flask = _FLASK_APP.search(line)
    if flask is not None:
        yield flask[1].strip("./").replace("/", "."), flask[2] or "", ""


def _place_command(
    tree: SourceTree, known: list[Candidate], module: str, name: str, folder: str
) -> tuple[str, str, str] | None:
    """Return (entry, import root, framework) for a command's target, None when it has no file."""
    tail = module.replace(".", "/")
    fits = [p for p in tree.files if p in {f"{tail}.py", f"{tail}/__init__.py"}] or [
        p for p in tree.files if p.endswith((f"/{tail}.py", f"/{tail}/__init__.py"))
    ]
    if folder.strip("./"):
        fits = [p for p in fits if p.startswith(folder.strip("./") + "/")] or fits
    if not fits:
        return None
    path = min(fits, key=lambda p: (p.count("/"), p))
    import_root = path.removesuffix(".py").removesuffix("/__init__")
    import_root = import_root.removesuffix(tail).strip("/") or "."
    same = [c for c in known if c.path == path]
    exact = [c for c in same if not name or c.entry.partition(":")[2] in {name, f"{name}()"}]
    if not name and not exact:
        return None
    chosen = next(iter(exact or same), None)
    framework = chosen.framework if chosen else "wsgi"
    # gunicorn and flask also call a factory that is named without parentheses.
    target = chosen.entry.partition(":")[2] if chosen and exact else name
    return f"{module}:{target}", import_root, framework
