"""The ASGI server of the isolate: lifespan once, requests on own stacks, answers as uvicorn's."""

from __future__ import annotations

import asyncio
import sys
import traceback
from collections import deque
from collections.abc import Callable
from typing import Any
from urllib.parse import unquote

from edgelift.worker.exchange import LARGEST_WHOLE_BODY, LOOPBACK, Answer, Request, split_origin
from edgelift.worker.flows import MAIN_FLOW, Flow, close_flow, new_context
from edgelift.worker.host import from_buffer, keep_alive, read_host
from edgelift.worker.http_fields import (
    EMPTY_STATUSES,
    HOP_BY_HOP,
    check_header,
    join_headers,
    split_headers,
)
from edgelift.worker.loop import drive

ASGI = {"version": "3.0", "spec_version": "2.3"}
_SERVER_ERROR = b"Internal Server Error"
_SERVER_ERROR_HEADERS = (
    f"content-type\ntext/plain; charset=utf-8\ncontent-length\n{len(_SERVER_ERROR)}"
)
# A producer that is this far ahead of the client waits.
_MOST_BUFFERED = 1_048_576


class StartupError(RuntimeError):
    """The app's lifespan refused to start."""


class BrokenAnswerError(RuntimeError):
    """The app ended, or failed, in the middle of its answer."""


def build_scope(request: Request, state: dict[str, Any]) -> dict[str, Any]:
    """Return the connection scope (ASGI 3.0, HTTP spec 2.3) uvicorn would give for this request."""
    scheme, server, port = split_origin(request.origin)
    headers = [
        (name.encode("latin-1"), value.encode("utf-8", "surrogateescape"))
        for name, value in split_headers(request.headers)
    ]
    client = next((v.decode("latin-1") for k, v in headers if k == b"cf-connecting-ip"), LOOPBACK)
    return {
        "type": "http",
        "asgi": ASGI,
        "http_version": "1.1",
        "server": (server, int(port)),
        "client": (client, 0),
        "scheme": scheme,
        "method": request.method,
        "root_path": "",
        "path": unquote(request.path),
        "raw_path": request.path.encode("ascii", "surrogateescape"),
        "query_string": request.query.encode("ascii", "surrogateescape"),
        "headers": headers,
        "state": dict(state),
    }


class Exchange:
    """One request and its answer, between the app's task and whoever drives it."""

    def __init__(self, request: Request, flow: Flow) -> None:
        self.request = request
        self.flow = flow
        self.task: asyncio.Task[Any] | None = None
        self.status = 0
        self.headers: list[tuple[str, str]] = []
        self.length: int | None = None
        self.parts: deque[bytes] = deque()
        self.buffered = 0
        self.complete = False
        self.abandoned = False
        self._body: Any = request.body
        self._body_ended = False
        self._ended = asyncio.Event()
        self._drained = asyncio.Event()

    async def receive(self) -> dict[str, Any]:
        """Return the next part of the request's body; the disconnect once the answer is out."""
        if not self._body_ended and not self.complete:
            return await self._receive_body()
        await self._ended.wait()
        return {"type": "http.disconnect"}

    async def _receive_body(self) -> dict[str, Any]:
        if isinstance(self._body, int):
            part = await read_host().read_body(self.request.request_id)
            self._body_ended = part is None
            data = b"" if part is None else from_buffer(part)
        else:
            self._body_ended = True
            data = b"" if self._body is None else from_buffer(self._body)
            self._body = None
        return {"type": "http.request", "body": data, "more_body": not self._body_ended}

    async def send(self, message: dict[str, Any]) -> None:
        """Take a message of the app; raises RuntimeError for one that is out of order."""
        kind = message["type"]
        if not self.status:
            if kind != "http.response.start":
                raise RuntimeError(
                    f"Expected ASGI message 'http.response.start', but got {kind!r}."
                )
            self._start(message)
        elif self.abandoned:
            return
        elif kind != "http.response.body" or self.complete:
            detail = "after response already completed" if self.complete else "in the wrong place"
            raise RuntimeError(f"Unexpected ASGI message {kind!r} sent, {detail}.")
        else:
            await self._add_body(message)

    def _start(self, message: dict[str, Any]) -> None:
        self.status = int(message["status"])
        for name, value in message.get("headers", ()):
            field = check_header(bytes(name).decode("latin-1"), bytes(value).decode("latin-1"))
            lowered = field[0].lower()
            if lowered in HOP_BY_HOP:
                continue
            if lowered == "content-length":
                self.length = int(field[1])
            self.headers.append(field)

    async def _add_body(self, message: dict[str, Any]) -> None:
        data = message.get("body", b"")
        if data and self.request.method != "HEAD" and self.status not in EMPTY_STATUSES:
            self.parts.append(bytes(data))
            self.buffered += len(data)
        if not message.get("more_body", False):
            self.complete = True
            self._ended.set()
            # The client gets its answer before background tasks begin, which may never give way.
            await asyncio.sleep(0)
        elif self.buffered > _MOST_BUFFERED:
            self._drained.clear()
            await self._drained.wait()

    def answered(self) -> bool:
        """Return whether there is something to send.

        The whole answer, or the first part of a streamed one.
        """
        if self.complete or self.finished():
            return True
        short = self.length is not None and self.length <= LARGEST_WHOLE_BODY
        return bool(self.parts) and not short

    def finished(self) -> bool:
        """Return whether the app's task has ended."""
        return self.task is not None and self.task.done()

    def take(self) -> bytes:
        """Return what was sent since the last call."""
        data = self.parts[0] if len(self.parts) == 1 else b"".join(self.parts)
        self.parts.clear()
        self.buffered = 0
        self._drained.set()
        return data

    # The rest of a streamed body (exchange.Rest).
    def read(self) -> bytes | None:
        """Return the next part, None at the end.

        Raises BrokenAnswerError when the app fails on the way.
        """
        return new_context(self.flow).run(self._read)

    def _read(self) -> bytes | None:
        drive(self.flow, lambda: bool(self.parts) or self.complete or self.finished())
        if self.parts:
            return self.take()
        if not self.complete:
            raise BrokenAnswerError("the application ended before its answer was complete")
        return None

    def close(self) -> None:
        """Tell the app that the client went away."""
        self.abandoned = True
        self.parts.clear()
        new_context(self.flow).run(self._disconnect)

    def _disconnect(self) -> None:
        self._ended.set()
        self._drained.set()


