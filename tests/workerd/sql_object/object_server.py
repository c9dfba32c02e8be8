"""Serves the SQL object from a real workerd: scenarios in JavaScript, and a transport for the driver's sessions."""

from __future__ import annotations

import http.client
import json
from collections.abc import Iterator
from contextlib import closing, contextmanager
from importlib import resources
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from edgelift.targets.workerd.config import COMPATIBILITY_DATE
from edgelift.targets.workerd.process import HOST, Launch, WorkerdProcess, run_workerd
from edgelift.toolchain import ensure_toolchain
from edgelift.worker.sqlite3.object_transport import SqlCall

HERE = Path(__file__).parent
OURS = ("worker.mjs", "scenarios.mjs")
OBJECT = ("sql_object.mjs", "sql_groups.mjs", "sql_values.mjs")
SHIPPED = ("sql_client.mjs", "sql_session.mjs", "sql_values.mjs")
UNIQUE_KEY = "edgelift-SQL"

_CONFIG = """using Workerd = import "/workerd/workerd.capnp";
const config :Workerd.Config = (
  services = [
    (name = "main", worker = .main), (name = "sql", worker = .sql),
    (name = "state", disk = (writable = true)),
  ],
  sockets = [(name = "http", http = (), service = "main")],
);
const main :Workerd.Worker = (
  compatibilityDate = "{date}",
  modules = [{main_modules}],
  durableObjectNamespaces = [(className = "Sessions", uniqueKey = "sessions")],
  durableObjectStorage = (inMemory = void),
  bindings = [
    (name = "SQL", durableObjectNamespace = (className = "SqlObject", serviceName = "sql")),
    (name = "SESSIONS", durableObjectNamespace = "Sessions"),
  ],
);
const sql :Workerd.Worker = (
  compatibilityDate = "{date}",
  modules = [{sql_modules}],
  durableObjectNamespaces = [(className = "SqlObject", uniqueKey = "{key}", enableSql = true)],
  durableObjectStorage = (localDisk = "state"),
);
"""


def _modules(names: tuple[str, ...]) -> str:
    return ", ".join(f'(name = "{name}", esModule = embed "{name}")' for name in names)


class ObjectServer:
    """A running workerd with the SQL object; `run` runs a scenario and returns what it found."""

    def __init__(self, process: WorkerdProcess) -> None:
        self.process = process
        self.port = process.port

    def ask(self, path: str, body: str | None = None) -> Any:
        with closing(http.client.HTTPConnection(HOST, self.port, timeout=120)) as connection:
            connection.request("GET" if body is None else "POST", path, body and body.encode())
            answer = connection.getresponse()
            return answer.status, answer.read().decode()

    def run(self, scenario: str, **parameters: object) -> Any:
        status, text = self.ask(f"/run/{scenario}?{urlencode(parameters)}")
        assert status == 200, text
        return json.loads(text)


def write_server(folder: Path) -> Launch:
    """Write everything workerd needs into `folder` and return how to launch it."""
    source = resources.files("edgelift.targets.workerd") / "js"
    (folder / "state").mkdir(parents=True)
    for name in {*OBJECT, *SHIPPED}:
        (folder / name).write_text((source / name).read_text(encoding="utf-8"), encoding="utf-8")
    for name in OURS:
        (folder / name).write_text((HERE / name).read_text(encoding="utf-8"), encoding="utf-8")
    config = _CONFIG.format(
        date=COMPATIBILITY_DATE,
        key=UNIQUE_KEY,
        main_modules=_modules((*OURS, *SHIPPED)),
        sql_modules=_modules(OBJECT),
    )
    (folder / "config.capnp").write_text(config)
    return Launch(
        workerd=ensure_toolchain().workerd,
        config=folder / "config.capnp",
        folders={"state": folder / "state"},
        log=folder / "workerd.log",
    )


@contextmanager
def serve_object(folder: Path) -> Iterator[ObjectServer]:
    """Run workerd in `folder` (made) and yield the server."""
    with run_workerd(write_server(folder)) as process:
        yield ObjectServer(process)


class HttpObjectTransport:
    """Carries the driver's messages to sessions that the test Worker holds; keeps them."""

    def __init__(self, server: ObjectServer, name: str) -> None:
        self.server = server
        self.name = name
        self.messages: list[str] = []

    def send_message(self, call: SqlCall, message: str) -> str:
        self.messages.append(message)
        flags = f"{'begins&' if call.begins else ''}busy={call.busy_ms}"
        status, text = self.server.ask(f"/session/{self.name}/{call.number}?{flags}", message)
        assert status == 200, text
        return str(text)

    def abandon(self, call: SqlCall) -> None:
        self.server.ask(f"/session/{self.name}/{call.number}?abandon", "")

    def is_open(self, number: int) -> bool:
        raise AssertionError(f"one request asks about its own transaction {number}")

    def read_request(self) -> int:
        return 1
