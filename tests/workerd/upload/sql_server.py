"""The sql project as build writes it, in a real workerd: its own address, and a caller bound to it as the app is."""

from __future__ import annotations

import json
from contextlib import closing
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

from edgelift.stages.build.parts import Database
from edgelift.stages.build.sql_project import build_services, build_sql_files
from edgelift.targets.migrations import SCHEMA_PARTS
from edgelift.targets.workerd.boots import JS_FOLDER
from edgelift.targets.workerd.config import COMPATIBILITY_DATE
from edgelift.targets.workerd.process import HOST, Launch
from edgelift.toolchain import ensure_toolchain

SECRET = "a secret of more than twenty letters"
# The app's side: GET /app/<binding> runs the statement of the header x-sql through the gateway.
CALLER = """
export default {
  async fetch(request, env) {
    const url = new URL(request.url);
    if (url.pathname.startsWith('/load/') || url.pathname === '/') return env.DOOR.fetch(request);
    const [, , binding, way] = url.pathname.split('/');
    if (way === 'd1') return Response.json(await env[binding].prepare(await request.text()).raw());
    const shard = url.searchParams.get('shard') ?? '';
    const message = await request.text();
    if (way !== 'transaction') return new Response(await env[binding].query(shard, message));
    const begun = await env[binding].begin(shard, message, 5000);
    return new Response(begun.answer);
  },
};
"""
CONFIG = """using Workerd = import "/workerd/workerd.capnp";
const config :Workerd.Config = (
  services = [
    (name = "main", worker = .main), (name = "sql", worker = .sql), (name = "d1", worker = .d1),
    (name = "state", disk = (writable = true)),
  ],
  sockets = [(name = "http", http = (), service = "main")],
);
const main :Workerd.Worker = (
  compatibilityDate = "{date}",
  modules = [(name = "caller.mjs", esModule = embed "caller.mjs")],
  bindings = [{services}(name = "DOOR", service = "sql")],
);
const d1 :Workerd.Worker = (
  compatibilityDate = "{date}",
  modules = [(name = "d1.mjs", esModule = embed "d1.mjs")],
  durableObjectNamespaces = [(className = "D1Database", uniqueKey = "d1", enableSql = true)],
  durableObjectStorage = (localDisk = "state"),
  bindings = [(name = "DATABASES", durableObjectNamespace = "D1Database")],
);
const sql :Workerd.Worker = (
  compatibilityDate = "{date}",
  modules = [{modules}],
  durableObjectNamespaces = [{namespaces}],
  durableObjectStorage = (localDisk = "state"),
  bindings = [{bindings}{secret}],
);
"""


def _service(entry: Any) -> str:
    props = json.dumps(entry["props"]).replace('"', '\\"')
    told = f'name = "sql", entrypoint = "{entry["entrypoint"]}", props = (json = "{props}")'
    return f'(name = "{entry["binding"]}", service = ({told}))'


def _d1(binding: str) -> str:
    props = json.dumps({"database": binding}).replace('"', '\\"')
    told = f'name = "d1", entrypoint = "D1Service", props = (json = "{props}")'
    inner = f'(name = "fetcher", service = ({told}))'
    module = "cloudflare-internal:d1-api"
    return f'(name = "{binding}", wrapped = (moduleName = "{module}", innerBindings = [{inner}]))'


def read_schema(folder: Path, name: str) -> dict[str, bytes]:
    """The migrations of a database as build takes them from the schema stage's folder."""
    return {
        part: (folder / f"{name}.{ending}.sql").read_bytes()
        for ending, part in SCHEMA_PARTS.items()
    }


def write_project(
    folder: Path,
    databases: tuple[Database, ...],
    schema: dict[str, dict[str, bytes]],
    secret: str = SECRET,
    d1: tuple[str, ...] = (),
) -> Launch:
    """Write the project and workerd's configuration; state of an earlier start stays."""
    names = {binding: f"shop-{binding.lower()}" for binding in d1}
    base = {"compatibility_date": COMPATIBILITY_DATE}
    files = build_sql_files("shop", base, databases, schema, names)
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    return configure_project(folder, databases, secret)


def configure_project(
    folder: Path, databases: tuple[Database, ...], secret: str = SECRET, caller: str = CALLER
) -> Launch:
    """Write what workerd needs to run a project that build wrote into a folder, called by a Worker."""
    (folder / "caller.mjs").write_text(caller)
    (folder / "d1.mjs").write_text((JS_FOLDER / "d1.mjs").read_text())
    (folder / "state").mkdir(exist_ok=True)
    text = (folder / "wrangler.jsonc").read_text()
    config = json.loads("".join(line for line in text.splitlines() if not line.startswith("//")))
    bound = config.get("durable_objects", {}).get("bindings", [])
    d1 = [_d1(entry["binding"]) for entry in config.get("d1_databases", [])]
    found = [str(file.relative_to(folder)) for file in folder.glob("src/**/*.mjs")]
    sources = sorted(found, key=lambda name: (name != "src/index.mjs", name))
    (folder / "config.capnp").write_text(
        CONFIG.format(
            date=COMPATIBILITY_DATE,
            services="".join(
                f"{one}, " for one in [*map(_service, build_services("shop", databases)), *d1]
            ),
            modules=", ".join(
                f'(name = "{name.removeprefix("src/")}", esModule = embed "{name}")'
                for name in sources
            ),
            namespaces=", ".join(
                f'(className = "{b["class_name"]}", uniqueKey = "{b["name"]}", enableSql = true)'
                for b in bound
            ),
            bindings="".join(
                f'(name = "{b["name"]}", durableObjectNamespace = "{b["class_name"]}"), '
                for b in bound
            )
            + "".join(f"{one}, " for one in d1),
            secret=f'(name = "EDGELIFT_LOAD_SECRET", text = "{secret}")' if secret else "",
        )
    )
    return Launch(
        workerd=ensure_toolchain().workerd,
        config=folder / "config.capnp",
        folders={"state": folder / "state"},
        log=folder / "workerd.log",
    )


def ask_d1(port: int, binding: str, sql: str) -> Any:
    """Run a statement on a D1 as the app does; returns its rows."""
    with closing(HTTPConnection(HOST, port, timeout=60)) as connection:
        connection.request("POST", f"/app/{binding}/d1", sql.encode())
        answer = connection.getresponse()
        return json.loads(answer.read())


def ask_app(port: int, binding: str, sql: str, way: str = "query", shard: str = "") -> Any:
    """Run a statement as the app does; returns the object's answer."""
    message = json.dumps({"steps": [[sql]], **({"end": "commit"} if way == "transaction" else {})})
    with closing(HTTPConnection(HOST, port, timeout=60)) as connection:
        connection.request("POST", f"/app/{binding}/{way}?shard={shard}", message.encode())
        answer = connection.getresponse()
        return json.loads(answer.read())
