"""A recording reverse proxy: the origin's own HTTP tests talk through it and leave a flow."""

from __future__ import annotations

import contextlib
import http.client
import threading
import time
from collections.abc import Iterator, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

import msgspec

from edgelift.model.flows import Flow, Reply, Request
from edgelift.model.inventory import Route
from edgelift.stages.verify.binding import mark_bindings
from edgelift.stages.verify.client import HOP_HEADERS, HOST, STREAM_BYTES, TIMEOUT_S
from edgelift.stages.verify.generate import match_route

READABLE_CODINGS = ("gzip", "deflate", "identity", "*")  # what compare can decode


class Recorder:
    """The requests in the order of their arrival, each with its reply once that is complete."""

    def __init__(self, authority: str) -> None:
        self.authority = authority
        self._lock = threading.Lock()
        self._requests: list[Request] = []

    def begin(self, request: Request) -> int:
        """Note a request and return its position."""
        with self._lock:
            self._requests.append(request)
            return len(self._requests) - 1

    def finish(self, position: int, reply: Reply) -> None:
        """Note the reply of a request."""
        with self._lock:
            request = self._requests[position]
            self._requests[position] = msgspec.structs.replace(request, reply=reply)

    def build_flow(self, name: str, proxy: str, routes: Sequence[Route]) -> Flow:
        """Return what was recorded as one flow, with the proxy's address written as `localhost`."""
        with self._lock:
            requests = [self._to_portable(request, proxy, routes) for request in self._requests]
        return Flow(name=name, source=name, requests=tuple(mark_bindings(requests)))

    @staticmethod
    def _to_portable(request: Request, proxy: str, routes: Sequence[Route]) -> Request:
        return msgspec.structs.replace(
            request,
            headers=tuple((k, v.replace(proxy, HOST)) for k, v in request.headers),
            query=request.query.replace(proxy, HOST),
            body=request.body.replace(proxy.encode(), HOST.encode()),
            rule=match_route(request.path, routes),
            purpose="recorded",
        )


class _Handler(BaseHTTPRequestHandler):
    """Forwards one request after the other of a test client's connection to the origin."""

    protocol_version = "HTTP/1.1"
    recorder: Recorder
    # The body of a reply follows its headers in a second packet.
    disable_nagle_algorithm = True

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base's name
        """Drop the access log line."""

    def forward(self) -> None:
        """Send the request on, note both sides, and send the reply back."""
        request = self._read_request()
        position = self.recorder.begin(request)
        upstream = http.client.HTTPConnection(self.recorder.authority, timeout=TIMEOUT_S)
        started = time.perf_counter()
        try:
            upstream.putrequest(self.command, self.path, skip_host=True, skip_accept_encoding=True)
            upstream.putheader("Host", self.headers.get("Host", HOST))
            for name, value in request.headers:
                if name.lower() != "host":
                    upstream.putheader(name, value.encode("latin-1", "replace"))
            if request.body or self.headers.get("Content-Length"):
                upstream.putheader("Content-Length", str(len(request.body)))
            upstream.endheaders(request.body or None)
            response = upstream.getresponse()
            body = self._send_back(response)
        except (OSError, http.client.HTTPException) as error:
            self.recorder.finish(position, Reply(status=0, error=str(error) or repr(error)))
            self.close_connection = True
            return
        finally:
            upstream.close()
        reply = Reply(
            status=response.status,
            headers=tuple(response.getheaders()),
            body=body,
            duration_s=time.perf_counter() - started,
        )
        self.recorder.finish(position, reply)

    # The base looks a method up by the name `do_METHOD`.
    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = do_OPTIONS = do_TRACE = forward  # noqa: N815

    def _read_request(self) -> Request:
        parts = urlsplit(self.path)
        return Request(
            method=self.command,
            path=self.path.partition("?")[0].partition("#")[0],
            query=parts.query,
            headers=tuple(self._read_headers()),
            body=self._read_body(),
        )

    def _read_headers(self) -> Iterator[tuple[str, str]]:
        for name, value in self.headers.items():
            lower = name.lower()
            local = lower == "host" and value.partition(":")[0] in {"127.0.0.1", HOST}
            if local or lower in HOP_HEADERS | {"content-length"}:
                continue
            if lower == "accept-encoding":
                codings = (part.strip() for part in value.split(","))
                yield name, ", ".join(c for c in codings if c.split(";")[0] in READABLE_CODINGS)
            else:
                yield name, value

    def _read_body(self) -> bytes:
        if "chunked" not in self.headers.get("Transfer-Encoding", "").lower():
            return self.rfile.read(int(self.headers.get("Content-Length") or 0))
        body = b""
        while size := int(self.rfile.readline().partition(b";")[0], 16):
            body += self.rfile.read(size)
            self.rfile.readline()
        while self.rfile.readline().strip():
            pass  # trailers
        return body

    def _send_back(self, response: http.client.HTTPResponse) -> bytes:
        """Send the reply on as it comes, and return its body (the beginning, when it is long)."""
        self.send_response_only(response.status, response.reason)
        for name, value in response.getheaders():
            if name.lower() not in HOP_HEADERS:
                self.send_header(name, value)
        bodyless = self.command == "HEAD" or response.status in {204, 304} or response.status < 200
        chunked = not bodyless and response.getheader("Content-Length") is None
        if chunked:
            self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        kept = b""
        while not bodyless and (part := response.read1(STREAM_BYTES)):
            self.wfile.write(b"%x\r\n%b\r\n" % (len(part), part) if chunked else part)
            self.wfile.flush()
            kept += part
        if chunked:
            self.wfile.write(b"0\r\n\r\n")
        return kept


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: object, client_address: object) -> None:
        """Stay silent: a test client that hangs up is its own business."""


@contextlib.contextmanager
def record(origin_url: str) -> Iterator[tuple[str, Recorder]]:
    """Run the proxy in front of an origin; yields its own URL and the recorder."""
    recorder = Recorder(urlsplit(origin_url).netloc)
    handler = type("Handler", (_Handler,), {"recorder": recorder})
    with _Server(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}", recorder
        finally:
            server.shutdown()
            thread.join()
