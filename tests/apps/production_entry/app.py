"""Plays Cloudflare's runtime inside the local one: Workers' real JavaScript objects, the real SDK package.

A request to /wsgi/... or /asgi/... is made into a JavaScript Request and handed to the entry class that
edgelift.worker.production builds; the JavaScript Response it returns is read back. What Cloudflare registers for the
SDK beside Python (two small modules) stands in sys.modules.
"""

import asyncio
import json
import sys
import types
from pathlib import Path

real = {}


def register_platform():
    import js
    from pyodide.ffi import to_js

    env = to_js({"GREETING": "hi from vars", "NUMBER": 5}, dict_converter=js.Object.fromEntries)
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


async def ask(kind, environ, data):
    import js
    from pyodide.ffi import to_js

    from edgelift.worker import runtime

    entry, settings, server = deploy(kind)
    saved = (runtime._settings, runtime._server, runtime._reply)
    runtime._settings, runtime._server = settings, server
    try:
        if environ["PATH_INFO"].endswith("/cron"):
            controller = types.SimpleNamespace(cron=environ["QUERY_STRING"].replace("+", " "), scheduledTime=1.0)
            await entry.scheduled(controller)
            return 200, [], b"done"
        url = f"https://example.com{environ['PATH_INFO'][5:]}?{environ['QUERY_STRING']}"
        options = {"method": environ["REQUEST_METHOD"]}
        if data:
            options["body"] = to_js(data)
        request = js.Request.new(url, headers=js.Headers.new(to_js([["cf-connecting-ip", "192.0.2.1"]])), **options)
        response = await entry.fetch(request)
        headers = [(pair[0], pair[1]) for pair in response.headers]
        body = (await response.arrayBuffer()).to_bytes()
        return response.status, headers, body
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
        status, headers, body = asyncio.run(ask(environ["PATH_INFO"].split("/")[1], environ, data))
    except Exception as error:
        status, headers, body = 599, [], f"{type(error).__name__}: {error}".encode()
        import traceback
        traceback.print_exc()
    start_response("200 OK", [("content-type", "application/json")])
    return [json.dumps({"status": status, "headers": headers, "body": body.decode("latin-1")}).encode()]
