r"""Answers requests inside the isolate: what the JavaScript loop calls in Python.

PROTOCOL: the contract of targets/workerd/js/worker.mjs and this module. Strings, numbers and bytes
only, no object per request.

JavaScript calls, each so that it may suspend in `run_sync`:
  configure(settings_json)   once, before the memory snapshot: patches, shims, import of the app. In
      the build's boot `_edgelift_host.d1` rejects ("the database is not reachable"): an app that
      queries at import raises here, the bundle is then made without a snapshot, and configure runs
      at each boot, with the real bindings. Files changed here are kept with the snapshot; a file
      left open means no snapshot.
  resume(env_json)   after a restore or a boot: reseed random, refresh os.environ (JSON object).
  handle(head, body, request_id)
      head        "method\npath\nquery\norigin", then "\nname\nvalue" for each header; or the
                  number of ASCII letters that lie in the inbox: writing them there costs a tenth
                  of converting a string
        path      the raw, still percent-encoded path of the URL ("/a%20b")
        query     raw, without "?"
        origin    scheme and authority: "http://127.0.0.1:8787"
        name      in lower case
      body        None: no body. JsBuffer (call `.to_bytes()`): the whole body, up to 1 MiB. int: a
                  larger or chunked body, read by `_edgelift_host.read_body(request_id)`; the int is
                  its content-length, or -1 when the client did not tell it
      request_id  a positive int, unique in this isolate; jobs use ids of the same counter
    answers by `_edgelift_host.reply` before it returns None. An exception that leaves `handle` is
      logged and answered by a plain 500.
  locate_inbox()   once after `resume`: the address of INBOX_BYTES in memory for `head`
  next_chunk(stream_id)   the next part of a streamed body as to_js(bytes), None at its end, which
      closes it. An exception breaks the connection, as a server would.
  close_stream(stream_id)   the client went away: close the iterator, which is not running. Unknown
      ids are ignored.
  run_callback(token)   a callback posted by `_edgelift_host.post`, in its request's I/O context.
  scheduled(cron, time_ms, request_id)   returns JSON {"jobs": [{"name", "ok", "error", "ms"}]}.
  end_request(request_id)   the response is complete or broken: forget what belongs to the request.
      Called only when handle returned a stream or `post` was used with this id.

Python calls (module `_edgelift_host`, registered by JavaScript; import it inside functions):
  reply(request_id, status, headers, address, size, stream_id) -> None   the answer: int; the same
      flat form, names may repeat (Set-Cookie); where the bytes of the body lie in memory (they are
      copied at once), 0 and 0 for no body; 0, or the id under which the rest of the body is kept
      for next_chunk (the body is then the first part or none)
  d1(binding, request_json) -> Promise[str]   runs statements; forms: js/d1_query.mjs
  hyperdrive(binding) -> str   JSON {"host", "port", "user", "password", "database"} of where the
      binding leads now ("tls" when it wants TLS), or {"error"}: in the build's boot it leads
      nowhere
  sql(binding, shard, number, begins, busy_ms, request_id, message) -> Promise[str]   a message
      to a SQL object (js/sql_object.mjs), and its answer; `number` names the isolate's
      transaction, 0 for none. An open one is rolled back when its request ends
  sql_is_open(number) -> bool   whether a transaction has not ended, with its request for example
  sql_abandon(number) -> None   roll a transaction back without waiting
  sleep(ms) -> Promise[None]   a timer of the request that calls it
  post(request_id, delay_ms, token) -> bool   run `run_callback(token)` in the request's I/O context
      after `delay_ms`; may be called from any request, the first time from the request itself. The
      isolate stays alive for it; False when the request is over. 0 is the boot.
  read_body(request_id) -> Promise[JsBuffer | None]   the next part of the body, None at its end
  wait_until(promise) -> None   keep the running request's context alive for a promise
  pbkdf2(digest, password, salt, iterations, size) -> JsBuffer   node:crypto; bytes go by to_js
  scrypt(password, salt, n, r, p, maxmem, size) -> JsBuffer      node:crypto
"""

from __future__ import annotations

import ast
import importlib
import json
import os
import sys
from pathlib import Path
from typing import Any

