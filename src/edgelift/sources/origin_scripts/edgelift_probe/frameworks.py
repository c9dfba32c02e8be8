"""Reads an app object: framework, routes, static folders, configured databases.

Runs under the origin's Python; nothing is imported here that the app has not imported already.
"""

from __future__ import annotations

import asyncio
import inspect
import os
import re
import sys
from typing import Any

_PARAMETER = re.compile(r"<(?:(?P<converter>\w+)(?:\([^)]*\))?:)?(?P<name>\w+)>")
_GROUP = re.compile(r"\(\?P<(\w+)>(?:[^()]|\([^()]*\))*\)")
_INNER = ("wsgi_app", "app", "application", "_app", "asgi_app")
_NOT_SHOWN = {"HEAD", "OPTIONS"}


def _names(app: object) -> set[str]:
    return {f"{c.__module__.split('.')[0]}.{c.__name__}" for c in type(app).__mro__}


def detect(app: object) -> str:
    """Return the framework of an app object, "" when it cannot be an app."""
    names = _names(app)
    if "flask.Flask" in names:
        return "flask"
    if "fastapi.FastAPI" in names:
        return "fastapi"
    if {"django.WSGIHandler", "django.ASGIHandler"} & names:
        return "django"
    if not callable(app):
        return ""
    call = app if inspect.isfunction(app) else type(app).__call__
    if asyncio.iscoroutinefunction(call) or {"starlette.Starlette", "quart.Quart"} & names:
        return "asgi"
    return "wsgi"


def find_inner(app: object) -> object:
    """Return the framework's app inside middleware, or the object itself."""
    current: object = app
    for _ in range(8):
        if detect(current) in {"flask", "fastapi", "django"} or hasattr(current, "routes"):
            return current
        for name in _INNER:
            inner = getattr(current, name, None)
            if inner is not None and inner is not current and not inspect.ismethod(inner):
                current = inner
                break
            if inspect.ismethod(inner) and detect(inner.__self__) == "flask":
                return inner.__self__
        else:
            return app
    return app


def read_routes(app: object, copy: str) -> list[dict[str, object]]:
    """Return all routes of an app, static folders left out."""
    kind = detect(app)
    if kind == "flask":
        return [_flask_route(app, rule, copy) for rule in _rules(app) if not _is_static(rule)]
    if kind == "django":
        urls = sys.modules["django.urls"]
        return list(_django_routes(urls.get_resolver().url_patterns, "", copy))
    return list(_asgi_routes(getattr(app, "routes", None) or [], "", copy))


def _rules(app: Any) -> list[Any]:
    return sorted(app.url_map.iter_rules(), key=lambda rule: (rule.rule, rule.endpoint))


def _is_static(rule: Any) -> bool:
    return bool(rule.endpoint == "static" or rule.endpoint.endswith(".static"))


def _flask_route(app: Any, rule: Any, copy: str) -> dict[str, object]:
    parameters = {
        match["name"]: match["converter"] or "string" for match in _PARAMETER.finditer(rule.rule)
    }
    known = {"default": "string", "string": "string"}
    methods = set(rule.methods or {"GET"})
    return {
        "rule": _PARAMETER.sub(lambda match: "{" + match["name"] + "}", rule.rule),
        "methods": sorted(methods - _NOT_SHOWN or methods),
        "endpoint": rule.endpoint,
        "parameters": {name: known.get(kind, kind) for name, kind in parameters.items()},
        **_source(app.view_functions.get(rule.endpoint), copy),
    }


def _asgi_routes(routes: Any, prefix: str, copy: str) -> Any:
    for route in routes:
        path = prefix + str(getattr(route, "path", ""))
        if getattr(route, "routes", None):
            yield from _asgi_routes(route.routes, path, copy)
        elif getattr(route, "methods", None):
            yield _asgi_route(route, path, copy)


def _asgi_route(route: Any, path: str, copy: str) -> dict[str, object]:
    kinds = {
        name: type(convertor).__name__.replace("Convertor", "").lower()
        for name, convertor in getattr(route, "param_convertors", {}).items()
    }
    dependant = getattr(route, "dependant", None)
    query = [p.alias for p in getattr(dependant, "query_params", [])]
    return {
        "rule": re.sub(r"\{(\w+):\w+\}", r"{\1}", path),
        "methods": sorted(set(route.methods) - _NOT_SHOWN or route.methods),
        "endpoint": route.name,
        "parameters": {**kinds, **_typed_parameters(dependant)},
        "query": sorted(query),
        "json_fields": sorted(_body_fields(dependant)),
        **_source(route.endpoint, copy),
    }


def _typed_parameters(dependant: Any) -> dict[str, str]:
    """Return the converters that follow from annotations: FastAPI paths carry none."""
    kinds = {int: "int", float: "float", str: "string"}
    found = {}
    for parameter in getattr(dependant, "path_params", []):
        annotation = getattr(getattr(parameter, "field_info", None), "annotation", None)
        if annotation in kinds:
            found[parameter.name] = kinds[annotation]
        elif getattr(annotation, "__name__", "") == "UUID":
            found[parameter.name] = "uuid"
    return found


