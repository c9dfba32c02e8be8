"""The databases' own project of a followed origin, deployed to workerd behind a proxy that makes trouble."""

from __future__ import annotations

import contextlib
import http.client
import shutil
import socket
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import tomlkit

import edgelift
from edgelift.stages.init.database_settings import write_database_project
from edgelift.targets.workerd.d1_storage import object_id
from edgelift.targets.workerd.process import HOST, run_workerd
from tests.scenarios.follow.origins import Origin
from tests.workerd.upload.sql_server import SECRET, configure_project

Trouble = Callable[[str, int], str]  # of a verb and how often it was asked: what happens to it


@dataclass
class Proxy:
    """Passes requests on; `trouble` says "", "lost" (its answer), "cut" (itself) or a status."""

    trouble: Trouble = lambda _verb, _count: ""
    seen: list[str] = field(default_factory=list)
    port: int = 0

    def handle(self, request: BaseHTTPRequestHandler) -> None:
        verb = request.path.partition("?")[0].rpartition("/")[2]
        self.seen.append(verb)
        body = request.rfile.read(int(request.headers.get("content-length") or 0))
        wanted = self.trouble(verb, self.seen.count(verb))
        if wanted.isdigit():
            request.send_response(int(wanted))
            request.send_header("content-length", "0")
            request.end_headers()
            return
        if wanted != "cut":
            status, answer = self._pass(request, body)
        if wanted:
            with contextlib.suppress(OSError):
                request.connection.shutdown(socket.SHUT_RDWR)
            request.close_connection = True
            return
        request.send_response(status)
        request.send_header("content-length", str(len(answer)))
        request.end_headers()
        request.wfile.write(answer)

    def _pass(self, request: BaseHTTPRequestHandler, body: bytes) -> tuple[int, bytes]:
        with contextlib.closing(http.client.HTTPConnection(HOST, self.port)) as there:
            there.request("POST", request.path, body, dict(request.headers))
            reply = there.getresponse()
            return reply.status, reply.read()


@contextlib.contextmanager
def serve_proxy(proxy: Proxy) -> Iterator[str]:
    """Run a proxy and yield its address."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            proxy.handle(self)

        def log_message(self, *_: Any) -> None:
            pass

    with ThreadingHTTPServer((HOST, 0), Handler) as server:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://{HOST}:{server.server_address[1]}"
        server.shutdown()


class Deployed:
    """An origin whose project is built and can be served; its state outlives a stop."""

    def __init__(
        self, origin: Origin, strategy: str, folder: Path, shards: dict[str, Any] | None = None
    ) -> None:
        self.origin, self.strategy, self.folder = origin, strategy, folder
        write_database_project(origin.url, origin.folder)
        path = origin.folder / "edgelift.toml"
        settings = tomlkit.parse(path.read_text())
        settings["databases"][0]["strategy"] = strategy  # type: ignore[index]
        if shards:
            settings["data"] = {"shards": shards}
        path.write_text(tomlkit.dumps(settings))
        if shards:  # which are known once they were made
            edgelift.move(origin.url, origin.folder)
        else:
            edgelift.schema(origin.folder)
        shutil.copytree(origin.folder / ".edgelift" / "build" / "sql", folder)
        self.launch = configure_project(folder, ())
        self.proxy = Proxy()
        self.url = ""
        origin.environment["EDGELIFT_LOAD_SECRET"] = SECRET

    @contextlib.contextmanager
    def serve(self) -> Iterator[Proxy]:
        with run_workerd(self.launch) as process, serve_proxy(self.proxy) as self.url:
            self.proxy.port = process.port
            yield self.proxy

    @property
    def file(self) -> Path:
        """The database's own file, to be read when nobody serves it."""
        return self.find_file("DB")

    def find_file(self, name: str) -> Path:
        """The file of a D1 by its binding, or of an object by its name."""
        unique = "d1" if self.strategy == "d1" else "DB"
        return self.folder / "state" / unique / f"{object_id(unique, name)}.sqlite"

    def assert_same(self) -> None:
        """Compare both sides by plain SQL, without edgelift; only while nobody serves."""
        for table, columns in self.origin.tables.items():
            self.origin.compare_table(table, columns, self.file)