from edgelift.worker import flows, hyperdrive
from edgelift.worker.asgi import AsgiServer
from edgelift.worker.exchange import Request, Rest, Server
from edgelift.worker.host import locate_bytes, read_host, to_javascript
from edgelift.worker.jobs import run_due_jobs
from edgelift.worker.patches import garbage, install_patches, randomness
from edgelift.worker.sharding import Router, list_runs, read_router, route_app
from edgelift.worker.wsgi import WsgiServer

SERVERS: dict[str, type[WsgiServer | AsgiServer]] = {
    "flask": WsgiServer,
    "django": WsgiServer,
    "wsgi": WsgiServer,
    "fastapi": AsgiServer,
    "asgi": AsgiServer,
}

_settings: dict[str, Any] = {}
_app: Any = None
_router: Router | None = None
_server: Server | None = None
_streams: dict[int, Rest] = {}
# `reply` of the host module, kept from `resume` on: a snapshot could not hold it.
_reply: Any = None
# As many as js/worker.mjs writes at most. JavaScript writes into these bytes, which nothing else
# holds: unlike those of a bytearray they lie where the object's address says.
INBOX_BYTES = 16384
_inbox = b""
_letters = memoryview(_inbox)


class EntryError(LookupError):
    """The settings' entry names no application."""


def configure(settings_json: str) -> None:
    """Install patches and shims and import the app; called once, before the memory snapshot.

    Raises whatever the app's import raises, EntryError for an entry that is not there.
    """
    global _settings, _app, _router, _server
    _settings = json.loads(settings_json)
    _install_drivers(_settings.get("drivers", []))
    install_patches()
    flows.begin_import()
    _install_shims(_settings)
    set_database_urls(_settings, os.environ)
    root = _settings.get("root", "/app")
    if root not in sys.path:
        sys.path.insert(0, root)
    _app = load_app(_settings["entry"])
    _router = read_router(_settings)
    framework = _settings["framework"]
    _server = SERVERS[framework](route_app(_app, framework, _router))
    flows.end_import()
    garbage.freeze_imports()


def _install_drivers(names: list[str]) -> None:
    """Put our modules in the place of database drivers in C; patches and the app import them."""
    over_postgres = [name for name in names if name != "mysqldb"]
    if over_postgres:
        # psycopg 3 is the app's own package, which gets its libpq from this.
        listed = [name for name in over_postgres if name != "psycopg"]
        importlib.import_module("edgelift.worker.postgres.installing").install(listed)
    if "mysqldb" in names:
        importlib.import_module("edgelift.worker.mysqldb").install()


def _install_shims(settings: dict[str, Any]) -> None:
    databases = settings.get("databases", [])
    hyperdrive.install(databases)
    files = [d for d in databases if d.get("strategy") != "hyperdrive"]
    for database in files:
        Path(database["path"]).parent.mkdir(parents=True, exist_ok=True)
    if files:
        importlib.import_module("edgelift.worker.sqlite3").install(files)
    if any(database.get("origin") for database in files):
        importlib.import_module("edgelift.worker.sqlalchemy_moved").install(files)
        importlib.import_module("edgelift.worker.django_moved").install(files)
    if any(database.get("catalogue") for database in files):
        importlib.import_module("edgelift.worker.moved").install(files)
    if settings.get("models"):
        importlib.import_module("edgelift.worker.models").install()


def set_database_urls(settings: dict[str, Any], environment: Any) -> None:
    """Point the variables the app reads its database URLs from at the databases of the Worker."""
    for database in settings.get("databases", []):
        if database.get("env"):
            scheme = database.get("scheme", "sqlite")
            url = database.get("url") or f"{scheme}:///{database['path']}"
            environment[database["env"]] = url


def load_app(entry: str) -> Any:
    """Return the application of "module:object" or "module:factory(arguments)", as gunicorn does.

    Arguments of a factory are literals. Raises EntryError.
    """
    module_name, _, text = entry.partition(":")
    module = importlib.import_module(module_name)
    try:
        expression = ast.parse(text or "application", mode="eval").body
    except SyntaxError as error:
        raise EntryError(f"{text!r} in the entry {entry!r} is no name and no call") from error
    try:
        if isinstance(expression, ast.Call):
            factory = _read_name(module, expression.func)
            positional = [ast.literal_eval(argument) for argument in expression.args]
            named = {k.arg: ast.literal_eval(k.value) for k in expression.keywords if k.arg}
            app = factory(*positional, **named)
        else:
            app = _read_name(module, expression)
    except (AttributeError, ValueError) as error:
        if isinstance(error, AttributeError) and error.obj is not module:
            raise
        raise EntryError(f"the entry {entry!r} names no application: {error}") from error
    if not callable(app):
        raise EntryError(f"the entry {entry!r} is a {type(app).__name__}, not an application")
    return app


