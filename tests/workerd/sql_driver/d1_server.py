"""Serves the driver's requests from a real D1 binding: one workerd with d1.mjs, d1_query.mjs and a small Worker."""

from __future__ import annotations

import http.client
import json
from collections.abc import Iterator
from contextlib import closing, contextmanager
from importlib import resources
from pathlib import Path

from edgelift.targets.workerd.config import COMPATIBILITY_DATE, D1_UNIQUE_KEY
from edgelift.targets.workerd.process import HOST, Launch, run_workerd
from edgelift.toolchain import ensure_toolchain

# One for each test that wants an empty database; a binding that nobody uses costs nothing.
BINDINGS = tuple(f"DB_{number}" for number in range(300))

_WORKER = """
import { d1Query } from './d1_query.mjs';
export default {
  async fetch(request, env) {
    const name = new URL(request.url).pathname.slice(1);
    return new Response(await d1Query(env[name], await request.text()));
  },
};
"""

_CONFIG = """using Workerd = import "/workerd/workerd.capnp";
const config :Workerd.Config = (
  services = [
    (name = "main", worker = .main), (name = "d1", worker = .d1),
    (name = "d1-state", disk = (writable = true)),
  ],
  sockets = [(name = "http", http = (), service = "main")],
);
const main :Workerd.Worker = (
  compatibilityDate = "{date}",
  modules = [
    (name = "main.mjs", esModule = embed "main.mjs"), (name = "d1_query.mjs", esModule = embed "d1_query.mjs"),
    (name = "sql_values.mjs", esModule = embed "sql_values.mjs"),
  ],
  bindings = [{bindings}],
);
const d1 :Workerd.Worker = (
  compatibilityDate = "{date}",
  modules = [(name = "d1.mjs", esModule = embed "d1.mjs")],
  durableObjectNamespaces = [(className = "D1Database", uniqueKey = "{key}", enableSql = true)],
  durableObjectStorage = (localDisk = "d1-state"),
  bindings = [(name = "DATABASES", durableObjectNamespace = "D1Database")],
);
"""


def _binding(name: str) -> str:
    props = json.dumps({"database": name}).replace('"', '\\"')
    inner = f'(name = "fetcher", service = (name = "d1", props = (json = "{props}")))'
    module = "cloudflare-internal:d1-api"
    return f'(name = "{name}", wrapped = (moduleName = "{module}", innerBindings = [{inner}]))'


class HttpTransport:
    """Sends the driver's requests to the small Worker; counts them and keeps the last ones.

    Each request has its own connection: workerd ends one that was idle for some seconds, and a
    write must not be sent again to find out.
    """

    def __init__(self, port: int) -> None:
        self.port = port
        self.requests: list[str] = []

    def send(self, binding: str, request: str) -> str:
        self.requests.append(request)
        with closing(http.client.HTTPConnection(HOST, self.port)) as connection:
            connection.request("POST", f"/{binding}", request.encode())
            answer = connection.getresponse()
            text = answer.read().decode()
        assert answer.status == 200, text
        return text


@contextmanager
def serve_d1(folder: Path) -> Iterator[HttpTransport]:
    """Run workerd in `folder` (made) and yield the transport to it."""
    toolchain = ensure_toolchain()
    source = resources.files("edgelift.targets.workerd") / "js"
    state = folder / "state"
    state.mkdir(parents=True)
    for name in ("d1.mjs", "d1_query.mjs", "sql_values.mjs"):
        (folder / name).write_text((source / name).read_text(encoding="utf-8"), encoding="utf-8")
    (folder / "main.mjs").write_text(_WORKER)
    bindings = ", ".join(_binding(name) for name in BINDINGS)
    config = _CONFIG.format(date=COMPATIBILITY_DATE, key=D1_UNIQUE_KEY, bindings=bindings)
    (folder / "config.capnp").write_text(config)
    launch = Launch(
        workerd=toolchain.workerd,
        config=folder / "config.capnp",
        folders={"d1-state": state},
        log=folder / "workerd.log",
    )
    with run_workerd(launch) as process:
        yield HttpTransport(process.port)