class AsgiServer:
    """Answers requests with one ASGI application."""

    def __init__(self, app: Any) -> None:
        self.app = app
        self.state: dict[str, Any] = {}
        self._lifespan: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Run the lifespan's startup in this isolate.

        Raises StartupError with what the app reports.
        """
        lifespan = Lifespan(self.app, self.state)
        # Kept: it waits for a shutdown that no Worker announces, and would be collected.
        self._lifespan = asyncio.get_event_loop().create_task(lifespan.run())
        drive(MAIN_FLOW, lambda: lifespan.started)
        if lifespan.failure:
            raise StartupError(lifespan.failure)

    def answer(self, request: Request, flow: Flow) -> Answer:
        """Start the app's task for a request, in its own context, and drive it to an answer."""
        return new_context(flow).run(self._answer, request, flow)

    def _answer(self, request: Request, flow: Flow) -> Answer:
        exchange = Exchange(request, flow)
        task = asyncio.get_event_loop().create_task(self._run(exchange))
        exchange.task = task
        drive(flow, exchange.answered)
        if task.done():
            close_flow(flow)
        else:
            release = keep_alive()
            task.add_done_callback(lambda _task: _end(flow, release))
        if not exchange.status:
            return Answer(500, _SERVER_ERROR_HEADERS, _SERVER_ERROR)
        if not exchange.complete and task.done() and not exchange.parts:
            raise BrokenAnswerError("the application ended before its answer was complete")
        body = exchange.take()
        rest = None if exchange.complete else exchange
        return Answer(exchange.status, join_headers(exchange.headers), body, rest)

    async def _run(self, exchange: Exchange) -> None:
        scope = build_scope(exchange.request, self.state)
        try:
            await self.app(scope, exchange.receive, exchange.send)
        except (Exception, SystemExit) as error:  # noqa: BLE001 - a server's last line of defence
            print("Exception in ASGI application", file=sys.stderr)
            traceback.print_exception(error, file=sys.stderr)
        else:
            if not exchange.status:
                print("ASGI callable returned without starting response.", file=sys.stderr)


def _end(flow: Flow, release: Callable[[], object]) -> None:
    close_flow(flow)
    release()


class Lifespan:
    """The lifespan protocol (ASGI spec 2.0) up to the end of startup."""

    def __init__(self, app: Any, state: dict[str, Any]) -> None:
        self._app = app
        self._state = state
        self._first = True
        self.started = False
        self.failure = ""

    async def run(self) -> None:
        """Run the app's lifespan; one that raises without a word does not support the protocol."""
        scope = {"type": "lifespan", "asgi": {**ASGI, "spec_version": "2.0"}, "state": self._state}
        try:
            await self._app(scope, self._receive, self._send)
        except (Exception, SystemExit) as error:  # noqa: BLE001 - the spec's sign for "not supported"
            if not self.started:
                reason = "".join(traceback.format_exception_only(error)).strip()
                print(f"ASGI 'lifespan' protocol appears unsupported ({reason})", file=sys.stderr)
        finally:
            self.started = True

    async def _receive(self) -> dict[str, Any]:
        if self._first:
            self._first = False
            return {"type": "lifespan.startup"}
        await asyncio.Event().wait()
        raise AssertionError

    async def _send(self, message: dict[str, Any]) -> None:
        if message["type"] == "lifespan.startup.failed":
            self.failure = message.get("message") or "the application's startup failed"
        if message["type"].startswith("lifespan.startup."):
            self.started = True
