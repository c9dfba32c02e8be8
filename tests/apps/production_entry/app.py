"""Plays Cloudflare's runtime inside the local one: Workers' real JavaScript objects, the real SDK package.

A request to /wsgi/... or /asgi/... is made into a JavaScript Request and handed to the entry class that
edgelift.worker.production builds; the JavaScript Response it returns is read back. What Cloudflare registers for the
SDK beside Python (two small modules) stands in sys.modules.
"""

import asyncio
import itertools
import json
import sys
import types
from pathlib import Path

real = {}


def register_platform():
    import js
    from pyodide.ffi import to_js

    env = to_js({"GREETING": "hi from vars", "NUMBER": 5}, dict_converter=js.Object.fromEntries)
    # The Worker's own bindings, where the test has given it some.
    env = getattr(js, "edgelift_bindings", None) or env
    helper = types.ModuleType("_pyodide_entrypoint_helper")
    helper.cloudflareWorkersModule = types.SimpleNamespace(env=env, waitUntil=lambda promise: None)
    helper.patchWaitUntil = lambda context: None
    sys.modules[helper.__name__] = helper
    flags = types.ModuleType("_cloudflare_compat_flags")
    flags.python_workflows_implicit_dependencies = True
    sys.modules[flags.__name__] = flags


entries = {}
SETTINGS = {
    "wsgi": {"framework": "flask", "entry": "inner:app", "root": ".", "databases": [], "jobs": [
        {"name": "job", "schedule": "* * * * *", "call": "inner:job"},
        {"name": "failing", "schedule": "0 0 * * *", "call": "inner:failing"}]},
    "asgi": {"framework": "asgi", "entry": "inner_asgi:app", "root": "."},
    "rows": {"framework": "flask", "entry": "inner_sql:app", "root": ".", "jobs": [], "databases": [
        {"name": "shop", "binding": "SHOP", "path": "instance/shop.db", "strategy": "object"}]},
}


def deploy(kind):
    """Build the entry class as a fresh isolate would; runtime keeps one server, so remember this one's."""
    from edgelift.worker import production, runtime

    if kind not in entries:
        saved = (runtime._settings, runtime._server)
        register_platform()
        default = production.build_entrypoint(SETTINGS[kind], Path(__file__).parent)
        entries[kind] = (default(types.SimpleNamespace(), {}), runtime._settings, runtime._server)
        runtime._settings, runtime._server = saved
    return entries[kind]


class ByOrigin:
    """Answers the requests of the entry class, which come from example.com, beside this app's own ones, at any time."""

    def __init__(self, outer, inner):
        self.outer, self.inner = outer, inner

    def answer(self, request, flow):
        return (self.inner if request.origin == "https://example.com" else self.outer).answer(request, flow)


async def ask_beside(kind, environ, data):
    """Ask as `ask` does; several requests may be at work at once, each by a number that no other has."""
    from edgelift.worker import production, runtime

    if kind not in entries:
        class Gateway(production.Gateway):
            def __init__(self, host):
                super().__init__(host)
                self._ids = itertools.count(1_000_000)

        reply, outer, production.Gateway = runtime._reply, runtime._server, Gateway
        entry, settings, inner = deploy(kind)
        runtime._settings, runtime._server = settings, inner
        await fetch(entry, {**environ, "PATH_INFO": "/rows/nowhere", "REQUEST_METHOD": "GET"}, b"")  # resumes
        runtime._reply, runtime._server = reply, ByOrigin(outer, inner)
    return await fetch(entries[kind][0], environ, data)


async def fetch(entry, environ, data):
    import js
    from pyodide.ffi import to_js

    url = f"https://example.com{environ['PATH_INFO'][5:]}?{environ['QUERY_STRING']}"
    options = {"method": environ["REQUEST_METHOD"]}
    if data:
        options["body"] = to_js(data)
    request = js.Request.new(url, headers=js.Headers.new(to_js([["cf-connecting-ip", "192.0.2.1"]])), **options)
    response = await entry.fetch(request)
    headers = [(pair[0], pair[1]) for pair in response.headers]
    body = (await response.arrayBuffer()).to_bytes()
    return response.status, headers, body


async def ask(kind, environ, data):
    from edgelift.worker import runtime

    entry, settings, server = deploy(kind)
    saved = (runtime._settings, runtime._server, runtime._reply)
    runtime._settings, runtime._server = settings, server
    try:
        if environ["PATH_INFO"].endswith("/cron"):
            controller = types.SimpleNamespace(cron=environ["QUERY_STRING"].replace("+", " "), scheduledTime=1.0)
            await entry.scheduled(controller)
            return 200, [], b"done"
        return await fetch(entry, environ, data)
    finally:
        runtime._settings, runtime._server, runtime._reply = saved


def app(environ, start_response):
    # The body of the real request comes from the real host; the entry class puts its own in this place.
    import _edgelift_host

    cloudflare = sys.modules.get("_edgelift_host")
    sys.modules["_edgelift_host"] = real.setdefault("host", _edgelift_host)
    data = environ["wsgi.input"].read()
    sys.modules["_edgelift_host"] = cloudflare
    try:
        kind = environ["PATH_INFO"].split("/")[1]
        work = ask_beside if kind == "rows" else ask
        status, headers, body = asyncio.run(work(kind, environ, data))
    except Exception as error:
        status, headers, body = 599, [], f"{type(error).__name__}: {error}".encode()
        import traceback
        traceback.print_exc()
    start_response("200 OK", [("content-type", "application/json")])
    return [json.dumps({"status": status, "headers": headers, "body": body.decode("latin-1")}).encode()]
