"""Read HAR files (HTTP Archive 1.2), as browsers and proxies save them, into flows."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import urlsplit

import msgspec

from edgelift.errors import UsageError
from edgelift.model.flows import Flow, Headers, Reply, Request
from edgelift.model.inventory import Route
from edgelift.stages.verify.binding import mark_bindings
from edgelift.stages.verify.client import HOP_HEADERS, HOST
from edgelift.stages.verify.generate import match_route
from edgelift.stages.verify.recording import READABLE_CODINGS


class _Pair(msgspec.Struct):
    name: str
    value: str


class _PostData(msgspec.Struct, rename="camel"):
    mime_type: str = ""
    text: str = ""
    encoding: str = ""


class _Request(msgspec.Struct, rename="camel"):
    method: str
    url: str
    headers: list[_Pair] = []
    post_data: _PostData | None = None


class _Content(msgspec.Struct, rename="camel"):
    mime_type: str = ""
    text: str = ""
    encoding: str = ""


class _Response(msgspec.Struct):
    status: int
    headers: list[_Pair] = []
    content: _Content = msgspec.field(default_factory=_Content)


class _Entry(msgspec.Struct):
    request: _Request
    response: _Response


class _Log(msgspec.Struct):
    entries: list[_Entry]


class _Archive(msgspec.Struct):
    log: _Log


def read_har(file: Path, routes: Sequence[Route]) -> Flow:
    """Return the flow of a HAR file: the requests to the host of its first entry, in their order.

    Raises UsageError when the file cannot be read or is no HAR.
    """
    try:
        archive = msgspec.json.decode(file.read_bytes(), type=_Archive)
    except OSError as error:
        raise UsageError(
            f"The recording {file} cannot be read",
            why=str(error.strerror),
            tip="correct parity.recordings in edgelift.toml",
        ) from error
    except msgspec.MsgspecError as error:
        raise UsageError(
            f"The recording {file} is not a HAR file",
            why=str(error),
            tip="save it again from the browser's network panel: Save all as HAR",
        ) from error
    entries = archive.log.entries
    host = urlsplit(entries[0].request.url).netloc if entries else ""
    own = [entry for entry in entries if urlsplit(entry.request.url).netloc == host]
    requests = [_to_request(entry, host, routes) for entry in own]
    name = f"har:{file.name}"
    return Flow(name=name, source=file.name, requests=tuple(mark_bindings(requests)))


def _to_request(entry: _Entry, host: str, routes: Sequence[Route]) -> Request:
    parts = urlsplit(entry.request.url)
    post = entry.request.post_data
    body = b""
    if post is not None:
        body = base64.b64decode(post.text) if post.encoding == "base64" else post.text.encode()
    return Request(
        method=entry.request.method,
        path=parts.path or "/",
        query=parts.query,
        headers=tuple(_clean(entry.request.headers, host)),
        body=body,
        rule=match_route(parts.path or "/", routes),
        purpose="recorded",
        reply=_to_reply(entry.response),
    )


def _clean(pairs: Sequence[_Pair], host: str) -> Headers:
    kept = []
    for pair in pairs:
        lower = pair.name.lower()
        if lower.startswith(":") or lower in HOP_HEADERS | {"host", "content-length"}:
            continue
        value = pair.value.replace(host, HOST) if host else pair.value
        if lower == "accept-encoding":
            codings = (part.strip() for part in value.split(","))
            value = ", ".join(c for c in codings if c.split(";")[0] in READABLE_CODINGS)
        kept.append((pair.name, value))
    return tuple(kept)


def _to_reply(response: _Response) -> Reply:
    content = response.content
    body = base64.b64decode(content.text) if content.encoding == "base64" else content.text.encode()
    # A HAR holds decoded bodies.
    left_out = {"content-encoding", "content-length", "transfer-encoding"}
    headers = tuple((p.name, p.value) for p in response.headers if p.name.lower() not in left_out)
    return Reply(status=response.status, headers=headers, body=body)
