"""Requests, replies, flows and differences: what verify replays and what it reports."""

from __future__ import annotations

import msgspec

Headers = tuple[tuple[str, str], ...]


class Reply(msgspec.Struct, frozen=True, kw_only=True):
    """One HTTP reply as it came off the wire: `body` is still encoded as Content-Encoding says.

    `error` says why there was no reply (then `status` is 0); `cut` marks an endless body that was
    read up to its first event only; `duration_s` is from sending to the last byte.
    """

    status: int
    headers: Headers = ()
    body: bytes = b""
    duration_s: float = 0.0
    error: str = ""
    cut: bool = False

    def values(self, name: str) -> list[str]:
        """Return all values of a header, in order; the name's case does not matter."""
        wanted = name.lower()
        return [value for key, value in self.headers if key.lower() == wanted]

    def value(self, name: str) -> str:
        """Return the values of a header joined by commas, empty when it is missing."""
        return ", ".join(self.values(name))


class Request(msgspec.Struct, frozen=True, kw_only=True):
    """One HTTP request; `path` and `query` are percent-encoded, `rule` is the route it matches.

    `purpose` says in two or three words what it tries. `bindings` are the values in it that an
    earlier reply of the flow gave out; on replay they become the values this side gave out.
    `reply` is what the origin answered when the request was recorded. `fault` is what the database
    does during the request ("write 2": its second write fails), see worker/sqlite3/faults.py.
    """

    method: str
    path: str
    query: str = ""
    headers: Headers = ()
    body: bytes = b""
    rule: str = ""
    purpose: str = ""
    bindings: tuple[str, ...] = ()
    reply: Reply | None = None
    fault: str = ""

    @property
    def target(self) -> str:
        """Return the request target: path and query."""
        return f"{self.path}?{self.query}" if self.query else self.path

    @property
    def label(self) -> str:
        """Return `METHOD target`, shortened for people."""
        text = f"{self.method} {self.target}"
        text += f" while {self.fault} fails" if self.fault else ""
        return text if len(text) <= 120 else f"{text[:117]}..."

    @property
    def route(self) -> str:
        """Return `METHOD /rule`: the key under which noise is learned and ignore rules match."""
        return f"{self.method} {self.rule or self.path}"


class Flow(msgspec.Struct, frozen=True, kw_only=True):
    """A stateful sequence of requests.

    `source` is `generated`, `tests`, `faults` or a HAR file's name.
    """

    name: str
    source: str
    requests: tuple[Request, ...] = ()


class Difference(msgspec.Struct, frozen=True, kw_only=True):
    """One way in which two replies to the same request differ.

    `where` is the place (`body.items[3].score`, `header.Content-Type`, `status`), `pattern` the
    same with `[*]` for positions; `kind` one of the kinds listed in stages/verify/compare.py.
    """

    flow: str
    position: int
    request: str
    route: str
    kind: str
    where: str
    pattern: str
    origin: str
    target: str
    note: str = ""

    @property
    def text(self) -> str:
        """Return the difference as one line: `GET /api/x -> body.items[3].score: 1 != 2`."""
        told = self.note or f"{self.origin} != {self.target}"
        return f"{self.request} -> {self.where}: {told}"


class NoiseMask(msgspec.Struct, frozen=True, kw_only=True):
    """A place whose value changes between two runs of the origin itself.

    `kinds` are the kinds of difference seen there, `formats` the formats its values had; a value of
    another format still is a difference. `seen` counts how often it differed.
    """

    route: str
    pattern: str
    kinds: tuple[str, ...]
    formats: tuple[str, ...]
    seen: int = 1
