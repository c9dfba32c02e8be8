"""What both servers take and give: a request in PROTOCOL's flat form, and its answer."""

from __future__ import annotations

import functools
from typing import Any, NamedTuple, Protocol

from edgelift.worker.flows import Flow

# A body with a known length up to this is sent in one piece; longer ones stream.
LARGEST_WHOLE_BODY = 1_048_576
LOOPBACK = "127.0.0.1"
_DEFAULT_PORTS = {"http": "80", "https": "443"}


class Request(NamedTuple):
    """One request; the fields are the arguments of runtime.handle."""

    method: str
    path: str
    query: str
    headers: str
    body: Any
    origin: str
    request_id: int


class Rest(Protocol):
    """The part of a body that is not produced yet."""

    def read(self) -> bytes | None:
        """Return the next part, None at the end."""

    def close(self) -> None:
        """End the body early: the client went away."""


class Answer(NamedTuple):
    """What goes back to JavaScript."""

    status: int
    headers: str
    body: bytes | None
    rest: Rest | None = None


class Server(Protocol):
    """Runs one application."""

    def start(self) -> None:
        """Do what must happen once per isolate; raises when the app refuses to start."""

    def answer(self, request: Request, flow: Flow) -> Answer:
        """Answer one request; closes the flow once nothing of it runs any more."""


@functools.lru_cache(maxsize=64)
def split_origin(origin: str) -> tuple[str, str, str]:
    """Return scheme, host and port of "http://host:8787"; an IPv6 host keeps no brackets."""
    scheme, _, authority = origin.partition("://")
    host, colon, port = authority.rpartition(":")
    if not colon or port.endswith("]"):
        host, port = authority, ""
    return scheme, host.strip("[]"), port or _DEFAULT_PORTS.get(scheme, "")