def _read_name(module: Any, expression: ast.expr) -> Any:
    if isinstance(expression, ast.Attribute):
        return getattr(_read_name(module, expression.value), expression.attr)
    if isinstance(expression, ast.Name):
        return getattr(module, expression.id)
    raise ValueError("only names and calls of names are understood")


def resume(env_json: str) -> None:
    """Make an isolate its own: environment, randomness, threads, the app's startup.

    Raises asgi.StartupError when the app's lifespan refuses to start.
    """
    global _reply
    _reply = getattr(read_host(), "reply", None)
    os.environ.update(json.loads(env_json))
    set_database_urls(_settings, os.environ)
    randomness.reseed()
    held = flows.release_threads()
    if held:
        print(
            f"edgelift: {held} thread(s) started by the app's import live as long as the request "
            "that started this isolate",
            file=sys.stderr,
        )
    _read_server().start()
    # What the import and the start opened is not theirs that come after.
    flows.end_flow(flows.MAIN_FLOW)


def locate_inbox() -> int:
    """Return where JavaScript writes the heads of requests; see PROTOCOL."""
    global _inbox, _letters
    _inbox = bytes(INBOX_BYTES)
    _letters = memoryview(_inbox)
    return locate_bytes(_inbox)[0]


def _read_server() -> Server:
    if _server is None:
        raise RuntimeError("configure() has not been called")
    return _server


def handle(head: str | int, body: Any, request_id: int) -> None:
    """Answer one request; see PROTOCOL."""
    if isinstance(head, int):
        head = str(_letters[:head], "ascii")
    method, path, query, origin, *headers = head.split("\n", 4)
    status, fields, content, stream_id = answer(
        method, path, query, headers[0] if headers else "", body, origin, request_id
    )
    _reply(request_id, status, fields, *locate_bytes(content), stream_id)


def answer(  # noqa: PLR0917 - PROTOCOL's flat form
    method: str, path: str, query: str, headers: str, body: Any, origin: str, request_id: int
) -> tuple[int, str, bytes | None, int]:
    """Answer one request with Python's own values: status, flat headers, body, stream id or 0."""
    garbage.collect_garbage()
    flow = flows.open_flow(request_id)
    flows.open_stack(flow)
    try:
        request = Request(method, path, query, headers, body, origin, request_id)
        status, fields, content, rest = _read_server().answer(request, flow)
    finally:
        flows.close_stack(flow)
    if rest is not None:
        _streams[request_id] = rest
    return status, fields, content, request_id if rest is not None else 0


def next_chunk(stream_id: int) -> Any:
    """Return the next part of a streamed body, None at its end; see PROTOCOL."""
    garbage.collect_garbage()
    stream = _streams.get(stream_id)
    if stream is None:
        return None
    flows.open_stack(stream)
    try:
        part = stream.read()
    except BaseException:
        _streams.pop(stream_id, None)
        raise
    finally:
        flows.close_stack(stream)
    if part is None:
        _streams.pop(stream_id, None)
        return None
    return to_javascript(part)


def close_stream(stream_id: int) -> None:
    """End a streamed body early; see PROTOCOL."""
    stream = _streams.pop(stream_id, None)
    if stream is not None:
        stream.close()


def run_callback(token: int) -> None:
    """Run a posted callback in its request's I/O context; see PROTOCOL."""
    flows.run_posted(token)


def end_request(request_id: int) -> None:
    """Drop what a request left behind.

    Its tasks and threads go on as long as the platform lets them.
    """
    close_stream(request_id)


def scheduled(cron: str, time_ms: float, request_id: int) -> str:
    """Run the jobs declared for a cron expression and return their reports as JSON.

    See PROTOCOL.
    """
    garbage.collect_garbage()
    flow = flows.open_flow(request_id)
    flows.open_stack(flow)
    try:
        _read_server()
        jobs, framework = _settings.get("jobs", []), _settings["framework"]
        context, runs = flows.new_context(flow), list_runs(_router)
        reports = context.run(run_due_jobs, jobs, cron, framework, _app, runs)
    finally:
        flows.close_stack(flow)
        flows.close_flow(flow)
    return json.dumps({"jobs": reports})
