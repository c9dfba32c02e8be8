"""One request, asked of gunicorn over HTTP and of edgelift's WSGI server directly."""

from __future__ import annotations

import contextlib
import http.client
import importlib.util
import re
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from edgelift.worker import flows
from edgelift.worker.exchange import Request
from edgelift.worker.http_fields import split_headers
from edgelift.worker.wsgi import WsgiServer

PROBE = Path(__file__).parents[2] / "apps" / "wsgi_probe"
# What each server says about itself, and framing.
_OWN_HEADERS = {"server", "date", "connection", "transfer-encoding"}


@dataclass
class Outcome:
    """A response as the client sees it; `broken` when it ended before its end."""

    status: int
    headers: list[tuple[str, str]]
    body: bytes
    broken: bool = False


@dataclass
class Asked:
    method: str = "GET"
    path: str = "/"
    query: str = ""
    headers: list[list[str]] = field(default_factory=list)
    body: str | None = None

    @property
    def target(self) -> str:
        return f"{self.path}?{self.query}" if self.query else self.path


@contextlib.contextmanager
def run_gunicorn(folder: Path, log: Path) -> Iterator[int]:
    """Run gunicorn with one sync worker on a port of its own; the app is probe:app."""
    with socket.create_server(("127.0.0.1", 0)) as listener, log.open("wb") as output:
        port = listener.getsockname()[1]
        command = [sys.executable, "-m", "gunicorn", "--chdir", str(folder), "--bind"]
        command += [f"fd://{listener.fileno()}", "--workers", "1", "probe:app"]
        process = subprocess.Popen(
            command, pass_fds=(listener.fileno(),), stdout=output, stderr=output
        )
        try:
            # The socket listens already: the first request waits until the worker takes it.
            ask_gunicorn(port, Asked(path="/one"))
            yield port
        finally:
            process.terminate()
            process.wait(30)


def ask_gunicorn(port: int, asked: Asked) -> Outcome:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        connection.putrequest(asked.method, asked.target, skip_accept_encoding=True)
        for name, value in asked.headers:
            connection.putheader(name, value.encode())
        connection.endheaders((asked.body or "").encode() or None)
        try:
            answer = connection.getresponse()
            headers = _comparable(answer.getheaders())
            try:
                return Outcome(answer.status, headers, answer.read())
            except http.client.IncompleteRead as cut:
                return Outcome(answer.status, headers, cut.partial, broken=True)
        except (http.client.RemoteDisconnected, http.client.BadStatusLine):
            return Outcome(0, [], b"", broken=True)
    finally:
        connection.close()


def ask_adapter(server: WsgiServer, asked: Asked, port: int) -> Outcome:
    sent = [["host", f"127.0.0.1:{port}"], *asked.headers]
    request = Request(
        method=asked.method,
        path=asked.path,
        query=asked.query,
        headers="\n".join(f"{name}\n{value}" for name, value in sent),
        body=None if asked.body is None else asked.body.encode(),
        origin=f"http://127.0.0.1:{port}",
        request_id=1,
    )
    answer = server.answer(request, flows.open_flow(1))
    body, broken = answer.body or b"", False
    try:
        while answer.rest and (part := answer.rest.read()) is not None:
            body += part
    except Exception:
        broken = True
    headers = split_headers(answer.headers)
    length = next((int(v) for k, v in headers if k.lower() == "content-length"), None)
    if length is not None and length > len(body) and asked.method != "HEAD" and body:
        broken = True
    if asked.method == "HEAD":
        body = b""  # js/worker.mjs drops it
    return Outcome(answer.status, _comparable(headers), body, broken)


def _comparable(headers: list[tuple[str, str]]) -> list[tuple[str, str]]:
    kept = [(name.lower(), value) for name, value in headers]
    return sorted(pair for pair in kept if pair[0] not in _OWN_HEADERS)


def load_probe() -> Any:
    """Load the probe app as a module of its own, so that its log is not shared."""
    spec = importlib.util.spec_from_file_location("wsgi_probe", PROBE / "probe.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def list_paths() -> list[str]:
    """Return the names of the probe's cases, as they stand in its source."""
    source = (PROBE / "probe.py").read_text("utf-8")
    names = re.findall(r"^def (\w+)\(environ, start_response\)", source, re.MULTILINE)
    return [name for name in names if name not in {"environ", "show_log"}]