def _body_fields(dependant: Any) -> set[str]:
    found: set[str] = set()
    for parameter in getattr(dependant, "body_params", []):
        annotation = getattr(getattr(parameter, "field_info", None), "annotation", None)
        fields = getattr(annotation, "model_fields", None) or getattr(annotation, "__fields__", {})
        found |= {getattr(f, "alias", None) or name for name, f in dict(fields).items()}
    return found


def _django_routes(patterns: Any, prefix: str, copy: str) -> Any:
    for entry in patterns:
        text = prefix + _django_text(entry.pattern)
        if hasattr(entry, "url_patterns"):
            yield from _django_routes(entry.url_patterns, text, copy)
            continue
        parameters = {m["name"]: m["converter"] or "string" for m in _PARAMETER.finditer(text)}
        kinds = {"str": "string", "slug": "string"}
        yield {
            "rule": "/" + _PARAMETER.sub(lambda match: "{" + match["name"] + "}", text),
            "methods": _django_methods(entry.callback, _source(entry.callback, copy)),
            "endpoint": entry.name or entry.lookup_str,
            "parameters": {name: kinds.get(kind, kind) for name, kind in parameters.items()},
            **_source(entry.callback, copy),
        }


def _django_text(pattern: Any) -> str:
    text = str(pattern)
    if type(pattern).__name__ != "RegexPattern":
        return text
    return _GROUP.sub(r"<\1>", text.lstrip("^").rstrip("$")).replace("\\.", ".").replace("\\Z", "")


def _django_methods(view: Any, source: dict[str, object]) -> list[str]:
    """Return the methods of a view; a plain function of the app's own may take forms too."""
    view_class = getattr(view, "view_class", None) or getattr(view, "cls", None)
    actions = getattr(view, "actions", None)
    if actions:
        return sorted(method.upper() for method in actions)
    if view_class is None:
        return _required_methods(view) or (["GET", "POST"] if source["path"] else ["GET"])
    names = ("get", "post", "put", "patch", "delete")
    return [name.upper() for name in names if hasattr(view_class, name)] or ["GET"]


def _required_methods(view: Any) -> list[str]:
    """Return what django.views.decorators.http.require_http_methods was given around a view."""
    while view is not None:
        code, cells = getattr(view, "__code__", None), getattr(view, "__closure__", None) or ()
        names = code.co_freevars if code else ()
        closed = dict(zip(names, cells, strict=False))
        if "request_method_list" in closed:
            return sorted(set(closed["request_method_list"].cell_contents) - {"HEAD"})
        view = getattr(view, "__wrapped__", None)
    return []


def _source(function: Any, copy: str) -> dict[str, object]:
    """Return file and line of a handler, through decorators and view classes."""
    target = getattr(function, "view_class", None) or getattr(function, "cls", None) or function
    target = inspect.unwrap(target) if callable(target) else target
    code = getattr(target, "__code__", None)
    try:
        file = code.co_filename if code else inspect.getsourcefile(target)
        line = code.co_firstlineno if code else inspect.getsourcelines(target)[1]
    except (TypeError, OSError):
        return {"path": None, "line": None}
    real = os.path.realpath(file or "")
    if not real.startswith(copy + os.sep):
        return {"path": None, "line": None}
    return {"path": os.path.relpath(real, copy).replace(os.sep, "/"), "line": line}


def read_static(app: Any) -> list[tuple[str, str]]:
    """Return (absolute folder, URL prefix) of all static folders."""
    kind = detect(app)
    if kind == "flask":
        return [found for rule in _rules(app) if _is_static(rule) for found in _folder(app, rule)]
    if kind == "django":
        settings = sys.modules["django.conf"].settings
        url = str(settings.STATIC_URL or "").rstrip("/")
        folders = [*settings.STATICFILES_DIRS, settings.STATIC_ROOT]
        return [(str(folder), url) for folder in folders if folder and url]
    found = []
    for route in getattr(app, "routes", None) or []:
        folder = getattr(getattr(route, "app", None), "directory", None)
        if folder:
            found.append((os.path.abspath(str(folder)), str(route.path)))
    return found


def _folder(app: Any, rule: Any) -> list[tuple[str, str]]:
    owner = (
        app if rule.endpoint == "static" else app.blueprints.get(rule.endpoint[: -len(".static")])
    )
    folder = getattr(owner, "static_folder", None)
    return [(folder, rule.rule.split("<")[0].rstrip("/"))] if folder else []


def read_django_databases() -> list[dict[str, str]]:
    """Return the databases that Django's settings name: alias and URL without credentials."""
    module = sys.modules.get("django.conf")
    if module is None or not module.settings.configured:
        return []
    found = []
    for alias, options in module.settings.DATABASES.items():
        engine = str(options.get("ENGINE", "")).rsplit(".", 1)[-1]
        name = str(options.get("NAME", ""))
        if engine == "sqlite3":
            found.append({"name": alias, "url": f"sqlite:///{name}"})
        elif engine and engine != "dummy":
            host = options.get("HOST") or "localhost"
            port = f":{options['PORT']}" if options.get("PORT") else ""
            found.append({"name": alias, "url": f"{engine}://{host}{port}/{name}"})
    return found
