"""The WSGI server (PEP 3333) of the isolate: environ as gunicorn's, the app, its answer."""

from __future__ import annotations

import sys
import traceback
from collections.abc import Callable, Iterator
from contextvars import Context
from typing import Any
from urllib.parse import unquote_to_bytes

from edgelift.worker.body import open_body
from edgelift.worker.exchange import LARGEST_WHOLE_BODY, LOOPBACK, Answer, Request, split_origin
from edgelift.worker.flows import Flow, close_flow, new_context
from edgelift.worker.http_fields import (
    EMPTY_STATUSES,
    HOP_BY_HOP,
    check_name,
    check_status,
    check_value,
    to_javascript_text,
    to_wsgi_text,
)

_EMPTY = Context()
_SERVER_ERROR = b"""<html>
  <head>
    <title>Internal Server Error</title>
  </head>
  <body>
    <h1><p>Internal Server Error</p></h1>
    \n  </body>
</html>
"""
_SERVER_ERROR_HEADERS = f"Content-Type\ntext/html\nContent-Length\n{len(_SERVER_ERROR)}"


_WHOLE = (list, tuple)
_MOST_KNOWN_KEYS = 512
_known_keys: dict[str, str] = {}


class FileWrapper:
    """The wsgi.file_wrapper of PEP 3333."""

    def __init__(self, filelike: Any, blksize: int = 8192) -> None:
        self.filelike = filelike
        self.blksize = blksize
        if hasattr(filelike, "close"):
            self.close = filelike.close

    def __iter__(self) -> FileWrapper:
        return self

    def __next__(self) -> bytes:
        data: bytes = self.filelike.read(self.blksize)
        if not data:
            raise StopIteration
        return data


_FIXED_ENVIRON: dict[str, Any] = {
    "wsgi.version": (1, 0),
    "wsgi.multithread": True,
    "wsgi.multiprocess": False,
    "wsgi.run_once": False,
    "wsgi.file_wrapper": FileWrapper,
    "wsgi.input_terminated": True,
    "SERVER_SOFTWARE": "edgelift",
    "SERVER_PROTOCOL": "HTTP/1.1",
    "REMOTE_ADDR": LOOPBACK,
    "REMOTE_PORT": "0",
    "SCRIPT_NAME": "",
}


def build_environ(request: Request) -> dict[str, Any]:
    """Return the environ gunicorn would hand to the app for this request.

    Differences on purpose: wsgi.multithread is True, since requests overlap; SERVER_NAME and
    SERVER_PORT are the URL's, there is no listening socket; REMOTE_PORT is "0", Cloudflare does not
    tell it.
    """
    scheme, server, port = split_origin(request.origin)
    path, query = request.path, request.query
    environ = _FIXED_ENVIRON.copy()
    environ["wsgi.errors"] = sys.stderr
    environ["wsgi.input"] = open_body(request.body, request.request_id)
    environ["wsgi.url_scheme"] = scheme
    environ["REQUEST_METHOD"] = request.method
    environ["QUERY_STRING"] = query
    environ["RAW_URI"] = f"{path}?{query}" if query else path
    environ["SERVER_NAME"] = server
    environ["SERVER_PORT"] = port
    environ["PATH_INFO"] = unquote_to_bytes(path).decode("latin-1") if "%" in path else path
    add_headers(environ, request.headers)
    return environ


def add_headers(environ: dict[str, Any], flat: str) -> None:
    """Add request headers, given in PROTOCOL's flat form.

    Names with an underscore are dropped, since they could pose as others.
    """
    if not flat:
        return
    fields = iter(flat.split("\n"))
    for name, value in zip(fields, fields, strict=True):
        key = _known_keys.get(name)
        if key is None:
            key = _make_key(name)
        if not key:
            continue
        text = value if value.isascii() else to_wsgi_text(value)
        environ[key] = f"{environ[key]},{text}" if key in environ else text
    client = environ.get("HTTP_CF_CONNECTING_IP")
    if client:
        environ["REMOTE_ADDR"] = client


def _make_key(name: str) -> str:
    """Return the environ's key of a lower-case header name, "" for one that is dropped."""
    if "_" in name:
        return ""
    key = name.upper().replace("-", "_")
    if name not in {"content-type", "content-length"}:
        key = f"HTTP_{key}"
    if len(_known_keys) < _MOST_KNOWN_KEYS:
        _known_keys[name] = key
    return key


