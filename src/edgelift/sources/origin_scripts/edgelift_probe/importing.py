"""Imports the app under watch and writes one JSON file with all that was learnt, or the error.

Runs under the origin's Python.
"""

from __future__ import annotations

import importlib
import importlib.abc
import importlib.machinery
import importlib.util
import json
import os
import re
import sys
import time
import traceback
from types import ModuleType
from typing import Any, Callable  # noqa: UP035 - the origin's Python may be 3.8

from . import frameworks, schedules
from .watching import Watch

_DATABASE = re.compile(
    r"^(sqlite|postgres\w*|mysql|mariadb|oracle|mssql)(\+\w+)?://|[^/]\.(db3?|sqlite3?)$",
    re.IGNORECASE,
)


class AfterImport(importlib.abc.MetaPathFinder):
    """Calls a function once a module was loaded, before anything else can use it."""

    def __init__(self, calls: dict[str, Callable[[ModuleType], None]]) -> None:
        self.calls = calls

    def find_spec(
        self, name: str, path: Any = None, target: Any = None
    ) -> importlib.machinery.ModuleSpec | None:
        """Find a watched module by the other finders and wrap its loader."""
        del path, target
        call = self.calls.pop(name, None)
        if call is None:
            return None
        spec = importlib.util.find_spec(name)
        loader: Any = spec.loader if spec else None
        if loader is None:
            return spec
        execute = loader.exec_module

        def exec_module(module: ModuleType) -> None:
            execute(module)
            call(module)

        loader.exec_module = exec_module
        return spec


def run(output: str, copy: str, origin: str, entry: str) -> None:
    """Import `entry` and write the result to `output`; ends the process, threads and all."""
    watch = Watch(copy, origin)
    engines: list[dict[str, object]] = []
    hooks: dict[str, Callable[[ModuleType], None]] = {
        "sqlalchemy.engine.create": lambda module: _watch_engines(module, watch, engines),
        "apscheduler.schedulers.base": schedules.hold_back,
    }
    sys.meta_path.insert(0, AfterImport(hooks))
    known = set(sys.modules)
    watch.install()
    started = time.monotonic()
    try:
        app = load(entry)
        result = describe(app, watch)
        # After it: Django imports views with the first look at its routes.
        loaded = sorted(set(sys.modules) - known)
        files = [getattr(sys.modules.get(name), "__file__", None) or "/" for name in loaded]
        inside = {watch.relative(os.path.realpath(file)) for file in files}
        result["sources"] = sorted(file for file in inside if file and file.endswith(".py"))
        result["settings"] = read_settings(frameworks.find_inner(app), loaded, watch)
    except BaseException as error:  # noqa: BLE001 - the app may raise anything, SystemExit too
        loaded, result = [], {"error": describe_error(error, watch)}
    watch.finish()
    result.update(
        seconds=time.monotonic() - started,
        engines=engines,
        databases=list(watch.databases.values()),
        env=list(watch.env.values()),
        files=list(watch.files.values()),
        events=list(watch.events.values()),
        **read_modules(loaded),
    )
    with open(f"{output}.part", "w", encoding="utf-8") as handle:
        json.dump(result, handle, default=str)
    os.replace(f"{output}.part", output)
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)  # threads that the app has left running must not keep the probe alive


def load(entry: str) -> object:
    """Return the object of `module:object`, called when written `module:factory()`."""
    module, _, name = entry.partition(":")
    found: Any = importlib.import_module(module)
    for part in name.removesuffix("()").split("."):
        found = getattr(found, part)
    return found() if name.endswith("()") else found


def describe(app: object, watch: Watch) -> dict[str, Any]:
    """Return what the app object says about itself."""
    inner = frameworks.find_inner(app)
    static = [
        {"path": inside, "url": url}
        for folder, url in frameworks.read_static(inner)
        if os.path.isdir(folder) and (inside := watch.relative(os.path.realpath(folder)))
    ]
    django = [
        {**database, "url": _inside(database["url"], watch)}
        for database in frameworks.read_django_databases()
    ]
    return {
        "framework": frameworks.detect(app),
        "inner": frameworks.detect(inner),
        "routes": frameworks.read_routes(inner, watch.copy),
        "static": static,
        "jobs": schedules.find_jobs(),
        "django": django,
    }