class Response:
    """The server's side of one answer: start_response, write, and what they collected."""

    __slots__ = ("headers", "headers_sent", "length", "method", "parts", "sent", "status")

    def __init__(self, method: str) -> None:
        self.method = method
        self.status = 0
        # Names and values in turn: joined they are PROTOCOL's flat form.
        self.headers: list[str] = []
        self.length: int | None = None
        self.sent = 0
        self.headers_sent = False
        self.parts: list[bytes] = []

    def start(
        self, status: str, headers: list[tuple[str, str]], exc_info: Any = None
    ) -> Callable[[bytes], None]:
        """Take status and headers (the start_response of PEP 3333)."""
        if exc_info:
            try:
                if self.headers_sent:
                    raise exc_info[1].with_traceback(exc_info[2])
            finally:
                exc_info = None
        elif self.status:
            raise AssertionError("Response headers already set!")
        self.status = check_status(status)
        # Headers of a call that exc_info replaces stay, against PEP 3333 but as in gunicorn.
        for name, value in headers:
            lowered = check_name(name)
            self._add_header(name, lowered, check_value(name, value))
        return self.write

    def _add_header(self, name: str, lowered: str, value: str) -> None:
        if lowered == "content-length":
            if self.status in EMPTY_STATUSES and self.status != 304:
                return
            self.length = int(value)
        elif lowered in HOP_BY_HOP:
            return
        self.headers += (name, to_javascript_text(value))

    @property
    def omits_body(self) -> bool:
        """Whether HTTP allows no body here, whatever the app produces."""
        return self.method == "HEAD" or self.status in EMPTY_STATUSES

    def write(self, data: bytes) -> None:
        """Take a part of the body (the callable start_response returns)."""
        if not self.status:
            raise AssertionError("write() before start_response()")
        self.headers_sent = True
        if not isinstance(data, bytes):
            raise TypeError(f"{data!r} is not a byte")
        if self.omits_body:
            return
        if self.length is not None:
            data = data[: max(0, self.length - self.sent)]
        if data:
            self.sent += len(data)
            self.parts.append(data)

    def take(self) -> bytes:
        """Return the parts written since the last call."""
        data = self.parts[0] if len(self.parts) == 1 else b"".join(self.parts)
        self.parts.clear()
        return data


class Stream:
    """An answer's body that is still being produced.

    Every step runs in the request's own context.
    """

    def __init__(self, response: Response, result: Any, iterator: Iterator[bytes]) -> None:
        self._response = response
        self._result = result
        self._iterator = iterator
        self._context: Context = _EMPTY
        self._flow: Flow | None = None
        self._reading = False
        self._abandoned = False

    def bind(self, context: Context, flow: Flow) -> None:
        """Run all further steps in the request's context, and end its flow with the body."""
        self._context = context
        self._flow = flow

    def read(self) -> bytes | None:
        """Return the next part, None at the end.

        What the app raises goes through, after its close().
        """
        self._reading = True
        try:
            return self._context.run(self._read)
        finally:
            self._reading = False

    def _read(self) -> bytes | None:
        response = self._response
        try:
            for item in self._iterator:
                response.write(item)
                if self._abandoned:
                    break
                if response.parts:
                    return response.take()
        except BaseException:
            self._end()
            raise
        self._end()
        return None

    def close(self) -> None:
        """End the body early: the client went away. A step that is waiting right now ends first."""
        if self._reading:
            self._abandoned = True
        else:
            self._context.run(self._end)

    def _end(self) -> None:
        if self._flow is not None:
            flow, self._flow = self._flow, None
            try:
                # What the app does here, such as giving a session back, is part of its request.
                close_result(self._result)
            finally:
                close_flow(flow)


def close_result(result: Any) -> None:
    """Call the close() an app's iterable may have."""
    close = getattr(result, "close", None)
    if close is not None:
        close()


class WsgiServer:
    """Answers requests with one WSGI application."""

    def __init__(self, app: Any) -> None:
        self.app = app

    def start(self) -> None:
        """Do what must happen once per isolate: nothing in WSGI."""

    def answer(self, request: Request, flow: Flow) -> Answer:
        """Run the app for a request in a context of its own.

        Errors become gunicorn's answer to them.
        """
        context = new_context(flow)
        try:
            answer = context.run(self._run, request)
        except (Exception, SystemExit) as error:  # noqa: BLE001 - a server's last line of defence
            report_error(request, error)
            answer = Answer(500, _SERVER_ERROR_HEADERS, _SERVER_ERROR)
        if isinstance(answer.rest, Stream):
            answer.rest.bind(context, flow)
        else:
            close_flow(flow)
        return answer

    def _run(self, request: Request) -> Answer:
        response = Response(request.method)
        result = self.app(build_environ(request), response.start)
        try:
            iterator = iter(result)
            finished = collect(response, result, iterator)
        except BaseException:
            close_result(result)
            raise
        headers = "\n".join(response.headers)
        body = None if response.omits_body else response.take()
        if not finished:
            return Answer(response.status, headers, body, Stream(response, result, iterator))
        close_result(result)
        return Answer(response.status, headers, body)


def collect(response: Response, result: Any, iterator: Iterator[bytes]) -> bool:
    """Take the body's first part, or all of it when it is there or short; return whether it ended.

    A body without a length streams from its first part on: the app may well wait before the second.
    """
    at_hand = isinstance(result, _WHOLE)
    for item in iterator:
        response.write(item)
        if response.omits_body or at_hand:
            continue
        short = response.length is not None and response.length <= LARGEST_WHOLE_BODY
        if response.parts and not short:
            return False
    if not response.status:
        raise RuntimeError("the application did not call start_response()")
    return True


def report_error(request: Request, error: BaseException) -> None:
    """Write a traceback to the log, as gunicorn does."""
    print(f"Error handling request {request.path}", file=sys.stderr)
    traceback.print_exception(error, file=sys.stderr)