def describe_error(error: BaseException, watch: Watch) -> dict[str, object]:
    """Return type, message and the last place in the app's own code."""
    path: str | None = None
    line: int | None = None
    for frame in traceback.extract_tb(error.__traceback__):
        if frame.filename.startswith(watch.copy + os.sep):
            path, line = watch.relative(frame.filename), frame.lineno
    if isinstance(error, SyntaxError) and (error.filename or "").startswith(watch.copy + os.sep):
        path, line = watch.relative(error.filename or ""), error.lineno
    missing = error.name if isinstance(error, ModuleNotFoundError) else None
    return {
        "type": type(error).__name__,
        "message": str(error),
        "path": path,
        "line": line,
        "missing_module": missing,
    }


def read_modules(loaded: list[str]) -> dict[str, object]:
    """Return top-level modules, their distributions, native extensions, and what stayed idle.

    `idle` maps the installed top-level modules that were not loaded to their distributions.
    """
    metadata = importlib.import_module("importlib.metadata")
    owners: dict[str, list[str]] = getattr(metadata, "packages_distributions", dict)()
    tops = sorted({name.partition(".")[0] for name in loaded})
    distributions = {top: owners[top][0] for top in tops if owners.get(top)}
    standard = {*getattr(sys, "stdlib_module_names", ()), "edgelift_probe", "__mp_main__"}
    native = {}
    for name in loaded:
        file = getattr(sys.modules.get(name), "__file__", None) or ""
        top = name.partition(".")[0]
        if file.endswith((".so", ".pyd")) and f"{os.sep}{top}{os.sep}" in file:
            native[name] = distributions.get(top, top)
    return {
        "modules": [top for top in tops if top not in standard],
        "distributions": distributions,
        "versions": {name: metadata.version(name) for name in set(distributions.values())},
        "native": native,
        "idle": {top: names for top, names in owners.items() if top not in tops},
    }


def _watch_engines(module: ModuleType, watch: Watch, engines: list[dict[str, object]]) -> None:
    original = module.create_engine

    def create_engine(*arguments: Any, **options: Any) -> Any:
        engine = original(*arguments, **options)
        path, line = watch.locate()
        shown = _inside(engine.url.render_as_string(hide_password=True), watch)
        if not any(other["url"] == shown for other in engines):
            engines.append({"url": shown, "path": path, "line": line})
        return engine

    module.create_engine = create_engine  # type: ignore[attr-defined]


def read_settings(app: object, loaded: list[str], watch: Watch) -> list[dict[str, str]]:
    """Return names and values of what may be a database: text or paths in globals and app.config.

    Only values that look like a SQLite file or a database URL; passwords in URLs are left out.
    """
    found = []
    config = getattr(app, "config", None)
    named = [("", str(k), v) for k, v in config.items()] if isinstance(config, dict) else []
    for name in loaded:
        module = sys.modules.get(name)
        if watch.relative(os.path.realpath(getattr(module, "__file__", None) or "/")):
            named += [(name, key, value) for key, value in vars(module).items()]
    for where, key, value in named:
        if isinstance(value, (str, os.PathLike)) and _DATABASE.search(os.fspath(value)):
            shown = _inside_path(os.fspath(value), watch)
            found.append({"module": where, "name": key, "value": shown})
    return found


def _inside_path(text: str, watch: Watch) -> str:
    if "://" in text:
        return re.sub(r"(://[^:/@]+):[^@]*@", r"\1:***@", _inside(text, watch))
    return watch.relative(os.path.realpath(text)) or text


def _inside(url: str, watch: Watch) -> str:
    """Return a SQLite URL with its path relative to the project where it is inside."""
    scheme, separator, rest = url.partition(":///")
    if not separator or not scheme.startswith("sqlite") or rest in {"", ":memory:"}:
        return url
    name, mark, query = rest.partition("?")
    real = os.path.realpath(name)
    inside = watch.relative(real)
    return f"{scheme}:///{inside or real}{mark}{query}"
